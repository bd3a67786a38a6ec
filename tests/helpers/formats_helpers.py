"""Annotations, drawn as text, for the tests of the ground-truth formats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.io import savemat

from vadloc.annotations import READERS
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.ssvad_writing import write_ground_truth

Picture = list[str]
CLIP = "abnormal_scene_1_scenario_2"
OBJECTS: list[Picture] = [["7788..", "7788.."], [".7788.", "8...88"], ["..77..", "9....9"]]
SIZE = {"frame_count": 3, "height_px": 2, "width_px": 6}
ROWS = "1.jpg 0 2.5 1 3 2\n2.jpg 0 3 1 2 2\n3.jpg 1 5.5 0.5 1 1\n"


def draw(picture: Picture) -> NDArray[np.uint8]:
    """A drawing as numbers: '.' is 0, a digit is itself, anything else is 255."""
    values = [[0 if c == "." else int(c) if c.isdigit() else 255 for c in row] for row in picture]
    return np.array(values, np.uint8)


def marked(picture: Picture) -> NDArray[np.uint8]:
    """A drawing as a mask: '.' is black, anything else is white."""
    return np.where(draw(picture), 255, 0).astype(np.uint8)


def drawn(truth: GroundTruth, frame: int) -> Picture:
    """The regions of a frame as a drawing; each pixel is the last digit of its track id."""
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
    """Check what the ground truth from every reader must fulfil."""
    x0, y0, x1, y1 = truth.box_xyxy_px.T
    assert ((x0 >= 0) & (x0 < x1) & (x1 <= truth.width_px)).all()
    assert ((y0 >= 0) & (y0 < y1) & (y1 <= truth.height_px)).all()
    assert truth.anomalous[truth.frame].all()
    assert (truth.track >= 0).all()


def same_truth(first: GroundTruth, second: GroundTruth) -> bool:
    """Whether two ground truths are equal in everything but their source."""
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


def make_street_scene(folder: Path) -> Path:
    (folder / "1_gt.txt").write_text(ROWS)
    return folder / "1_gt.txt"


def make_masks(folder: Path) -> Path:
    return [save(folder / "1_gt" / f"{i}.png", marked(p)) for i, p in enumerate(OBJECTS)][1]


def make_bitmaps(folder: Path) -> Path:
    return [save(folder / "1_gt" / f"{i}.bmp", marked(p)) for i, p in enumerate(OBJECTS)][1]


def make_json(folder: Path) -> Path:
    (folder / "2_gt.txt").write_text(ROWS)
    write_ground_truth(folder / "1.json", READERS["street_scene"](folder, "2", **SIZE))
    return folder / "1.json"


def make_avenue(folder: Path) -> Path:
    save_avenue(folder / "1_label.mat", [marked(p) for p in OBJECTS])
    return folder / "1_label.mat"


def make_plain_avenue(folder: Path) -> Path:
    save_avenue(folder / "1_label.mat", [marked(p) for p in OBJECTS], compressed=False)
    return folder / "1_label.mat"


def make_shanghaitech(folder: Path) -> Path:
    (folder / "1.txt").write_text("0,0,1,0,4,2\n0,1,2,0,5,2\n1,2,5,1,6,2\n")
    return folder / "1.txt"


def make_frame_masks(folder: Path) -> Path:
    np.save(folder / "1.npy", np.stack([marked(p) for p in OBJECTS]))
    return folder / "1.npy"


def make_frame_labels(folder: Path) -> Path:
    (folder / "frame_labels.csv").write_text("1,1,1\n1,3,3\n2,,\n")
    return folder / "frame_labels.csv"


def make_ubnormal(folder: Path) -> Path:
    notes = folder / f"{CLIP}1_annotations"
    for frame, picture in enumerate(OBJECTS):
        save(notes / f"{CLIP}1_{frame:04d}_gt.png", draw(picture))
    (notes / f"{CLIP}1_tracks.txt").write_text("7,0,2\n8,0,1\n")
    return notes / f"{CLIP}1_tracks.txt"


MAKERS: list[tuple[str, Callable[[Path], Path]]] = [
    ("street_scene", make_street_scene),
    ("masks", make_masks),
    ("masks", make_bitmaps),
    ("json", make_json),
    ("avenue", make_avenue),
    ("avenue", make_plain_avenue),
    ("shanghaitech", make_shanghaitech),
    ("frame_masks", make_frame_masks),
    ("frame_labels", make_frame_labels),
    ("ubnormal", make_ubnormal),
]


def sequence_of(name: str) -> str:
    return f"{CLIP}1" if name == "ubnormal" else "1"
