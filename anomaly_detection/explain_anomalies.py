"""Explain the anomalies of a test sequence: what, where, when, and why it is unusual there.

    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml
    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml --threshold 0.3
    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml \
        --false-alarms-per-hour 5

reads the score map, asks the version's detector for the reason of each detection, and writes
``explanations/<version>/<sequence>.json``: for each detection its boxes, its most anomalous volume
and a sentence; of exemplars also the nearest one, what both show, and what is normal there. The
sentences go to stdout.
"""

from pathlib import Path

from anomaly_detection.calibration.calibrate_threshold import (
    alarm_threshold,
    calibrate,
    log_threshold,
)
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.explanation.records import sequence_to_record
from vadloc.artifacts import Artifact, Artifacts
from vadloc.cli import Stage, add_alarm_options, stage_main, stage_parser
from vadloc.config import Config
from vadloc.errors import counted
from vadloc.features import check_scores
from vadloc.rate_checks import log_contradictions
from vadloc.stage_reports import stage_report

COMMAND = "anomaly_detection.explain_anomalies"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The explanations of a sequence."""
    return [artifacts.explanations(sequence)]


def run(config: Config, artifacts: Artifacts, sequence: str, *, overwrite: bool = False) -> Path:
    """Explain the detections of one test sequence.

    Returns:
        Path of the explanations.
    """
    file = artifacts.explanations(sequence)
    if file.is_done(overwrite=overwrite):
        return file.path
    with stage_report(artifacts, COMMAND, f"{artifacts.version}/{sequence}", file.stamp) as counts:
        calibrate(config, artifacts, overwrite=overwrite)
        threshold = alarm_threshold(config, artifacts)
        sequence_input = load_input(artifacts, "test", sequence)
        scores = artifacts.scores(sequence).load()
        grid = sequence_input.grid(config.regions)
        check_scores(scores, (sequence_input.frame_count, *grid.cells), sequence)
        content = sequence_to_record(
            sequence_input,
            scores,
            load_detector(artifacts),
            threshold,
            config=config,
            version=artifacts.version,
        )
        file.save(content)
        counts["detections"] = len(content["detections"])
        counts["threshold"] = threshold.value
    return file.path


def sentences(artifacts: Artifacts, sequence: str) -> str:
    """Score and sentence of each detection of a sequence, a line each."""
    content = artifacts.explanations(sequence).load()
    lines = [f"  {d['score']:.3f}  {d['sentence']}" for d in content["detections"]]
    return "\n".join(lines) or f"  nothing scores {content['threshold']:.3f} or more"


def _prepare(config: Config, artifacts: Artifacts, *, overwrite: bool) -> None:
    """Calibrate for all units; warn of what the threshold cannot keep, and of wrong rates."""
    calibrate(config, artifacts, overwrite=overwrite)
    log_contradictions(artifacts)
    log_threshold(config, artifacts)


def alarms_to_text(artifacts: Artifacts) -> str:
    """How many alarms there are in all test sequences, and from which score on."""
    names = [sequence.name for sequence in artifacts.sequences("test")]
    contents = [artifacts.explanations(name).load() for name in names]
    alarms = counted(sum(len(content["detections"]) for content in contents), "alarm")
    threshold = contents[0]["threshold"]
    return f"{alarms} in {counted(len(names), 'sequence')}, from a score of {threshold:.3f} on"


STAGE = Stage(COMMAND, run, outputs, "test", prepare=_prepare, describe=sentences)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Explain what is anomalous in test sequences.", sequences=True)
    add_alarm_options(parser)
    args = parser.parse_args(argv)
    stage_main(STAGE, args)


if __name__ == "__main__":
    main()
