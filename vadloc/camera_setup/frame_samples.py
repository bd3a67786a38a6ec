"""A few hundred frames that stand for hours of video: short windows, spread over all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError
from vadloc.video.camera_motion import CameraMotion
from vadloc.video.decoding import (
    open_video,
    sample_video,
)
from vadloc.video.frames import (
    Sequence,
    list_frame_files,
    read_picture,
)

WINDOWS = 10
FRAMES = 24
"""Number of frames of a window."""
SECONDS = 20.0
"""Length of a window: after this time most moving objects are somewhere else."""
LONGEST_SIDE_PX = 960
"""Longest side of the sampled frames; larger frames are reduced to it."""


@dataclass(frozen=True)
class Window:
    """Frames of a short part of a video.

    Attributes:
        sequence: The sequence.
        frames: Grey frames, uint8 ``(n, height, width)``, without the camera's shifts; large
            frames are reduced.
        size_px: Height and width of the frames of the video, not reduced.
    """

    sequence: Sequence
    frames: NDArray[np.uint8]
    size_px: tuple[int, int]

    @property
    def scale(self) -> float:
        """The factor by which frames are reduced; 1 or less."""
        return float(max(self.frames.shape[1:]) / max(self.size_px))


def sample_windows(sequences: list[Sequence], frames_per_second: float) -> Iterator[Window]:
    """Up to ``WINDOWS`` windows, at even distances over the time of all sequences.

    Args:
        sequences: Sequences of one camera.
        frames_per_second: Frame rate of folders of pictures.

    Raises:
        VadlocError: A frame cannot be read.
    """
    lengths_s = [_duration_s(sequence, frames_per_second) for sequence in sequences]
    for index, start_s in window_places(lengths_s):
        sequence, span_s = sequences[index], min(SECONDS, lengths_s[index])
        if sequence.is_video:
            frames = list(sample_video(sequence.path, start_s, span_s, FRAMES))
        else:
            files = list_frame_files(sequence.path)
            wanted = (start_s + span_s * np.arange(FRAMES) / FRAMES) * frames_per_second
            numbers = sorted({min(int(number), len(files) - 1) for number in wanted})
            frames = [read_picture(files[number], colour="grey") for number in numbers]
        yield _window(sequence, frames)


def window_places(lengths_s: list[float]) -> list[tuple[int, float]]:
    """Sequence index and start time in seconds of each window.

    Args:
        lengths_s: Length of each sequence.
    """
    ends_s = list(accumulate(lengths_s))
    places = {}
    for middle_s in (np.arange(WINDOWS) + 0.5) / WINDOWS * ends_s[-1]:
        index = int(np.searchsorted(ends_s, middle_s))
        inside_s = middle_s - ends_s[index] + lengths_s[index]
        last = max(0, int(lengths_s[index] // SECONDS) - 1)
        number = min(last, int(inside_s // SECONDS))
        places[index, number] = number * SECONDS
    return [(index, start_s) for (index, _), start_s in places.items()]


def _duration_s(sequence: Sequence, frames_per_second: float) -> float:
    """Length of a sequence; that of one window for a video without a length in its header."""
    if not sequence.is_video:
        return len(list_frame_files(sequence.path)) / frames_per_second
    with open_video(sequence.path) as video:
        stream, container = video.stream, video.container
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return container.duration / 1e6 if container.duration else SECONDS


def _window(sequence: Sequence, frames: list[NDArray[np.uint8]]) -> Window:
    import cv2

    if not frames:
        raise VadlocError(f"{sequence.path}: no frame could be decoded; encode the video again")
    sizes = {frame.shape for frame in frames}
    if len(sizes) > 1:
        raise VadlocError(f"{sequence.path}: frames of several sizes; all must have one")
    size_px = frames[0].shape[0], frames[0].shape[1]
    scale = min(1.0, LONGEST_SIDE_PX / max(size_px))
    if scale < 1:
        area = cv2.INTER_AREA
        frames = [
            np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=area), np.uint8)
            for frame in frames
        ]
    camera = CameraMotion()
    return Window(sequence, np.stack([camera.follow(f).undo(f) for f in frames]), size_px)
