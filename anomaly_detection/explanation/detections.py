"""Detections: connected parts of the score map, in space and time, above a threshold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid


@dataclass(frozen=True)
class Detection:
    """One component of {score >= threshold} in a sequence.

    Attributes:
        score: The highest score in it.
        peak: 0-based frame, cell row and cell column of that score, the first of equals.
        first_frame: 0-based.
        box_xyxy_px: ``(frames, 4)`` int64: in frame ``first_frame + i`` the box around its cells,
            cut at the edge of the frame, x1 and y1 exclusive.
    """

    score: float
    peak: tuple[int, int, int]
    first_frame: int
    box_xyxy_px: NDArray[np.int64]

    @property
    def last_frame(self) -> int:
        """0-based, inclusive."""
        return self.first_frame + len(self.box_xyxy_px) - 1


def neighbour_structure(connectivity: int) -> NDArray[np.bool_]:
    """Which cells of this frame and the two beside it touch a cell, ``(3, 3, 3)``.

    Args:
        connectivity: 8 or 4, how cells of one frame touch.
    """
    from scipy import ndimage

    structure: NDArray[np.bool_] = ndimage.generate_binary_structure(3, {4: 1, 8: 3}[connectivity])
    return structure


def scores_to_detections(
    scores: NDArray[np.float32], grid: RegionGrid, *, threshold: float, connectivity: int
) -> list[Detection]:
    """The components of all cells whose score is at least the threshold.

    Cells of consecutive frames are neighbours where, laid over each other, they would be neighbours
    or the same cell within a frame: 8 within the frame makes 26 in all, 4 makes 6.

    Args:
        scores: ``(frames, cell rows, cell columns)``.
        grid: Regions and cells of the frames.
        threshold: Least score, in the detector's unit.
        connectivity: 8 or 4, within a frame.

    Returns:
        In the order of their first frames.
    """
    from scipy import ndimage

    structure = neighbour_structure(connectivity)
    components, _ = ndimage.label(scores >= threshold, structure)
    return [
        _detection(np.where(components[part] == label, scores[part], -np.inf), part, grid)
        for label, part in enumerate(ndimage.find_objects(components), start=1)
    ]


def _detection(scores: NDArray[np.float32], part: tuple[slice, ...], grid: RegionGrid) -> Detection:
    """The detection of one component.

    Args:
        scores: The scores of the component, cut out of the map, -inf around it.
        part: Where they were cut out.
        grid: Regions and cells of the frames.
    """
    start = [axis.start for axis in part]
    peak = np.unravel_index(int(scores.argmax()), scores.shape)
    frame, row, column = (int(at) + first for at, first in zip(peak, start, strict=True))
    inside = scores > -np.inf
    y0, y1 = _extent(inside.any(axis=2))
    x0, x1 = _extent(inside.any(axis=1))
    cells = np.stack((start[2] + x0, start[1] + y0, start[2] + x1, start[1] + y1), axis=1)
    frame_end = (grid.width_px, grid.height_px) * 2
    return Detection(
        score=float(scores.max()),
        peak=(frame, row, column),
        first_frame=start[0],
        box_xyxy_px=np.minimum(cells * grid.stride_px, frame_end),
    )


def _extent(inside: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First index, and end, of what is set in each row of ``(n, length)``."""
    length = inside.shape[1]
    return inside.argmax(axis=1), length - inside[:, ::-1].argmax(axis=1)
