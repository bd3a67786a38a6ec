"""Detected regions of a sequence at every distinct score, as events.

The cells of a frame are visited from the highest score to the lowest and joined to the neighbours
already visited (union-find). Each component knows its area and what it shares with each annotated
region, so its matches are known without ever labelling an image. All cells of one score enter
before anything is read: the order within a tie has no effect.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluation.curves import Events, check_share
from evaluation.ground_truth import GroundTruth
from evaluation.overlap import RegionOverlaps, region_overlaps
from evaluation.scores import BoxScores, Cells, ScoreMap
from vadloc.errors import VadlocError

EachFrame: TypeAlias = Callable[[int, Cells, NDArray[np.int32]], None]
"""Takes a 0-based frame, its cells, and their order from the highest score to the lowest."""
FRESH = np.uint32(2**32 - 1)  # parent of a cell that has not been visited yet


class Components(NamedTuple):
    """The components of one frame; element ``i`` describes the one whose root is cell ``i``.

    Cells are numbered row by row on the grid with a border of one cell, which is never visited.
    Most components lie outside all annotated regions: each is one false positive and needs no more
    than its area. Those that touch a region have a slot, where what they share with it is kept.

    Attributes:
        parent: ``(padded,)`` uint32, towards the root; ``FRESH`` for cells not visited. Unsigned,
            since a signed index costs a test for being negative.
        area: ``(padded,)`` float64, of the cell itself until it is visited.
        slot: ``(padded,)`` int32, row of ``shared`` and ``told``, 0 outside all regions.
        shared: ``(slots, regions)`` float64, area shared with each region.
        told: ``(slots, 1 + regions)`` int64, what the tallies hold of it: how often it counts as a
            false positive, then as a match of each region. 0 or 1 but while a tie is entering.
    """

    parent: NDArray[np.uint32]
    area: NDArray[np.float64]
    slot: NDArray[np.int32]
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
        each_frame: Called for each frame, so that a map is read and sorted once for all criteria.

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
        if each_frame is not None:
            each_frame(frame, Cells(cells, rows, columns), order)
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
        ring: ``(8,)`` uint32, from a cell's number to those of its neighbours, clockwise; steps
            back are modulo 2^32, like the sums with them.
        ask_count: ``(256,)`` uint8, number of neighbours to ask when bit ``k`` of the index says
            whether ``ring[k]`` was visited.
        ask: ``(256, 4)`` uint32, their steps.
    """

    ring: NDArray[np.uint32]
    ask_count: NDArray[np.uint8]
    ask: NDArray[np.uint32]


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
    modulo = np.array(steps, np.int32).astype(np.uint32)
    return Neighbours(modulo, ask_count.astype(np.uint8), ask.astype(np.int32).astype(np.uint32))


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
    columns = cells.shape[1]
    components = _single_cells(cell_sizes, overlaps)
    cell = order.view(np.uint32)
    visits = cell + 2 * (cell // np.uint32(columns)) + np.uint32(columns + 3)  # with the border
    room = FrameEvents(
        np.empty(n, cells.dtype),
        np.empty(n, np.int64),
        np.empty(n * region_count, cells.dtype),
        np.empty(n * region_count, np.int64),
        np.empty(n * region_count, np.int64),
    )
    fp_events, region_events = _sweep(
        cells.ravel()[order],
        visits,
        overlaps.area_px,
        neighbours,
        beta,
        components,
        room,
    )
    # Copies, so that the room of a frame is given back.
    return FrameEvents(
        room.false_positive_score[:fp_events].copy(),
        room.false_positive_change[:fp_events].copy(),
        room.region_score[:region_events].copy(),
        room.region[:region_events].copy(),
        room.region_change[:region_events].copy(),
    )


def _single_cells(
    cell_sizes: tuple[NDArray[np.float64], NDArray[np.float64]], overlaps: RegionOverlaps
) -> Components:
    """No component yet, and what each cell will bring to its own."""
    heights, widths = (np.pad(sizes, 1) for sizes in cell_sizes)
    region_count = len(overlaps.area_px)
    touched = np.zeros((len(heights), len(widths)), np.bool_)
    windows = [
        (np.s_[1 + top : 1 + bottom, 1 + left : 1 + right], overlaps.value[start:])
        for (top, bottom, left, right), start in zip(overlaps.window, overlaps.start, strict=True)
    ]
    for window, values in windows:
        touched[window] |= values[: touched[window].size].reshape(touched[window].shape) > 0
    cells = np.flatnonzero(touched)
    slot = np.zeros(touched.shape, np.int32)
    slot.flat[cells] = np.arange(1, len(cells) + 1)
    shared = np.zeros((len(cells) + 1, region_count))
    for region, (window, values) in enumerate(windows):
        shared[slot[window].ravel(), region] = values[: touched[window].size]
    shared[0] = 0
    return Components(
        np.full(touched.size, FRESH, np.uint32),
        np.multiply.outer(heights, widths).ravel(),
        slot.ravel(),
        shared,
        np.zeros((len(cells) + 1, 1 + region_count), np.int64),
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


@njit(cache=True, error_model="numpy")
def _sweep(
    scores: NDArray[np.floating[Any]],
    visits: NDArray[np.uint32],
    region_area: NDArray[np.float64],
    neighbours: Neighbours,
    beta: float,
    components: Components,
    room: FrameEvents,
) -> tuple[int, int]:
    """Visit all cells from high scores to low; how many events of each kind were written."""
    ring, ask_count, ask = neighbours
    fp_score, fp_change = room.false_positive_score, room.false_positive_change
    parent, area, slot, shared, told = components
    tally = np.zeros(1 + len(region_area), np.int64)  # false positives, then matches by region
    found = np.zeros(len(region_area), np.int64)  # as reported
    changed = np.empty(len(visits), np.uint32)  # a cell of each component changed at this score
    changed_count = fp_events = region_events = reported = 0
    for i in range(len(visits)):
        cell = root = visits[i]
        pattern = _visited(parent, cell, ring)
        parent[cell] = cell
        touching = slot[cell] != 0
        tally[0] += not touching
        for k in range(ask_count[pattern]):
            other = _root(parent, np.uint32(cell + ask[pattern, k]))
            if other == root:
                continue
            # Joined here and not in a function: numba would count references at every call.
            keep, drop = (root, other) if area[root] > area[other] else (other, root)
            parent[drop] = keep
            area[keep] += area[drop]
            if slot[keep] and slot[drop]:
                _add_row(shared, slot[keep], slot[drop])
                _add_row(told, slot[keep], slot[drop])
                touching = True
            else:
                tally[0] -= 1  # one was outside all regions: a false positive by itself
                slot[keep] = max(slot[keep], slot[drop])
            root = keep
        # What matches no region cannot come to match one by growing outside of them.
        if touching or (slot[root] and not told[slot[root], 0]):
            changed[changed_count] = root
            changed_count += 1
        if i + 1 < len(visits) and scores[i + 1] == scores[i]:
            continue
        if changed_count:
            _tell(changed[:changed_count], components, tally, region_area, beta)
            region_events = _report(scores[i], tally[1:], found, room, region_events)
            changed_count = 0
        if tally[0] != reported:
            fp_score[fp_events] = scores[i]
            fp_change[fp_events] = tally[0] - reported
            reported = tally[0]
            fp_events += 1
    return fp_events, region_events


@njit(cache=True, error_model="numpy", inline="always")
def _visited(parent: NDArray[np.uint32], cell: int, ring: NDArray[np.uint32]) -> int:
    """Which neighbours were visited, one bit each."""
    pattern = 0
    for k in range(8):
        pattern |= (parent[np.uint32(cell + ring[k])] != FRESH) << k
    return pattern


@njit(cache=True, error_model="numpy", inline="always")
def _root(parent: NDArray[np.uint32], cell: Any) -> Any:
    """The root of a cell's component; halves the path on the way."""
    above = parent[cell]
    while above != cell:
        parent[cell] = parent[above]
        cell, above = above, parent[above]
    return cell


@njit(cache=True, error_model="numpy")
def _add_row(rows: NDArray[Any], keep: int, drop: int) -> None:
    """Add one row to another; what the tallies hold of both adds up until ``_tell``."""
    for i in range(rows.shape[1]):
        rows[keep, i] += rows[drop, i]


@njit(cache=True, error_model="numpy")
def _tell(
    cells: NDArray[np.uint32],
    components: Components,
    tally: NDArray[np.int64],
    region_area: NDArray[np.float64],
    beta: float,
) -> None:
    """Correct the tallies by what components are now: matches of regions or false positives."""
    parent, area, slot, shared, told = components
    for cell in cells:
        root = _root(parent, cell)
        row = slot[root]
        false_positive = 1
        for i in range(len(region_area)):
            matches, both = 0, shared[row, i]
            if both > 0 and both / (area[root] + region_area[i] - both) >= beta:
                matches, false_positive = 1, 0
            tally[1 + i] += matches - told[row, 1 + i]
            told[row, 1 + i] = matches
        tally[0] += false_positive - told[row, 0]
        told[row, 0] = false_positive


@njit(cache=True, error_model="numpy")
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
