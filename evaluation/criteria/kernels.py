"""The compiled loops for basins and sweeps, with the constants and records that they use.

Numba reuses a compiled function as long as the file of the function has not changed. Therefore all
constants, records and other loops that a loop uses are in this file: a change of any of them
compiles the loop again.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

PEAK = np.uint8(1)
"""A cell without a higher neighbour."""
JOIN = np.uint8(2)
"""A cell at which two components become one."""
MEETING = np.uint8(4)
"""A cell with a neighbour in another basin that scores at least as high."""
INSIDE = np.uint8(4)
"""A cell that shares area with an annotated region; used together with ``PEAK`` and ``JOIN``."""


class Joins(NamedTuple):
    """Pairs of basins whose components join, from the highest score to the lowest.

    The pairs form a tree of the basins: there is one pair less than basins.

    Attributes:
        score: ``(n,)`` highest threshold at which both components are one.
        basin: ``(n, 2)`` uint32, one basin of each component.
    """

    score: NDArray[np.floating[Any]]
    basin: NDArray[np.uint32]


class Grid(NamedTuple):
    """The cells of one frame, numbered row by row.

    Attributes:
        area: ``(cells,)`` float64, area of each cell in pixels.
        basin: ``(cells,)`` uint32, basin of each cell.
        kind: ``(cells,)`` uint8, sum of ``PEAK``, ``JOIN`` and ``INSIDE``.
        shared_row: ``(cells,)`` int32, row of each cell in ``shared``; 0 outside all regions.
        shared: ``(rows, regions)`` float64, area that a cell shares with each region.
    """

    area: NDArray[np.float64]
    basin: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    shared_row: NDArray[np.int32]
    shared: NDArray[np.float64]


class Components(NamedTuple):
    """The components of one frame; element ``i`` describes the component with root basin ``i``.

    Most components are outside all annotated regions: each is one false positive, and only its area
    is needed. Counts are right only after all cells of one score have been visited: among these
    cells, basins may join before their peaks are visited.

    Attributes:
        parent: ``(basins + 1,)`` uint32, parent of each basin in the union-find.
        area: ``(basins + 1,)`` float64, area in pixels.
        inside: ``(basins + 1,)`` bool, whether the component shares area with a region.
        shared: ``(basins + 1, regions)`` float64, area shared with each region.
        told: ``(basins + 1, 1 + regions)`` int64, how often a component inside is counted in the
            tallies: as a false positive, then as a match of each region. The values are 0 or 1,
            except while cells of one score are being visited.
    """

    parent: NDArray[np.uint32]
    area: NDArray[np.float64]
    inside: NDArray[np.bool_]
    shared: NDArray[np.float64]
    told: NDArray[np.int64]


class FrameEvents(NamedTuple):
    """Arrays for the events of one frame; see ``evaluation.criteria.curves.Events``."""

    false_positive_score: NDArray[np.floating[Any]]
    false_positive_change: NDArray[np.int64]
    region_score: NDArray[np.floating[Any]]
    region: NDArray[np.int64]
    region_change: NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def climb(
    scores: NDArray[np.floating[Any]], around: NDArray[np.int64], uphill: NDArray[np.int32]
) -> None:
    """Write each cell's step to its highest neighbour in a flat padded grid; 0 at a peak."""
    rows, columns = scores.shape[0] - 2, scores.shape[1] - 2
    for row in range(1, rows + 1):
        best = scores[row][1 : columns + 1].copy()
        way = uphill[row][1 : columns + 1]
        way[:] = 0
        for k in range(len(around)):
            down, right = around[k]
            other = scores[row + down][1 + right : 1 + right + columns]
            step = np.int32(down * (columns + 2) + right)
            # Without branches, the compiler vectorizes these loops over several cells.
            if 2 * k < len(around):
                for i in range(columns):
                    way[i] = step if other[i] >= best[i] else way[i]
                    best[i] = other[i] if other[i] >= best[i] else best[i]
            else:
                for i in range(columns):
                    way[i] = step if other[i] > best[i] else way[i]
                    best[i] = other[i] if other[i] > best[i] else best[i]


@njit(cache=True, nogil=True, error_model="numpy")
def number_basins(
    way: NDArray[np.int32],
    label: NDArray[np.uint32],
    passed: NDArray[np.uint32],
    rows: int,
    columns: int,
) -> int:
    """Number the basins; each cell is passed at most twice, on the way up and back."""
    count = 0
    for row in range(rows):
        for column in range(columns):
            cell = np.uint32((row + 1) * (columns + 2) + column + 1)
            length = np.uint32(0)
            while label[cell] == 0 and way[cell] != 0:
                passed[length] = cell
                length = np.uint32(length + 1)
                cell = np.uint32(cell + way[cell])
            if label[cell] == 0:
                count += 1
                label[cell] = count
            number = label[cell]
            for i in range(length):
                label[passed[np.uint32(i)]] = number
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def mark_cells(
    scores: NDArray[np.floating[Any]],
    label: NDArray[np.uint32],
    uphill: NDArray[np.int32],
    around: NDArray[np.int64],
    kind: NDArray[np.uint8],
) -> None:
    """Mark the peaks, and the cells that touch another basin (``MEETING``)."""
    rows, columns = kind.shape
    for row in range(1, rows + 1):
        here, own = scores[row][1 : columns + 1], label[row][1 : columns + 1]
        way, marks = uphill[row][1 : columns + 1], kind[row - 1]
        for i in range(columns):
            marks[i] = PEAK if way[i] == 0 else np.uint8(0)
        for k in range(len(around)):
            down, right = around[k]
            other = scores[row + down][1 + right : 1 + right + columns]
            theirs = label[row + down][1 + right : 1 + right + columns]
            for i in range(columns):
                meets = (other[i] >= here[i]) & (theirs[i] != own[i])
                marks[i] |= MEETING if meets else np.uint8(0)


@njit(cache=True, nogil=True, error_model="numpy")
def find_joins(
    cells: NDArray[np.int64],
    score: NDArray[np.floating[Any]],
    basin_of: NDArray[np.uint32],
    steps: NDArray[np.int64],
    columns: int,
    parent: NDArray[np.uint32],
    cell: NDArray[np.int64],
    basin: NDArray[np.uint32],
) -> int:
    """Find the cells at which two components join, from high scores to low (Kruskal).

    Args:
        cells: Indices of the cells where basins meet, in the padded frame as a flat list.
        score: Scores of the padded frame as a flat list.
        basin_of: Basin of each cell of the padded frame.
        steps: Steps in the flat list from a cell to its neighbours.
        columns: Number of columns of the frame.
        parent: Parent of each basin in the union-find; at first each basin is its own parent.
        cell: Output: the cells at which two components join.
        basin: Output: one basin of each of the two components.

    Returns:
        Number of joins.
    """
    count = 0
    for i in range(len(cells)):
        here = np.uint32(cells[i] + 2 * (cells[i] // columns) + columns + 3)
        root = find_root(parent, basin_of[here])
        for k in range(len(steps)):
            there = np.uint32(here + steps[k])
            if basin_of[there] == basin_of[here] or score[there] < score[here]:
                continue
            other = find_root(parent, basin_of[there])
            if other != root:
                parent[other] = root
                cell[count], basin[count, 0], basin[count, 1] = cells[i], root, other
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def find_root(parent: NDArray[np.uint32], basin: Any) -> Any:
    """The root of a basin's component; this also halves the path to the root.

    Args:
        parent: ``(basins + 1,)`` parent of each basin; the root is its own parent.
        basin: The basin.
    """
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = parent[basin]
    return basin


@njit(cache=True, nogil=True, error_model="numpy")
def visit_cells(
    order: NDArray[np.int32],
    scores: NDArray[np.floating[Any]],
    grid: Grid,
    joins: Joins,
    region_area: NDArray[np.float64],
    beta: float,
    components: Components,
    room: FrameEvents,
) -> tuple[int, int]:
    """Visit all cells from high scores to low; return the number of written events of each kind."""
    cell_area, basin, kind, _, _ = grid
    fp_score, fp_change = room.false_positive_score, room.false_positive_change
    parent, area, inside, _, told = components
    tally = np.zeros(1 + len(region_area), np.int64)  # false positives, then matches by region
    found = np.zeros(len(region_area), np.int64)  # 1 if the last event says so
    changed = np.empty(len(order) + len(joins.score), np.uint32)  # basins of changed components
    # All counters are int64: with a literal 0, numba would compile callees for a second type.
    zero: Any = np.int64(0)
    changed_count = joined = fp_events = region_events = reported = zero
    for i in range(len(order)):
        cell = np.uint32(order[i])
        root = basin[cell]
        # find_root is written out for speed: numba counts references when arrays are passed.
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
        # A component that matches no region cannot match one by growing outside of regions.
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
    """Add the area that a cell shares with regions to its component."""
    row = grid.shared_row[cell]
    if row:
        # Loops over regions: a sum of arrays takes numba seconds to compile.
        for i in range(grid.shared.shape[1]):
            components.shared[root, i] += grid.shared[row, i]
        if not components.inside[root]:
            components.inside[root] = True
            components.told[root, 0] = 1  # it was counted at its peak


@njit(cache=True, nogil=True, error_model="numpy")
def _join(joins: Joins, i: int, components: Components, tally: NDArray[np.int64]) -> None:
    """Join two components."""
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
        tally[0] -= 1  # the one outside all regions was a false positive
    inside[keep] |= inside[drop]


@njit(cache=True, nogil=True, error_model="numpy")
def _tell(
    cells: NDArray[np.uint32],
    components: Components,
    tally: NDArray[np.int64],
    region_area: NDArray[np.float64],
    beta: float,
) -> None:
    """Update the tallies: each component is now a match of some regions or a false positive."""
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
    """Write the regions found or lost at a score; return the number of events so far."""
    for region in range(len(matches)):
        change = min(matches[region], 1) - found[region]
        if change:
            room.region_score[events] = score
            room.region[events] = region
            room.region_change[events] = change
            found[region] += change
            events += 1
    return events
