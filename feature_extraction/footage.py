"""What networks of whole frames see: reduced frames, and the optical flow that led to them.

Frames are grey, or in colour if the settings say so. The flow is measured on grey frames.

The flow of a frame is measured from the frame before it; the first frame of a sequence takes that
of the second. Frames are those of `vadloc.sequence_input.SequenceFrames`, without the camera's
shifts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_extraction.flow import MIN_SIDE_PX, FrameFlow
from vadloc.detector_settings import TrainedDetector
from vadloc.regions import RegionGrid


class Seen(NamedTuple):
    """One reduced frame.

    Attributes:
        frame: ``(height, width)`` uint8 grey, or RGB ``(height, width, 3)``.
        flow: ``(2, height, width)`` float16; to the right and down, in px/frame of the video.
    """

    frame: NDArray[np.uint8]
    flow: NDArray[np.float16]


def reduced_size(grid: RegionGrid, settings: TrainedDetector) -> tuple[int, int]:
    """Height and width of reduced frames.

    Args:
        grid: Regions of the frames of the video.
        settings: With ``region_px`` and ``square_px``.
    """
    if settings.square_px:
        return settings.square_px, settings.square_px
    least = MIN_SIDE_PX / min(grid.height_px, grid.width_px)
    scale = min(1.0, max(settings.region_px / grid.size_px, least))
    return round(grid.height_px * scale), round(grid.width_px * scale)


class Reducer:
    """Reduces the frames of one sequence, in order, and measures their flow.

    Args:
        grid: Regions of the frames.
        settings: The settings of the detector.
    """

    def __init__(self, grid: RegionGrid, settings: TrainedDetector) -> None:
        self._flow = FrameFlow(settings, grid)
        self._size, self._colour = reduced_size(grid, settings), settings.colour
        self._before: NDArray[np.uint8] | None = None
        self._first: NDArray[np.uint8] | None = None

    def push(self, rgb: NDArray[np.uint8]) -> list[Seen]:
        """Take a frame ``(height, width, 3)``; the frames whose flow is known now."""
        import cv2

        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        frame, fine = self._resized(rgb if self._colour else grey), self._flow.resize(grey)
        before, self._before = self._before, fine
        if before is None:
            self._first = frame
            return []
        seen = Seen(frame, self._resized_flow(self._flow.between(before, fine)))
        if self._first is None:
            return [seen]
        first, self._first = Seen(self._first, seen.flow), None
        return [first, seen]

    def finish(self) -> list[Seen]:
        """The only frame of a sequence of one frame, without flow."""
        if self._first is None:
            return []
        return [Seen(self._first, np.zeros((2, *self._size), np.float16))]

    def _resized(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        import cv2

        return np.asarray(
            cv2.resize(frame, self._size[::-1], interpolation=cv2.INTER_AREA), np.uint8
        )

    def _resized_flow(self, flow: NDArray[np.float32]) -> NDArray[np.float16]:
        import cv2

        small = cv2.resize(flow, self._size[::-1], interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(np.moveaxis(small, -1, 0), np.float16)


def reduce_frames(
    frames: Iterable[NDArray[np.uint8]], grid: RegionGrid, settings: TrainedDetector
) -> Iterator[Seen]:
    """All frames of a sequence, reduced."""
    reducer = Reducer(grid, settings)
    for rgb in frames:
        yield from reducer.push(rgb)
    yield from reducer.finish()


FLOW_CHANNELS = 3
"""Channels of optical flow as networks read it."""


@dataclass(frozen=True)
class Footage:
    """Consecutive reduced frames of one sequence.

    Attributes:
        sequence: Name of the sequence.
        frames: ``(n, height, width)`` uint8, or in colour ``(n, height, width, 3)``.
        flow: ``(n, 2, height, width)`` float16, as in `Seen`.
        learnt: ``(n, height, width)`` bool, the pixels that are surely normal; ``None`` for all.
    """

    sequence: str
    frames: NDArray[np.uint8]
    flow: NDArray[np.float16]
    learnt: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def of(cls, sequence: str, seen: list[Seen]) -> "Footage":
        """Footage of frames that follow each other."""
        frames = np.stack([one.frame for one in seen])
        return cls(sequence, frames, np.stack([one.flow for one in seen]))


def extend(count: int, length: int) -> NDArray[np.int64]:
    """Frames of a clip of ``length`` frames from ``count`` frames, forwards and backwards again.

    Returns:
        ``(length,)``: 0, 1, ..., count - 1, count - 2, ..., 0, 1, ...
    """
    if count == 1:
        return np.zeros(length, np.int64)
    period = 2 * count - 2
    index = np.arange(length) % period
    return np.minimum(index, period - index)


def frames_to_input(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Frames as networks read them: 0 becomes -1 and 255 becomes 1.

    Args:
        frames: ``(t, height, width)``, or in colour ``(t, height, width, 3)``.

    Returns:
        ``(channels, t, height, width)``.
    """
    scaled = frames.astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(np.moveaxis(scaled, 3, 0)) if scaled.ndim == 4 else scaled[None]


def flow_to_input(flow: NDArray[np.floating], limit_px: float) -> NDArray[np.float32]:
    """Optical flow as networks read it.

    Args:
        flow: ``(..., 2, height, width)`` in px/frame.
        limit_px: Flow of this speed becomes 1; faster flow is cut.

    Returns:
        ``(..., 3, height, width)`` in [-1, 1]: to the right, down, and twice the speed minus 1.
    """
    scaled = flow.astype(np.float32) / limit_px
    speed = np.sqrt((scaled**2).sum(axis=-3, keepdims=True))
    channels = np.concatenate([scaled, 2 * speed - 1], axis=-3)
    return np.asarray(np.clip(channels, -1, 1), np.float32)


def flow_limit_px(footage: Iterable[Footage], *, still_px: float = 0.3) -> float:
    """The speed that becomes 1: three times what 99 % of all moving pixels stay below.

    Args:
        footage: Training footage.
        still_px: Slower pixels do not move.

    Returns:
        In px/frame; 1 if nothing moves.
    """
    fastest = [_speeds(part, still_px) for part in footage]
    speeds = np.concatenate(fastest) if fastest else np.zeros(0)
    return float(3 * np.quantile(speeds, 0.99)) if len(speeds) else 1.0


def _speeds(footage: Footage, still_px: float) -> NDArray[np.float32]:
    every = max(1, len(footage) // 50)
    flow = footage.flow[::every].astype(np.float32)
    speed = np.sqrt((flow**2).sum(axis=1)).ravel()
    return np.asarray(speed[speed > still_px][::7], np.float32)
