"""Scores at which anomalous frames are found at pixel level and at dual pixel level."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluation.criteria.ordering import descending_order
from evaluation.criteria.overlap import union_areas
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import Cells


class PixelLevels:
    """Collects the events of a sequence, frame by frame, in any order and from several threads."""

    def __init__(self, truth: GroundTruth, *, pixel_share: float, dual_share: float) -> None:
        """Start without any frame.

        Args:
            truth: Ground truth of the sequence.
            pixel_share: Least share of a frame's anomalous pixels that must be detected.
            dual_share: Least share of the detected pixels that must be anomalous.
        """
        self._truth = truth
        self._shares = pixel_share, dual_share
        self._found: dict[int, _FrameLevels] = {}

    @property
    def found_score(self) -> NDArray[np.float64]:
        """Highest threshold at which enough annotated pixels of a frame are detected.

        ``(n,)`` for the anomalous frames with annotated pixels, in the order of frames.
        """
        return np.array([levels.found_score for levels in self._by_frame()], np.float64)

    @property
    def dual_score(self) -> NDArray[np.float64]:
        """``(e,)`` scores at which a frame becomes found at dual pixel level or is lost."""
        return np.concatenate([np.empty(0), *(levels.dual_score for levels in self._by_frame())])

    @property
    def dual_change(self) -> NDArray[np.int64]:
        """``(e,)`` +1 where the frame becomes found, -1 where it is lost."""
        changes = (levels.dual_change for levels in self._by_frame())
        return np.concatenate([np.empty(0, np.int64), *changes])

    def _by_frame(self) -> list["_FrameLevels"]:
        return [self._found[frame] for frame in sorted(self._found)]

    def add(self, frame: int, cells: Cells, order: NDArray[np.int32] | None = None) -> None:
        """Add a frame; normal frames and frames without annotated pixels are skipped.

        Args:
            frame: 0-based frame.
            cells: Scores of the frame.
            order: Indices of the cells from the highest score to the lowest, if known.
        """
        regions = self._truth.regions_of(frame)
        if regions.start == regions.stop:
            return
        inside_px = union_areas(self._truth, regions, cells.row_edges_px, cells.column_edges_px)
        if not inside_px.any():
            return
        scores = cells.scores.ravel()
        sides = np.diff(cells.row_edges_px), np.diff(cells.column_edges_px)
        self._found[frame] = _FrameLevels(
            *_pixel_events(
                scores,
                descending_order(scores) if order is None else order,
                inside_px.ravel(),
                sides,
                self._shares,
            )
        )


class _FrameLevels(NamedTuple):
    """The events of one frame; see ``_pixel_events``."""

    found_score: float
    dual_score: NDArray[np.float64]
    dual_change: NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def _pixel_events(
    scores: NDArray[np.floating[Any]],
    order: NDArray[np.int32],
    inside_px: NDArray[np.float64],
    sides_px: tuple[NDArray[np.float64], NDArray[np.float64]],
    shares: tuple[float, float],
) -> tuple[float, NDArray[np.float64], NDArray[np.int64]]:
    """Visit the cells of a frame from high scores to low; cells of one score count together.

    Args:
        scores: ``(cells,)`` score of each cell.
        order: ``(cells,)`` indices from the highest score to the lowest.
        inside_px: ``(cells,)`` anomalous pixels in each cell; their sum is above 0.
        sides_px: Heights of the rows and widths of the columns.
        shares: Least shares ``pixel_share`` and ``dual_share``.

    Returns:
        The score at which enough anomalous pixels are detected; ``(e,)`` scores at which the frame
        becomes found or is lost at dual pixel level; and ``(e,)`` +1 or -1 for each of them.
    """
    heights, widths = sides_px
    pixel_share, dual_share = shares
    columns = np.uint32(len(widths))  # unsigned division is faster
    inside = np.empty(len(order))
    total_px = 0.0
    for i in range(len(order)):
        inside[i] = inside_px[order[i]]
        total_px += inside[i]
    found, detected_px, detected_inside_px = np.nan, 0.0, 0.0
    is_enough = is_dual = False
    dual_score, dual_change = np.empty(len(order)), np.empty(len(order), np.int64)
    events = 0
    for i in range(len(order)):
        cell = np.uint32(order[i])
        row = cell // columns
        detected_px += heights[row] * widths[cell - row * columns]
        if inside[i] > 0:
            detected_inside_px += inside[i]
            is_enough = detected_inside_px / total_px >= pixel_share
        if not is_enough:
            continue
        score = scores[cell]
        if i + 1 < len(order) and scores[order[i + 1]] == score:
            continue
        if np.isnan(found):
            found = float(score)
        if (detected_inside_px / detected_px >= dual_share) != is_dual:
            is_dual = not is_dual
            dual_score[events] = score
            dual_change[events] = 1 if is_dual else -1
            events += 1
    return found, dual_score[:events].copy(), dual_change[:events].copy()
