"""Shapes in the world and their antialiased pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.camera import NEAREST_M, Camera, Sun, cast_on_ground

Colour = tuple[float, float, float]
"""Red, green, blue in 0..255."""

_OVERSAMPLING: Final = 4
_SHADOW_OVERSAMPLING: Final = 2
_FRACTION_BITS: Final = 4


Point = tuple[float, float, float]
"""Metres to the right, away from the camera and up; for figures: forward, to the left and up."""


@dataclass(frozen=True)
class Shape:
    """A filled polygon, or a stroke with round ends if ``width_m`` is positive.

    Attributes:
        points_m: The points; a single point with a width is a disc.
        colour: Red, green, blue in 0..255.
        width_m: Width of the stroke in metres, 0 for a polygon.
        closed: Whether a stroke returns to its first point.
    """

    points_m: Sequence[Point]
    colour: Colour
    width_m: float = 0.0
    closed: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes of one object, in the order in which they are drawn.

    Attributes:
        shapes: The shapes.
        points_m: ``(n, 3)`` world points of all shapes one after another. They are drawn instead of
            the points of ``shapes``, which may be in the coordinates of a figure.
    """

    shapes: Sequence[Shape]
    points_m: NDArray[np.float64]


def shapes_to_points(shapes: Sequence[Shape]) -> NDArray[np.float64]:
    """Points ``(n, 3)`` of all shapes one after another."""
    return np.array([point for shape in shapes for point in shape.points_m], dtype=np.float64)


@dataclass(frozen=True)
class Layer:
    """Picture of one object, which can be drawn over a frame.

    Attributes:
        left_px: Column of the frame where the layer begins, inside the frame.
        top_px: Row of the frame where the layer begins, inside the frame.
        colour: ``(h, w, 3)`` float32 in 0..255, already multiplied by ``opacity``.
        opacity: ``(h, w, 3)`` float32 in 0..1: the share of each pixel that the object covers,
            the same in all three channels (NumPy multiplies equal shapes many times faster).
        depth_m: Distance from the camera; nearer layers are drawn over farther layers.
    """

    left_px: int
    top_px: int
    colour: NDArray[np.float32]
    opacity: NDArray[np.float32]
    depth_m: float

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the frame under the layer."""
        height, width = self.opacity.shape[:2]
        return (
            slice(self.top_px, self.top_px + height),
            slice(self.left_px, self.left_px + width),
        )

    def lay_over(self, frame: NDArray[np.float32]) -> None:
        """Draw the object over a frame ``(height, width, 3)`` in place."""
        under = frame[self.place]
        under *= 1 - self.opacity
        under += self.colour


def scaled(colour: Colour, factor: float) -> Colour:
    """The colour made lighter or darker, clipped to 0..255."""
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return red, green, blue


def drawing_to_layer(drawing: Drawing, depth_m: float, camera: Camera) -> Layer | None:
    """Picture of one object; None if no part of it is in the frame."""
    if camera.distance_m(drawing.points_m).min() < NEAREST_M:
        return None
    points_px, scale = camera.project(drawing.points_m), camera.px_per_m(drawing.points_m)
    margin_px = 1 + max(shape.width_m for shape in drawing.shapes) * scale.max() / 2
    first = np.maximum(np.floor(points_px.min(axis=0) - margin_px).astype(int), 0)
    last = np.ceil(points_px.max(axis=0) + margin_px).astype(int)
    width, height = (np.minimum(last, (camera.width_px, camera.height_px)) - first).tolist()
    if width <= 0 or height <= 0:
        return None
    large = np.zeros((height * _OVERSAMPLING, width * _OVERSAMPLING, 4), np.uint8)
    _draw(large, drawing.shapes, points_px - first, scale, oversampling=_OVERSAMPLING)
    small = cv2.resize(large.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    left, top = first.tolist()
    return packed_to_layer(small, left, top, depth_m)


def packed_to_layer(packed: cv2.typing.MatLike, left_px: int, top_px: int, depth_m: float) -> Layer:
    """Layer from a picture ``(h, w, 4)`` in 0..255, whose last channel is the opacity."""
    red, green, blue, opacity = cv2.split(packed)
    colour = np.asarray(cv2.merge([red, green, blue]), np.float32)
    return Layer(left_px, top_px, colour, in_three_channels(opacity / 255), depth_m)


def in_three_channels(gray: cv2.typing.MatLike) -> NDArray[np.float32]:
    """An array ``(height, width)`` repeated for red, green and blue: ``(height, width, 3)``."""
    return np.asarray(cv2.merge([gray, gray, gray]), np.float32)


def shapes_to_layer(shapes: Sequence[Shape], depth_m: float, camera: Camera) -> Layer | None:
    """Picture of shapes whose points are world points; None if no part is in the frame."""
    return drawing_to_layer(Drawing(shapes, shapes_to_points(shapes)), depth_m, camera)


def drawings_to_shadow(
    drawings: Sequence[Drawing], camera: Camera, sun: Sun, softness_px: float = 1.0
) -> NDArray[np.float32]:
    """Soft shadow of objects on the ground, ``(height, width)`` float32: 0 sunlit, 1 shaded."""
    size_px = camera.width_px, camera.height_px
    large = np.zeros([side * _SHADOW_OVERSAMPLING for side in size_px[::-1]], np.uint8)
    for drawing in drawings:
        points_m = cast_on_ground(drawing.points_m, sun)
        if camera.distance_m(points_m).min() < NEAREST_M:
            continue
        points_px, scale = camera.project(points_m), camera.px_per_m(points_m)
        _draw(large, drawing.shapes, points_px, scale, oversampling=_SHADOW_OVERSAMPLING)
    shaded = (large > 0).astype(np.float32)
    small = cv2.resize(shaded, size_px, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), softness_px), np.float32)


def _draw(
    image: NDArray[np.uint8],
    shapes: Sequence[Shape],
    points_px: NDArray[np.float64],
    scale: NDArray[np.float64],
    *,
    oversampling: int,
) -> None:
    """Draw shapes in order; ``points_px`` and ``scale`` list their points one after another."""
    fixed = np.round((points_px * oversampling - 0.5) * 2**_FRACTION_BITS).astype(np.int32)
    large_px_per_m = (scale * oversampling).tolist()
    begin = 0
    for shape in shapes:
        end = begin + len(shape.points_m)
        colour = (*shape.colour, 255.0)
        width_px = shape.width_m * large_px_per_m[begin]
        if shape.width_m == 0:
            cv2.fillPoly(image, [fixed[begin:end]], colour, shift=_FRACTION_BITS)
        elif end - begin == 1:
            radius = round(width_px / 2 * 2**_FRACTION_BITS)
            x, y = fixed[begin].tolist()
            cv2.circle(image, (x, y), radius, colour, cv2.FILLED, shift=_FRACTION_BITS)
        else:
            thickness = max(1, round(width_px))
            cv2.polylines(
                image, [fixed[begin:end]], shape.closed, colour, thickness, shift=_FRACTION_BITS
            )
        begin = end
