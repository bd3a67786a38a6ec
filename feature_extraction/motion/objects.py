"""What moves in a rendered volume: rigid and bending objects, and walkers with limbs."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX
from feature_extraction.motion.rendering import Layer, Wave
from feature_extraction.motion.textures import Textures

SPEEDS_PX_PER_FRAME: Final = (0.3, 10.0)
"""Slowest and fastest object, drawn evenly in the logarithm."""


@dataclass(frozen=True)
class Path:
    """How an object moves as a whole.

    Attributes:
        centre_px: ``(T, 2)`` in the frame.
        angle: ``(T,)`` radians.
        scale: ``(T,)``.
    """

    centre_px: NDArray[np.float64]
    angle: NDArray[np.float64]
    scale: NDArray[np.float64]

    def pose(self, pivot_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(T, 2, 3)`` transforms that bring a canvas point to the centre."""
        cos, sin = np.cos(self.angle) * self.scale, np.sin(self.angle) * self.scale
        linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], 1)
        offset = self.centre_px - linear @ pivot_px
        return np.concatenate([linear, offset[..., None]], axis=2)


def random_path(rng: np.random.Generator, length: int) -> Path:
    """A path through the frame: mostly straight, sometimes curved, turning or growing."""
    time = np.arange(length, dtype=np.float64) - (length - 1) / 2
    slow, fast = np.log(SPEEDS_PX_PER_FRAME)
    speed = np.exp(rng.uniform(slow, fast)) if rng.random() > 0.1 else 0.0
    heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.03) * time
    step = speed * np.stack([np.cos(heading), np.sin(heading)], -1)
    turning = rng.normal(0, 0.05) if rng.random() < 0.25 else 0.0
    growing = rng.normal(0, 0.015) if rng.random() < 0.25 else 0.0
    middle = rng.uniform(0, CROP_PX, 2)
    way = np.cumsum(step, axis=0)
    return Path(
        way - way[length // 2] + middle,
        np.asarray(rng.uniform(-0.4, 0.4) + turning * time, np.float64),
        np.asarray(np.exp(growing * time), np.float64),
    )


def _blob(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Opacity of a random roundish or boxy shape that fills a canvas, with soft edges."""
    import cv2

    count = rng.integers(6, 14)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    power = rng.choice([2.0, 2.0, 6.0])
    norm = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
    radius = norm * rng.uniform(0.75, 1, count)
    x = width / 2 + (width / 2 - 2) * np.clip(radius * np.cos(angle), -1, 1)
    y = height / 2 + (height / 2 - 2) * np.clip(radius * np.sin(angle), -1, 1)
    shape = np.zeros((height, width), np.float32)
    outline = np.round(np.stack([x, y], -1) * 16).astype(np.int32)
    cv2.fillPoly(shape, [outline], 1.0, lineType=cv2.LINE_8, shift=4)
    return np.asarray(cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 1.2)), np.float32)


def thing(rng: np.random.Generator, textures: Textures, length: int) -> list[Layer]:
    """One rigid or bending object."""
    width = int(np.exp(rng.uniform(np.log(10), np.log(90))))
    height = int(np.clip(width * np.exp(rng.uniform(-0.9, 0.9)), 8, 120))
    texture = textures.draw(rng, max(width, height), textures.objects)[:height, :width].copy()
    wave = None
    if rng.random() < 0.3:
        time = np.arange(length)
        wave = Wave(
            np.full(length, rng.uniform(0.5, 0.12 * width + 1)),
            float(rng.uniform(0.5, 4) / height),
            np.asarray(rng.uniform(0, 2 * np.pi) + rng.uniform(-0.8, 0.8) * time, np.float64),
        )
    pose = random_path(rng, length).pose(np.array([width / 2, height / 2]))
    return [Layer(texture, pose, _blob(rng, height, width), wave)]


def walker(rng: np.random.Generator, textures: Textures, length: int) -> list[Layer]:
    """A body with four limbs that swing about their joints."""
    tall = float(np.exp(rng.uniform(np.log(18), np.log(90))))
    path = random_path(rng, length)
    texture = textures.draw(rng, 100, textures.objects)
    swing = rng.uniform(0.15, 0.6) * np.sin(
        rng.uniform(0.2, 1.0) * np.arange(length) + rng.uniform(0, 2 * np.pi)
    )
    limbs = [
        (sign * swing, joint, size)
        for joint, size in ((0.0, (0.42, 0.12)), (-0.3, (0.35, 0.08)))
        for sign in (1, -1)
    ]
    parts = [_limb(rng, texture, path, tall, limb) for limb in limbs]
    height, width = max(8, int(0.5 * tall)), max(6, int(0.26 * tall))
    body = path.pose(np.array([width / 2, 0.9 * height]))
    torso = Layer(texture[:height, :width].copy(), body, _blob(rng, height, width))
    return [parts[0], parts[2], torso, parts[1], parts[3]]


def _limb(
    rng: np.random.Generator,
    texture: NDArray[np.float32],
    path: Path,
    tall: float,
    limb: tuple[NDArray[np.float64], float, tuple[float, float]],
) -> Layer:
    """A limb: swing ``(T,)``, radians; position of the joint, (length, width), shares of height."""
    swing, joint, (long, wide) = limb
    height, width = max(6, int(long * tall)), max(5, int(wide * tall))
    down = np.stack([-np.sin(path.angle), np.cos(path.angle)], -1) * path.scale[:, None]
    way = Path(path.centre_px + joint * tall * down, path.angle + swing, path.scale)
    x = rng.integers(0, texture.shape[1] - width)
    skin = texture[:height, x : x + width].copy()
    return Layer(skin, way.pose(np.array([width / 2, 1.0])), _blob(rng, height, width))
