"""Show what the networks of a version expected where they raised an alarm, beside what they saw.

    python -m anomaly_detection.show_expectations --config configs/ped2.toml --version mlad

draws for each test sequence ``expectations/<version>/<sequence>.png``: a row for each alarm, in the
order of its explanations, with a group of three pictures for each network: what it saw, what it put
out, and the error. The first has the box of the alarm. Of optical flow the speed is shown. If the
alarms were explained with a threshold of their own, give it here too.
"""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError
from vadloc.stage import Stage, Work, stage_main

if TYPE_CHECKING:  # --help needs no NumPy
    from anomaly_detection.training.tasks import Example

COMMAND = "anomaly_detection.show_expectations"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The list of the alarms that are drawn; the picture lies beside it.

    Raises:
        UsageError: The version's detector trains no networks.
    """
    if not artifacts.detector.training:
        raise UsageError(
            f"version {artifacts.version!r} has no networks that expect anything; its explanations "
            "name the nearest exemplar or the members"
        )
    return [artifacts.expectations(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Draw the alarms of one test sequence.

    Raises:
        VadlocError: The sequence has no explanations yet, or its frames cannot be read.
    """
    from anomaly_detection.detectors import load_detector, load_input
    from anomaly_detection.detectors.trained import NetworkDetector
    from anomaly_detection.training.pictures import draw_sheet

    artifacts = work.artifacts
    detections = artifacts.explanations(work.unit).load()["detections"]
    detector = load_detector(artifacts)
    assert isinstance(detector, NetworkDetector), "detectors with a training have networks"
    sequence = load_input(artifacts, "test", work.unit)
    peaks = [detection["peak_frame"] for detection in detections]
    grid = sequence.grid(work.config.regions)
    shown = detector.pictures(sequence, grid, sorted(set(peaks)))
    file = artifacts.expectations(work.unit)
    rows: dict[str, list[Example]] = {name: [] for name in detector.networks}
    for detection in detections:
        for name, example in shown[detection["peak_frame"]].items():
            box = detection["boxes_xyxy_px"][detection["peak_frame"] - detection["first_frame"]]
            rows[name].append(_framed(example, box, grid.height_px, grid.width_px))
    picture = file.path.with_suffix(".png")
    files = {}
    if detections:
        draw_sheet(picture, rows)
        files = {picture.name: hashlib.sha256(picture.read_bytes()).hexdigest()}
    yield file, {"schema": 1, "alarms": [d["id"] for d in detections], "files": files}
    work.count(detections=len(detections))


def _framed(example: "Example", box: list[int], height_px: int, width_px: int) -> "Example":
    """The example with the box of the alarm drawn into its first picture."""
    import numpy as np

    from anomaly_detection.training.tasks import Example

    given = example.given.copy()
    scale = given.shape[0] / height_px, given.shape[1] / width_px
    top, bottom = (int(np.clip(y * scale[0], 0, given.shape[0] - 1)) for y in (box[1], box[3]))
    left, right = (int(np.clip(x * scale[1], 0, given.shape[1] - 1)) for x in (box[0], box[2]))
    given[[top, bottom], left : right + 1] = 1
    given[top : bottom + 1, [left, right]] = 1
    return Example(given, example.output, example.error)


STAGE = Stage(COMMAND, outputs, compute, "test")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Show what networks expected where they raised alarms.", sequences=True)
    add_alarm_options(parser)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
