"""Score a test sequence: how anomalous each cell of each frame is.

    python -m anomaly_detection.score_anomalies --config configs/ped2.toml

gives the version's detector the features or frames of the sequence, and writes the score map
``scores/<version>/<sequence>.npy``, float32 ``(frames, cell rows, cell columns)``, with a ``.json``
beside it that gives the size of cells and frames.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.inputs import Split
from vadloc.mining import DEFAULT_PROTOCOL
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

COMMAND = "anomaly_detection.score_anomalies"


def outputs(artifacts: Artifacts, sequence: str, *, split: Split = "test") -> list[Artifact]:
    """Score map and details; the map is written last."""
    return [artifacts.scores(sequence, split), artifacts.score_details(sequence, split)]


def compute(work: Work, *, split: Split = "test") -> Iterator[tuple[Artifact, Any]]:
    """Score one sequence; the map is saved last."""
    from anomaly_detection.detectors import load_detector, load_input  # --help needs no NumPy
    from anomaly_detection.detectors.detector import score_checked

    scores, details = outputs(work.artifacts, work.unit, split=split)
    regions = work.config.regions
    detector = load_detector(work.artifacts)
    sequence = load_input(work.artifacts, split, work.unit)
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


def reported(artifacts: Artifacts, sequence: str) -> list[str]:
    """The name of the report of a sequence in which the next round mines."""
    scores = artifacts.scores(sequence, "mined").path
    folder = artifacts.folder / "scores"
    return [str(scores.relative_to(folder).with_name(sequence))]


MINING = Stage(
    COMMAND,
    partial(outputs, split="mined"),
    partial(compute, split="mined"),
    "mined",
    variant="mining",
    reports=reported,
)
"""Scores the video in which the next round mines."""


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Score test sequences with the version's detector.", sequences=True)
    parser.add_argument(
        "--mining",
        action="store_true",
        help="score the sequences in which the next round mines, instead of the test sequences",
    )
    args = parser.parse_args(argv)
    if args.mining and not (args.mine_from or args.mine_split):
        args.mine_from = DEFAULT_PROTOCOL
    stage_main(MINING if args.mining else STAGE, args)


if __name__ == "__main__":
    main()
