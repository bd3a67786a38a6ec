"""Score a test sequence: how anomalous each cell of each frame is.

    python -m anomaly_detection.score_anomalies --config configs/ped2.toml

gives the version's detector the features or frames of the sequence, and writes the score map
``scores/<version>/<sequence>.npy``, float32 ``(frames, cell rows, cell columns)``, with a ``.json``
beside it that gives the size of cells and frames.
"""

from collections.abc import Iterator
from typing import Any

from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

COMMAND = "anomaly_detection.score_anomalies"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """Score map and details; the map is written last."""
    return [artifacts.scores(sequence), artifacts.score_details(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Score one test sequence; the map is saved last."""
    from anomaly_detection.detectors import load_detector, load_input  # --help needs no NumPy
    from anomaly_detection.detectors.detector import score_checked

    scores, details = outputs(work.artifacts, work.unit)
    regions = work.config.regions
    detector = load_detector(work.artifacts)
    sequence = load_input(work.artifacts, "test", work.unit)
    score_map = score_checked(detector, sequence, sequence.grid(regions))
    yield (
        details,
        {
            "schema": SCHEMAS["scores"],
            "sequence": work.unit,
            "frame_count": sequence.frame_count,
            **sequence.time_record,
            "frame_height_px": sequence.height_px,
            "frame_width_px": sequence.width_px,
            "cell_height_px": regions.stride_px,
            "cell_width_px": regions.stride_px,
            "detector": work.artifacts.detector_name,
            "localizes": detector.localizes,
            **({"indicators": detector.weights} if detector.weights else {}),
        },
    )
    yield scores, score_map
    work.count(**sequence.counts())


STAGE = Stage(COMMAND, outputs, compute, "test")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Score test sequences with the version's detector.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
