"""Write tiny videos with any codec, container, tags and frame times."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 15
LEVELS = tuple(range(40, 220, 15))
"""Grey level of each frame of a film, by which tests recognise the frame."""
HEIGHT_PX, WIDTH_PX = 32, 48


def grey_frames(levels: Sequence[int], height: int, width: int) -> list[av.VideoFrame]:
    """One frame for each level, filled with it."""
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
    """Encode frames to a file.

    Args:
        path: The file; its suffix decides the container.
        codec: Name of the encoder.
        pixels: Pixel format of the encoder.
        frames: Frames of one size; by default one of each of ``LEVELS``.
        ticks: Time of each frame in ticks; by default 0, 1, 2, ...
        ticks_per_s: Number of ticks per second.
        options: Options of the encoder.
        container_options: Options of the muxer.
        turn: Rotation in the metadata: degrees counter-clockwise, and whether the frames are
            mirrored horizontally and vertically.
        matrix: Display matrix in the metadata.
        context: Attributes of the encoder's context.
        audio: Name of an audio encoder for one second of silence; by default no audio.
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
    """One second of silence."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
    frame.sample_rate = 48000
    return frame


def levels_of(frames: Sequence[NDArray[np.uint8]]) -> list[int]:
    """The level of ``LEVELS`` that is nearest to the mean of each frame."""
    means = [float(frame.mean()) for frame in frames]
    return [min(LEVELS, key=lambda level: abs(level - mean)) for mean in means]
