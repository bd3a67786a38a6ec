"""Score a training sequence as if nothing had been learnt from it.

    python -m anomaly_detection.score_left_out --config configs/ped2.toml

writes the score map ``left_out/<version>/<sequence>.npy``. The scores say what normal video
reaches, which gives the scale on which ``exemplar_selection.mine_normal`` judges other video. A
sequence of which each half is left out in turn has the frames of both halves; those in the middle,
which belong to neither, are missing. Of versions with trained networks only the sequences are
scored that their training has held out.
"""

from collections.abc import Iterator
from typing import Any

from anomaly_detection.calibration.calibrate_threshold import calibration_sequences
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.stage import Stage, Work, stage_main

COMMAND = "anomaly_detection.score_left_out"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The score map."""
    return [artifacts.left_out(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Score one training sequence."""
    import numpy as np

    from anomaly_detection.detectors import load_detector, load_input
    from anomaly_detection.detectors.detector import check_contract

    detector = load_detector(work.artifacts)
    sequence = load_input(work.artifacts, "train", work.unit)
    grid = sequence.grid(work.config.regions)
    maps = []
    for part, scores in detector.score_training(sequence, grid):
        check_contract(detector, part, grid, scores)
        maps.append(scores)
    yield work.artifacts.left_out(work.unit), np.concatenate(maps)
    work.count(frames=sum(map(len, maps)))


STAGE = Stage(COMMAND, outputs, compute, "train", chosen=calibration_sequences)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Score training sequences, each left out of the model.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
