"""Momentum: the amount of movement in each direction, measured from optical flow.

m_k = (1 / |V|) * sum of |flow| over the pixels of a volume V whose flow points into the k-th of 12
directions of 30 degrees and whose |flow| exceeds a floor, in px/frame. EVAL trains networks that
estimate the same attribute (direction histogram times speed); here it is measured. A descriptor
gives the share of the pixels that move into each direction. Momentum divided by this share is the
mean speed of these pixels.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Rows, TimeStep
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind, ReadOut
from feature_extraction.flow import MIN_SIDE_PX, FrameFlow
from feature_extraction.frame import Frame
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.feature_settings import FlowFeatures, MomentumFeatures
from vadloc.regions import RegionGrid

DIRECTIONS = 12


def flow_to_cells(
    flow: NDArray[np.float32],
    cell_of_pixel: NDArray[np.int64],
    *,
    cell_count: int,
    floor: float | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Sums of |flow|, and numbers of moving pixels, in each cell and direction.

    Args:
        flow: ``(height, width, 2)``, x to the right and y downwards, px/frame.
        cell_of_pixel: ``(height * width,)``: number of each pixel's cell.
        cell_count: Number of cells.
        floor: Pixels with |flow| not above it are left out; one number, or one for each pixel
            ``(height * width,)``.

    Returns:
        ``(cell_count, 2, 12)``: sums, then numbers; direction k covers angles from 30 k to
        30 (k + 1) degrees, counted from x towards y (clockwise as seen).
    """
    import cv2

    x, y = (part.ravel() for part in cv2.split(flow.reshape(-1, 1, 2)))
    moving = np.flatnonzero(x * x + y * y > np.asarray(floor * floor, np.float32))
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


class DirectedFlow(ABC):
    """Sums the flow of each pair of frames by cell and direction, and makes volumes of the sums.

    What an extractor makes of the means over a volume is left to `_content`. Several flows are
    computed at a time, each by one thread.

    Args:
        settings: The settings of the flow.
        grid: The regions of the frames, whose sides are both at least ``MIN_SIDE_PX``.
        frames_per_volume: T; a volume has T - 1 pairs of frames.
        workers: Threads that compute the flow.
    """

    def __init__(
        self,
        settings: FlowFeatures,
        grid: RegionGrid,
        *,
        frames_per_volume: int,
        workers: Workers,
    ) -> None:
        self._grid = grid
        self._workers = workers
        self._flow = FrameFlow(settings, grid)
        self._floor: float | NDArray[np.floating] = 0.0
        self._previous: NDArray[np.uint8] | None = None
        self._pairs: deque[Future[NDArray[np.float64]]] = deque(maxlen=frames_per_volume - 1)
        self._waiting: deque[tuple[Future[NDArray[np.float64]], ...]] = deque()
        self._step_count = 0

    def add_frame(self, frame: Frame) -> None:
        """Start to compute the flow from the previous frame to this one."""
        resized = self._flow.resize(frame.grey)
        if self._previous is not None:
            self._pairs.append(self._workers.submit(self._pair_to_cells, self._previous, resized))
        self._previous = resized

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

    def _pair_to_cells(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Sums and numbers, ``(cell rows, cell columns, 2, 12)``, of a pair of resized frames."""
        rows, columns = self._grid.cells
        cells = flow_to_cells(
            self._flow.between(first, second),
            self._flow.cell_of_pixel,
            cell_count=rows * columns,
            floor=self._floor,
        )
        return cells.reshape(rows, columns, 2, DIRECTIONS)

    def _step(self, pairs: list[NDArray[np.float64]]) -> TimeStep:
        """The features of the volumes with these pairs of frames."""
        means = pairs_to_regions(pairs, self._flow.cell_pixels, self._grid)
        number, self._step_count = self._step_count, self._step_count + 1
        return TimeStep.of_all_volumes(number, *self._content(means))

    @abstractmethod
    def _content(self, means: NDArray[np.float32]) -> tuple[Rows, Rows]:
        """Components and descriptors of the volumes.

        Args:
            means: ``(regions, 2, 12)``: sums and numbers of `_pair_to_cells` for each pixel.
        """


class Momentum(DirectedFlow):
    """Extractor of ``momentum``, with the descriptor ``moving_share`` by direction."""

    def __init__(
        self,
        settings: MomentumFeatures,
        grid: RegionGrid,
        *,
        frames_per_volume: int,
        workers: Workers,
    ) -> None:
        super().__init__(settings, grid, frames_per_volume=frames_per_volume, workers=workers)
        self._floor = settings.flow_floor_px_per_frame

    def _content(self, means: NDArray[np.float32]) -> tuple[Rows, Rows]:
        return {"momentum": means[:, 0]}, {"moving_share": means[:, 1]}


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
    return momentum_to_movement(components["momentum"], descriptors["moving_share"])


def momentum_to_movement(
    momentum: NDArray[np.float32], share: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Fields of ``Attributes`` from momentum in px/frame and moving share, both ``(n, 12)``."""
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
