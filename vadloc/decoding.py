"""Video files: their frames as arrays, their size as shown, and the time of every frame."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".ts", ".mpg", ".mpeg", ".wmv"}
    | {".flv"}
)
# Without the list, a text file may name other files or addresses to be read in its place.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpegts,mpeg,mpegvideo,asf,flv"
MAX_FRAME_PX = 8192 * 8192
"""Frames that claim more are refused before anything is allocated."""

Colour = Literal["grey", "rgb"]
_PIXELS: dict[Colour, str] = {"grey": "gray", "rgb": "rgb24"}


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video says.

    Attributes:
        height_px: Height of a frame as it is shown, that is after a rotation.
        width_px: Width of a frame as it is shown.
        frames_per_second: Average rate; None where the file does not say.
    """

    height_px: int
    width_px: int
    frames_per_second: float | None


def video_info(path: Path) -> VideoInfo:
    """Size and rate of a video, without decoding it.

    Raises:
        VadlocError: The file cannot be opened, holds no video, or its frames are too large.
    """
    with _refusals(path), _open_video(path) as (_, stream):
        rate = stream.average_rate
        return VideoInfo(stream.height, stream.width, float(rate) if rate else None)


def read_video(
    path: Path, colours: tuple[Colour, ...]
) -> Iterator[tuple[str, tuple[NDArray[np.uint8], ...]]]:
    """Frames of a video in the order of presentation.

    Yields:
        Where the frame stands, for messages, and the frame in every colour asked for: contiguous
        uint8 ``(height, width)`` for grey, ``(height, width, 3)`` for rgb.

    Raises:
        VadlocError: The video cannot be decoded, or ends before what its header promises.
    """
    count = promised = 0
    end_s = promised_s = 0.0
    with _refusals(path, lambda: count), _open_video(path) as (container, stream):
        promised, promised_s = stream.frames, _promised_s(container, stream)
        for frame in container.decode(stream):
            where = f"{path}, frame {count}"
            count += 1
            end_s = max(end_s, (frame.time or 0.0) + 1.5 * _frame_s(stream))
            arrays = (frame.to_ndarray(format=_PIXELS[colour]) for colour in colours)
            yield where, tuple(np.ascontiguousarray(array, np.uint8) for array in arrays)
    if count < promised or end_s < promised_s or not count:
        raise VadlocError(
            f"{path}: {count} frames decoded, {promised or 'more'} promised by the header; the "
            "file is damaged or cut off, encode it again"
        )


def frame_times_s(path: Path) -> NDArray[np.float64]:
    """Presentation time of every frame that ``read_video`` yields.

    Returns:
        ``(n,)`` seconds, the first 0, strictly increasing. Where the stream has no usable times,
        they follow from its average rate.

    Raises:
        VadlocError: The file cannot be read.
    """
    with _refusals(path), _open_video(path) as (container, stream):
        ticks = [p.pts for p in container.demux(stream) if p.size and not p.is_discard]
        unit, rate = stream.time_base, stream.average_rate
    known = sorted(tick for tick in ticks if tick is not None)
    if unit and len(known) == len(ticks) and len(set(known)) == len(known):
        return (np.array(known) - known[0]) * float(unit) if known else np.zeros(0)
    return np.arange(len(ticks)) / float(rate or 1)


@contextmanager
def _refusals(path: Path, frame_count: object = lambda: 0) -> Iterator[None]:
    """Turn whatever a damaged video raises into one line."""
    try:
        yield
    except VadlocError:
        raise
    except Exception as error:  # a damaged video can fail in any way
        count = frame_count() if callable(frame_count) else 0
        raise VadlocError(
            f"{path}: decoding failed after {count} frames: {one_line(error)}"
        ) from None


def _promised_s(container: "InputContainer", stream: "VideoStream") -> float:
    """Duration of a video that does not say how many frames it has (Matroska); 0 if unknown."""
    if stream.frames or not container.duration or len(container.streams) > 1:
        return 0.0
    return container.duration / 1e6


def _frame_s(stream: "VideoStream") -> float:
    return float(1 / stream.average_rate) if stream.average_rate else math.inf


@contextmanager
def _open_video(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    import av

    options = {"format_whitelist": CONTAINERS}
    with av.open(str(path), container_options=options) as container:
        if not container.streams.video:
            raise VadlocError(f"{path}: no video stream in it")
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_FRAME_PX:
            raise VadlocError(
                f"{path}: claims {stream.width} x {stream.height} px, the limit is "
                f"{MAX_FRAME_PX} px"
            )
        yield container, stream
