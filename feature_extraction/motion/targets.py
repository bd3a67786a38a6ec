"""The training targets of the motion network: how much of a volume moves where, and how fast.

All targets follow from two maps of a volume's flow on 8 x 8 cells: the share of a cell's pixels
that moves into each of 12 directions, and the momentum of these pixels (share times mean speed).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX
from feature_extraction.momentum import flow_to_cells

CELLS = 8
"""Cells along one side of a volume."""

CELL_PX = CROP_PX // CELLS
_ROW_OF_CELLS = np.arange(CROP_PX) // CELL_PX
_CELL_OF_PIXEL = (_ROW_OF_CELLS[:, None] * CELLS + _ROW_OF_CELLS).ravel()

FLOOR_PX_PER_FRAME = 0.5
"""Pixels of a 64-px volume that move less are stationary."""

_TINY = 1e-6

BACKGROUND_SHARE = 0.01
"""A volume is background if less than this share of its pixels moves."""

BIN_SHARE = 0.01
"""The speed of a direction is defined where at least this share of all pixels moves into it."""


@dataclass(frozen=True)
class MotionTargets:
    """Motion of n volumes on 8 x 8 cells, means over all pairs of consecutive frames.

    Attributes:
        share: ``(n, 8, 8, 12)``: share of a cell's pixels that moves into direction k, that is at
            30 k to 30 (k + 1) degrees, counted from x towards y (clockwise as seen).
        momentum: ``(n, 8, 8, 12)``: the same pixels' summed speed over the number of all pixels of
            the cell, in px/frame of the 64-px volume.
    """

    share: NDArray[np.float32]
    momentum: NDArray[np.float32]

    @property
    def bin_share(self) -> NDArray[np.float32]:
        """``(n, 12)``: share of all pixels that moves into each direction."""
        mean: NDArray[np.float32] = self.share.mean(axis=(1, 2), dtype=np.float32)
        return mean

    @property
    def moving(self) -> NDArray[np.float32]:
        """``(n,)``: share of pixels that moves."""
        moving: NDArray[np.float32] = np.minimum(self.bin_share.sum(axis=1), 1)
        return moving

    @property
    def direction(self) -> NDArray[np.float32]:
        """``(n, 12)``: share of the *moving* pixels by direction; zeros where nothing moves."""
        share = self.bin_share
        total = np.maximum(share.sum(axis=1, keepdims=True), np.float32(_TINY))
        direction: NDArray[np.float32] = share / total
        return direction

    @property
    def speed(self) -> NDArray[np.float32]:
        """``(n, 12)``: mean speed in each direction, px/frame; 0 where nothing moves."""
        momentum = self.momentum.mean(axis=(1, 2), dtype=np.float32)
        speed: NDArray[np.float32] = momentum / np.maximum(self.bin_share, np.float32(_TINY))
        return speed

    @property
    def background(self) -> NDArray[np.bool_]:
        """``(n,)``: volumes in which (almost) nothing moves."""
        return self.moving < BACKGROUND_SHARE


def flow_to_maps(flow: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share and momentum of one volume.

    Args:
        flow: ``(T - 1, 64, 64, 2)``, x to the right and y downwards, px/frame.

    Returns:
        ``share (8, 8, 12)`` and ``momentum (8, 8, 12)``, see ``MotionTargets``.
    """
    pairs = len(flow)
    cells = flow_to_cells(
        np.ascontiguousarray(flow, np.float32),
        np.tile(_CELL_OF_PIXEL, pairs),
        cell_count=CELLS**2,
        floor=FLOOR_PX_PER_FRAME,
    )
    momentum, share = np.moveaxis(cells / (pairs * CELL_PX**2), 1, 0).astype(np.float32)
    return share.reshape(CELLS, CELLS, -1), momentum.reshape(CELLS, CELLS, -1)
