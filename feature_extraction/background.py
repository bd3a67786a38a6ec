"""The background: what the scene looks like without what moves, learned from training video.

A frame is reduced to *blocks*, a quarter of a cell wide, of which the logarithm of the brightness
is taken: more or less light is then the same number everywhere. The background of a block is the
median over training frames, from each of which its own median has been subtracted; small shifts of
the camera are undone.

The difference of a picture from the background is freed from light in two steps: the median of all
blocks is subtracted, and then the median of the blocks around each one, up to two cells away. What
is left is what a soft shadow, a cloud or an automatic gain cannot do: a change that is small
against its surroundings. The *spread* of a block is how large this is in one of ten training
frames; it is large where something often moves, and at edges if the camera drifts.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import to_crop_scale
from feature_extraction.training_frames import spread, training_size
from vadloc.config import Config
from vadloc.regions import RegionGrid
from vadloc.stamps import SCHEMAS
from vadloc.video.camera_motion import CameraMotion
from vadloc.video.frames import Sequence, read_frames

Picture = NDArray[np.float32]
"""A number for each block, ``(block rows, block columns)``."""

BLOCKS: Final = 4
"""Blocks along one side of a cell."""
DARK: Final = 8.0
"""Grey levels that are added before the logarithm, so that noise in the dark stays small."""
AROUND: Final = 4 * BLOCKS + 1
"""Side in blocks of the surroundings of a block, with the block in the middle."""
SPREAD_QUANTILE: Final = 0.9
_STEP: Final = 0.01
"""Differences are rounded to this before the median of the surroundings is taken."""


def frame_to_picture(grey: NDArray[np.uint8], grid: RegionGrid) -> Picture:
    """The logarithm of the brightness of each block, with a median of 0 over all blocks.

    Args:
        grey: ``(height, width)``.
        grid: The regions of the frame. Blocks cover whole cells: beyond the right and bottom edge,
            the frame is continued as it ends.
    """
    cells = replace(grid, size_px=grid.stride_px)
    blocks = to_crop_scale(grey, cells, side=BLOCKS)
    return _centred(np.log(blocks.astype(np.float32) + np.float32(DARK)))


def _centred(picture: Picture) -> Picture:
    return np.asarray(picture - np.median(picture), np.float32)


def difference(picture: Picture, background: Picture) -> Picture:
    """How a picture differs from the background, without what light can do."""
    import cv2

    whole = _centred(picture - background)
    levels = np.clip(np.round(whole / _STEP) + 128, 0, 255).astype(np.uint8)
    around = cv2.medianBlur(levels, AROUND).astype(np.float32)
    return np.asarray(whole - (around - 128) * np.float32(_STEP), np.float32)


def pictures_to_background(pictures: list[Picture]) -> tuple[Picture, Picture]:
    """Background and spread of each block.

    Args:
        pictures: Those of training frames, one or more.
    """
    import cv2

    background = np.median(pictures, axis=0).astype(np.float32)
    differences = [np.abs(difference(picture, background)) for picture in pictures]
    usual = np.quantile(differences, SPREAD_QUANTILE, axis=0).astype(np.float32)
    return background, np.asarray(cv2.dilate(usual, np.ones((3, 3))), np.float32)


def learn_background(
    config: Config, sequences: list[Sequence], *, limit: int | None = None
) -> dict[str, Any]:
    """Estimate the background from training sequences.

    Args:
        config: The config.
        sequences: The training sequences.
        limit: Look at so many frames of each from its beginning; ``None`` for all.

    Returns:
        A dict: ``log_brightness`` and ``spread``, both ``(block rows, block columns)`` float64;
        ``frames``: the number of frames that were looked at; and the frame size.

    Raises:
        VadlocError: A sequence cannot be read, or frames differ in size.
    """
    counts, height, width = training_size(sequences, limit=limit)
    grid = RegionGrid(height, width, config.regions.size_px, config.regions.stride_px)
    chosen = spread(counts, config.features["still"].background_frames)
    pictures = [
        frame_to_picture(frame, grid)
        for sequence, numbers in zip(sequences, chosen, strict=True)
        for frame in _read_some(
            sequence, set(numbers.tolist()), CameraMotion(undo=config.camera.undo_shake)
        )
    ]
    background, usual = pictures_to_background(pictures)
    return {
        "schema": SCHEMAS["background"],
        "height_px": height,
        "width_px": width,
        "frames": len(pictures),
        "log_brightness": background.astype(np.float64),
        "spread": usual.astype(np.float64),
    }


def _read_some(
    sequence: Sequence, numbers: set[int], camera: CameraMotion
) -> Iterator[NDArray[np.uint8]]:
    """The frames with these 0-based numbers, as if the camera had not moved."""
    last = max(numbers, default=-1)
    for number, frame in enumerate(read_frames(sequence) if numbers else ()):
        shift = camera.follow(frame)
        if number in numbers:
            yield shift.undo(frame)
        if number >= last:
            return
