"""Errors of reduced pixels as errors of cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid

Errors = NDArray[np.float32]

LEAST_WEIGHT = 1e-3
"""Weight of still pixels in the mean motion of a cell, in px/frame."""


def block_means(errors: Errors, block_px: int) -> Errors:
    """The mean error of the square around each pixel.

    Args:
        errors: ``(frames, height, width)``.
        block_px: Side of the squares; outside of the frame, pixels are mirrored.
    """
    import cv2

    if block_px == 1:
        return errors
    side = block_px, block_px
    means = [cv2.blur(frame, side, borderType=cv2.BORDER_REFLECT_101) for frame in errors]
    return np.stack(means).astype(np.float32, copy=False)


def pixels_to_cells(errors: Errors, grid: RegionGrid) -> Errors:
    """The largest error in each cell.

    Args:
        errors: ``(frames, height, width)`` of reduced frames.
        grid: Cells of the frames of the video.

    Returns:
        ``(frames, cell rows, cell columns)``. A cell smaller than a reduced pixel has the error of
        the pixel in which it lies.
    """
    return _by_cell(errors, grid, np.max)


def flows_to_cells(seen: Errors, expected: Errors, grid: RegionGrid) -> Errors:
    """Seen and expected motion of each cell: means in which pixels count by their seen speed.

    Args:
        seen: ``(2, frames, height, width)`` in px/frame.
        expected: The same in a network's output.
        grid: Cells of the frames of the video.

    Returns:
        ``(4, frames, cell rows, cell columns)``: seen to the right and down, expected to the right
        and down.
    """
    weight = np.sqrt((seen**2).sum(axis=0)) + np.float32(LEAST_WEIGHT)
    total = _by_cell(weight, grid, np.sum)
    rows = [_by_cell(flow * weight, grid, np.sum) / total for flow in (*seen, *expected)]
    return np.stack(rows).astype(np.float32)


def _by_cell(errors: Errors, grid: RegionGrid, over: Callable[..., Any]) -> Errors:
    lengths = grid.height_px, grid.width_px
    for axis, (length, edges) in enumerate(zip(lengths, grid.cell_edges_px, strict=True), start=1):
        count = errors.shape[axis]
        starts = np.minimum(np.floor(edges[:-1] * count / length).astype(int), count - 1)
        ends = np.maximum(np.ceil(edges[1:] * count / length - 1e-9).astype(int), starts + 1)
        parts = [
            over(np.take(errors, range(a, b), axis=axis), axis=axis)
            for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        errors = np.stack(parts, axis=axis)
    return errors


def frames_to_cells(errors: Errors, grid: RegionGrid) -> Errors:
    """The mean error of each frame, the same in all cells.

    Args:
        errors: ``(frames, height, width)``.
        grid: Cells of the frames of the video.
    """
    means = errors.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return np.broadcast_to(means[:, None, None], (len(errors), *grid.cells)).copy()
