"""Layers of moving textures, drawn over each other; their flow is known exactly."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX

_OPAQUE = 0.5
ROWS, COLUMNS = np.mgrid[:CROP_PX, :CROP_PX].astype(np.float64)
_PIXELS = np.stack([COLUMNS.ravel(), ROWS.ravel(), np.ones(CROP_PX**2)])
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
        return displacement.reshape(2, CROP_PX, CROP_PX)


def render(layers: list[Layer]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw layers over each other, the last one on top.

    Args:
        layers: The first covers everything.

    Returns:
        ``frames (T, 64, 64)``, and ``flow (T - 1, 64, 64, 2)`` in px/frame of what is seen in the
        first frame of each pair.
    """
    length = len(layers[0].pose)
    frames = np.zeros((length, CROP_PX, CROP_PX), np.float32)
    flow = np.zeros((length - 1, 2, CROP_PX, CROP_PX), np.float32)
    for layer in layers:
        for time in range(length):
            opacity = _draw(frames[time], layer, time)
            if time < length - 1 and opacity.any():
                np.copyto(flow[time], layer.flow(time), "same_kind", where=opacity > _OPAQUE)
    return frames, np.moveaxis(flow, 1, -1)


def _draw(frame: NDArray[np.float32], layer: Layer, time: int) -> NDArray[np.float32]:
    """Draw a layer into a frame; its opacity ``(64, 64)``."""
    import cv2

    x, y = layer.canvas_position(time).astype(np.float32).reshape(2, CROP_PX, CROP_PX)
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
