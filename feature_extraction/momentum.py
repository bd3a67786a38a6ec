"""Momentum: how much moves into which direction, measured from optical flow.

m_k = (1 / |V|) * sum of |flow| over the pixels of a volume V whose flow points into the k-th of 12
directions of 30 degrees and whose |flow| exceeds a floor, in px/frame. It is the attribute that
EVAL trains networks to see (direction histogram times speed), measured.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid

DIRECTIONS = 12
MIN_SIDE_PX = 32
"""OpenCV's DIS flow of smaller frames ends in an error or, if they are long, in a crash."""


@dataclass(frozen=True)
class FlowSettings:
    """Settings of the flow.

    Attributes:
        preset: Of OpenCV's DIS, see ``flow_engine``.
        floor_px_per_frame: Slower pixels count as still.
    """

    preset: str
    floor_px_per_frame: float


def flow_engine(preset: str) -> Any:
    """OpenCV's DIS flow (Kroeger et al., ECCV 2016), for one call at a time.

    Args:
        preset: One of OpenCV's, or ``balanced``: as fine as ``medium``, but with the distance of
            patches and the number of descent steps of ``fast``.
    """
    import cv2

    known = "medium" if preset == "balanced" else preset
    engine = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{known.upper()}"))
    if preset == "balanced":
        engine.setPatchStride(4)
        engine.setGradientDescentIterations(16)
    return engine


def flow_to_cells(
    flow: NDArray[np.float32], cell_of_pixel: NDArray[np.int64], *, cell_count: int, floor: float
) -> NDArray[np.float64]:
    """Sums of |flow| in each cell and direction.

    Args:
        flow: ``(height, width, 2)``, x to the right and y downwards, px/frame.
        cell_of_pixel: ``(height * width,)``: number of each pixel's cell.
        cell_count: Number of cells.
        floor: Pixels with |flow| not above it are left out.

    Returns:
        ``(cell_count, 12)``; direction k covers angles from 30 k to 30 (k + 1) degrees,
        counted from x towards y (clockwise as seen).
    """
    import cv2

    x, y = flow[..., 0].ravel(), flow[..., 1].ravel()
    moving = np.flatnonzero(x * x + y * y > np.float32(floor * floor))
    if not len(moving):
        return np.zeros((cell_count, DIRECTIONS))
    magnitude, degrees = cv2.cartToPolar(x[moving], y[moving], angleInDegrees=True)
    magnitude, degrees = magnitude.ravel(), degrees.ravel()  # OpenCV 4 returns columns
    direction = (degrees * (DIRECTIONS / 360)).astype(np.int64) % DIRECTIONS
    index = cell_of_pixel[moving] * DIRECTIONS + direction
    sums = np.bincount(index, weights=magnitude, minlength=cell_count * DIRECTIONS)
    return sums.astype(np.float64, copy=False).reshape(cell_count, DIRECTIONS)


def cell_sums(
    frames: Iterable[NDArray[np.uint8]], grid: RegionGrid, settings: FlowSettings, *, threads: int
) -> Iterator[NDArray[np.float64]]:
    """Sums of |flow| by cell and direction, for each pair of consecutive frames.

    OpenCV's own threads change the flow with their number, so that each flow is computed by one
    thread, and several flows at a time.

    Args:
        frames: uint8 ``(height, width)`` each, both at least ``MIN_SIDE_PX``.
        grid: The grid of the frames.
        settings: Of the flow.
        threads: Flows computed at a time.

    Yields:
        ``(cell rows, cell columns, 12)``, in order, one fewer than frames.
    """
    import cv2

    cv2.setNumThreads(1)
    rows, columns = grid.cells
    cell_rows = np.arange(grid.height_px) // grid.stride_px
    cell_columns = np.arange(grid.width_px) // grid.stride_px
    cell_of_pixel = (cell_rows[:, None] * columns + cell_columns).ravel()

    def pair_to_cells(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
        flow: NDArray[np.float32] = flow_engine(settings.preset).calc(first, second, None)
        sums = flow_to_cells(
            flow,
            cell_of_pixel,
            cell_count=rows * columns,
            floor=settings.floor_px_per_frame,
        )
        return sums.reshape(rows, columns, DIRECTIONS)

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[NDArray[np.float64]]] = deque()
        previous = None
        for frame in frames:
            if previous is not None:
                waiting.append(pool.submit(pair_to_cells, previous, frame))
            previous = frame
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def volume_momentum(
    sums: Iterable[NDArray[np.float64]],
    grid: RegionGrid,
    *,
    frames_per_volume: int,
    frame_stride: int,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Momentum of all volumes, from the sums of their cells.

    Args:
        sums: ``(cell rows, cell columns, 12)`` for each pair of consecutive frames.
        grid: The grid of the frames.
        frames_per_volume: T; a volume has T - 1 pairs.
        frame_stride: Frames from one volume to the next; the last volume ends with the sequence.

    Yields:
        First frame of the volumes, and their momentum ``(regions, 12)`` in px/frame: means over
        the pixels that lie in the frame.
    """
    pairs = frames_per_volume - 1
    window: deque[NDArray[np.float64]] = deque(maxlen=pairs)
    pixels = grid.region_sums(grid.cell_area_px)[..., None] * pairs

    def momentum() -> NDArray[np.float32]:
        total = grid.region_sums(np.sum(window, axis=0)) / pixels
        return total.reshape(-1, DIRECTIONS).astype(np.float32)

    first = -1
    for index, cells in enumerate(sums):
        window.append(cells)
        first = index + 1 - pairs
        if first >= 0 and first % frame_stride == 0:
            yield first, momentum()
    if first > 0 and first % frame_stride:
        yield first, momentum()
