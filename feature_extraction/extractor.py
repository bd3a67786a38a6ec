"""What an extractor is: something that sees every frame of a sequence once and gives features.

``extract_features`` reads the frames and hands each one, and the frames of each time step's
volumes, to all extractors that a version needs. To add an extractor, write a class with these
three methods and name it in ``extract_features.EXTRACTORS``.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from threading import BoundedSemaphore
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.crops import CROP_PX
from feature_extraction.appearance.graph import SEEN_PX
from vadloc.regions import RegionGrid

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass
class Frame:
    """One frame, and the forms of it that several extractors need, each made once.

    Attributes:
        grey: uint8 ``(height, width)``.
        rgb: uint8 ``(height, width, 3)``, or ``None`` where no extractor asked for colour.
        grid: The regions.
    """

    grey: NDArray[np.uint8]
    rgb: NDArray[np.uint8] | None
    grid: RegionGrid

    @cached_property
    def grey_at_crop_scale(self) -> NDArray[np.uint8]:
        """The grey frame at crop scale: that at which a region has 64 pixels a side."""
        return to_crop_scale(self.grey, self.grid)

    @cached_property
    def rgb_as_seen(self) -> NDArray[np.uint8]:
        """The frame in colour as the appearance network sees it, with 48 pixels a region."""
        return self.rgb_at_scale(SEEN_PX)

    def rgb_at_scale(self, side: int) -> NDArray[np.uint8]:
        """The frame in colour, with so many pixels a region; made at every call.

        A grey frame has its brightness in all three channels.
        """
        if self.rgb is None:
            grey = to_crop_scale(self.grey, self.grid, side=side)
            return np.repeat(grey[..., None], 3, axis=2)
        return to_crop_scale(self.rgb, self.grid, side=side)

    @cached_property
    def blocks(self) -> NDArray[np.uint8]:
        """Mean brightness of 8 x 8 blocks at crop scale: noise averaged out."""
        import cv2

        height, width = self.grey_at_crop_scale.shape
        size = (width // BLOCK_PX, height // BLOCK_PX)
        return np.asarray(
            cv2.resize(self.grey_at_crop_scale, size, interpolation=cv2.INTER_AREA), np.uint8
        )


BLOCK_PX = 8


def to_crop_scale(
    image: NDArray[np.uint8], grid: RegionGrid, *, side: int = CROP_PX
) -> NDArray[np.uint8]:
    """A frame, padded to whole regions by repeating its edge, at the scale of some crops.

    Args:
        image: ``(height, width)`` or ``(height, width, 3)``.
        grid: Its regions; ``cells_per_side`` must divide 8.
        side: Pixels that a region gets, a multiple of 8.

    Returns:
        uint8; region (r, c) is ``[s r : s r + side, s c : s c + side]`` with
        s = side / cells_per_side.
    """
    import cv2

    rows, columns = (max(n, grid.cells_per_side) for n in grid.cells)
    bottom = rows * grid.stride_px - grid.height_px
    right = columns * grid.stride_px - grid.width_px
    padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    cell = side // grid.cells_per_side
    method = cv2.INTER_LINEAR if cell >= grid.stride_px else cv2.INTER_AREA
    size = columns * cell, rows * cell
    return np.asarray(cv2.resize(padded, size, interpolation=method), np.uint8)


def region_windows(
    image: NDArray[np.uint8], grid: RegionGrid, *, side: int = CROP_PX
) -> NDArray[np.uint8]:
    """Each region's part of an image at crop scale (or of its blocks), as a view.

    Args:
        image: ``(height, width)`` or ``(height, width, channels)``.
        grid: The regions.
        side: Pixels that a region has in the image.

    Returns:
        ``(region rows, region columns, side, side)``, with channels before the last two.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(0, 1))
    step = side // grid.cells_per_side
    return windows[::step, ::step]


@dataclass(frozen=True)
class Extracted:
    """Features of all volumes of a sequence, those of equal volumes once.

    Attributes:
        components: Component to its rows ``(n, width)``.
        descriptors: What describes volumes without counting in the distance: name to rows
            ``(n, width)``.
        index: ``(time steps, regions)`` int32: the row of each volume.
    """

    components: dict[str, NDArray[np.floating]]
    descriptors: dict[str, NDArray[np.floating]]
    index: NDArray[np.int32]


class Extractor(Protocol):
    """Computes the features of a sequence as its frames pass."""

    def add_frame(self, frame: Frame) -> None:
        """See the next frame."""

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        """See the frames of the next time step's volumes; the last is the last frame seen."""

    def finish(self) -> Extracted:
        """Features of all volumes."""


@dataclass
class Workers:
    """Threads that the extractors of a sequence share, with a short queue before them.

    Every task is computed by one thread, so that the number of threads never changes a result.

    Attributes:
        count: Number of threads.
    """

    count: int
    _pool: ThreadPoolExecutor = field(init=False)
    _room: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        """Start the pool."""
        self._pool = ThreadPoolExecutor(self.count)
        self._room = BoundedSemaphore(2 * self.count)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)

    def submit(self, task: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a task; waits while the queue is full, so that frames do not pile up."""
        self._room.acquire()
        future = self._pool.submit(task, *args, **kwargs)
        future.add_done_callback(self._make_room)
        return future

    def _make_room(self, _done: Future[Any]) -> None:
        self._room.release()
