"""The speed scale: how fast things typically move at each place of the scene, in px/frame.

A speed in px/frame means little by itself: far from the camera the same walk is slower than near
it. The speed scale is the unit that makes both alike. It is estimated from training video alone:

    s(cell) = (sum |f|^3 + w S) / (sum |f|^2 + w),    S = sum |f|^3 / sum |f|^2 of the whole scene

where f is the optical flow of a pixel in px/frame, the camera's shifts undone, and the first two
sums go over the pixels of the 3 x 3 cells around a cell in all pairs of frames. Each speed counts
by its square, so that the many still pixels, whose flow is noise, hardly count. w is a share of the
scene's own sum |f|^2: where little has moved, the scale is near that of the whole scene, S.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.flow import FrameFlow
from feature_extraction.registry import check_frame_side
from feature_extraction.training_frames import spread, training_size
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.feature_settings import RelativeMomentumFeatures
from vadloc.process import thread_count
from vadloc.regions import RegionGrid
from vadloc.stamps import SCHEMAS
from vadloc.video.camera_motion import CameraMotion
from vadloc.video.frames import Sequence, read_frames

LEAST_PX_PER_FRAME = 0.1
"""No cell has a smaller speed scale: optical flow is no more exact."""
WITHOUT_MOVEMENT_PX_PER_FRAME = 1.0
"""The speed scale of training video in which nothing moves at all."""

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def sums_to_scale(
    squares: NDArray[np.float64], cubes: NDArray[np.float64], *, shrinkage: float
) -> NDArray[np.float64]:
    """The speed scale of each cell.

    Args:
        squares: ``(cell rows, cell columns)``: sum of |f|^2 over the pixels of each cell.
        cubes: The same of |f|^3.
        shrinkage: w as a share of the scene's sum of |f|^2; above 0.

    Returns:
        ``(cell rows, cell columns)`` in px/frame, at least ``LEAST_PX_PER_FRAME``;
        ``WITHOUT_MOVEMENT_PX_PER_FRAME`` everywhere if nothing moves.
    """
    total = squares.sum()
    if total <= 0:
        return np.full(squares.shape, WITHOUT_MOVEMENT_PX_PER_FRAME)
    weight = shrinkage * total
    scale = (_sums_around(cubes) + weight * (cubes.sum() / total)) / (
        _sums_around(squares) + weight
    )
    return np.asarray(np.maximum(scale, LEAST_PX_PER_FRAME))


def _sums_around(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over each cell and those that touch it, within the frame."""
    rows, columns = cells.shape
    padded = np.pad(cells, 1)
    parts = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    return np.asarray(np.sum(parts, axis=0))


def learn_speed_scale(
    config: Config, sequences: list[Sequence], *, limit: int | None = None
) -> dict[str, Any]:
    """Estimate the speed scale from training sequences.

    Args:
        config: The config.
        sequences: The training sequences.
        limit: Look at so many frames of each from its beginning; ``None`` for all.

    Returns:
        A dict: ``speed_scale_px_per_frame`` ``(cell rows, cell columns)`` float64, ``pairs``: the
        number of pairs of frames that were looked at, and the frame size.

    Raises:
        VadlocError: A sequence cannot be read, or frames differ in size.
    """
    settings: RelativeMomentumFeatures = config.features["relative_momentum"]
    counts, height, width = training_size(sequences, limit=limit)
    check_frame_side(sequences[0].name, "relative_momentum", height, width)
    grid = RegionGrid(height, width, config.regions.size_px, config.regions.stride_px)
    chosen = spread([max(0, count - 1) for count in counts], settings.scale_pairs)
    pairs = (
        pair
        for sequence, firsts in zip(sequences, chosen, strict=True)
        for pair in _read_pairs(
            sequence, set(firsts.tolist()), CameraMotion(undo=config.camera.undo_shake)
        )
    )
    squares, cubes = pairs_to_sums(pairs, FrameFlow(settings, grid), grid)
    return {
        "schema": SCHEMAS["speed_scale"],
        "height_px": grid.height_px,
        "width_px": grid.width_px,
        "pairs": sum(len(firsts) for firsts in chosen),
        "speed_scale_px_per_frame": sums_to_scale(
            squares, cubes, shrinkage=settings.scale_shrinkage
        ),
    }


def _read_pairs(sequence: Sequence, firsts: set[int], camera: CameraMotion) -> Iterator[Pair]:
    """The pairs of consecutive frames that begin with some frames, as the camera has not moved."""
    if not firsts:
        return
    last, before = max(firsts), np.zeros(0, np.uint8)
    for number, shifted in enumerate(read_frames(sequence)):
        shift = camera.follow(shifted)
        frame = shift.undo(shifted) if firsts & {number - 1, number} else shifted
        if number - 1 in firsts:
            yield before, frame
        if number > last:
            return
        before = frame


def pairs_to_sums(
    pairs: Iterable[Pair], flow: FrameFlow, grid: RegionGrid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of |f|^2 and of |f|^3 over the pixels of each cell, in all pairs of frames.

    Args:
        pairs: Consecutive frames, grey ``(height, width)``.
        flow: Computes their flow.
        grid: The grid of the frames.
    """
    total = np.zeros((2, *grid.cells))
    waiting: deque[Future[NDArray[np.float64]]] = deque()
    with Workers(thread_count()) as workers:
        for first, second in pairs:
            waiting.append(workers.submit(_pair_to_sums, first, second, flow))
            while waiting[0].done() and len(waiting) > 1:  # in order: sums depend on it
                total += waiting.popleft().result()
        for future in waiting:
            total += future.result()
    return total[0], total[1]


def _pair_to_sums(
    first: NDArray[np.uint8], second: NDArray[np.uint8], flow: FrameFlow
) -> NDArray[np.float64]:
    """Sums of |f|^2 and |f|^3 of one pair, ``(2, cell rows, cell columns)``."""
    field = flow.between(flow.resize(first), flow.resize(second))
    x, y = np.moveaxis(field, -1, 0).astype(np.float64)
    squares = (x * x + y * y).ravel()
    return np.stack([flow.cell_sums(squares), flow.cell_sums(squares * np.sqrt(squares))])
