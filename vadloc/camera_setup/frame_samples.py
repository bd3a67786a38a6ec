"""A few hundred frames that stand for hours of video: short windows, spread over all of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

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

Pair: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8] | None]
"""A frame and the next one; ``None`` if there is none."""


@dataclass(frozen=True)
class Window:
    """Frames of a short part of a video.

    Attributes:
        sequence: The sequence.
        frames: Grey frames, uint8 ``(n, height, width)``, without the camera's shifts; large
            frames are reduced.
        following: The frame after each of them, ``(n, height, width)`` or, if the last frame is the
            end of the video, ``(n - 1, height, width)``.
        size_px: Height and width of the frames of the video, not reduced.
    """

    sequence: Sequence
    frames: NDArray[np.uint8]
    following: NDArray[np.uint8]
    size_px: tuple[int, int]

    @property
    def scale(self) -> float:
        """The factor by which frames are reduced; 1 or less."""
        return float(max(self.frames.shape[1:]) / max(self.size_px))


def sample_windows(
    sequences: list[Sequence], frames_per_second: float, *, undo_shake: bool = True
) -> Iterator[Window]:
    """Up to ``WINDOWS`` windows, at even distances over the time of all sequences.

    Args:
        sequences: Sequences of one camera.
        frames_per_second: Frame rate of folders of pictures.
        undo_shake: Whether shifts of the camera are undone.

    Raises:
        VadlocError: A frame cannot be read.
    """
    lengths_s = [_duration_s(sequence, frames_per_second) for sequence in sequences]
    for index, start_s in window_places(lengths_s):
        sequence, span_s = sequences[index], min(SECONDS, lengths_s[index])
        if sequence.is_video:
            pairs = list(sample_video(sequence.path, start_s, span_s, FRAMES))
        else:
            files = list_frame_files(sequence.path)
            wanted = (start_s + span_s * np.arange(FRAMES) / FRAMES) * frames_per_second
            numbers = sorted({min(int(number), len(files) - 1) for number in wanted})
            pairs = [_read_pair(files, number) for number in numbers]
        yield _window(sequence, pairs, CameraMotion(undo=undo_shake))


def _read_pair(files: list[Path], number: int) -> Pair:
    """A frame and the next one of a folder."""
    frame = read_picture(files[number], colour="grey")
    is_last = number == len(files) - 1
    return frame, None if is_last else read_picture(files[number + 1], colour="grey")


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


def _window(sequence: Sequence, pairs: list[Pair], camera: CameraMotion) -> Window:
    if not pairs:
        raise VadlocError(f"{sequence.path}: no frame could be decoded; encode the video again")
    sizes = {frame.shape for pair in pairs for frame in pair if frame is not None}
    if len(sizes) > 1:
        raise VadlocError(f"{sequence.path}: frames of several sizes; all must have one")
    height, width = sizes.pop()
    frames, following = [], []
    for frame, after in pairs:
        frames.append(_still(frame, camera))
        following += [] if after is None else [_still(after, camera)]
    return Window(
        sequence,
        np.stack(frames),
        np.stack(following) if following else np.empty((0, *frames[0].shape), np.uint8),
        (height, width),
    )


def _still(frame: NDArray[np.uint8], camera: CameraMotion) -> NDArray[np.uint8]:
    """A frame of at most ``LONGEST_SIDE_PX``, as the camera has not moved."""
    import cv2

    scale = min(1.0, LONGEST_SIDE_PX / max(frame.shape))
    if scale < 1:
        area = cv2.INTER_AREA
        frame = np.asarray(
            cv2.resize(frame, None, fx=scale, fy=scale, interpolation=area), np.uint8
        )
    return camera.follow(frame).undo(frame)
