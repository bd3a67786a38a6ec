"""Basins of attraction of a frame's scores, to find where detected components appear and join.

From every cell, steps to the highest neighbour lead to a peak: a cell without a higher neighbour.
The cells that lead to one peak are its basin. At every threshold, the detected cells of a basin are
connected, because all cells on the way to the peak score at least as high. A component of detected
cells is therefore a union of (parts of) basins. It appears at a peak. Two components join where a
cell touches a higher cell of another basin. All other cells only add their area. This reduces a
level-set tree (Carr, Snoeyink and Axen, *Computing contour trees in all dimensions*, 2003) to its
peaks and the edges between them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.kernels import (
    JOIN,
    MEETING,
    PEAK,
    Joins,
    climb,
    find_joins,
    mark_cells,
    number_basins,
)
from evaluation.criteria.ordering import descending_order
from vadloc.errors import VadlocError

EARLIER = ((0, -1), (-1, 0), (-1, -1), (-1, 1))
"""Steps (row, column) to the neighbours that precede a cell row by row: edges, then corners."""


def check_connectivity(connectivity: int) -> None:
    """Raise unless the connectivity is 4 or 8."""
    if connectivity not in (4, 8):
        raise VadlocError(f"connectivity is {connectivity}, expected 4 or 8")


class Basins:
    """The basins of one frame, numbered from 1; the memory is used again for the next frame.

    For large arrays, allocating the memory takes as long as the computation. Padded grids have a
    border of one cell with score ``-inf`` and basin 0. Of neighbours with equal scores, the first
    one row by row counts as higher. So a plateau may have several peaks; their basins join at the
    score of the plateau.

    Attributes:
        count: Number of basins.
        label: ``(rows + 2, columns + 2)`` uint32, padded: the basin of each cell.
        kind: ``(rows, columns)`` uint8, sum of ``PEAK`` and ``JOIN``; 0 for most cells.
        joins: The pairs of basins whose components join, and the scores at which they do.
    """

    def __init__(self, shape: tuple[int, int], *, connectivity: int) -> None:
        """Allocate the memory.

        Args:
            shape: Number of rows and columns.
            connectivity: 8 if cells that share a corner or an edge are neighbours, 4 if only cells
                that share an edge are.

        Raises:
            VadlocError: ``connectivity`` is neither 4 nor 8.
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
        """Find the basins of a frame; they replace those of the frame before.

        Args:
            scores: ``(rows, columns)``, no NaN.
        """
        if self._scores.dtype != scores.dtype or not self._scores.size:
            self._scores = np.full(self.label.shape, -np.inf, scores.dtype)
        self._scores[1:-1, 1:-1] = scores
        self.label[:] = 0
        climb(self._scores, self._around, self._uphill)
        self.count = number_basins(
            self._uphill.ravel(), self.label.ravel(), self._passed, *scores.shape
        )
        mark_cells(self._scores, self.label, self._uphill, self._around, self.kind)
        meeting = np.flatnonzero(self.kind & MEETING)
        meeting = meeting[descending_order(scores.ravel()[meeting])]
        parent = np.arange(self.count + 1, dtype=np.uint32)
        cell, basin = np.empty(len(parent), np.int64), np.empty((len(parent), 2), np.uint32)
        columns = scores.shape[1]
        steps = self._around @ (columns + 2, 1)
        found = self._scores.ravel(), self.label.ravel()
        count = find_joins(meeting, *found, steps, columns, parent, cell, basin)
        cell, basin = cell[:count], basin[:count]
        self.joins = Joins(scores.ravel()[cell], basin)
        self.kind &= PEAK
        self.kind.flat[cell] |= JOIN
