"""Basins of attraction of a frame's scores: from which cells on can components meet.

From every cell one can climb, neighbour by neighbour, to a cell that has no higher one: its peak.
Whatever the threshold, the detected cells that lead to one peak are connected, since the way up
is at least as high. So components of detected cells are unions of basins: a new one appears at a
peak, two of them meet where a cell touches a higher one of another basin, and all other cells only
add their area. This is the reduction of a level-set tree (Carr, Snoeyink and Axen, *Computing
contour trees in all dimensions*, 2003) to its peaks and the edges between them.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluation.ordering import descending_order
from vadloc.errors import VadlocError

PEAK = np.uint8(1)
"""A cell without a higher neighbour."""
JOIN = np.uint8(2)
"""A cell at which two components become one."""
MEETING = np.uint8(4)
"""A cell that touches one of another basin that is at least as high."""
EARLIER = ((0, -1), (-1, 0), (-1, -1), (-1, 1))
"""Row and column steps to neighbours that come first row by row; two that share an edge first."""


def check_connectivity(connectivity: int) -> None:
    """Raise unless 4 or 8."""
    if connectivity not in (4, 8):
        raise VadlocError(f"connectivity is {connectivity}, expected 4 or 8")


class Joins(NamedTuple):
    """Pairs of basins whose components become one, from the highest score to the lowest.

    There is one less than basins: they are a tree.

    Attributes:
        score: ``(n,)`` score from which on both belong together.
        basin: ``(n, 2)`` uint32, one basin of either component.
    """

    score: NDArray[np.floating[Any]]
    basin: NDArray[np.uint32]


class Basins:
    """Room for the basins of one frame after the other; they are numbered from 1.

    Memory is taken once and used again: for large arrays, getting it costs as much as the work.
    Padded grids have a border of one cell, of score ``-inf`` and basin 0. Of neighbours with equal
    scores the one that comes first, row by row, passes for the higher one: a plateau may have
    several peaks, which meet at their own score.

    Attributes:
        count: Number of basins.
        label: ``(rows + 2, columns + 2)`` uint32, padded: the basin of each cell.
        kind: ``(rows, columns)`` uint8, sum of ``PEAK`` and ``JOIN``; 0 for most cells.
        joins: Where basins become one component.
    """

    def __init__(self, shape: tuple[int, int], *, connectivity: int) -> None:
        """Take the memory.

        Args:
            shape: Rows and columns.
            connectivity: 8 if cells that share a corner are neighbours, 4 if only those at an edge.

        Raises:
            VadlocError: ``connectivity`` is neither.
        """
        check_connectivity(connectivity)
        rows, columns = shape
        earlier = EARLIER[: connectivity // 2]
        self._around = np.array([*earlier, *((-down, -right) for down, right in earlier)])
        self._uphill = np.empty((rows + 2, columns + 2), np.int32)
        self._passed = np.empty(rows * columns, np.uint32)
        self._scores: NDArray[np.floating[Any]] = np.empty((0, 0))
        self.label = np.empty((rows + 2, columns + 2), np.uint32)
        self.kind = np.empty(shape, np.uint8)
        self.joins = Joins(np.empty(0), np.empty((0, 2), np.uint32))
        self.count = 0

    def find(self, scores: NDArray[np.floating[Any]]) -> None:
        """Find the basins of a frame, in place of those before.

        Args:
            scores: ``(rows, columns)``, no NaN.
        """
        if self._scores.dtype != scores.dtype or not self._scores.size:
            self._scores = np.full(self.label.shape, -np.inf, scores.dtype)
        self._scores[1:-1, 1:-1] = scores
        self.label[:] = 0
        _uphill(self._scores, self._around, self._uphill)
        self.count = _label(self._uphill.ravel(), self.label.ravel(), self._passed, *scores.shape)
        _mark(self._scores, self.label, self._uphill, self._around, self.kind)
        meeting = np.flatnonzero(self.kind & MEETING)
        meeting = meeting[descending_order(scores.ravel()[meeting])]
        parent = np.arange(self.count + 1, dtype=np.uint32)
        cell, basin = np.empty(len(parent), np.int64), np.empty((len(parent), 2), np.uint32)
        columns = scores.shape[1]
        steps = self._around @ (columns + 2, 1)
        found = self._scores.ravel(), self.label.ravel()
        count = _find_joins(meeting, *found, steps, columns, parent, cell, basin)
        cell, basin = cell[:count], basin[:count]
        self.joins = Joins(scores.ravel()[cell], basin)
        self.kind &= PEAK
        self.kind.flat[cell] |= JOIN


@njit(cache=True, nogil=True, error_model="numpy")
def _uphill(
    scores: NDArray[np.floating[Any]], around: NDArray[np.int64], uphill: NDArray[np.int32]
) -> None:
    """Write the step to the highest neighbour in a flat padded grid; 0 at a peak."""
    rows, columns = scores.shape[0] - 2, scores.shape[1] - 2
    for row in range(1, rows + 1):
        best = scores[row][1 : columns + 1].copy()
        way = uphill[row][1 : columns + 1]
        way[:] = 0
        for k in range(len(around)):
            down, right = around[k]
            other = scores[row + down][1 + right : 1 + right + columns]
            step = np.int32(down * (columns + 2) + right)
            # Without branches inside, these loops are done for several cells at once.
            if 2 * k < len(around):
                for i in range(columns):
                    way[i] = step if other[i] >= best[i] else way[i]
                    best[i] = other[i] if other[i] >= best[i] else best[i]
            else:
                for i in range(columns):
                    way[i] = step if other[i] > best[i] else way[i]
                    best[i] = other[i] if other[i] > best[i] else best[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _label(
    way: NDArray[np.int32],
    label: NDArray[np.uint32],
    passed: NDArray[np.uint32],
    rows: int,
    columns: int,
) -> int:
    """Number the basins; a cell is passed twice at most, on a way up and back."""
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
def _mark(
    scores: NDArray[np.floating[Any]],
    label: NDArray[np.uint32],
    uphill: NDArray[np.int32],
    around: NDArray[np.int64],
    kind: NDArray[np.uint8],
) -> None:
    """Mark peaks and the cells at which basins meet."""
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
def _find_joins(
    cells: NDArray[np.int64],
    score: NDArray[np.floating[Any]],
    basin_of: NDArray[np.uint32],
    steps: NDArray[np.int64],
    columns: int,
    parent: NDArray[np.uint32],
    cell: NDArray[np.int64],
    basin: NDArray[np.uint32],
) -> int:
    """Write the cells, from high scores to low, at which two components join (Kruskal).

    Args:
        cells: Where basins meet, in the frame as a flat list.
        score: Of the padded frame as a flat list.
        basin_of: Of the same.
        steps: From a cell to its neighbours in it.
        columns: Of the frame.
        parent: Each basin is its own.
        cell: Gets the cells at which two join.
        basin: Gets a basin of each of the two.

    Returns:
        How many join.
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
    """The root of a basin's component; halves the path on the way.

    Args:
        parent: ``(basins + 1,)`` towards the root, which is its own parent.
        basin: Where to start.
    """
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = parent[basin]
    return basin
