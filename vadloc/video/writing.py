"""Write frames as an H.264 video that common players and browsers can play."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError
from vadloc.files.storage import (
    replacing,
    seal,
)

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

CODEC_OPTIONS = {"preset": "veryfast", "crf": "20"}
"""Three times as fast as the default preset; files are about a tenth larger."""
CONTAINER_OPTIONS = {"fflags": "+bitexact"}
TICK_S = Fraction(1, 90_000)
"""Unit of the frame times if the rate is not constant."""
BT709 = 1
"""The number of BT.709 in ISO/IEC 23091-4: the same for matrix, primaries and transfer."""
LIMITED_RANGE = 1
LARGEST_DENOMINATOR = 1001
"""Largest denominator of a frame rate: enough for 30000/1001."""


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    frames_per_second: float,
    *,
    times_s: NDArray[np.float64] | None = None,
    stamp: str | None = None,
) -> int:
    """Write an mp4 (H.264, yuv420p, BT.709); the same frames give the same bytes.

    Chroma is stored for blocks of 2 x 2 pixels, so sides must be even: where one is odd, the last
    row or column is repeated once.

    Args:
        path: The ``.mp4``; it is written completely or not at all.
        frames: RGB frames, uint8 ``(height, width, 3)``, all of one size; consumed one by one.
        frames_per_second: Frame rate, 0.001 to 1000.
        times_s: ``(n,)`` start time of each frame, rising from 0; ``None`` for a constant rate.
        stamp: Stamp of an artifact, written into a box at the end that players skip.

    Returns:
        Number of frames written.

    Raises:
        VadlocError: There is no frame, a frame has another shape or dtype, or the rate is
            out of range; no file is left then.
    """
    import av

    if not 0.001 <= frames_per_second <= 1000:
        raise VadlocError(f"{path}: {frames_per_second} frames per second, expected 0.001 to 1000")
    checked = _checked(path, frames)
    first = next(checked, None)
    if first is None:
        raise VadlocError(f"{path}: no frames to write; a video needs at least one")
    rate = Fraction(frames_per_second).limit_denominator(LARGEST_DENOMINATOR)
    try:
        with replacing(path) as file:
            with av.open(file, "w", format="mp4", options=CONTAINER_OPTIONS) as container:
                stream = container.add_stream("libx264", rate, options=CODEC_OPTIONS)
                _set_up(stream, first)
                if times_s is not None:
                    stream.codec_context.time_base = TICK_S
                for count, frame in enumerate(chain([first], checked), start=1):
                    picture = _to_video_frame(frame)
                    if times_s is not None:
                        picture.pts = round(float(times_s[count - 1]) / TICK_S)
                        picture.time_base = TICK_S
                    container.mux(stream.encode(picture))
                container.mux(stream.encode(None))
            if stamp is not None:
                seal(file, stamp=stamp, header=_free_box)
    except av.FFmpegError as error:
        raise VadlocError(f"{path}: encoding failed: {error}") from None
    return count


def _free_box(length: int) -> bytes:
    """Size and type of a free-space box with ``length`` bytes (ISO/IEC 14496-12, 8.1.2)."""
    return (8 + length).to_bytes(4, "big") + b"free"


def pad_to_even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row and column of ``(height, width, 3)`` where a side is odd."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _checked(path: Path, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The frames, padded to even sides, after a check of their dtype and shape."""
    shape: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        shape = shape or frame.shape
        good = frame.ndim == 3 and frame.shape[2] == 3 and min(frame.shape) > 0
        if not good or frame.dtype != np.uint8 or frame.shape != shape:
            raise VadlocError(
                f"{path}: frame {index} (0-based) is {frame.dtype} {frame.shape}; expected uint8 "
                f"(height, width, 3), the shape of the first frame {shape}"
            )
        yield pad_to_even(frame)


def _set_up(stream: "VideoStream", frame: NDArray[np.uint8]) -> None:
    """Set size and colour, and one thread: with several, the bytes could depend on the machine."""
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.color_range = LIMITED_RANGE
    context.colorspace = context.color_primaries = context.color_trc = BT709


def _to_video_frame(frame: NDArray[np.uint8]) -> "VideoFrame":
    from av import VideoFrame

    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    return rgb.reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
    )
