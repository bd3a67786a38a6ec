"""Rendered video volumes whose flow is known exactly.

A volume is a stack of layers, each a texture that moves by an affine transform from frame to frame
and may be bent by a wave. The flow of a pixel follows from the topmost layer's transform in closed
form; what a camera adds (flicker, few pixels, noise, compression) changes pixels, not flow.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX
from feature_extraction.motion.objects import SPEEDS_PX_PER_FRAME, thing, walker
from feature_extraction.motion.rendering import COLUMNS, ROWS, Layer, render
from feature_extraction.motion.textures import Textures

_MARGIN_PX = 16

CAMERAS: Final = {"still": 0.7, "shaken": 0.12, "panned": 0.18}
"""Shares of still, shaken and panned cameras. A region inside one large object looks panned."""


def random_scene(rng: np.random.Generator, textures: Textures, length: int) -> list[Layer]:
    """A background with up to four objects; a quarter of all scenes has none."""
    camera = str(rng.choice(list(CAMERAS), p=list(CAMERAS.values())))
    side = CROP_PX + 2 * _MARGIN_PX
    still = np.tile(np.array([[1.0, 0, -_MARGIN_PX], [0, 1.0, -_MARGIN_PX]]), (length, 1, 1))
    ground = textures.draw(rng, side, textures.places, distinct=camera == "panned")
    layers = [Layer(ground, still)]
    count = 0 if rng.random() < 0.25 else rng.choice([1, 2, 3, 4], p=[0.5, 0.25, 0.15, 0.1])
    makers: list[Callable[..., list[Layer]]] = [thing, thing, walker]
    for _ in range(count):
        layers += makers[rng.integers(3)](rng, textures, length)
    if camera not in _MOVES:
        return layers
    offset = _MOVES[camera](rng, length)
    return [_offset(layer, offset) for layer in layers]


def _shake(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """The offset ``(T, 2)``, pixels, of a camera that trembles and sometimes drifts."""
    size = np.exp(rng.uniform(np.log(0.05), np.log(2)))
    tremble = rng.normal(0, size, (length, 2))
    drift = rng.normal(0, size, 2) * np.arange(length)[:, None] * (rng.random() < 0.4)
    offset: NDArray[np.float64] = tremble + drift
    return offset


def _pan(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """The offset ``(T, 2)``, pixels, of a camera that turns evenly."""
    speed = np.exp(rng.uniform(*np.log(SPEEDS_PX_PER_FRAME)))
    heading = rng.uniform(0, 2 * np.pi)
    step = speed * np.array([np.cos(heading), np.sin(heading)])
    offset: NDArray[np.float64] = np.arange(length)[:, None] * step
    return offset


_MOVES: Final = {"shaken": _shake, "panned": _pan}
"""Cameras that move, and the functions that draw their movement."""


def _offset(layer: Layer, offset_px: NDArray[np.float64]) -> Layer:
    """The same layer, moved by ``(T, 2)`` pixels."""
    moved = layer.pose[..., 2:] + offset_px[..., None]
    return replace(layer, pose=np.concatenate([layer.pose[..., :2], moved], axis=2))


def as_filmed(rng: np.random.Generator, frames: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Frames as a camera records them: with flicker, fewer pixels, noise and compression.

    Args:
        rng: Source of all choices.
        frames: ``(T, 64, 64)``, 0 to 255.

    Returns:
        uint8 of the same shape: as if a region of 24 to 64 pixels had been enlarged to 64.
    """
    import cv2

    frames = _flicker(rng, frames)
    small = int(rng.choice([24, 32, 40, 48, 64], p=[0.15, 0.3, 0.15, 0.15, 0.25]))
    noise = np.abs(rng.normal(0, 3)) + rng.uniform(0, 1)
    quality = int(rng.integers(25, 96)) if rng.random() < 0.5 else 0
    out = np.empty(frames.shape, np.uint8)
    for time, frame in enumerate(frames):
        taken = cv2.resize(frame, (small, small), interpolation=cv2.INTER_AREA)
        taken = taken + noise * rng.standard_normal(taken.shape, dtype=np.float32)
        grains = np.clip(np.round(taken), 0, 255).astype(np.uint8)
        if quality:
            code = cv2.imencode(".jpg", grains, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            grains = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
        size = (CROP_PX, CROP_PX)
        out[time] = cv2.resize(grains, size, interpolation=cv2.INTER_LINEAR)
    return out


def _flicker(rng: np.random.Generator, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change of light over time: of the whole picture or along a gradient."""
    if rng.random() < 0.6:
        return frames
    length = len(frames)
    size = np.exp(rng.uniform(np.log(0.005), np.log(0.12)))
    course = rng.normal(0, 1, length)
    if rng.random() < 0.5:  # slow, as a cloud
        course = np.cumsum(course) / np.sqrt(length)
    lit = np.ones((CROP_PX, CROP_PX))
    if rng.random() < 0.5:
        along = rng.normal(0, 1, 2)
        lit = along[0] * COLUMNS / CROP_PX + along[1] * ROWS / CROP_PX
    gain = 1 + size * course[:, None, None] * lit
    return np.asarray(frames * gain, np.float32)


def synthetic_volume(
    seed: tuple[int, ...], textures: Textures, *, length: int = 10
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A random volume and its exact flow.

    Args:
        seed: Same seed and textures, same volume.
        textures: The source of surfaces.
        length: T, frames.

    Returns:
        ``frames (T, 64, 64)`` uint8 and ``flow (T - 1, 64, 64, 2)`` float32, px/frame.
    """
    rng = np.random.default_rng(seed)
    frames, flow = render(random_scene(rng, textures, length))
    return as_filmed(rng, frames), flow
