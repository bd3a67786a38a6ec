"""The events of detected regions of a sequence, at every distinct score.

Components of detected cells are unions of basins (see `evaluation.criteria.basins`). In a frame
without annotated regions, each component is a false positive: it appears at a peak, and a join
removes one. In other frames the cells are visited from the highest score to the lowest, and a
union-find stores the components. Each component has its area and the area that it shares with each
annotated region; so its matches are known without labelling an image at each threshold. Matches are
counted only after all cells of one score have been visited, so the order of equal scores has no
effect.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.basins import (
    Basins,
    check_connectivity,
)
from evaluation.criteria.curves import (
    Events,
    check_share,
)
from evaluation.criteria.kernels import (
    INSIDE,
    PEAK,
    Components,
    FrameEvents,
    Grid,
    visit_cells,
)
from evaluation.criteria.ordering import descending_order
from evaluation.criteria.overlap import (
    RegionOverlaps,
    region_overlaps,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    Cells,
    ScoreMap,
)

EachFrame: TypeAlias = Callable[[int, Cells, NDArray[np.int32]], None]
"""Function of a 0-based frame, its cells, and their order from the highest score to the lowest."""


def sequence_events(
    scores: ScoreMap,
    truth: GroundTruth,
    *,
    beta: float = 0.1,
    connectivity: int = 8,
    each_frame: EachFrame | None = None,
    threads: int = 1,
) -> Events:
    """Every change of false positives and found regions as the threshold falls.

    A detected region is a component of the cells that score at least the threshold. It matches an
    annotated region if their intersection over union is at least ``beta``. Without a match it is a
    false positive.

    Args:
        scores: Map of the sequence; each thread reads one frame at a time.
        truth: Ground truth of the sequence.
        beta: Least intersection over union, above 0 and at most 1.
        connectivity: 8 joins cells that share a corner, 4 only those that share an edge.
        each_frame: Called for each frame with annotated regions, so that a map is read and sorted
            once for all criteria. Several threads call it in any order and at the same time.
        threads: Number of frames processed in parallel; it has no effect on the result.

    Returns:
        Events of all frames of the sequence.

    Raises:
        VadlocError: An option is out of range, scores and ground truth do not fit together, or a
            score is not a finite number.
    """
    check_share("beta", beta)
    check_same_sequence(scores, truth)
    sweeper = _Sweeper(scores, truth, beta=beta, connectivity=connectivity, each_frame=each_frame)
    frames = range(scores.frame_count)
    if threads == 1:
        swept = [sweeper.sweep(frame) for frame in frames]
    else:
        with ThreadPoolExecutor(threads) as pool:
            swept = list(pool.map(sweeper.sweep, frames))
    frame_score = np.array([frame.highest for frame in swept], np.float64)
    lowest = min((frame.lowest for frame in swept), default=np.nan)
    return _sequence_events(
        scores.sequence, truth, frame_score, lowest, [frame.events for frame in swept]
    )


def box_events(scores: BoxScores, truth: GroundTruth, *, beta: float = 0.1) -> Events:
    """The events of detected boxes: each box is a detected region, and boxes never merge.

    Args:
        scores: Boxes of the sequence.
        truth: Ground truth of the sequence.
        beta: Least intersection over union, above 0 and at most 1.

    Returns:
        Events of all frames of the sequence; a found region is never lost again.

    Raises:
        VadlocError: ``beta`` is out of range, or scores and ground truth do not fit together.
    """
    check_share("beta", beta)
    check_same_sequence(scores, truth)
    frame_score = np.full(scores.frame_count, -np.inf)
    np.maximum.at(frame_score, scores.frame, scores.score)
    lowest = float(scores.score.min()) if len(scores.score) else np.nan
    parts = []
    for frame, boxes in enumerate(scores.by_frame()):
        regions = truth.regions_of(frame)
        matches = _box_matches(scores.box_xyxy_px[boxes], truth, regions, beta)
        score = scores.score[boxes]
        false = score[~matches.any(axis=1)]
        found = np.flatnonzero(matches.any(axis=0))
        best = np.where(matches[:, found], score[:, None], -np.inf).max(axis=0, initial=-np.inf)
        ones = np.ones(len(false) + len(found), np.int64)
        parts.append(
            FrameEvents(false, ones[: len(false)], best, found + regions.start, ones[len(false) :])
        )
    return _sequence_events(scores.sequence, truth, frame_score, lowest, parts)


def check_same_sequence(scores: ScoreMap | BoxScores, truth: GroundTruth) -> None:
    """Raise unless name, number of frames and frame size agree."""
    if scores.sequence != truth.sequence:
        raise VadlocError(
            f"scores of sequence {scores.sequence!r} meet the ground truth of {truth.sequence!r}; "
            "both must be given in the same order"
        )
    if scores.frame_count != truth.frame_count:
        raise VadlocError(
            f"{scores.sequence}: scores for {scores.frame_count} frames, ground truth for "
            f"{truth.frame_count}; both must describe the same frames"
        )
    size, true_size = (scores.height_px, scores.width_px), (truth.height_px, truth.width_px)
    if size != true_size:
        raise VadlocError(
            f"{scores.sequence}: scores for frames of {size[0]} x {size[1]} px, ground truth for "
            f"{true_size[0]} x {true_size[1]} px (height x width); both must be the same"
        )


class _SweptFrame(NamedTuple):
    """The events of a frame, its highest and its lowest score."""

    events: FrameEvents
    highest: float
    lowest: float


class _Sweeper:
    """Sweeps the frames of one sequence, in any order and in parallel."""

    def __init__(
        self,
        scores: ScoreMap,
        truth: GroundTruth,
        *,
        beta: float,
        connectivity: int,
        each_frame: EachFrame | None,
    ) -> None:
        self._scores, self._truth = scores, truth
        self._rows, self._columns = scores.row_edges_px, scores.column_edges_px
        self._area = np.outer(np.diff(self._rows), np.diff(self._columns)).ravel()
        self._beta, self._connectivity = beta, connectivity
        self._each_frame = each_frame
        self._spare: list[Basins] = []  # at most one for each thread
        check_connectivity(connectivity)

    def sweep(self, frame: int) -> _SweptFrame:
        """Sweep a 0-based frame."""
        cells = self._scores.frame_scores(frame)
        regions = self._truth.regions_of(frame)
        try:
            basins = self._spare.pop()
        except IndexError:
            basins = Basins(cells.shape, connectivity=self._connectivity)
        basins.find(cells)
        if regions.start == regions.stop:
            events = _unmatched_events(cells, basins)
        else:
            order = descending_order(cells.ravel())
            if self._each_frame is not None:
                self._each_frame(frame, Cells(cells, self._rows, self._columns), order)
            overlaps = region_overlaps(self._truth, regions, self._rows, self._columns)
            events = _frame_events(cells, order, self._area, basins, overlaps, self._beta)
            events.region[:] += regions.start
        self._spare.append(basins)
        return _SweptFrame(events, float(cells.max()), float(cells.min()))


def _unmatched_events(cells: NDArray[np.floating[Any]], basins: Basins) -> FrameEvents:
    """Events of a frame without regions: a peak adds a component, a join removes one."""
    peaks, joins = cells[basins.kind & PEAK != 0], basins.joins.score
    return FrameEvents(
        np.concatenate([peaks, joins]),
        np.repeat([1, -1], [len(peaks), len(joins)]),
        joins[:0],
        np.empty(0, np.int64),
        np.empty(0, np.int64),
    )


def _frame_events(
    cells: NDArray[np.floating[Any]],
    order: NDArray[np.int32],
    area: NDArray[np.float64],
    basins: Basins,
    overlaps: RegionOverlaps,
    beta: float,
) -> FrameEvents:
    """Events of one frame; regions are numbered from 0 in the frame."""
    n, region_count = len(order), len(overlaps.area_px)
    shared_row, shared = _inside(basins.kind, overlaps)
    basin = basins.label[1:-1, 1:-1].ravel()
    grid = Grid(area, basin, basins.kind.ravel(), shared_row.ravel(), shared)
    count = basins.count + 1
    components = Components(
        np.arange(count, dtype=np.uint32),
        np.zeros(count),
        np.zeros(count, np.bool_),
        np.zeros((count, region_count)),
        np.zeros((count, 1 + region_count), np.int64),
    )
    room = FrameEvents(
        np.empty(n, cells.dtype),
        np.empty(n, np.int64),
        np.empty(n * region_count, cells.dtype),
        np.empty(n * region_count, np.int64),
        np.empty(n * region_count, np.int64),
    )
    fp_events, region_events = visit_cells(
        order, cells.ravel(), grid, basins.joins, overlaps.area_px, beta, components, room
    )
    # Copies, so that the larger arrays of the frame are freed.
    return FrameEvents(
        room.false_positive_score[:fp_events].copy(),
        room.false_positive_change[:fp_events].copy(),
        room.region_score[:region_events].copy(),
        room.region[:region_events].copy(),
        room.region_change[:region_events].copy(),
    )


def _inside(
    kind: NDArray[np.uint8], overlaps: RegionOverlaps
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Mark cells as ``INSIDE``, and return ``shared_row`` and ``shared`` of ``Grid``."""
    windows = []
    for (top, bottom, left, right), start in zip(overlaps.window, overlaps.start, strict=True):
        window = np.s_[top:bottom, left:right]
        values = overlaps.value[start : start + (bottom - top) * (right - left)]
        kind[window][values.reshape(bottom - top, right - left) > 0] |= INSIDE
        windows.append((window, values))
    cells = np.flatnonzero(kind & INSIDE)
    row = np.zeros(kind.shape, np.int32)
    row.flat[cells] = np.arange(1, len(cells) + 1)
    shared = np.zeros((len(cells) + 1, len(windows)))
    for region, (window, values) in enumerate(windows):
        shared[row[window].ravel(), region] = values
    return row, shared


def _box_matches(
    boxes: NDArray[np.float64], truth: GroundTruth, regions: slice, beta: float
) -> NDArray[np.bool_]:
    """``(boxes, regions)`` whether each detected box matches each annotated region."""
    matches = np.zeros((len(boxes), regions.stop - regions.start), np.bool_)
    if matches.size:
        for row, (x0, y0, x1, y1) in zip(matches, boxes, strict=True):
            overlaps = region_overlaps(truth, regions, np.array([y0, y1]), np.array([x0, x1]))
            shared = overlaps.value
            row[:] = shared / ((x1 - x0) * (y1 - y0) + overlaps.area_px - shared) >= beta
    return matches


def _sequence_events(
    sequence: str,
    truth: GroundTruth,
    frame_score: NDArray[np.float64],
    lowest: float,
    parts: Iterable[FrameEvents],
) -> Events:
    """Join the events of all frames; changes of false positives at one score are added up."""
    fields = [np.concatenate(field) for field in zip(*parts, strict=True)]
    room = FrameEvents(*fields) if fields else FrameEvents(*np.empty((5, 0), np.int64))
    order = descending_order(room.false_positive_score)[::-1]
    score = room.false_positive_score[order]
    first = np.flatnonzero(np.append(True, score[1:] != score[:-1])[: len(score)])
    change = np.add.reduceat(room.false_positive_change[order], first) if len(first) else first
    score = score[first]
    return Events(
        sequence=sequence,
        frame_score=frame_score,
        lowest_score=lowest,
        track=truth.track,
        false_positive_score=score[change != 0],
        false_positive_change=change[change != 0],
        region_score=room.region_score,
        region=room.region,
        region_change=room.region_change,
    )
