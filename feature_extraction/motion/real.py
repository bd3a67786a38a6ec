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
from feature_extraction.frame import BLOCK_PX, CROP_PX
from feature_extraction.motion.architecture import SEEN_AROUND_PX
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

LEAST_SURROUNDED_REGION_PX: Final = 16
"""Smallest side of the regions that are cut out with their surroundings."""

SURROUNDED_PX: Final = CROP_PX + 2 * SEEN_AROUND_PX
"""Side of a region with its surroundings at crop scale."""

LEAST_CHANGE: Final = 6
"""Change in grey levels below which little is seen in a volume."""

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


def surrounded_volumes(
    sequence: Sequence, count: int, *, seed: tuple[int, ...], length: int = 10
) -> Iterator[NDArray[np.uint8]]:
    """Random volumes of a sequence with what lies around them.

    Volumes that change as little as those which are not computed anew are few.

    Args:
        sequence: Folder of frames or video.
        count: Volumes wanted; fewer come if hardly anything changes in it.
        seed: The seed of all random choices.
        length: T.

    Yields:
        ``(T, side, side)`` at crop scale, ``SEEN_AROUND_PX`` more than a region on each side.

    Raises:
        VadlocError: Frames are unreadable, too few or too small.
    """
    frames = np.stack(list(read_frames(sequence)))
    largest = min(REGION_PX[1], int(min(frames.shape[1:]) * CROP_PX / SURROUNDED_PX))
    if len(frames) < length or largest < LEAST_SURROUNDED_REGION_PX:
        needed = math.ceil(LEAST_SURROUNDED_REGION_PX * SURROUNDED_PX / CROP_PX)
        raise VadlocError(
            f"{sequence.path}: {len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} px; "
            f"expected at least {length} frames of {needed} px on each side"
        )
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(20 * count):
        region = np.exp(rng.uniform(*np.log((LEAST_SURROUNDED_REGION_PX, largest))))
        _, some = _square(rng, frames, round(region * SURROUNDED_PX / CROP_PX), length)
        volume = np.stack([_resized(frame, SURROUNDED_PX) for frame in frames[some]])
        if _change(volume) < LEAST_CHANGE and rng.random() > _BACKGROUND_KEPT:
            continue
        yield volume
        found += 1
        if found == count:
            return


def _change(volume: NDArray[np.uint8]) -> int:
    """Largest change in time of the mean of a block of the region in the middle, grey levels."""
    region = volume[:, SEEN_AROUND_PX:-SEEN_AROUND_PX, SEEN_AROUND_PX:-SEEN_AROUND_PX]
    side = CROP_PX // BLOCK_PX
    blocks = region.reshape(-1, side, BLOCK_PX, side, BLOCK_PX).mean(axis=(2, 4))
    return int(np.ptp(blocks, axis=0).max())


def _square(
    rng: np.random.Generator, frames: NDArray[np.uint8], side: int, length: int
) -> tuple[int, tuple[slice, slice, slice]]:
    """A random square over some frames: the first of these, and the part of the frames."""
    start = int(rng.integers(len(frames) - length + 1))
    row, column = (int(rng.integers(size - side + 1)) for size in frames.shape[1:])
    return start, (
        slice(start, start + length),
        slice(row, row + side),
        slice(column, column + side),
    )


def _cut(
    rng: np.random.Generator,
    frames: NDArray[np.uint8],
    flow: NDArray[np.float16],
    length: int,
) -> Volume:
    """A random square over some frames, resized to 64 px as regions are."""
    side = int(rng.integers(REGION_PX[0], min(REGION_PX[1], *frames.shape[1:]) + 1))
    start, some = _square(rng, frames, side, length)
    pictures = np.stack([_resized(frame) for frame in frames[some]])
    pairs = [_resized(f[some[1:]].astype(np.float32)) for f in flow[start : start + length - 1]]
    return Volume(pictures, *flow_to_maps(np.stack(pairs) * np.float32(CROP_PX / side)))


def _resized(picture: NDArray[Any], side: int = CROP_PX) -> NDArray[Any]:
    """A square of another side, by the method of ``frame.to_crop_scale``."""
    import cv2

    method = cv2.INTER_LINEAR if len(picture) <= side else cv2.INTER_AREA
    resized: NDArray[Any] = cv2.resize(picture, (side, side), interpolation=method)
    return resized
