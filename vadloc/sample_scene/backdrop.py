"""The background of a scene behind the traffic: ground, trees moving in the wind, furniture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.camera import Camera, Sun
from vadloc.sample_scene.shapes import (
    Colour,
    Drawing,
    Layer,
    Point,
    Shape,
    drawings_to_shadow,
    packed_to_layer,
    scaled,
    shapes_to_layer,
    shapes_to_points,
)


@dataclass(frozen=True)
class Tree:
    """A tree or bush whose leaves move in the wind.

    Attributes:
        trunk: Picture of the trunk, None for a bush.
        crown: Picture of the leaves.
        phase: Phases of the wind in radians, for horizontal and for vertical movement.
        scale: Amplitude of the movement; 1 for a tree of about 30 pixels' width.
    """

    trunk: Layer | None
    crown: Layer
    phase: tuple[float, float]
    scale: float = 1.0

    def layers(self, frame: int, frames_per_second: float) -> list[Layer]:
        """Pictures of the trunk and of the moving leaves at a frame."""
        rows, columns = self._grid
        swing = (
            2.2 * frame / frames_per_second + rows / (9 * self.scale) + columns / (13 * self.scale)
        )
        right, down = (0.45 * self.scale * np.sin(swing + phase) for phase in self.phase)
        crown = self.crown
        moved = cv2.remap(self._packed, columns + right, rows + down / 2, cv2.INTER_LINEAR)
        stirred = packed_to_layer(moved, crown.left_px, crown.top_px, crown.depth_m)
        return [stirred] if self.trunk is None else [self.trunk, stirred]

    @cached_property
    def _grid(self) -> NDArray[np.float32]:
        """``(2, h, w)`` row and column of each pixel of the crown."""
        height, width = self.crown.opacity.shape[:2]
        return np.mgrid[:height, :width].astype(np.float32)

    @cached_property
    def _packed(self) -> NDArray[np.float32]:
        """``(h, w, 4)`` colour and opacity of the crown in 0..255."""
        return np.concatenate([self.crown.colour, 255 * self.crown.opacity[..., :1]], axis=2)


@dataclass(frozen=True)
class Backdrop:
    """A scene without traffic, seen by one camera.

    Attributes:
        camera: The camera.
        ground: ``(height, width, 3)`` float32 RGB in 0..255: everything behind all figures.
        trees: Trees and bushes.
        furniture: Lamp posts, bollards and similar things.
        sun: Direction and length of shadows.
        shade: How much darker shadows are, 0..1.
        softness_px: Width of the edge of shadows.
        from_the_side: Whether figures are drawn as seen from the side and from far away.
    """

    camera: Camera
    ground: NDArray[np.float32]
    trees: tuple[Tree, ...]
    furniture: tuple[Layer, ...]
    sun: Sun
    shade: float = 0.42
    softness_px: float = 1.0
    from_the_side: bool = False


def paint(shapes: Sequence[Shape], depth_m: float, camera: Camera) -> NDArray[np.float32]:
    """Picture ``(height, width, 3)`` of shapes behind all figures, black outside the shapes."""
    picture = np.zeros((camera.height_px, camera.width_px, 3), np.float32)
    layer = shapes_to_layer(shapes, depth_m, camera)
    if layer is not None:
        picture[layer.place] = layer.colour
    return picture


def floor(x0_m: float, x1_m: float, near_m: float, far_m: float, colour: Colour) -> Shape:
    """A rectangle on the ground."""
    corners = [(x0_m, far_m, 0), (x1_m, far_m, 0), (x1_m, near_m, 0), (x0_m, near_m, 0)]
    return Shape(corners, colour)


def grain(rng: np.random.Generator, camera: Camera, scale: float = 1.0) -> NDArray[np.float32]:
    """Texture of all surfaces: factors ``(height, width)`` near 1, of several scales."""
    grain = np.ones((camera.height_px, camera.width_px), np.float32)
    for across, along, strength in ((0.45, 0.35, 0.035), (2.0, 1.0, 0.03), (22.0, 6.0, 0.035)):
        noise = rng.standard_normal(grain.shape).astype(np.float32)
        sigma = across * scale, along * scale
        smooth = cv2.GaussianBlur(noise, (0, 0), sigma[0], sigmaY=sigma[1])
        grain += strength * smooth / smooth.std()
    return grain


def ground_grain(
    rng: np.random.Generator, camera: Camera, grains: Sequence[tuple[float, float]]
) -> NDArray[np.float32]:
    """Texture of the ground in perspective: factors ``(height, width)`` near 1.

    Args:
        rng: Random numbers for the texture.
        camera: The camera that sees it.
        grains: Size in metres and strength of each kind of grain.
    """
    rows, columns = np.mgrid[: camera.height_px, : camera.width_px] + 0.5
    x_m, depth_m = camera.ground_m(columns, rows)
    factor = np.ones(rows.shape, np.float32)
    for size_m, strength in grains:
        tile = cv2.GaussianBlur(rng.standard_normal((512, 512)).astype(np.float32), (0, 0), 1.5)
        across, along = (
            np.mod(axis / size_m * 2, 512).astype(np.float32) for axis in (x_m, depth_m)
        )
        seen = cv2.remap(tile, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        blur = np.clip(size_m * camera.px_per_ground_m(depth_m), 0, 1).astype(np.float32)
        factor += strength * blur * seen / tile.std()
    return factor


def leaves(
    rng: np.random.Generator, centre_m: Point, radii_m: tuple[float, float], count: int
) -> list[Shape]:
    """Discs of a crown, light on the side of the sun, dark below and inside."""
    shapes = []
    for order in range(count):
        angle, radius = rng.uniform(0, 2 * math.pi), float(np.sqrt(rng.uniform(0, 1)))
        right, up = radius * float(np.cos(angle)), radius * float(np.sin(angle))
        lumpy = 1 + 0.14 * float(np.sin(5 * angle + centre_m[0]))
        x, z = centre_m[0] + radii_m[0] * right * lumpy, centre_m[2] + radii_m[1] * up * lumpy
        light = 0.62 + 0.38 * order / count + 0.22 * up - 0.2 * right + rng.uniform(-0.16, 0.16)
        colour = scaled((92, 128, 56), max(0.35, float(light)))
        shapes.append(Shape([(x, centre_m[1], z)], colour, float(rng.uniform(0.14, 0.34))))
    return shapes


def _crown(
    rng: np.random.Generator,
    centre_m: Point,
    radii_m: tuple[float, float],
    count: int,
    camera: Camera,
) -> Layer | None:
    return shapes_to_layer(leaves(rng, centre_m, radii_m, count), centre_m[1], camera)


def _wind(rng: np.random.Generator) -> tuple[float, float]:
    across, along = rng.uniform(0, 2 * math.pi, 2).tolist()
    return across, along


def tree(
    rng: np.random.Generator,
    foot_m: tuple[float, float],
    crown_m: float,
    radius_m: float,
    camera: Camera,
    *,
    scale: float = 1.0,
) -> list[Tree]:
    """A tree whose crown is ``crown_m`` above its foot; empty if the camera does not see it."""
    x_m, depth_m = foot_m
    foot, top = (x_m, depth_m, 0.0), (x_m + 0.1, depth_m, crown_m)
    lit = [(x_m - 0.05, depth_m, 0.0), (x_m + 0.05, depth_m, crown_m)]
    trunk = [Shape([foot, top], (64, 50, 40), 0.24), Shape(lit, (92, 74, 58), 0.12)]
    crown = _crown(rng, (x_m, depth_m, crown_m), (radius_m, 0.85 * radius_m), 420, camera)
    wind = _wind(rng)
    trunk_layer = shapes_to_layer(trunk, depth_m, camera)
    return [] if crown is None else [Tree(trunk_layer, crown, wind, scale)]


def bush(
    rng: np.random.Generator, x_m: float, depth_m: float, camera: Camera, *, scale: float = 1.0
) -> list[Tree]:
    """A bush; empty if the camera does not see it."""
    crown = _crown(rng, (x_m, depth_m, 0.45), (0.85, 0.55), 220, camera)
    wind = _wind(rng)
    return [] if crown is None else [Tree(None, crown, wind, scale)]


def still_shadows(
    objects: Sequence[Sequence[Shape]], camera: Camera, sun: Sun, softness_px: float = 1.2
) -> NDArray[np.float32]:
    """Shadow ``(height, width)`` of objects that do not move: 0 sunlit, 1 shaded."""
    drawings = [Drawing(shapes, shapes_to_points(shapes)) for shapes in objects]
    return drawings_to_shadow(drawings, camera, sun, softness_px)


def post(x_m: float, depth_m: float, height_m: float, colour: Colour, width_m: float) -> Shape:
    """An upright post."""
    return Shape([(x_m, depth_m, 0.0), (x_m, depth_m, height_m)], colour, width_m)


def post_layers(posts: Sequence[Sequence[Shape]], camera: Camera) -> tuple[Layer, ...]:
    """Pictures of upright objects, without those that the camera does not see."""
    layers = (shapes_to_layer(post, post[0].points_m[0][1], camera) for post in posts)
    return tuple(layer for layer in layers if layer is not None)
