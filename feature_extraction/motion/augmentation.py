"""Mirrored and turned training volumes, with their motion mirrored and turned alike."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.momentum import DIRECTIONS

_BINS: Final = np.arange(DIRECTIONS)
MIRRORED: Final = {"x": (5 - _BINS) % 12, "y": (11 - _BINS) % 12, "transposed": (2 - _BINS) % 12}
"""Which direction bin of the original each bin of a mirrored volume has: mirroring x turns an angle
a into 180 - a degrees, mirroring y into -a, exchanging x and y into 90 - a."""


def random_view(
    rng: np.random.Generator,
    frames: NDArray[np.uint8],
    share: NDArray[np.float32],
    momentum: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """The same volumes mirrored or turned with their motion, each in one of eight ways.

    Args:
        rng: Draws the ways.
        frames: ``(n, T, 64, 64)``.
        share: ``(n, 8, 8, 12)``, see ``MotionTargets``.
        momentum: ``(n, 8, 8, 12)``.
    """
    frames, share, momentum = frames.copy(), share.copy(), momentum.copy()
    across, down, turned = rng.random((3, len(frames))) < 0.5
    frames[across] = frames[across, ..., ::-1]
    frames[down] = frames[down, ..., ::-1, :]
    frames[turned] = frames[turned].swapaxes(2, 3)
    for maps in (share, momentum):
        maps[across] = maps[across, :, ::-1][..., MIRRORED["x"]]
        maps[down] = maps[down, ::-1][..., MIRRORED["y"]]
        maps[turned] = maps[turned].swapaxes(1, 2)[..., MIRRORED["transposed"]]
    return frames, share, momentum
