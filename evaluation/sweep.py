"""Detected regions of a sequence at every distinct score, as events.

Components of detected cells are unions of basins (see `evaluation.basins`). Where nothing is
annotated, each one is a false positive: it appears at a peak and is lost at a join. In the other
frames the cells are visited from the highest score to the lowest, and components are kept by
union-find; each knows its area and what it shares with each annotated region, so its matches are
known without ever labelling an image. All cells of one score enter before anything is read: the
order within a tie has no effect.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluation.basins import PEAK, Basins, Joins, check_connectivity, find_root
from evaluation.curves import Events, check_share
from evaluation.ground_truth import GroundTruth
from evaluation.ordering import descending_order
from evaluation.overlap import RegionOverlaps, region_overlaps
from evaluation.scores import BoxScores, Cells, ScoreMap
from vadloc.errors import VadlocError

EachFrame: TypeAlias = Callable[[int, Cells, NDArray[np.int32]], None]
"""Takes a 0-based frame, its cells, and their order from the highest score to the lowest."""
INSIDE = np.uint8(4)
"""A cell that shares area with an annotated region; beside ``PEAK`` and ``JOIN``."""


class Grid(NamedTuple):
    """The cells of one frame, numbered row by row.

    Attributes:
        area: ``(cells,)`` float64, pixels.
        basin: ``(cells,)`` uint32.
        kind: ``(cells,)`` uint8, sum of ``PEAK``, ``JOIN`` and ``INSIDE``.
        shared_row: ``(cells,)`` int32, row of ``shared``, 0 outside all regions.
        shared: ``(rows, regions)`` float64, area that such a cell shares with each region.
    """

    area: NDArray[np.float64]
    basin: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    shared_row: NDArray[np.int32]
    shared: NDArray[np.float64]


class Components(NamedTuple):
    """The components of one frame; element ``i`` describes the one whose root is basin ``i``.

    Most lie outside all annotated regions: each is one false positive and needs no more than its
    area. A sum of changes is right once a tie has entered, whatever their order: basins may meet
    before their peaks are visited.

    Attributes:
        parent: ``(basins + 1,)`` uint32, towards the root.
        area: ``(basins + 1,)`` float64.
        inside: ``(basins + 1,)`` bool, whether it shares area with a region.
        shared: ``(basins + 1, regions)`` float64, area shared with each region.
        told: ``(basins + 1, 1 + regions)`` int64, what the tallies hold of one that is inside:
            how often it counts as a false positive, then as a match of each region. 0 or 1 but
            while a tie is entering.
    """

    parent: NDArray[np.uint32]
    area: NDArray[np.float64]
    inside: NDArray[np.bool_]
    shared: NDArray[np.float64]
    told: NDArray[np.int64]


class FrameEvents(NamedTuple):
    """Room for the events of one frame; see ``Events``."""

    false_positive_score: NDArray[np.floating[Any]]
    false_positive_change: NDArray[np.int64]
    region_score: NDArray[np.floating[Any]]
    region: NDArray[np.int64]
    region_change: NDArray[np.int64]


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
    annotated region when their intersection over union is at least ``beta``; without any match it
    is a false positive.

    Args:
        scores: Map of the sequence; each thread reads one frame at a time.
        truth: Its ground truth.
        beta: Least intersection over union, above 0 and at most 1.
        connectivity: 8 joins cells that share a corner, 4 only those that share an edge.
        each_frame: Called for each frame with annotated regions, so that a map is read and sorted
            once for all criteria; with several threads in any order and side by side.
        threads: Number of frames side by side; without effect on the result.

    Returns:
        Events of all frames of the sequence.

    Raises:
        VadlocError: Options out of range, scores and truth that do not belong together, or a
            score that is not a finite number.
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
    """The same for detections given as boxes: each box is a detected region, nothing merges.

    Args:
        scores: Boxes of the sequence.
        truth: Its ground truth.
        beta: Least intersection over union, above 0 and at most 1.

    Returns:
        Events of all frames of the sequence; nothing found is ever lost again.

    Raises:
        VadlocError: ``beta`` is out of range or scores and truth do not belong together.
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
    """Sweeps the frames of one sequence, in any order and side by side."""

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
        self._spare: list[Basins] = []  # as many as there are threads, in the end
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
    """Events of a frame without regions: one more component at a peak, one less at a join."""
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
    fp_events, region_events = _sweep(
        order, cells.ravel(), grid, basins.joins, overlaps.area_px, beta, components, room
    )
    # Copies, so that the room of a frame is given back.
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
    """Mark the cells ``INSIDE`` and collect what they share; see ``Grid``."""
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
    """Join the frames; false positives of one score are added up."""
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


@njit(cache=True, nogil=True, error_model="numpy")
def _sweep(
    order: NDArray[np.int32],
    scores: NDArray[np.floating[Any]],
    grid: Grid,
    joins: Joins,
    region_area: NDArray[np.float64],
    beta: float,
    components: Components,
    room: FrameEvents,
) -> tuple[int, int]:
    """Visit all cells from high scores to low; how many events of each kind were written."""
    cell_area, basin, kind, _, _ = grid
    fp_score, fp_change = room.false_positive_score, room.false_positive_change
    parent, area, inside, _, told = components
    tally = np.zeros(1 + len(region_area), np.int64)  # false positives, then matches by region
    found = np.zeros(len(region_area), np.int64)  # as reported
    changed = np.empty(len(order) + len(joins.score), np.uint32)  # basins of changed components
    # Of this type from the beginning: numba compiles what it calls once, not for a 0 as well.
    zero: Any = np.int64(0)
    changed_count = joined = fp_events = region_events = reported = zero
    for i in range(len(order)):
        cell = np.uint32(order[i])
        root = basin[cell]
        # Written out for speed: numba counts references at every call that takes an array.
        while root != parent[root]:
            parent[root] = parent[parent[root]]
            root = parent[root]
        area[root] += cell_area[cell]
        if kind[cell]:
            tally[0] += kind[cell] & PEAK
            while joined < len(joins.score) and joins.score[joined] >= scores[cell]:
                _join(joins, joined, components, tally)
                joined += 1
            root = find_root(parent, root)
            _enter(cell, root, grid, components)
        # What matches no region cannot come to match one by growing outside of them.
        if inside[root] and (kind[cell] or not told[root, 0]):
            changed[changed_count] = root
            changed_count += 1
        if changed_count == 0 and tally[0] == reported:
            continue
        score = scores[cell]
        if i + 1 < len(order) and scores[order[i + 1]] == score:
            continue
        _tell(changed[:changed_count], components, tally, region_area, beta)
        region_events = _report(score, tally[1:], found, room, region_events)
        changed_count = 0
        if tally[0] != reported:
            fp_score[fp_events], fp_change[fp_events] = score, tally[0] - reported
            reported = tally[0]
            fp_events += 1
    return fp_events, region_events


@njit(cache=True, nogil=True, error_model="numpy")
def _enter(cell: Any, root: Any, grid: Grid, components: Components) -> None:
    """Add what a cell shares with regions to its component."""
    row = grid.shared_row[cell]
    if row:
        # Loops over regions: a sum of arrays takes numba seconds to compile.
        for i in range(grid.shared.shape[1]):
            components.shared[root, i] += grid.shared[row, i]
        if not components.inside[root]:
            components.inside[root] = True
            components.told[root, 0] = 1  # its peak is in the tally


@njit(cache=True, nogil=True, error_model="numpy")
def _join(joins: Joins, i: int, components: Components, tally: NDArray[np.int64]) -> None:
    """Make one component of two."""
    parent, area, inside, shared, told = components
    keep, drop = find_root(parent, joins.basin[i, 0]), find_root(parent, joins.basin[i, 1])
    if area[keep] < area[drop]:
        keep, drop = drop, keep
    parent[drop] = keep
    area[keep] += area[drop]
    for i in range(shared.shape[1]):
        shared[keep, i] += shared[drop, i]
    for i in range(told.shape[1]):
        told[keep, i] += told[drop, i]
    if not (inside[keep] and inside[drop]):
        tally[0] -= 1  # one was outside all regions: a false positive by itself
    inside[keep] |= inside[drop]


@njit(cache=True, nogil=True, error_model="numpy")
def _tell(
    cells: NDArray[np.uint32],
    components: Components,
    tally: NDArray[np.int64],
    region_area: NDArray[np.float64],
    beta: float,
) -> None:
    """Correct the tallies by what components are now: matches of regions or false positives."""
    parent, area, _, shared, told = components
    for cell in cells:
        root = find_root(parent, cell)
        false_positive = 1
        for i in range(len(region_area)):
            matches, both = 0, shared[root, i]
            if both > 0 and both / (area[root] + region_area[i] - both) >= beta:
                matches, false_positive = 1, 0
            tally[1 + i] += matches - told[root, 1 + i]
            told[root, 1 + i] = matches
        tally[0] += false_positive - told[root, 0]
        told[root, 0] = false_positive


@njit(cache=True, nogil=True, error_model="numpy")
def _report(
    score: float,
    matches: NDArray[np.int64],
    found: NDArray[np.int64],
    room: FrameEvents,
    events: int,
) -> int:
    """Write which regions are found or lost at a score; the number of events so far."""
    for region in range(len(matches)):
        change = min(matches[region], 1) - found[region]
        if change:
            room.region_score[events] = score
            room.region[events] = region
            room.region_change[events] = change
            found[region] += change
            events += 1
    return events
