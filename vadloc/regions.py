"""The grid of square regions over a frame, and of video volumes over time.

A *cell* is a square of ``stride`` pixels. A *region* is a square of whole cells, ``size`` pixels
wide. Neighbouring regions are one cell apart. The first region is at the top left. There are as
many regions as are needed to cover every pixel, so that regions at the right and bottom edge may
reach beyond the frame.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RegionGrid:
    """Regions and cells of frames of one size.

    Attributes:
        height_px: Frame height.
        width_px: Frame width.
        size_px: Side of a region, a multiple of ``stride_px``.
        stride_px: Side of a cell.
    """

    height_px: int
    width_px: int
    size_px: int
    stride_px: int

    @property
    def cells_per_side(self) -> int:
        """Cells along one side of a region."""
        return self.size_px // self.stride_px

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells that hold at least one pixel of the frame."""
        return math.ceil(self.height_px / self.stride_px), math.ceil(self.width_px / self.stride_px)

    @property
    def regions(self) -> tuple[int, int]:
        """Rows and columns of regions."""
        rows, columns = self.cells
        side = self.cells_per_side
        return max(1, rows - side + 1), max(1, columns - side + 1)

    @property
    def region_count(self) -> int:
        """Number of regions."""
        rows, columns = self.regions
        return rows * columns

    @property
    def cell_edges_px(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Edges of cells, ``(cell rows + 1,)`` and ``(cell columns + 1,)``, cut at the frame."""
        rows, columns = (np.arange(count + 1.0) * self.stride_px for count in self.cells)
        return np.minimum(rows, self.height_px), np.minimum(columns, self.width_px)

    def region_sums(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the cells of each region.

        Args:
            cells: ``(cell rows, cell columns, ...)``.

        Returns:
            ``(region rows, region columns, ...)``.
        """
        for axis, count in enumerate(self.regions):
            side = min(self.cells_per_side, cells.shape[axis])
            cells = sum(
                (np.take(cells, range(i, i + count), axis=axis) for i in range(1, side)),
                start=np.take(cells, range(count), axis=axis),
            )
        return cells

    def spread(self, regions: NDArray[np.floating]) -> NDArray[np.floating]:
        """For each cell the values of the regions that cover it.

        Args:
            regions: ``(region rows, region columns)``.

        Returns:
            ``(cells_per_side ** 2, cell rows, cell columns)``; NaN fills up where fewer regions
            cover a cell.
        """
        rows, columns = self.cells
        side = self.cells_per_side
        region_rows, region_columns = self.regions
        out = np.full((side * side, region_rows + side - 1, region_columns + side - 1), np.nan)
        for k in range(side * side):
            y, x = divmod(k, side)
            out[k, y : y + region_rows, x : x + region_columns] = regions
        return out[:, :rows, :columns]

    @property
    def coverage(self) -> NDArray[np.float64]:
        """The share of the usual number of regions that cover each cell, of the shape ``cells``."""
        covered = np.isfinite(self.spread(np.ones(self.regions))).sum(axis=0)
        return np.asarray(covered / covered.max())

    def box_xyxy_px(self, region: int) -> tuple[int, int, int, int]:
        """Box of a region, cut at the edge of the frame: x0, y0, x1, y1, the last two exclusive."""
        row, column = divmod(region, self.regions[1])
        x0, y0 = column * self.stride_px, row * self.stride_px
        return x0, y0, min(x0 + self.size_px, self.width_px), min(y0 + self.size_px, self.height_px)

    def regions_over(self, row: int, column: int) -> list[int]:
        """Numbers of the regions that cover a cell, ascending."""
        rows, columns = self.regions
        first = self.cells_per_side - 1
        return [
            y * columns + x
            for y in range(max(0, row - first), min(rows, row + 1))
            for x in range(max(0, column - first), min(columns, column + 1))
        ]

    def neighbours(self, region: int, steps: int) -> NDArray[np.int64]:
        """Numbers (row by row) of the regions up to ``steps`` rows and columns away, ascending."""
        rows, columns = self.regions
        row, column = divmod(region, columns)
        near_rows = np.arange(max(0, row - steps), min(rows, row + steps + 1))
        near_columns = np.arange(max(0, column - steps), min(columns, column + steps + 1))
        return (near_rows[:, None] * columns + near_columns).ravel()
