"""Momentum: the amount of movement in each direction, measured from optical flow.

m_k = (1 / |V|) * sum of |flow| over the pixels of a volume V whose flow points into the k-th of 12
directions of 30 degrees and whose |flow| exceeds a floor, in px/frame. EVAL trains networks that
estimate the same attribute (direction histogram times speed); here it is measured. A descriptor
gives the share of the pixels that move into each direction. Momentum divided by this share is the
mean speed of these pixels. The flow of large frames is computed on reduced frames. All speeds are
in px/frame of the video.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import TimeStep
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind, ReadOut
from feature_extraction.frame import Frame
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.feature_settings import MomentumFeatures
from vadloc.regions import RegionGrid

DIRECTIONS = 12
MIN_SIDE_PX = 32
"""Least side of frames. For smaller frames, OpenCV's DIS flow ends in an error or a crash."""


def flow_engine(preset: str) -> Any:
    """OpenCV's DIS flow (Kroeger et al., ECCV 2016), for one call at a time.

    Args:
        preset: A preset of OpenCV, or ``balanced``: ``medium`` with the patch distance and the
            number of gradient-descent steps of ``fast``.
    """
    import cv2

    name = "medium" if preset == "balanced" else preset
    engine = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{name.upper()}"))
    if preset == "balanced":
        engine.setPatchStride(4)
        engine.setGradientDescentIterations(16)
    return engine


def flow_size(grid: RegionGrid, *, side_px: int) -> tuple[int, int]:
    """Height and width of the frames on which flow is computed.

    The longer side is at most ``side_px``, unless the shorter side would be below ``MIN_SIDE_PX``,
    or the side of a cell below two pixels.

    Args:
        grid: The grid of the frames.
        side_px: The value of ``[features.momentum] flow_side_px``.
    """
    sides = grid.height_px, grid.width_px
    scale = max(side_px / max(sides), MIN_SIDE_PX / min(sides), 2 / grid.stride_px)
    height, width = (round(side * min(scale, 1)) for side in sides)
    return height, width


def flow_to_cells(
    flow: NDArray[np.float32], cell_of_pixel: NDArray[np.int64], *, cell_count: int, floor: float
) -> NDArray[np.float64]:
    """Sums of |flow|, and numbers of moving pixels, in each cell and direction.

    Args:
        flow: ``(height, width, 2)``, x to the right and y downwards, px/frame.
        cell_of_pixel: ``(height * width,)``: number of each pixel's cell.
        cell_count: Number of cells.
        floor: Only pixels with |flow| above this floor count.

    Returns:
        ``(cell_count, 2, 12)``: sums, then numbers; direction k covers angles from 30 k to
        30 (k + 1) degrees, counted from x towards y (clockwise as seen).
    """
    import cv2

    x, y = (part.ravel() for part in cv2.split(flow.reshape(-1, 1, 2)))
    moving = np.flatnonzero(x * x + y * y > np.float32(floor * floor))
    if not len(moving):
        return np.zeros((cell_count, 2, DIRECTIONS))
    magnitude, degrees = cv2.cartToPolar(x[moving], y[moving], angleInDegrees=True)
    magnitude, degrees = magnitude.ravel(), degrees.ravel()  # OpenCV 4 returns columns
    direction = (degrees * (DIRECTIONS / 360)).astype(np.int64) % DIRECTIONS
    index = cell_of_pixel[moving] * DIRECTIONS + direction
    size = cell_count * DIRECTIONS
    both = np.empty((2, size))
    both[0] = np.bincount(index, weights=magnitude, minlength=size)
    both[1] = np.bincount(index, minlength=size)
    return both.reshape(2, cell_count, DIRECTIONS).swapaxes(0, 1)


def pairs_to_regions(
    pairs: Sequence[NDArray[np.float64]], cell_pixels: NDArray[np.integer], grid: RegionGrid
) -> NDArray[np.float32]:
    """Means over the pixels of each volume that lie in the frame.

    Args:
        pairs: ``(cell rows, cell columns, ...)``: sums for each pair of consecutive frames.
        cell_pixels: ``(cell rows, cell columns)``: number of pixels that were summed in each cell.
        grid: The grid of the frames.

    Returns:
        ``(regions, ...)``; 0 for a region without pixels, which may occur at the edge of a reduced
        frame.
    """
    pixels = np.maximum(grid.region_sums(cell_pixels.astype(np.float64)) * len(pairs), 1)
    sums = grid.region_sums(np.sum(pairs, axis=0))
    means = sums / pixels.reshape(pixels.shape + (1,) * (sums.ndim - 2))
    return means.reshape(-1, *sums.shape[2:]).astype(np.float32)


class Momentum:
    """Extractor of ``momentum``, and of the descriptor ``moving_share`` for each direction.

    The number of OpenCV's threads changes the flow. So each flow is computed by one thread, and
    several flows at a time.

    Args:
        settings: The settings of the flow.
        grid: The regions of the frames, whose sides are both at least ``MIN_SIDE_PX``.
        frames_per_volume: T; a volume has T - 1 pairs of frames.
        workers: Threads that compute the flow.
    """

    def __init__(
        self,
        settings: MomentumFeatures,
        grid: RegionGrid,
        *,
        frames_per_volume: int,
        workers: Workers,
    ) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._settings = settings
        self._grid = grid
        self._workers = workers
        self._size = flow_size(grid, side_px=settings.flow_side_px)
        sides = zip((grid.height_px, grid.width_px), self._size, strict=True)
        self._video_px = tuple(video / flow for video, flow in sides)
        rows, columns = (
            ((np.arange(count) + 0.5) * px // grid.stride_px).astype(np.int64)
            for count, px in zip(self._size, self._video_px, strict=True)
        )
        self._cell_of_pixel = (rows[:, None] * grid.cells[1] + columns).ravel()
        cell_count = grid.cells[0] * grid.cells[1]
        self._cell_pixels = np.bincount(self._cell_of_pixel, minlength=cell_count)
        self._of_thread = local()
        self._previous: NDArray[np.uint8] | None = None
        self._pairs: deque[Future[NDArray[np.float64]]] = deque(maxlen=frames_per_volume - 1)
        self._waiting: deque[tuple[Future[NDArray[np.float64]], ...]] = deque()
        self._step_count = 0

    def add_frame(self, frame: Frame) -> None:
        """Start to compute the flow from the previous frame to this one."""
        reduced = self._reduce(frame.grey)
        if self._previous is not None:
            self._pairs.append(self._workers.submit(self._pair_to_cells, self._previous, reduced))
        self._previous = reduced

    def add_volumes(self, frames: Sequence[Frame]) -> None:  # noqa: ARG002  pairs of frames are enough
        """Use the last T - 1 pairs of frames for the volumes."""
        self._waiting.append(tuple(self._pairs))

    def take(self) -> list[TimeStep]:
        """The time steps of which all flow has been computed."""
        steps = []
        while self._waiting and all(pair.done() for pair in self._waiting[0]):
            steps.append(self._step([pair.result() for pair in self._waiting.popleft()]))
        return steps

    def flush(self) -> None:
        """Wait for the flow of all pairs."""
        for pair in self._pairs:
            pair.result()
        for pairs in self._waiting:
            for pair in pairs:
                pair.result()

    def _reduce(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        import cv2

        if grey.shape == self._size:
            return grey
        return np.asarray(
            cv2.resize(grey, self._size[::-1], interpolation=cv2.INTER_AREA), np.uint8
        )

    def _pair_to_cells(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Result of `flow_to_cells` for two frames, as ``(cell rows, cell columns, 2, 12)``."""
        flow: NDArray[np.float32] = self._engine().calc(first, second, None)
        if first.shape != (self._grid.height_px, self._grid.width_px):  # frames were reduced
            for axis, video_px in zip((1, 0), self._video_px, strict=True):
                flow[..., axis] *= video_px
        rows, columns = self._grid.cells
        cells = flow_to_cells(
            flow,
            self._cell_of_pixel,
            cell_count=rows * columns,
            floor=self._settings.flow_floor_px_per_frame,
        )
        return cells.reshape(rows, columns, 2, DIRECTIONS)

    def _engine(self) -> Any:
        """The flow engine of this thread, which has buffers for one pair of frames."""
        if not hasattr(self._of_thread, "engine"):
            self._of_thread.engine = flow_engine(self._settings.flow_preset)
        return self._of_thread.engine

    def _step(self, pairs: list[NDArray[np.float64]]) -> TimeStep:
        """Momentum and moving share of the volumes with these pairs of frames."""
        cell_pixels = self._cell_pixels.reshape(self._grid.cells)
        both = pairs_to_regions(pairs, cell_pixels, self._grid)
        number, self._step_count = self._step_count, self._step_count + 1
        return TimeStep.of_all_volumes(
            number, {"momentum": both[:, 0]}, {"moving_share": both[:, 1]}
        )


def momentum_extractor(
    config: Config, grid: RegionGrid, workers: Workers, _device: str
) -> Momentum:
    """The extractor of one sequence."""
    return Momentum(
        config.features["momentum"],
        grid,
        frames_per_volume=config.regions.frames_per_volume,
        workers=workers,
    )


def momentum_read_out(_config: Config) -> ReadOut:
    """The function that reads directions, speeds and the moving share from features."""
    return measured_movement


def measured_movement(
    components: Mapping[str, NDArray[np.float32]], descriptors: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Direction shares, speeds and moving share of volumes, from their momentum."""
    momentum, share = components["momentum"], descriptors["moving_share"]
    total = share.sum(axis=1, keepdims=True)
    return {
        "direction_share": np.divide(share, total, out=np.zeros_like(share), where=total > 0),
        "speed_px_per_frame": np.divide(
            momentum, share, out=np.zeros_like(momentum), where=share > 0
        ),
        "moving_share": total[:, 0],
    }


def _speed_floor(config: Config) -> float:
    floor: float = config.features["momentum"].flow_floor_px_per_frame
    return floor


EXTRACTOR = ExtractorKind(
    make=momentum_extractor,
    width=DIRECTIONS,
    bytes_per_volume=100,
    least_side_px=MIN_SIDE_PX,
    method="optical flow",
    words={"momentum": ComponentWords("momentum", ("speed", "direction", "moving_share"))},
    read_out=momentum_read_out,
    speed_floor=_speed_floor,
)
