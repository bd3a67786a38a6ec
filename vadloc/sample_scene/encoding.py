"""Writes frames as pictures, or as a video of a low bit rate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

_JPEG_QUALITY: Final = 92
Write = Callable[[int, NDArray[np.uint8]], None]
"""Function that writes a frame, RGB or grey; frame numbers count from 0."""


def frame_name(frame: int) -> str:
    """File name of a frame. Frames are counted from 0, file names from 1."""
    return f"{frame + 1:03d}.jpg"


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a JPEG picture."""
    shown = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path.write_bytes(data.tobytes())


@contextmanager
def picture_writer(folder: Path) -> Iterator[Write]:
    """A function that writes frames into a folder."""
    yield lambda frame, image: write_picture(folder / frame_name(frame), image)


@contextmanager
def video_writer(path: Path, frames_per_second: float, kbit_per_s: int) -> Iterator[Write]:
    """A function that writes frames into a video; it must get all frames in order."""
    rate = Fraction(frames_per_second).limit_denominator(1001)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.bit_rate = 1000 * kbit_per_s
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "medium", "g": "50", "threads": "1"}

        def write(_: int, image: NDArray[np.uint8]) -> None:
            if not stream.codec_context.is_open:
                stream.height, stream.width = image.shape[:2]
            kind = "gray" if image.ndim == 2 else "rgb24"
            _encode(container, stream, av.VideoFrame.from_ndarray(image, format=kind))

        yield write
        _encode(container, stream, None)


def _encode(
    container: "av.container.OutputContainer", stream: VideoStream, frame: av.VideoFrame | None
) -> None:
    container.mux(stream.encode(frame))
