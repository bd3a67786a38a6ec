"""Ped2 as a camera that is farther away would see it: real people of 10 to 30 px.

Frames and annotated rows are reduced, row by row for a camera that looks along the scene. Ped2's
regions and tracks are derived from its masks, and so are these.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.video.frames import list_frame_files, list_sequences, read_picture

FINE = 4
"""Frames are warped at so many times their size, then reduced, so that no detail aliases."""


@dataclass(frozen=True)
class View:
    """How a picture is reduced.

    Attributes:
        top: Scale of the first row.
        bottom: Scale of the last row; rows between have a straight line of scales.
        noise: Standard deviation of the sensor noise that is added, in grey levels.
    """

    top: float
    bottom: float
    noise: float = 0.0

    def scale(self, y: Any, height: int) -> Any:
        """The scale of a row of the picture."""
        return self.top + (self.bottom - self.top) * y / height

    def row(self, y: Any, height: int) -> Any:
        """Where a row of the picture comes to lie: the sum of the scales above it."""
        return self.top * y + (self.bottom - self.top) * y * y / (2 * height)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the reduced picture; all of it is covered."""
        return int(self.row(height, height)), int(width * min(self.top, self.bottom))

    def warp(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The reduced picture."""
        height, width = grey.shape
        rows, columns = self.size(height, width)
        ys = np.linspace(0, height, 100 * height)
        y = np.interp((np.arange(FINE * rows) + 0.5) / FINE, self.row(ys, height), ys)[:, None]
        x = (np.arange(FINE * columns) + 0.5) / FINE - columns / 2
        from_x = (x / self.scale(y, height) + width / 2 - 0.5).astype(np.float32)
        from_y = np.repeat((y - 0.5).astype(np.float32), FINE * columns, axis=1)
        fine = cv2.remap(grey, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)

    def warp_row(self, line: str, height: int, width: int) -> str | None:
        """An annotated row in the reduced picture; None where its box has left it."""
        frame, track, *numbers = line.split()
        x, y, w, h = map(float, numbers)
        rows, columns = self.size(height, width)
        scale = self.scale(y, height)
        xs = [
            min(max((x + s * w / 2 - width / 2) * scale + columns / 2, 0), columns) for s in (-1, 1)
        ]
        ys = [min(max(self.row(y + s * h / 2, height), 0), rows) for s in (-1, 1)]
        box = (sum(xs) / 2, sum(ys) / 2, xs[1] - xs[0], ys[1] - ys[0])
        if min(box[2:]) < 1:
            return None
        return " ".join([Path(frame).stem + ".png", track, *(f"{number:.2f}" for number in box)])


VIEWS = {"ped2_half": View(0.5, 0.5), "ped2_far": View(0.4, 0.8, noise=2.0)}
"""Name of the data set to its view."""


def write_distant(name: str, config: dict[str, Any], source: Path, folder: Path) -> dict[str, Any]:
    """Write the frames and rows of a distant view, unless they are there. Returns its config.

    Args:
        name: Name of the view.
        config: The config of Ped2.
        source: The folder of the datasets.
        folder: Below it, the data set is written.
    """
    for split in ("train", "test"):
        for sequence in list_sequences(source / config["dataset"][split]):
            target = folder / name / split / sequence.name
            if not (target / "done").exists():
                _write_sequence(VIEWS[name], sequence.path, target)
    dataset = {**config["dataset"], "name": name, "train": f"{name}/train", "test": f"{name}/test"}
    return {**config, "dataset": {**dataset, "ground_truth": dataset["test"]}}


def _write_sequence(view: View, source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    shape = 0, 0
    for file in list_frame_files(source):
        grey = read_picture(file, colour="grey")
        shape = grey.shape
        levels = view.warp(grey) + view.noise * random.normal(size=view.size(*shape))
        written = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        cv2.imwrite(str(target / f"{file.stem}.png"), written)
    for rows in source.glob("*_gt.txt"):
        warped = (view.warp_row(line, *shape) for line in rows.read_text().splitlines())
        (target / rows.name).write_text("".join(f"{row}\n" for row in warped if row))
    (target / "done").touch()
