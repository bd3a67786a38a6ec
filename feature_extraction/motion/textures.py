"""Textures of what is rendered: crops of real pictures, noise, stripes and plain shades."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX

_NO_CROPS: Final[NDArray[np.uint8]] = np.zeros((0, CROP_PX, CROP_PX), np.uint8)


@dataclass(frozen=True)
class Textures:
    """Random textures: grey crops of real things, and noise, stripes and plain colours.

    Attributes:
        objects: ``(n, 64, 64)`` uint8 crops for moving things; may be empty.
        places: The same for backgrounds.
    """

    objects: NDArray[np.uint8] = field(default_factory=lambda: _NO_CROPS)
    places: NDArray[np.uint8] = field(default_factory=lambda: _NO_CROPS)

    def draw(
        self,
        rng: np.random.Generator,
        side: int,
        crops: NDArray[np.uint8],
        *,
        distinct: bool = False,
    ) -> NDArray[np.float32]:
        """A ``(side, side)`` texture from 0 to 255 of random brightness and contrast.

        Args:
            rng: Source of all choices.
            side: Side of the texture, pixels.
            crops: Crops that some textures are made from; may be empty.
            distinct: Whether to avoid stripes and plain shades, whose motion cannot be seen.
        """
        import cv2

        if len(crops) and rng.random() < 0.6:
            raw = crops[rng.integers(len(crops))].astype(np.float32)
            raw = np.rot90(raw, int(rng.integers(4))) if rng.random() < 0.3 else raw
            return _clipped(cv2.resize(raw, (side, side), interpolation=cv2.INTER_CUBIC))
        make = (_noise, _noise, _stripes, _plain)[rng.integers(2 if distinct else 4)]
        pattern = make(rng, side)
        spread = np.exp(rng.uniform(np.log(8), np.log(60)))
        pattern = (pattern - pattern.mean()) / (pattern.std() + 1e-3) * spread
        return _clipped(pattern + rng.uniform(40, 215))


def _clipped(picture: NDArray[Any]) -> NDArray[np.float32]:
    clipped: NDArray[np.float32] = np.clip(picture, 0, 255).astype(np.float32)
    return clipped


def _noise(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Sum of random fields from coarse to fine."""
    import cv2

    falloff = rng.uniform(0.5, 2)
    total = np.zeros((side, side), np.float32)
    for octave in range(1, 7):
        cells = min(2**octave + 1, side)
        field_ = rng.standard_normal((cells, cells), dtype=np.float32)
        fine = cv2.resize(field_, (side, side), interpolation=cv2.INTER_CUBIC)
        total += fine * np.float32(falloff**-octave)
    return total


def _stripes(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Two crossing gratings, soft or sharp, on some noise."""
    rows, columns = np.mgrid[:side, :side]
    total = 0.5 * _noise(rng, side)
    total /= total.std() + 1e-3
    for _ in range(rng.integers(1, 3)):
        angle, period = rng.uniform(0, np.pi), rng.uniform(6, 40)
        wave = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / period)
        total += np.sign(wave) if rng.random() < 0.5 else wave
    return total.astype(np.float32)


def _plain(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """One shade that changes slowly."""
    import cv2

    corners = rng.standard_normal((2, 2), dtype=np.float32)
    smooth = cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)
    return smooth + 0.1 * _noise(rng, side)
