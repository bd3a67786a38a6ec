"""Drawn annotations for the tests of the ground-truth formats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.io import savemat

from evaluation.ground_truth import GroundTruth

Picture = list[str]
CLIP = "abnormal_scene_1_scenario_2"
OBJECTS: list[Picture] = [["7788..", "7788.."], [".7788.", "8...88"], ["..77..", "9....9"]]


def draw(picture: Picture) -> NDArray[np.uint8]:
    """A drawing as numbers: '.' is 0, a digit is itself, anything else is 255."""
    values = [[0 if c == "." else int(c) if c.isdigit() else 255 for c in row] for row in picture]
    return np.array(values, np.uint8)


def drawn(truth: GroundTruth, frame: int) -> Picture:
    """The regions of a frame as a drawing, each pixel the last digit of its track."""
    canvas = [["."] * truth.width_px for _ in range(truth.height_px)]
    rows = truth.regions_of(frame)
    for row in range(rows.start, rows.stop):
        x0, y0, x1, y1 = truth.box_xyxy_px[row].astype(int)
        for y in range(y0, y1):
            for x in range(x0, x1):
                if truth.masks is None or truth.masks[row][y - y0, x - x0]:
                    canvas[y][x] = str(truth.track[row] % 10)
    return ["".join(line) for line in canvas]


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def check_promises(truth: GroundTruth) -> None:
    """What every reader promises, whatever it was given."""
    x0, y0, x1, y1 = truth.box_xyxy_px.T
    assert ((x0 >= 0) & (x0 < x1) & (x1 <= truth.width_px)).all()
    assert ((y0 >= 0) & (y0 < y1) & (y1 <= truth.height_px)).all()
    assert truth.anomalous[truth.frame].all()
    assert (truth.track >= 0).all()


def same_truth(first: GroundTruth, second: GroundTruth) -> bool:
    """Whether two readings agree in everything but their source."""
    arrays: list[Callable[[GroundTruth], ArrayLike]] = [
        lambda t: t.frame,
        lambda t: t.track,
        lambda t: t.box_xyxy_px,
        lambda t: t.anomalous,
        lambda t: (t.sequence, t.frame_count, t.height_px, t.width_px),
        lambda t: (t.derived, t.masks is None),
    ]
    masks = zip(first.masks or (), second.masks or (), strict=True)
    return all(np.array_equal(a(first), a(second)) for a in arrays) and all(
        np.array_equal(a, b) for a, b in masks
    )


def save_avenue(path: Path, masks: list[NDArray[Any]], *, compressed: bool = True) -> None:
    cells = np.empty((1, len(masks)), np.object_)
    for index, mask in enumerate(masks):
        cells[0, index] = mask
    savemat(path, {"volLabel": cells}, do_compression=compressed)


def example(*, masked: bool) -> GroundTruth:
    """Two tracks of touching regions in one frame, and a labelled frame without a region."""
    first, second = np.array([[True, False], [True, True]]), np.array([[False, True]])
    return GroundTruth(
        sequence="Test001",
        frame_count=4,
        height_px=6,
        width_px=8,
        frame=np.array([1, 1, 3]),
        track=np.array([2, 0, 2]),
        box_xyxy_px=np.array([[0.0, 0, 2, 2], [1, 0, 3, 1], [6, 5, 8, 6]]),
        anomalous=np.array([False, True, True, True]),
        masks=(first, second, second) if masked else None,
        derived=masked,
    )
