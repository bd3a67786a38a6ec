"""The poses of figures in a scene, and the geometry that figures share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.shapes import Colour, Drawing, Point, Shape, shapes_to_points

Point2 = tuple[float, float]
"""Metres forward and metres up, in the plane in which a figure moves."""


@dataclass(frozen=True)
class Pose:
    """Position and direction of a figure, and the distance that it has travelled.

    Attributes:
        ground_m: ``(2,)`` x and depth of the point under its middle.
        heading: ``(2,)`` unit vector over the ground.
        distance_m: Distance travelled; turns wheels and swings legs.
        moving: 1 in motion, 0 in a halt, a value in between while braking.
        seconds: Time since the sequence began; standing figures sway with it.
        eye_m: ``(3,)`` world point of the camera; None for a camera that sees everything from the
            side and from far away. Then shapes are drawn in the order in which figures list them.
    """

    ground_m: NDArray[np.float64]
    heading: NDArray[np.float64]
    distance_m: float
    moving: float = 1.0
    seconds: float = 0.0
    eye_m: tuple[float, float, float] | None = None

    def place(self, shapes: Sequence[Shape]) -> Drawing:
        """Put the shapes of a figure, given in metres forward, left and up, into the world."""
        points = shapes_to_points(shapes)
        left = np.array([-self.heading[1], self.heading[0]])
        ground = self.ground_m + points[:, :1] * self.heading + points[:, 1:2] * left
        return Drawing(shapes, np.column_stack([ground, points[:, 2]]))

    @property
    def far_side(self) -> int:
        """1 when the figure's left is farther from the camera than its right, else -1."""
        if self.eye_m is None:
            return 1 if self.heading[0] >= 0 else -1
        return 1 if self.eye_from_figure_m[1] < 0 else -1

    @cached_property
    def eye_from_figure_m(self) -> Point:
        """The camera, in metres forward, left and up from the figure."""
        if self.eye_m is None:
            return 0.0, -40.0 if self.heading[0] >= 0 else 40.0, 16.0
        right, away = np.array(self.eye_m[:2]) - self.ground_m
        forward = right * self.heading[0] + away * self.heading[1]
        left = away * self.heading[0] - right * self.heading[1]
        return float(forward), float(left), self.eye_m[2]

    def from_far_to_near(self, shapes: list[Shape]) -> list[Shape]:
        """Shapes of a figure in the order in which this camera sees them."""
        if self.eye_m is None:
            return shapes
        eye_m = self.eye_from_figure_m
        return sorted(shapes, key=lambda shape: -math.dist(middle(shape), eye_m))


def middle(shape: Shape) -> Point:
    """Mean of the points of a shape."""
    count = len(shape.points_m)
    forward, left, up = zip(*shape.points_m, strict=True)
    return sum(forward) / count, sum(left) / count, sum(up) / count


class Figure(Protocol):
    """An object that can move through a scene."""

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of the figure in drawing order, farthest first."""


def step(start: Point2, angle: float, length_m: float) -> Point2:
    """End of a bone that begins at ``start``, at ``angle`` radians forward from straight down."""
    return start[0] + length_m * math.sin(angle), start[1] - length_m * math.cos(angle)


def beside(points: Sequence[Point2], left_m: float) -> list[Point]:
    """Points of the plane of motion, moved to the left."""
    return [(forward, left_m, up) for forward, up in points]


def resized(shape: Shape, factor: float) -> Shape:
    """A shape made larger or smaller, with the point under its figure as the centre."""
    points = [(factor * x, factor * y, factor * z) for x, y, z in shape.points_m]
    return Shape(points, shape.colour, factor * shape.width_m, shape.closed)


def circle(centre: Point2, radius_m: float, turn: float, count: int) -> list[Point2]:
    """Points on a circle in the plane of motion, turned clockwise by ``turn`` radians."""
    angles = (2 * math.pi * step / count - turn for step in range(count))
    return [
        (centre[0] + radius_m * math.cos(a), centre[1] + radius_m * math.sin(a)) for a in angles
    ]


def disc(centre: Point2, left_m: float, radius_m: float, colour: Colour, pose: Pose) -> Shape:
    """A disc in the plane of motion, drawn as a circle if it is seen from the side."""
    if pose.eye_m is None:
        return Shape(beside([centre], left_m), colour, 2 * radius_m)
    return Shape(beside(circle(centre, radius_m, 0.0, 14), left_m), colour)
