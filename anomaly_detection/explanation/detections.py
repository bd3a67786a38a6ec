"""Detections: parts of the score map at or above a threshold, connected in space and time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid


@dataclass(frozen=True)
class Detection:
    """One component of {score >= threshold} in a sequence.

    Attributes:
        score: The highest score of the component.
        threshold: The least score of a detection.
        peak: 0-based frame, cell row and cell column of that score; the first one if several cells
            have it.
        first_frame: 0-based first frame of the component.
        box_xyxy_px: ``(frames, 4)`` int64: box i surrounds the cells of the component in frame
            ``first_frame + i``. It is cut at the edge of the frame; x1 and y1 are exclusive.
    """

    score: float
    threshold: float
    peak: tuple[int, int, int]
    first_frame: int
    box_xyxy_px: NDArray[np.int64]

    @property
    def last_frame(self) -> int:
        """The last frame of the component, 0-based, inclusive."""
        return self.first_frame + len(self.box_xyxy_px) - 1


def neighbour_structure(connectivity: int) -> NDArray[np.bool_]:
    """The neighbours of a cell in the frames before, of and after it, ``(3, 3, 3)``.

    Args:
        connectivity: 8 or 4: number of neighbours within a frame.
    """
    from scipy import ndimage

    structure: NDArray[np.bool_] = ndimage.generate_binary_structure(3, {4: 1, 8: 3}[connectivity])
    return structure


def scores_to_detections(
    scores: NDArray[np.float32], grid: RegionGrid, *, threshold: float, connectivity: int
) -> list[Detection]:
    """The components of all cells whose score is at least the threshold.

    With 8 neighbours within a frame, a cell also touches the same cell and its 8 neighbours in the
    frames before and after: 26 in all. With 4, it touches only the same cell there: 6 in all.

    Args:
        scores: ``(frames, cell rows, cell columns)``.
        grid: Regions and cells of the frames.
        threshold: Least score, in the detector's unit.
        connectivity: 8 or 4: number of neighbours within a frame.

    Returns:
        The detections in the order of their first frames.
    """
    from scipy import ndimage

    structure = neighbour_structure(connectivity)
    components, _ = ndimage.label(scores >= threshold, structure)
    return [
        _detection(
            np.where(components[part] == label, scores[part], -np.inf), part, grid, threshold
        )
        for label, part in enumerate(ndimage.find_objects(components), start=1)
    ]


def _detection(
    scores: NDArray[np.float32], part: tuple[slice, ...], grid: RegionGrid, threshold: float
) -> Detection:
    """The detection of one component.

    Args:
        scores: The part of the score map around the component, -inf outside the component.
        part: The slices of the map from which ``scores`` was taken.
        grid: Regions and cells of the frames.
        threshold: The least score of a detection.
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
        threshold=threshold,
        peak=(frame, row, column),
        first_frame=start[0],
        box_xyxy_px=np.minimum(cells * grid.stride_px, frame_end),
    )


def _extent(inside: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First index, and one after the last index, of the true elements of each row, ``(n,)`` each.

    Args:
        inside: ``(n, length)`` bool.
    """
    length = inside.shape[1]
    return inside.argmax(axis=1), length - inside[:, ::-1].argmax(axis=1)
