"""Other things in scenes: dogs, wheelchairs, carts, suitcases, doors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vadloc.sample_scene.people import Clothes
from vadloc.sample_scene.poses import Figure, Point2, Pose, beside, circle, disc, resized, step
from vadloc.sample_scene.shapes import Colour, Point, Shape, scaled

_TYRE: Final[Colour] = (30, 30, 32)
_STEEL: Final[Colour] = (150, 152, 156)
_LIGHT: Final = {"top": 1.12, "front": 0.82, "back": 0.82, "left": 0.92, "right": 0.7}

BEHIND_M: Final = 0.55
"""Distance from a person to the suitcase that they pull."""

Extent = tuple[float, float]
"""Smallest and largest coordinate along an axis, in metres."""


def box(forward: Extent, left: Extent, up: Extent, colour: Colour, pose: Pose) -> list[Shape]:
    """The faces of a box that the camera sees; the top is last."""
    eye_forward, eye_left, _ = pose.eye_from_figure_m
    f0, f1 = forward
    l0, l1 = left
    u0, u1 = up
    faces: dict[str, list[Point]] = {}
    if not f0 <= eye_forward <= f1:
        end = f1 if eye_forward > f1 else f0
        name = "front" if eye_forward > f1 else "back"
        faces[name] = [(end, l0, u0), (end, l1, u0), (end, l1, u1), (end, l0, u1)]
    if not l0 <= eye_left <= l1:
        side = l1 if eye_left > l1 else l0
        name = "left" if eye_left > l1 else "right"
        faces[name] = [(f0, side, u0), (f1, side, u0), (f1, side, u1), (f0, side, u1)]
    faces["top"] = [(f0, l0, u1), (f1, l0, u1), (f1, l1, u1), (f0, l1, u1)]
    return [Shape(points, scaled(colour, _LIGHT[name])) for name, points in faces.items()]


@dataclass(frozen=True)
class Dog:
    """A dog of 0.6 m at the shoulder times ``size``."""

    size: float = 1.0
    coat: Colour = (112, 78, 48)

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 1.0, 0.5

    def shapes(self, pose: Pose) -> list[Shape]:
        """Legs, body, tail and head, the far legs first."""
        phase = 2 * math.pi * pose.distance_m / (0.9 * self.size)
        far = pose.far_side
        shapes = [
            *self._legs(phase, 0.09 * far, 0.7),
            Shape(
                [(-0.36, 0, 0.6), (-0.58, 0, 0.75 + 0.05 * math.sin(2 * phase))], self.coat, 0.06
            ),
            Shape([(-0.34, 0, 0.52), (0.3, 0, 0.55)], self.coat, 0.27),
            *self._legs(phase + math.pi, -0.09 * far, 0.9),
            Shape([(0.3, 0, 0.6), (0.46, 0, 0.78)], self.coat, 0.17),
            Shape([(0.47, 0, 0.8), (0.66, 0, 0.75)], scaled(self.coat, 1.15), 0.14),
            Shape([(0.44, 0, 0.9), (0.4, 0, 0.8)], scaled(self.coat, 0.6), 0.08),
        ]
        return pose.from_far_to_near([resized(shape, self.size) for shape in shapes])

    def _legs(self, phase: float, left_m: float, light: float) -> list[Shape]:
        """A fore and a hind leg of one side."""
        shapes = []
        for hip, lag in ((0.27, 0.0), (-0.33, math.pi)):
            knee = step((hip, 0.5), 0.5 * math.sin(phase + lag), 0.26)
            foot = step(knee, 0.5 * math.sin(phase + lag) - 0.4 * max(0, math.cos(phase)), 0.25)
            points = beside([(hip, 0.5), knee, foot], left_m)
            shapes.append(Shape(points, scaled(self.coat, light), 0.09))
        return shapes


@dataclass(frozen=True)
class Wheelchair:
    """Somebody in a wheelchair who turns its wheels by hand."""

    clothes: Clothes

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 1.1, 0.7

    def shapes(self, pose: Pose) -> list[Shape]:
        """Wheels, chair and rider, the far side first."""
        far = 0.3 * pose.far_side
        shapes = [
            *self._wheel(far, pose.distance_m),
            *self._chair(),
            *self._rider(math.sin(2 * math.pi * pose.distance_m / 1.4)),
            *self._wheel(-far, pose.distance_m),
        ]
        return pose.from_far_to_near(shapes)

    def _wheel(self, left_m: float, distance_m: float) -> list[Shape]:
        """A large wheel, and a small wheel in front of it."""
        rim = beside(circle((-0.1, 0.31), 0.3, distance_m / 0.3, 12), left_m)
        return [
            *(Shape([rim[i], rim[i + 6]], _STEEL, 0.03) for i in (0, 3)),
            Shape(rim, _TYRE, 0.06, closed=True),
            Shape(beside([(0.42, 0.1)], left_m), _TYRE, 0.2),
        ]

    def _chair(self) -> list[Shape]:
        seat: list[Point] = [(-0.2, -0.24, 0.5), (0.3, -0.24, 0.5), (0.3, 0.24, 0.5)]
        back: list[Point] = [(-0.22, -0.24, 0.5), (-0.3, -0.24, 0.95), (-0.3, 0.24, 0.95)]
        return [
            Shape([*seat, (-0.2, 0.24, 0.5)], (36, 38, 60)),
            Shape([*back, (-0.22, 0.24, 0.5)], (36, 38, 60)),
        ]

    def _rider(self, push: float) -> list[Shape]:
        """Legs, trunk, head and arms of the person in the wheelchair."""
        top, skin = self.clothes.top, self.clothes.skin
        shapes = [
            Shape(beside(line, left), self.clothes.bottom, 0.16)
            for left in (-0.11, 0.11)
            for line in ([(-0.1, 0.56), (0.36, 0.58)], [(0.36, 0.58), (0.48, 0.16)])
        ]
        hand = 0.08 + 0.16 * push, 0.56 + 0.05 * push
        for left in (-0.12, 0.12):
            shapes.append(Shape(beside([(-0.13, 0.62), (-0.15, 1.06)], left), top, 0.24))
            arm: list[Point2] = [(-0.14, 1.08), (-0.2, 0.8), hand]
            shapes.append(Shape(beside(arm, 2.4 * left), scaled(top, 0.85), 0.1))
        return [
            *shapes,
            Shape([(-0.1, 0.0, 1.34)], self.clothes.hair, 0.26),
            Shape([(-0.05, 0.0, 1.3)], skin, 0.21),
        ]


@dataclass(frozen=True)
class Cart:
    """A small electric cart with a driver under a roof."""

    paint: Colour
    clothes: Clothes

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 2.6, 1.4

    def shapes(self, pose: Pose) -> list[Shape]:
        """Wheels and body, the driver, posts and roof."""
        near = -0.62 * pose.far_side
        hubs = [(hub, 0.26) for hub in (0.85, -0.85)]
        body = [
            *box((-1.25, 1.25), (-0.62, 0.62), (0.28, 0.55), self.paint, pose),
            *box((-1.25, -0.35), (-0.62, 0.62), (0.55, 1.0), scaled(self.paint, 0.9), pose),
            *box((0.75, 1.25), (-0.62, 0.62), (0.55, 0.85), self.paint, pose),
        ]
        driver = [
            Shape([(-0.2, 0.0, 0.75), (-0.2, 0.0, 1.25)], self.clothes.top, 0.42),
            Shape([(-0.1, 0.0, 1.2), (0.35, 0.0, 1.05)], scaled(self.clothes.top, 0.8), 0.12),
            Shape([(-0.15, 0.0, 1.55)], self.clothes.hair, 0.26),
            Shape([(-0.1, 0.0, 1.52)], self.clothes.skin, 0.21),
        ]
        posts = [
            Shape([(f, left, 0.8), (f, left, 1.8)], _STEEL, 0.06)
            for f in (0.7, -0.9)
            for left in (-0.55, 0.55)
        ]
        wheels = [disc(hub, near, 0.26, _TYRE, pose) for hub in hubs]
        spokes = [
            Shape(beside([hub, end], near), _STEEL, 0.05)
            for hub in hubs
            for end in circle(hub, 0.18, pose.distance_m / 0.26, 4)
        ]
        roof = box((-1.0, 0.8), (-0.62, 0.62), (1.8, 1.88), (226, 224, 216), pose)
        return [*body, *wheels, *spokes, *driver, *posts, *roof]


@dataclass(frozen=True)
class Suitcase:
    """A suitcase that stands, or is pulled along."""

    colour: Colour
    size: float = 1.0

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 0.5, 0.4

    def shapes(self, pose: Pose) -> list[Shape]:
        """Box, ribs and handle."""
        sides = (-0.17, 0.17), (-0.27, 0.27), (0.05, 0.75)
        ribs = [
            Shape([(-0.18, left, 0.1), (-0.18, left, 0.72)], scaled(self.colour, 0.6), 0.04)
            for left in (-0.14, 0.14)
        ]
        handle: list[Point] = [(0.0, -0.1, 0.75), (0.0, -0.1, 0.95), (0.0, 0.1, 0.95)]
        shapes = [
            *box(*sides, self.colour, pose),
            *ribs,
            Shape([*handle, (0.0, 0.1, 0.75)], (60, 60, 62), 0.04),
        ]
        return [resized(shape, self.size) for shape in shapes]


@dataclass(frozen=True)
class Board:
    """A skateboard, to be drawn under a person."""

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 0.8, 0.3

    def shapes(self, pose: Pose) -> list[Shape]:
        """The deck."""
        deck = [Shape([(-0.4, 0.0, 0.09), (0.4, 0.0, 0.09)], (70, 44, 30), 0.16)]
        return pose.from_far_to_near(deck)


@dataclass(frozen=True)
class Group:
    """Figures that move together, such as a person with a suitcase.

    Attributes:
        parts: The figures, and the metres forward and to the left by which each is moved.
    """

    parts: tuple[tuple[Figure, float, float], ...]

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        ends = [
            (abs(place[axis]) + figure.footprint_m[axis] / 2)
            for axis in (0, 1)
            for figure, *place in self.parts
        ]
        count = len(self.parts)
        return 2 * max(ends[:count]), 2 * max(ends[count:])

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of the parts, the farthest part first."""
        forward, left, _ = pose.eye_from_figure_m
        parts = sorted(self.parts, key=lambda p: -math.dist((p[1], p[2]), (forward, left)))
        return [
            moved(shape, ahead, beside_m)
            for figure, ahead, beside_m in parts
            for shape in figure.shapes(pose)
        ]


@dataclass(frozen=True)
class Leaver:
    """A person who pulls a suitcase up to a time, and then walks on without it.

    Attributes:
        person: The person.
        suitcase: The suitcase.
        until_s: Time in the sequence at which the suitcase is left.
    """

    person: Figure
    suitcase: Figure
    until_s: float

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 1.2, 0.8

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of the person, and of the suitcase behind until it is left."""
        parts = [(self.person, 0.0, 0.0)]
        if pose.seconds < self.until_s:
            parts.append((self.suitcase, -BEHIND_M, -0.2))
        return Group(tuple(parts)).shapes(pose)


def moved(shape: Shape, forward_m: float, left_m: float) -> Shape:
    """A shape moved by metres forward and to the left."""
    points = [(x + forward_m, y + left_m, z) for x, y, z in shape.points_m]
    return Shape(points, shape.colour, shape.width_m, shape.closed)


@dataclass(frozen=True)
class SlidingDoor:
    """A sliding door with two wings of glass.

    Attributes:
        width_m: Width of the doorway.
        openings_s: Times at which the door opens and closes.
    """

    width_m: float
    openings_s: Sequence[tuple[float, float]]

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 0.1, self.width_m

    def shapes(self, pose: Pose) -> list[Shape]:
        """Both wings with their frames; the heading points through the doorway."""
        gap = self.width_m / 2 * self._opening(pose.seconds)
        half, shapes = self.width_m / 2, []
        for side in (-1, 1):
            near, far = side * gap, side * (gap + half * 0.98)
            wing: list[Point] = [(0, near, 0), (0, far, 0), (0, far, 2.3), (0, near, 2.3)]
            shapes.append(Shape(wing, (128, 150, 158)))
            shapes.append(Shape(wing, (72, 74, 78), 0.09, closed=True))
            shapes.append(Shape([(0, near, 1.0), (0, far, 1.0)], (210, 212, 214), 0.05))
        return shapes

    def _opening(self, seconds: float) -> float:
        """How far the door is open, 0..1; opening takes 1 s."""
        wide = 0.0
        for first, last in self.openings_s:
            wide = max(wide, min(1.0, seconds - first, last + 1 - seconds))
        return max(0.0, wide)
