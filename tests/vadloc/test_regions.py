"""The grid of regions, drawn by hand and against plain loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vadloc.regions import RegionGrid

sides = st.integers(1, 20)


@st.composite
def grids(draw: st.DrawFn) -> RegionGrid:
    stride = draw(st.integers(2, 7))
    return RegionGrid(draw(sides), draw(sides), stride * draw(st.integers(1, 4)), stride)


def boxes(grid: RegionGrid) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom and right of each region by the definition, in pixels."""
    rows, columns = grid.regions
    return [
        (y * grid.stride_px, x * grid.stride_px, y * grid.stride_px + grid.size_px,
         x * grid.stride_px + grid.size_px)
        for y, x in itertools.product(range(rows), range(columns))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("height", "width", "size", "stride", "regions", "cells"),
    [
        # Regions of 8 px every 4 px. |0---4---8---12--16|: 3 of them cover 16 px exactly.
        (8, 16, 8, 4, (1, 3), (2, 4)),
        # One pixel more needs one more cell, and a region that reaches beyond the frame.
        (8, 17, 8, 4, (1, 4), (2, 5)),
        (9, 16, 8, 4, (2, 3), (3, 4)),
        # One pixel less: the last cell is cut, the regions are the same.
        (8, 15, 8, 4, (1, 3), (2, 4)),
        # Frame smaller than a region, and as small as it gets.
        (5, 3, 8, 4, (1, 1), (2, 1)),
        (1, 1, 8, 4, (1, 1), (1, 1)),
        # No overlap.
        (8, 17, 8, 8, (1, 3), (1, 3)),
        # Avenue with the regions of EVAL: 128 px, half overlapping, on 640 x 360: 9 x 5 = 45.
        (360, 640, 128, 64, (5, 9), (6, 10)),
    ],
)
def test_drawn_grids(
    height: int, width: int, size: int, stride: int, regions: tuple[int, int],
    cells: tuple[int, int],
) -> None:  # fmt: skip
    grid = RegionGrid(height, width, size, stride)
    assert grid.regions == regions
    assert grid.cells == cells
    assert grid.region_count == regions[0] * regions[1]


@given(grids())
def test_regions_cover_the_frame_and_none_is_superfluous(grid: RegionGrid) -> None:
    cover = np.zeros((grid.height_px, grid.width_px), int)
    for top, left, bottom, right in boxes(grid):
        cover[top:bottom, left:right] += 1
        assert top < grid.height_px
        assert left < grid.width_px
    assert cover.min() >= 1
    rows, columns = grid.regions
    last_row, last_column = (rows - 1) * grid.stride_px, (columns - 1) * grid.stride_px
    reach = grid.size_px - grid.stride_px
    assert rows == 1 or last_row + reach < grid.height_px, "the row before covered all"
    assert columns == 1 or last_column + reach < grid.width_px


@given(grids(), st.integers(0, 2**32 - 1))
def test_region_sums_are_sums_of_pixels(grid: RegionGrid, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 9, (grid.height_px, grid.width_px))
    cells = np.zeros((*grid.cells, 2))
    for y, x in itertools.product(range(grid.height_px), range(grid.width_px)):
        cells[y // grid.stride_px, x // grid.stride_px] += (pixels[y, x], 1)
    before = cells.copy()
    sums = grid.region_sums(cells)
    expected = [
        (pixels[t:b, left:r].sum(), pixels[t:b, left:r].size) for t, left, b, r in boxes(grid)
    ]
    assert np.array_equal(sums.reshape(-1, 2), expected)
    assert np.array_equal(cells, before)


@given(grids(), st.integers(0, 2**32 - 1))
def test_spread_gives_each_cell_the_values_of_its_regions(grid: RegionGrid, seed: int) -> None:
    values = np.random.default_rng(seed).permutation(grid.region_count).astype(float)
    spread: NDArray[np.floating] = grid.spread(values.reshape(grid.regions))
    stride = grid.stride_px
    for row, column in itertools.product(*map(range, grid.cells)):
        covering = {
            values[i]
            for i, (top, left, bottom, right) in enumerate(boxes(grid))
            if top <= row * stride < bottom and left <= column * stride < right
        }
        got = spread[:, row, column]
        assert sorted(got[~np.isnan(got)]) == sorted(covering)


@given(grids(), st.integers(0, 5), st.data())
def test_neighbours_are_those_at_most_so_many_steps_away(
    grid: RegionGrid, steps: int, data: st.DataObject
) -> None:
    columns = grid.regions[1]
    region = data.draw(st.integers(0, grid.region_count - 1))
    expected = [
        other
        for other in range(grid.region_count)
        if abs(other // columns - region // columns) <= steps
        and abs(other % columns - region % columns) <= steps
    ]
    assert grid.neighbours(region, steps).tolist() == expected


def test_coverage_is_the_share_of_the_regions_over_a_cell() -> None:
    coverage = RegionGrid(12, 16, 8, 4).coverage
    assert coverage.tolist() == [[0.25, 0.5, 0.5, 0.25], [0.5, 1, 1, 0.5], [0.25, 0.5, 0.5, 0.25]]


@given(grids())
def test_coverage_by_counting(grid: RegionGrid) -> None:
    counted = np.zeros(grid.cells)
    for row, column in np.ndindex(*grid.cells):
        counted[row, column] = len(grid.regions_over(row, column))
    assert grid.coverage == pytest.approx(counted / counted.max())
