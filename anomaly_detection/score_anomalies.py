"""Score a test sequence: how anomalous each cell of each frame is.

    python -m anomaly_detection.score_anomalies --config configs/ped2.toml

gives the version's detector the features or frames of the sequence, and writes the score map
``scores/<version>/<sequence>.npy``, float32 ``(frames, cell rows, cell columns)``, with a ``.json``
beside it that gives the size of cells and frames.
"""

from pathlib import Path

from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.detectors.detector import score_checked
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.cli import Stage, stage_main, stage_parser
from vadloc.config import Config
from vadloc.stage_reports import stage_report

COMMAND = "anomaly_detection.score_anomalies"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """Score map and details; the map is written last."""
    return [artifacts.scores(sequence), artifacts.score_details(sequence)]


def run(config: Config, artifacts: Artifacts, sequence: str, *, overwrite: bool = False) -> Path:
    """Score one test sequence.

    Returns:
        Path of the score map.
    """
    scores, details = outputs(artifacts, sequence)
    if all(file.is_done(overwrite=overwrite) for file in (scores, details)):
        return scores.path
    report = stage_report(artifacts, COMMAND, f"{artifacts.version}/{sequence}", scores.stamp)
    with report as counts:
        detector = load_detector(artifacts)
        sequence_input = load_input(artifacts, "test", sequence)
        score_map = score_checked(detector, sequence_input, sequence_input.grid(config.regions))
        details.save(
            {
                "schema": SCHEMAS["scores"],
                "sequence": sequence,
                "frame_count": sequence_input.frame_count,
                **sequence_input.time_record,
                "frame_height_px": sequence_input.height_px,
                "frame_width_px": sequence_input.width_px,
                "cell_height_px": config.regions.stride_px,
                "cell_width_px": config.regions.stride_px,
            }
        )
        scores.save(score_map)
        counts.update(sequence_input.counts())
    return scores.path


STAGE = Stage(COMMAND, run, outputs, "test")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Score test sequences with the version's detector.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
