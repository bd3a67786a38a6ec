"""Rendered video volumes whose flow is known exactly.

A volume is a stack of layers, each a texture that moves by an affine transform from frame to frame
and may be bent by a wave. The flow of a pixel follows from the topmost layer's transform in closed
form; what a camera adds (flicker, few pixels, noise, compression) changes pixels, not flow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.motion.targets import VOLUME_PX

SPEEDS_PX_PER_FRAME: Final = (0.3, 10.0)
"""Slowest and fastest object, drawn evenly in the logarithm."""

_OPAQUE = 0.5
_MARGIN_PX = 16
_ROWS, _COLUMNS = np.mgrid[:VOLUME_PX, :VOLUME_PX].astype(np.float64)
_PIXELS = np.stack([_COLUMNS.ravel(), _ROWS.ravel(), np.ones(VOLUME_PX**2)])
"""``(3, 4096)``: x, y, 1 of each pixel, row by row."""


@dataclass(frozen=True)
class Wave:
    """Bending of a layer: rows of its canvas are shifted sideways, by a sine along y.

    Attributes:
        amplitude_px: ``(T,)``.
        per_px: Radians along y.
        phase: ``(T,)`` radians.
    """

    amplitude_px: NDArray[np.float64]
    per_px: float
    phase: NDArray[np.float64]

    def shift(self, time: int, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sideways shift of canvas rows in pixels."""
        bend = self.amplitude_px[time] * np.sin(self.per_px * y + self.phase[time])
        return np.asarray(bend, np.float64)


@dataclass(frozen=True)
class Layer:
    """A moving texture.

    Attributes:
        texture: ``(h, w)`` float32 canvas, 0 to 255.
        pose: ``(T, 2, 3)``: affine transform of canvas coordinates to frame coordinates, pixels.
        alpha: ``(h, w)`` float32 opacity; ``None`` covers everything (the canvas is mirrored
            beyond its border).
        wave: How the canvas is bent before ``pose`` applies.
    """

    texture: NDArray[np.float32]
    pose: NDArray[np.float64]
    alpha: NDArray[np.float32] | None = None
    wave: Wave | None = None

    @cached_property
    def _to_canvas(self) -> NDArray[np.float64]:
        """``(T, 2, 3)`` inverse of ``pose``."""
        linear = np.linalg.inv(self.pose[..., :2])
        return np.concatenate([linear, -linear @ self.pose[..., 2:]], axis=2)

    def canvas_position(self, time: int) -> NDArray[np.float64]:
        """Where on the canvas each frame pixel looks, ``(2, 4096)``."""
        position: NDArray[np.float64] = self._to_canvas[time] @ _PIXELS
        if self.wave is not None:
            position[0] -= self.wave.shift(time, position[1])
        return position

    def flow(self, time: int) -> NDArray[np.float64]:
        """Exact displacement ``(2, 64, 64)`` from frame ``time`` to the next."""
        position = self.canvas_position(time)
        if self.wave is not None:
            position[0] += self.wave.shift(time + 1, position[1])
        following = self.pose[time + 1]
        moved = following[:, :2] @ position + following[:, 2:]
        displacement: NDArray[np.float64] = moved - _PIXELS[:2]
        return displacement.reshape(2, VOLUME_PX, VOLUME_PX)


def render(layers: list[Layer]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw layers over each other, the last one on top.

    Args:
        layers: The first covers everything.

    Returns:
        ``frames (T, 64, 64)``, and ``flow (T - 1, 64, 64, 2)`` in px/frame of what is seen in the
        first frame of each pair.
    """
    length = len(layers[0].pose)
    frames = np.zeros((length, VOLUME_PX, VOLUME_PX), np.float32)
    flow = np.zeros((length - 1, 2, VOLUME_PX, VOLUME_PX), np.float32)
    for layer in layers:
        for time in range(length):
            opacity = _draw(frames[time], layer, time)
            if time < length - 1 and opacity.any():
                np.copyto(flow[time], layer.flow(time), "same_kind", where=opacity > _OPAQUE)
    return frames, np.moveaxis(flow, 1, -1)


def _draw(frame: NDArray[np.float32], layer: Layer, time: int) -> NDArray[np.float32]:
    """Draw a layer into a frame; its opacity ``(64, 64)``."""
    import cv2

    x, y = layer.canvas_position(time).astype(np.float32).reshape(2, VOLUME_PX, VOLUME_PX)
    if layer.alpha is None:
        frame[:] = cv2.remap(layer.texture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.ones_like(frame)
    height, width = layer.alpha.shape
    if x.max() < 0 or y.max() < 0 or x.min() > width or y.min() > height:
        return np.zeros_like(frame)
    opacity = np.asarray(cv2.remap(layer.alpha, x, y, cv2.INTER_LINEAR), np.float32)
    colour = cv2.remap(layer.texture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    np.add(frame, opacity * (colour - frame), out=frame)
    return opacity


_NO_CROPS: Final[NDArray[np.uint8]] = np.zeros((0, VOLUME_PX, VOLUME_PX), np.uint8)


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
            side: Of the texture, pixels.
            crops: Used for some; may be empty.
            distinct: No stripes and no plain shade: of these alone nobody can tell how they move.
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
    middle = rng.uniform(0, VOLUME_PX, 2)
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
    """A limb: swing ``(T,)`` in radians, place of the joint and (length, width), of the height."""
    swing, joint, (long, wide) = limb
    height, width = max(6, int(long * tall)), max(5, int(wide * tall))
    down = np.stack([-np.sin(path.angle), np.cos(path.angle)], -1) * path.scale[:, None]
    own = Path(path.centre_px + joint * tall * down, path.angle + swing, path.scale)
    x = rng.integers(0, texture.shape[1] - width)
    skin = texture[:height, x : x + width].copy()
    return Layer(skin, own.pose(np.array([width / 2, 1.0])), _blob(rng, height, width))


CAMERAS: Final = {"still": 0.7, "shaken": 0.12, "panned": 0.18}
"""How often the camera does what. A pan is also what a region sees that lies within one thing."""


def random_scene(rng: np.random.Generator, textures: Textures, length: int) -> list[Layer]:
    """A background with up to four objects; a quarter of all scenes has none."""
    camera = str(rng.choice(list(CAMERAS), p=list(CAMERAS.values())))
    side = VOLUME_PX + 2 * _MARGIN_PX
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
    """Of a camera that trembles, sometimes drifting, ``(T, 2)`` pixels."""
    size = np.exp(rng.uniform(np.log(0.05), np.log(2)))
    tremble = rng.normal(0, size, (length, 2))
    drift = rng.normal(0, size, 2) * np.arange(length)[:, None] * (rng.random() < 0.4)
    offset: NDArray[np.float64] = tremble + drift
    return offset


def _pan(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """Of a camera that turns evenly, ``(T, 2)`` pixels."""
    speed = np.exp(rng.uniform(*np.log(SPEEDS_PX_PER_FRAME)))
    heading = rng.uniform(0, 2 * np.pi)
    step = speed * np.array([np.cos(heading), np.sin(heading)])
    offset: NDArray[np.float64] = np.arange(length)[:, None] * step
    return offset


_MOVES: Final = {"shaken": _shake, "panned": _pan}
"""What moves the picture of a camera that does not stand still."""


def _offset(layer: Layer, offset_px: NDArray[np.float64]) -> Layer:
    """The same layer, moved by ``(T, 2)`` pixels."""
    moved = layer.pose[..., 2:] + offset_px[..., None]
    return replace(layer, pose=np.concatenate([layer.pose[..., :2], moved], axis=2))


def as_filmed(rng: np.random.Generator, frames: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What a camera makes of frames: flicker, fewer pixels, noise, compression.

    Args:
        rng: Source of all choices.
        frames: ``(T, 64, 64)``, 0 to 255.

    Returns:
        uint8, same shape: as a region of 24 to 64 pixels, enlarged to 64.
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
        size = (VOLUME_PX, VOLUME_PX)
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
    lit = np.ones((VOLUME_PX, VOLUME_PX))
    if rng.random() < 0.5:
        along = rng.normal(0, 1, 2)
        lit = along[0] * _COLUMNS / VOLUME_PX + along[1] * _ROWS / VOLUME_PX
    gain = 1 + size * course[:, None, None] * lit
    return np.asarray(frames * gain, np.float32)


def synthetic_volume(
    seed: tuple[int, ...], textures: Textures, *, length: int = 10
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A random volume and its exact flow.

    Args:
        seed: Same seed and textures, same volume.
        textures: Where surfaces come from.
        length: T, frames.

    Returns:
        ``frames (T, 64, 64)`` uint8 and ``flow (T - 1, 64, 64, 2)`` float32, px/frame.
    """
    rng = np.random.default_rng(seed)
    frames, flow = render(random_scene(rng, textures, length))
    return as_filmed(rng, frames), flow
