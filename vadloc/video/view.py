"""The view of a camera, from its training video, and whether a picture still shows it."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vadloc.video.camera_motion import MATCHING_SHARE, STILL, Shift, best_match, to_contrast
from vadloc.video.decoding import frame_times_s, sample_video
from vadloc.video.frames import Sequence, list_frame_files, read_picture

ELSEWHERE_SHARE = 0.25
"""A picture is of another view if less of it matches: a crowd can hide more than half of it."""
VIEW_SEQUENCES, VIEW_FRAMES = 6, 4
"""The background is the median of so many frames of so many sequences, at most."""


class View:
    """The background of training video, without what moves, that pictures are compared with.

    Args:
        background: ``(height, width)`` uint8.
    """

    def __init__(self, background: NDArray[np.uint8]) -> None:
        self.background = background
        self._contrast = to_contrast(background)

    def shift_of(self, grey: NDArray[np.uint8]) -> Shift:
        """The shift of a picture against the background.

        Each picture is compared with the background alone: unlike `CameraMotion`, which follows
        slow drifts, this never takes a new view for the reference. Where little matches, but too
        much for another view, there is no shift.

        Args:
            grey: Of the size of the background.
        """
        contrast = to_contrast(grey)
        share, shift = best_match(self._contrast, contrast)
        if share < ELSEWHERE_SHARE:
            return Shift(is_found=False)
        if share < MATCHING_SHARE:
            return STILL
        height, width = contrast.shape
        right_px, down_px = shift * (grey.shape[1] / width, grey.shape[0] / height)
        return Shift(float(right_px), float(down_px))


def frames_to_background(frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The median over time of each pixel.

    Args:
        frames: uint8, ``(height, width)`` or ``(height, width, 3)``, all of one size.
    """
    return np.asarray(np.median(np.stack(list(frames)), axis=0), np.uint8)


def training_view(sequences: list[Sequence]) -> View:
    """The view of training sequences, from a few frames of some of them.

    Raises:
        VadlocError: A sequence cannot be read.
    """
    step = max(1, -(-len(sequences) // VIEW_SEQUENCES))
    return View(frames_to_background(f for s in sequences[::step] for f in _some_frames(s)))


def _some_frames(sequence: Sequence) -> Iterator[NDArray[np.uint8]]:
    """A few frames of a sequence, all over it."""
    if not sequence.is_video:
        files = list_frame_files(sequence.path)
        for place in np.linspace(0, len(files) - 1, VIEW_FRAMES).astype(int).tolist():
            yield read_picture(files[place], colour="grey")
        return
    duration_s = float(frame_times_s(sequence.path)[-1])
    for part in range(VIEW_FRAMES):
        start_s = duration_s * part / VIEW_FRAMES
        for frame, _ in list(sample_video(sequence.path, start_s, 1.0, 1)):
            yield frame
