"""Errors of reduced pixels as errors of cells, against plain loops."""

import numpy as np
import pytest

from anomaly_detection.detectors.error_cells import (
    block_means,
    flows_to_cells,
    frames_to_cells,
    pixels_to_cells,
)
from vadloc.regions import RegionGrid


@pytest.mark.parametrize("size", [(20, 30), (10, 15), (40, 60)])
def test_a_cell_has_the_largest_error_of_its_pixels(size: tuple[int, int]) -> None:
    grid = RegionGrid(20, 30, 8, 4)
    errors = np.random.default_rng(0).random((2, *size)).astype(np.float32)
    found = pixels_to_cells(errors, grid)
    assert found.shape == (2, *grid.cells)
    scale = size[0] / 20
    for row, column in np.ndindex(*grid.cells):
        y0, x0 = int(4 * row * scale), int(4 * column * scale)
        y1 = int(np.ceil(min(4 * row + 4, 20) * scale))
        x1 = int(np.ceil(min(4 * column + 4, 30) * scale))
        expected = errors[:, y0:y1, x0:x1].max(axis=(1, 2))
        np.testing.assert_array_equal(found[:, row, column], expected)


def test_cells_smaller_than_a_pixel_have_its_error() -> None:
    grid = RegionGrid(8, 8, 2, 1)
    errors = np.array([[[1, 2], [3, 4]]], np.float32)
    expected = np.kron(errors[0], np.ones((4, 4)))
    np.testing.assert_array_equal(pixels_to_cells(errors, grid)[0], expected)


def test_blocks_are_means_around_a_pixel() -> None:
    errors = np.random.default_rng(0).random((1, 12, 14)).astype(np.float32)
    found = block_means(errors, 3)
    assert found[0, 5, 6] == pytest.approx(errors[0, 4:7, 5:8].mean(), rel=1e-5)
    assert block_means(errors, 1) is errors


def test_whole_frames_have_one_error() -> None:
    errors = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    found = frames_to_cells(errors, RegionGrid(16, 24, 8, 8))
    np.testing.assert_allclose(found[0], 5.5)
    np.testing.assert_allclose(found[1], 17.5)


def test_motion_of_a_cell_is_that_of_its_fast_pixels() -> None:
    seen, expected = np.zeros((2, 2, 1, 8, 8), np.float32)
    seen[:, 0, 1, 1] = 3, 4
    expected[:, 0, 1, 1] = 1, 2
    found = flows_to_cells(seen, expected, RegionGrid(8, 8, 4, 4))
    np.testing.assert_allclose(found[:, 0, 0, 0], [3, 4, 1, 2], rtol=0.01)
    assert not found[:, 0, 1, 1].any()
