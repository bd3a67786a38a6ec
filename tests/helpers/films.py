"""Tiny videos of any codec, container, tag and timing, for tests."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 15
LEVELS = tuple(range(40, 220, 15))
"""Grey of the frames of a film: the value tells which frame it is."""
HEIGHT_PX, WIDTH_PX = 32, 48


def grey_frames(levels: Sequence[int], height: int, width: int) -> list[av.VideoFrame]:
    """Frames of one grey each."""
    pictures = (np.full((height, width), level, np.uint8) for level in levels)
    return [av.VideoFrame.from_ndarray(picture, format="gray") for picture in pictures]


def write_film(
    path: Path,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    *,
    frames: Sequence[av.VideoFrame] | None = None,
    ticks: Sequence[int] | None = None,
    ticks_per_s: int = RATE,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    turn: tuple[float, bool, bool] | None = None,
    matrix: Sequence[int] | None = None,
    context: dict[str, Any] | None = None,
    audio: str | None = None,
) -> Path:
    """Encode frames (default: one of each level) to a file.

    Args:
        path: Its suffix tells the container.
        codec: Name of an encoder.
        pixels: What it stores.
        frames: Of one size.
        ticks: Time of each frame; default 0, 1, 2, ...
        ticks_per_s: Of ``ticks``.
        options: Of the encoder.
        container_options: Of the muxer.
        turn: Degrees counter-clockwise and whether it is mirrored, as metadata.
        matrix: The display matrix itself.
        context: Attributes of the encoder.
        audio: Name of an encoder for a second of silence.
    """
    frames = frames or grey_frames(LEVELS, HEIGHT_PX, WIDTH_PX)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, min(ticks_per_s, 100), options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = frames[0].height, frames[0].width, pixels
        stream.codec_context.time_base = Fraction(1, ticks_per_s)
        for name, value in (context or {}).items():
            setattr(stream.codec_context, name, value)
        if turn:
            stream.set_display_rotation(turn[0], hflip=turn[1], vflip=turn[2])
        if matrix:
            stream.set_display_matrix(matrix)
        sound = container.add_stream(audio, 48000) if audio else None
        assert sound is None or isinstance(sound, av.AudioStream)
        for number, frame in enumerate(frames):
            frame.pts = ticks[number] if ticks else number
            frame.time_base = Fraction(1, ticks_per_s)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(silence()))
            container.mux(sound.encode(None))
    return path


def silence() -> av.AudioFrame:
    """A second of it."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
    frame.sample_rate = 48000
    return frame


def levels_of(frames: Sequence[NDArray[np.uint8]]) -> list[int]:
    """The level of which each frame is, whatever the encoder lost."""
    means = [float(frame.mean()) for frame in frames]
    return [min(LEVELS, key=lambda level: abs(level - mean)) for mean in means]
