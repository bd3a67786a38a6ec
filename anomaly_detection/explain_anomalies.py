"""Explain the anomalies of a test sequence: what was detected, where, when and why.

    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml
    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml --threshold 0.3
    python -m anomaly_detection.explain_anomalies --config configs/ped2.toml \
        --false-alarms-per-hour 5

reads the score map, asks the version's detector for the reason of each detection, and writes
``explanations/<version>/<sequence>.json``. It gives for each detection the boxes, the most
anomalous volume and a sentence. The exemplar detector adds the nearest exemplar, what this and the
volume show, and what is normal in the region. The sentences go to stdout.
"""

from collections.abc import Iterator
from typing import Any

from anomaly_detection.calibration.calibrate_threshold import (
    alarm_threshold,
    calibrate,
    log_threshold,
)
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.explanation.records import sequence_to_record
from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.checks.rates import log_contradictions
from vadloc.errors import counted
from vadloc.features import check_scores
from vadloc.stage import Stage, Work, stage_main

COMMAND = "anomaly_detection.explain_anomalies"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The explanations of a sequence."""
    return [artifacts.explanations(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Explain the detections of one test sequence."""
    config, artifacts = work.config, work.artifacts
    calibrate(artifacts, overwrite=work.overwrite)
    threshold = alarm_threshold(config, artifacts)
    sequence = load_input(artifacts, "test", work.unit)
    scores = artifacts.scores(work.unit).load()
    check_scores(scores, (sequence.frame_count, *sequence.grid(config.regions).cells), work.unit)
    content = sequence_to_record(
        sequence,
        scores,
        load_detector(artifacts),
        threshold,
        config=config,
        version=artifacts.label,
    )
    yield artifacts.explanations(work.unit), content
    work.count(detections=len(content["detections"]), threshold=threshold.value)


def sentences(artifacts: Artifacts, sequence: str) -> str:
    """One line for each detection of a sequence, with its score and its sentence."""
    content = artifacts.explanations(sequence).load()
    lines = [f"  {d['score']:.3f}  {d['sentence']}" for d in content["detections"]]
    return "\n".join(lines) or f"  nothing scores {content['threshold']:.3f} or more"


def _prepare(artifacts: Artifacts, *, overwrite: bool) -> None:
    """Calibrate the threshold once for all sequences; warn of wrong rates and too little video."""
    calibrate(artifacts, overwrite=overwrite)
    log_contradictions(artifacts)
    log_threshold(artifacts.config, artifacts)


def alarms_to_text(artifacts: Artifacts) -> str:
    """The number of alarms in all test sequences, and the threshold."""
    names = [sequence.name for sequence in artifacts.sequences("test")]
    contents = [artifacts.explanations(name).load() for name in names]
    alarms = counted(sum(len(content["detections"]) for content in contents), "alarm")
    threshold = contents[0]["threshold"]
    return f"{alarms} in {counted(len(names), 'sequence')}, from a score of {threshold:.3f} on"


STAGE = Stage(COMMAND, outputs, compute, "test", prepare=_prepare, describe=sentences)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Explain what is anomalous in test sequences.", sequences=True)
    add_alarm_options(parser)
    args = parser.parse_args(argv)
    stage_main(STAGE, args)


if __name__ == "__main__":
    main()
