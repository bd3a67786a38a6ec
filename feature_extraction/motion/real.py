"""Real video volumes with the motion that optical flow measures in them.

Sequences are given away whole: the last quarter of a folder's sequences (in natural order) is held
out, so that no held-out volume shares a clip with training.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.flow import MIN_SIDE_PX, flow_engine
from feature_extraction.frame import CROP_PX
from feature_extraction.motion.targets import (
    BACKGROUND_SHARE,
    flow_to_maps,
)
from vadloc.errors import VadlocError
from vadloc.video.frames import (
    Sequence,
    list_sequences,
    read_frames,
)

REGION_PX: Final = (24, 64)
"""Smallest and largest side of the squares that are cut out; each is resized to 64 px."""

HELD_OUT_SHARE: Final = 0.25
_BACKGROUND_KEPT = 0.3
"""Share of the volumes without motion that is kept: most places of a scene are empty."""


@dataclass(frozen=True)
class Volume:
    """One training example.

    Attributes:
        frames: ``(T, 64, 64)`` uint8.
        share: ``(8, 8, 12)``, see ``MotionTargets``.
        momentum: ``(8, 8, 12)``.
    """

    frames: NDArray[np.uint8]
    share: NDArray[np.float32]
    momentum: NDArray[np.float32]


def split_sequences(folder: Path) -> tuple[list[Sequence], list[Sequence]]:
    """Sequences of a folder for training, and those held out.

    Raises:
        VadlocError: The folder has fewer than two sequences.
    """
    sequences = list_sequences(folder)
    held_out = math.ceil(HELD_OUT_SHARE * len(sequences))
    if len(sequences) < 2:
        raise VadlocError(
            f"{folder}: one sequence; expected two or more, since the last quarter of them is "
            "held out. Cut the video in parts"
        )
    return sequences[:-held_out], sequences[-held_out:]


def sequence_volumes(
    sequence: Sequence, count: int, *, seed: tuple[int, ...], length: int = 10
) -> Iterator[Volume]:
    """Random volumes of a sequence, with the flow of the whole frames cut out like them.

    Args:
        sequence: Folder of frames or video.
        count: Volumes wanted; fewer come if hardly anything moves in it.
        seed: The seed of all random choices.
        length: T.

    Raises:
        VadlocError: Frames are unreadable, too few or too small.
    """
    frames = np.stack(list(read_frames(sequence)))
    if len(frames) < length or min(frames.shape[1:]) < MIN_SIDE_PX:
        raise VadlocError(
            f"{sequence.path}: {len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} px; "
            f"expected at least {length} frames of {MIN_SIDE_PX} px on each side"
        )
    flow = _measure_flow(frames)
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(20 * count):
        volume = _cut(rng, frames, flow, length)
        moving = volume.share.sum(axis=2).mean()
        if moving < BACKGROUND_SHARE and rng.random() > _BACKGROUND_KEPT:
            continue
        yield volume
        found += 1
        if found == count:
            return


def _measure_flow(frames: NDArray[np.uint8]) -> NDArray[np.float16]:
    """``(frames - 1, height, width, 2)``, px/frame."""
    import cv2

    cv2.setNumThreads(1)
    engine = flow_engine("balanced")
    pairs = pairwise(frames)
    return np.stack([engine.calc(a, b, None).astype(np.float16) for a, b in pairs])


def _cut(
    rng: np.random.Generator,
    frames: NDArray[np.uint8],
    flow: NDArray[np.float16],
    length: int,
) -> Volume:
    """A random square over some frames, resized to 64 px as regions are."""
    side = int(rng.integers(REGION_PX[0], min(REGION_PX[1], *frames.shape[1:]) + 1))
    start = int(rng.integers(len(frames) - length + 1))
    row, column = (int(rng.integers(size - side + 1)) for size in frames.shape[1:])
    square = (slice(row, row + side), slice(column, column + side))
    pictures = np.stack([_resized(frame[square]) for frame in frames[start : start + length]])
    pairs = [_resized(f[square].astype(np.float32)) for f in flow[start : start + length - 1]]
    return Volume(pictures, *flow_to_maps(np.stack(pairs) * np.float32(CROP_PX / side)))


def _resized(picture: NDArray[Any]) -> NDArray[Any]:
    """A square at 64 x 64, by the method of ``extractor.to_crop_scale``."""
    import cv2

    method = cv2.INTER_LINEAR if len(picture) <= CROP_PX else cv2.INTER_AREA
    resized: NDArray[Any] = cv2.resize(picture, (CROP_PX, CROP_PX), interpolation=method)
    return resized
