"""Detected regions of a sequence at every distinct score, as events.

The cells of a frame are visited from the highest score to the lowest and joined to the neighbours
already visited (union-find). Each component knows its area and what it shares with each annotated
region, so its matches are known without ever labelling an image. All cells of one score enter
before anything is read: the order within a tie has no effect.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluation.curves import Events, check_share
from evaluation.ground_truth import GroundTruth
from evaluation.overlap import RegionOverlaps, region_overlaps
from evaluation.scores import BoxScores, ScoreMap
from vadloc.errors import VadlocError

FRESH = -1  # a cell that has not been visited yet


class FrameEvents(NamedTuple):
    """Room for the events of one frame; see ``Events``."""

    false_positive_score: NDArray[np.floating[Any]]
    false_positive_change: NDArray[np.int64]
    region_score: NDArray[np.floating[Any]]
    region: NDArray[np.int64]
    region_change: NDArray[np.int64]


def sequence_events(
    scores: ScoreMap, truth: GroundTruth, *, beta: float = 0.1, connectivity: int = 8
) -> Events:
    """Every change of false positives and found regions as the threshold falls.

    A detected region is a component of the cells that score at least the threshold. It matches an
    annotated region when their intersection over union is at least ``beta``; without any match it
    is a false positive.

    Args:
        scores: Map of the sequence, read one frame at a time.
        truth: Its ground truth.
        beta: Least intersection over union, above 0 and at most 1.
        connectivity: 8 joins cells that share a corner, 4 only those that share an edge.

    Returns:
        Events of all frames of the sequence.

    Raises:
        VadlocError: Options out of range, scores and truth that do not belong together, or a
            score that is not a finite number.
    """
    check_share("beta", beta)
    check_same_sequence(scores, truth)
    neighbours = _neighbours(connectivity, scores.scores.shape[2] + 2)
    rows, columns = scores.row_edges_px, scores.column_edges_px
    frame_score = np.empty(scores.frame_count)
    lowest = np.nan
    parts = []
    for frame in range(scores.frame_count):
        cells = scores.frame_scores(frame)
        order = descending_order(cells.ravel())
        frame_score[frame] = cells.flat[order[0]]
        lowest = np.fmin(lowest, cells.flat[order[-1]])
        regions = truth.regions_of(frame)
        overlaps = region_overlaps(truth, regions, rows, columns)
        events = _frame_events(
            cells, order, (np.diff(rows), np.diff(columns)), overlaps, neighbours, beta
        )
        events.region[:] += regions.start
        parts.append(events)
    return _sequence_events(scores.sequence, truth, frame_score, float(lowest), parts)


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


def check_connectivity(connectivity: int) -> None:
    """Raise unless 4 or 8."""
    if connectivity not in (4, 8):
        raise VadlocError(f"connectivity is {connectivity}, expected 4 or 8")


def descending_order(scores: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Indices from the highest score to the lowest; any order among equal ones.

    Args:
        scores: ``(n,)``, no NaN.

    Returns:
        ``(n,)``.
    """
    if scores.dtype == np.float32:
        return np.asarray(_radix_order(scores.view(np.uint32)))
    return np.argsort(-scores).astype(np.int32)


class Neighbours(NamedTuple):
    """Which neighbours of a cell to ask for their component.

    Neighbours visited already that touch each other are in one component, so one is enough.

    Attributes:
        ring: ``(8,)`` int64, from a cell's number to those of its neighbours, clockwise.
        ask_count: ``(256,)`` int64, number of neighbours to ask when bit ``k`` of the index says
            whether ``ring[k]`` was visited.
        ask: ``(256, 4)`` int64, their steps; 0, the cell itself, where there is none.
    """

    ring: NDArray[np.int64]
    ask_count: NDArray[np.int64]
    ask: NDArray[np.int64]


RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def _touch(a: tuple[int, int], b: tuple[int, int], connectivity: int) -> bool:
    """Whether two (row, column) positions are neighbours."""
    rows, columns = abs(a[0] - b[0]), abs(a[1] - b[1])
    return max(rows, columns) <= 1 and (connectivity == 8 or rows + columns <= 1)


def _neighbours(connectivity: int, padded_columns: int) -> Neighbours:
    """The table for grids of that many columns, border included."""
    check_connectivity(connectivity)
    steps = [row * padded_columns + column for row, column in RING]
    ask_count, ask = np.zeros(256, np.int64), np.zeros((256, 4), np.int64)
    for pattern in range(256):
        waiting = [k for k in range(8) if pattern >> k & 1]
        while waiting:
            group = [waiting.pop(0)]
            for k in group:
                group += (more := [j for j in waiting if _touch(RING[k], RING[j], connectivity)])
                waiting = [j for j in waiting if j not in more]
            touching = [k for k in group if _touch((0, 0), RING[k], connectivity)]
            if touching:
                ask[pattern, ask_count[pattern]] = steps[touching[0]]
                ask_count[pattern] += 1
    return Neighbours(np.array(steps, np.int64), ask_count, ask)


def _frame_events(
    cells: NDArray[np.floating[Any]],
    order: NDArray[np.int32],
    cell_sizes: tuple[NDArray[np.float64], NDArray[np.float64]],
    overlaps: RegionOverlaps,
    neighbours: Neighbours,
    beta: float,
) -> FrameEvents:
    """Events of one frame; regions are numbered from 0 in the frame."""
    n, region_count = cells.size, len(overlaps.area_px)
    room = FrameEvents(
        np.empty(n, cells.dtype),
        np.empty(n, np.int64),
        np.empty(n * region_count, cells.dtype),
        np.empty(n * region_count, np.int64),
        np.empty(n * region_count, np.int64),
    )
    fp_events, region_events = _sweep(
        cells.ravel(), order, cell_sizes, overlaps, neighbours, beta, room
    )
    # Copies, so that the room of a frame is given back.
    return FrameEvents(
        room.false_positive_score[:fp_events].copy(),
        room.false_positive_change[:fp_events].copy(),
        room.region_score[:region_events].copy(),
        room.region[:region_events].copy(),
        room.region_change[:region_events].copy(),
    )


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
    score, place = np.unique(room.false_positive_score, return_inverse=True)
    change = np.zeros(len(score), np.int64)
    np.add.at(change, place, room.false_positive_change)
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


@njit(cache=True, error_model="numpy")
def _sweep(
    scores: NDArray[np.floating[Any]],
    order: NDArray[np.int32],
    cell_sizes: tuple[NDArray[np.float64], NDArray[np.float64]],
    overlaps: RegionOverlaps,
    neighbours: Neighbours,
    beta: float,
    room: FrameEvents,
) -> tuple[int, int]:
    """Visit all cells of a frame; returns how many events of each kind were written."""
    heights, widths = cell_sizes
    window, start, value, region_area = overlaps
    ring, ask_count, ask = neighbours
    fp_score, fp_change, region_score, region_number, region_change = room
    columns = len(widths)
    padded = (len(heights) + 2) * (columns + 2)
    # Element i describes the component whose root is cell i of the padded grid.
    parent = np.full(padded, FRESH, np.int32)
    sums = np.zeros((padded, 1 + len(region_area)))  # area, then area shared with each region
    told = np.zeros((padded, 1 + len(region_area)))  # what the tallies hold of it: 0 or 1 each
    tally = np.zeros(1 + len(region_area))  # false positives, then components that match a region
    reported = np.zeros(1 + len(region_area))  # false positives, then whether a region is found
    changed = np.empty(len(order), np.int32)  # a cell of each component changed at this score
    changed_count = fp_events = region_events = 0
    for i in range(len(order)):
        row = order[i] // columns
        column = order[i] - row * columns
        cell = (row + 1) * (columns + 2) + column + 1
        pattern = _visited(parent, cell, ring)
        parent[cell] = cell
        root = _root(parent, cell + ask[pattern, 0])
        parent[cell] = root
        sums[root, 0] += heights[row] * widths[column]
        _add_shared(sums, root, row, column, window, start, value)
        for k in range(1, ask_count[pattern]):
            root = _join(root, _root(parent, cell + ask[pattern, k]), parent, sums, told)
        changed[changed_count] = root
        changed_count += 1
        score = scores[order[i]]
        if i + 1 < len(order) and scores[order[i + 1]] == score:
            continue
        for k in range(changed_count):
            _tell(_root(parent, changed[k]), sums, told, tally, region_area, beta)
        changed_count = 0
        if tally[0] != reported[0]:
            fp_score[fp_events] = score
            fp_change[fp_events] = tally[0] - reported[0]
            reported[0] = tally[0]
            fp_events += 1
        for region in range(len(region_area)):
            found = min(tally[1 + region], 1.0)
            if found != reported[1 + region]:
                region_score[region_events] = score
                region_number[region_events] = region
                region_change[region_events] = found - reported[1 + region]
                reported[1 + region] = found
                region_events += 1
    return fp_events, region_events


@njit(cache=True, error_model="numpy", inline="always")
def _visited(parent: NDArray[np.int32], cell: int, ring: NDArray[np.int64]) -> int:
    """Which neighbours were visited, one bit each."""
    pattern = 0
    for k in range(8):
        pattern |= (parent[cell + ring[k]] != FRESH) << k
    return pattern


@njit(cache=True, error_model="numpy", inline="always")
def _root(parent: NDArray[np.int32], cell: int) -> int:
    """The root of a cell's component; halves the path on the way."""
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@njit(cache=True, error_model="numpy", inline="always")
def _add_shared(
    sums: NDArray[np.float64],
    root: int,
    row: int,
    column: int,
    window: NDArray[np.int64],
    start: NDArray[np.int64],
    value: NDArray[np.float64],
) -> None:
    """Add what a cell shares with each region to its component."""
    for region in range(len(start)):
        top, bottom = window[region, 0], window[region, 1]
        left, right = window[region, 2], window[region, 3]
        if top <= row < bottom and left <= column < right:
            place = (row - top) * (right - left) + column - left
            sums[root, 1 + region] += value[start[region] + place]


@njit(cache=True, error_model="numpy", inline="always")
def _join(
    root: int,
    other: int,
    parent: NDArray[np.int32],
    sums: NDArray[np.float64],
    told: NDArray[np.float64],
) -> int:
    """Make two components one, unless they are; returns its root, that of the larger.

    What the tallies hold of the two adds up, until ``_tell`` sets it right.
    """
    if root == other:
        return root
    keep, drop = (root, other) if sums[root, 0] >= sums[other, 0] else (other, root)
    parent[drop] = keep
    for i in range(sums.shape[1]):
        sums[keep, i] += sums[drop, i]
        told[keep, i] += told[drop, i]
    return keep


@njit(cache=True, error_model="numpy", inline="always")
def _tell(
    root: int,
    sums: NDArray[np.float64],
    told: NDArray[np.float64],
    tally: NDArray[np.float64],
    region_area: NDArray[np.float64],
    beta: float,
) -> None:
    """Correct the tallies by what a component is now: a match of regions or a false positive."""
    false_positive = 1.0
    for i in range(1, len(tally)):
        shared, matches = sums[root, i], 0.0
        if shared > 0 and shared / (sums[root, 0] + region_area[i - 1] - shared) >= beta:
            matches, false_positive = 1.0, 0.0
        tally[i] += matches - told[root, i]
        told[root, i] = matches
    tally[0] += false_positive - told[root, 0]
    told[root, 0] = false_positive


@njit(cache=True)
def _radix_order(bits: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Indices from the highest float32 to the lowest, given their bits: three passes of 11 bits."""
    n = len(bits)
    keys = np.empty(n, np.uint32)
    place = np.zeros((3, 2048), np.int64)
    for i in range(n):
        # Positive floats fall when their bits rise after flipping all but the sign.
        key = bits[i] if bits[i] >> 31 else ~bits[i] & np.uint32(0x7FFFFFFF)
        keys[i] = key
        place[0, key & 2047] += 1
        place[1, (key >> 11) & 2047] += 1
        place[2, key >> 22] += 1
    order, spare = np.arange(n).astype(np.int32), np.empty(n, np.int32)
    for digit in range(3):
        before = 0
        for i in range(2048):
            place[digit, i], before = before, before + place[digit, i]
        for i in range(n):
            value = (keys[order[i]] >> (11 * digit)) & 2047
            spare[place[digit, value]] = order[i]
            place[digit, value] += 1
        order, spare = spare, order
    return order
