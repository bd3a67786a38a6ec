"""Walkers, runners, cyclists and cars as shapes in the world."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.shapes import Colour, Drawing, Point, Shape, scaled, shapes_to_points

Point2 = tuple[float, float]
"""Metres forward and metres up, in the plane in which a figure moves."""

_TYRE: Final[Colour] = (26, 26, 28)
_SHOES: Final[Colour] = (48, 42, 40)
_SPOKES: Final[Colour] = (150, 150, 152)
_GLASS: Final[Colour] = (58, 74, 88)
_M_PER_CRANK_TURN: Final = 4.6


@dataclass(frozen=True)
class Pose:
    """Where a figure stands, which way it faces and how far it has come.

    Attributes:
        ground_m: ``(2,)`` x and depth of the point under its middle.
        heading: ``(2,)`` unit vector over the ground.
        distance_m: Distance travelled; turns wheels and swings legs.
    """

    ground_m: NDArray[np.float64]
    heading: NDArray[np.float64]
    distance_m: float

    def place(self, shapes: Sequence[Shape]) -> Drawing:
        """Shapes of a figure, drawn in metres forward, left and up, put into the world."""
        points = shapes_to_points(shapes)
        left = np.array([-self.heading[1], self.heading[0]])
        ground = self.ground_m + points[:, :1] * self.heading + points[:, 1:2] * left
        return Drawing(shapes, np.column_stack([ground, points[:, 2]]))

    @property
    def far_side(self) -> int:
        """1 when the figure's left is farther from the camera than its right, else -1."""
        return 1 if self.heading[0] >= 0 else -1


class Figure(Protocol):
    """Something that moves through the street."""

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of the figure in drawing order, farthest first."""


@dataclass(frozen=True)
class Clothes:
    """Colours of a person."""

    top: Colour
    bottom: Colour
    skin: Colour
    hair: Colour


@dataclass(frozen=True)
class Gait:
    """How a person's limbs swing; angles in radians.

    Attributes:
        stride_m: Distance of one full cycle, two steps.
        thigh: Largest angle of the thigh from the vertical.
        knee: Largest bend of the knee, in the swing of the leg.
        arm: Largest angle of the upper arm from the vertical.
        elbow: Bend of the elbow.
        lean: Lean of the trunk.
    """

    stride_m: float
    thigh: float
    knee: float
    arm: float
    elbow: float
    lean: float


WALK: Final = Gait(stride_m=1.35, thigh=0.45, knee=0.85, arm=0.5, elbow=0.3, lean=0.04)
RUN: Final = Gait(stride_m=2.3, thigh=0.85, knee=1.8, arm=0.9, elbow=1.5, lean=0.2)


def _step(start: Point2, angle: float, length_m: float) -> Point2:
    """End of a bone that hangs from ``start``, ``angle`` radians forward of straight down."""
    return start[0] + length_m * math.sin(angle), start[1] - length_m * math.cos(angle)


def _leg(phase: float, gait: Gait) -> list[Point2]:
    """Hip, knee, ankle and toe, seen from the hip, at a phase (radians) of the gait."""
    hip = (0.0, 0.0)
    thigh = gait.thigh * math.sin(phase) + gait.lean
    shin = thigh - 0.08 - gait.knee * max(0.0, math.cos(phase))
    knee = _step(hip, thigh, 0.43)
    ankle = _step(knee, shin, 0.43)
    return [hip, knee, ankle, _step(ankle, shin + math.pi / 2, 0.17)]


def _arm(shoulder: Point2, phase: float, gait: Gait) -> list[Point2]:
    """Shoulder, elbow and hand of the arm that swings against the leg of the same side."""
    upper = -gait.arm * math.sin(phase) + gait.lean
    elbow = _step(shoulder, upper, 0.29)
    return [shoulder, elbow, _step(elbow, upper + gait.elbow, 0.27)]


def _beside(points: Sequence[Point2], left_m: float) -> list[Point]:
    """Points in the plane of motion moved to the left."""
    return [(forward, left_m, up) for forward, up in points]


def _head(centre: Point2, clothes: Clothes) -> list[Shape]:
    """Hair behind a face."""
    face, hair = (
        (centre[0] + 0.03, 0.0, centre[1] - 0.03),
        (centre[0] - 0.03, 0.0, centre[1] + 0.03),
    )
    return [Shape([hair], clothes.hair, 0.26), Shape([face], clothes.skin, 0.21)]


@dataclass(frozen=True)
class Person:
    """A person on foot.

    Attributes:
        clothes: Colours.
        size: Height as a multiple of 1.75 m.
        gait: Walking or running.
    """

    clothes: Clothes
    size: float = 1.0
    gait: Gait = WALK

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 0.7, 0.6

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of the person, the far arm and leg first."""
        phase = 2 * math.pi * pose.distance_m / (self.gait.stride_m * self.size)
        far, near = pose.far_side, -pose.far_side
        swings = {far: phase, near: phase + math.pi}
        legs = {side: _leg(swing, self.gait) for side, swing in swings.items()}
        hip_m = 0.05 - min(up for leg in legs.values() for _, up in leg)
        shoulder = _step((0.0, hip_m), math.pi - self.gait.lean, 0.53)
        arms = {side: _arm(shoulder, swing, self.gait) for side, swing in swings.items()}
        shapes = [
            *self._arm_shapes(arms[far], far, 0.72),
            *self._leg_shapes(legs[far], hip_m, far, 0.72),
            *self._leg_shapes(legs[near], hip_m, near, 1.0),
            *self._trunk(hip_m, shoulder, near),
            *_head(_step(shoulder, math.pi - self.gait.lean, 0.24), self.clothes),
            *self._arm_shapes(arms[near], near, 0.88),
        ]
        return [_resized(shape, self.size) for shape in shapes]

    def _leg_shapes(self, leg: list[Point2], hip_m: float, side: int, light: float) -> list[Shape]:
        """A leg in trousers and a shoe."""
        points = _beside([(forward, up + hip_m) for forward, up in leg], 0.1 * side)
        trousers = scaled(self.clothes.bottom, light)
        return [
            Shape(points[2:], scaled(_SHOES, light), 0.11),
            Shape(points[:2], trousers, 0.19),
            Shape(points[1:3], trousers, 0.15),
        ]

    def _arm_shapes(self, arm: list[Point2], side: int, light: float) -> list[Shape]:
        """A sleeve and a hand."""
        points = _beside(arm, 0.22 * side)
        return [
            Shape(points[2:], scaled(self.clothes.skin, light), 0.12),
            Shape(points, scaled(self.clothes.top, light), 0.12),
        ]

    def _trunk(self, hip_m: float, shoulder: Point2, near: int) -> list[Shape]:
        """A jacket, and the neck."""
        line = [(0.0, hip_m + 0.04), (shoulder[0], shoulder[1] - 0.04)]
        neck = [shoulder, (shoulder[0], shoulder[1] + 0.2)]
        return [
            Shape(_beside(neck, 0), scaled(self.clothes.skin, 0.85), 0.12),
            Shape(_beside(line, -0.1 * near), scaled(self.clothes.top, 0.92), 0.25),
            Shape(_beside(line, 0.1 * near), self.clothes.top, 0.25),
        ]


def _resized(shape: Shape, factor: float) -> Shape:
    """A shape made larger or smaller around the point under its figure."""
    points = [(factor * x, factor * y, factor * z) for x, y, z in shape.points_m]
    return Shape(points, shape.colour, factor * shape.width_m, shape.closed)


def _circle(centre: Point2, radius_m: float, turn: float, count: int) -> list[Point2]:
    """Points on a circle in the plane of motion, turned clockwise by ``turn`` radians."""
    angles = (2 * math.pi * step / count - turn for step in range(count))
    return [
        (centre[0] + radius_m * math.cos(a), centre[1] + radius_m * math.sin(a)) for a in angles
    ]


@dataclass(frozen=True)
class Cyclist:
    """A person on a bicycle."""

    clothes: Clothes
    frame_colour: Colour

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return 1.8, 0.6

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of bicycle and rider, the far leg first."""
        near = -pose.far_side
        crank = -2 * math.pi * pose.distance_m / _M_PER_CRANK_TURN
        return [
            *self._leg(crank + math.pi, -0.1 * near, 0.7),
            *self._bicycle(pose.distance_m),
            *self._leg(crank, 0.1 * near, 1.0),
            *self._upper_body(near),
        ]

    def _bicycle(self, distance_m: float) -> list[Shape]:
        """Turning wheels, frame and saddle."""
        crank, seat, bar = (-0.05, 0.3), (-0.24, 0.9), (0.4, 1.02)
        rear, front, head = (-0.54, 0.35), (0.56, 0.35), (0.37, 0.86)
        tubes = [[rear, seat, head, crank, rear], [crank, seat], [bar, head, front]]
        rims = [_beside(_circle(hub, 0.33, distance_m / 0.35, 16), 0) for hub in (rear, front)]
        return [
            *(Shape(rim, _TYRE, 0.08, closed=True) for rim in rims),
            *(Shape([rim[i], rim[i + 8]], _SPOKES, 0.03) for rim in rims for i in (0, 4)),
            *(Shape(_beside(tube, 0), self.frame_colour, 0.065) for tube in tubes),
            Shape(_beside([(-0.36, 0.95), (-0.12, 0.95)], 0), _TYRE, 0.09),
        ]

    def _leg(self, crank: float, left_m: float, light: float) -> list[Shape]:
        """A leg whose foot is on a pedal; ``crank`` is its angle in radians."""
        hip = (-0.22, 1.0)
        foot = (-0.05 + 0.17 * math.cos(crank), 0.36 + 0.17 * math.sin(crank))
        knee = _knee(hip, foot, 0.44)
        toe = (foot[0] + 0.14, foot[1] - 0.02)
        trousers = scaled(self.clothes.bottom, light)
        return [
            Shape(_beside([foot, toe], left_m), scaled(_SHOES, light), 0.1),
            Shape(_beside([knee, foot], left_m), trousers, 0.13),
            Shape(_beside([hip, knee], left_m), trousers, 0.18),
        ]

    def _upper_body(self, near: int) -> list[Shape]:
        """Back, arms on the bar, head."""
        back, arm = [(-0.2, 1.04), (0.12, 1.46)], [(0.12, 1.46), (0.2, 1.17), (0.4, 1.06)]
        top = self.clothes.top
        return [
            Shape(_beside(arm, -0.2 * near), scaled(top, 0.7), 0.1),
            Shape(_beside(back, -0.06 * near), top, 0.27),
            Shape(_beside(back, 0.06 * near), top, 0.27),
            *_head((0.24, 1.7), self.clothes),
            Shape(_beside(arm, 0.2 * near), scaled(top, 0.85), 0.11),
        ]


def _knee(hip: Point2, foot: Point2, bone_m: float) -> Point2:
    """Knee, forward of the line from hip to foot, of a leg of two bones of equal length."""
    forward, down = foot[0] - hip[0], hip[1] - foot[1]
    distance = math.hypot(forward, down)
    bend = max(bone_m**2 - distance**2 / 4, 0.0) ** 0.5 / distance
    return (hip[0] + foot[0]) / 2 + bend * down, (hip[1] + foot[1]) / 2 + bend * forward


@dataclass(frozen=True)
class CarBody:
    """Side view of a kind of car.

    Attributes:
        outline: Metres forward and up, from the front bumper over the roof to the rear.
        glass_edges: Places in ``outline`` after which an edge of glass begins.
        windows: Outlines of the side windows.
        wheels: Metres forward of the wheel hubs.
        belt_m: Height where the sides begin to lean inwards.
    """

    outline: tuple[Point2, ...]
    glass_edges: tuple[int, ...]
    windows: tuple[tuple[Point2, ...], ...]
    wheels: tuple[float, float]
    belt_m: float = 0.98

    def half_width_m(self, height_m: float) -> float:
        """Half the width of the car at a height; the roof is narrower."""
        return 0.88 - 0.4 * max(0.0, height_m - self.belt_m)


HATCHBACK: Final = CarBody(
    outline=(
        (2.0, 0.25), (2.05, 0.55), (1.95, 0.74), (0.98, 0.97), (0.3, 1.46), (-0.5, 1.52),
        (-1.45, 1.42), (-1.95, 0.98), (-2.02, 0.6), (-1.98, 0.25),
    ),
    glass_edges=(3, 6),
    windows=(
        ((0.82, 1.0), (0.28, 1.4), (-0.33, 1.44), (-0.33, 1.0)),
        ((-0.45, 1.0), (-0.45, 1.44), (-1.28, 1.36), (-1.58, 1.04)),
    ),
    wheels=(1.28, -1.25),
)  # fmt: skip
SALOON: Final = CarBody(
    outline=(
        (2.2, 0.25), (2.25, 0.52), (2.15, 0.72), (1.05, 0.94), (0.42, 1.38), (-0.75, 1.42),
        (-1.45, 1.02), (-2.15, 0.95), (-2.25, 0.6), (-2.2, 0.25),
    ),
    glass_edges=(3, 5),
    windows=(
        ((0.86, 0.98), (0.4, 1.32), (-0.2, 1.35), (-0.2, 0.98)),
        ((-0.32, 0.98), (-0.32, 1.35), (-0.72, 1.34), (-1.24, 1.0)),
    ),
    wheels=(1.4, -1.35),
)  # fmt: skip
VAN: Final = CarBody(
    outline=(
        (2.25, 0.28), (2.3, 0.7), (2.1, 1.02), (1.65, 1.14), (1.0, 1.85), (0.6, 1.95),
        (-2.15, 1.95), (-2.28, 1.6), (-2.3, 0.28),
    ),
    glass_edges=(3,),
    windows=(((1.45, 1.16), (0.92, 1.72), (0.4, 1.75), (0.4, 1.16)),),
    wheels=(1.5, -1.45),
    belt_m=1.14,
)  # fmt: skip


@dataclass(frozen=True)
class Car:
    """A car.

    Attributes:
        body: Its side view.
        paint: Colour.
    """

    body: CarBody
    paint: Colour

    @property
    def footprint_m(self) -> tuple[float, float]:
        """Length and width in metres."""
        return self.body.outline[0][0] * 2, 1.8

    def shapes(self, pose: Pose) -> list[Shape]:
        """Shapes of the car: its top and ends, then the side towards the camera."""
        near = -pose.far_side
        return [
            *self._top(near),
            *self._side(near),
            *self._lamps(near),
            *self._wheels(near, pose.distance_m),
        ]

    def _on(self, points: Sequence[Point2], side: int) -> list[Point]:
        """Points on one side of the car."""
        return [(forward, side * self.body.half_width_m(up), up) for forward, up in points]

    def _top(self, near: int) -> list[Shape]:
        """Floor, then the strips between the far and the near outline."""
        outline = self.body.outline
        ends = [(outline[0][0], 0.2), (outline[-1][0], 0.2)]
        shapes = [Shape([*self._on(ends, -near), *self._on(ends[::-1], near)], (22, 22, 24))]
        for i, edge in enumerate(pairwise(outline)):
            strip = [*self._on(edge, -near), *self._on(edge[::-1], near)]
            run, rise = edge[0][0] - edge[1][0], edge[1][1] - edge[0][1]
            light = 0.72 + 0.4 * max(0.0, run) / math.hypot(run, rise)
            colour = _GLASS if i in self.body.glass_edges else self.paint
            shapes.append(Shape(strip, scaled(colour, light)))
        return shapes

    def _side(self, near: int) -> list[Shape]:
        """Sheet metal, sill, windows, and the gap of a door."""
        outline = self.body.outline
        front, rear = outline[0], outline[-1]
        sill = [front, rear, (rear[0], 0.38), (front[0], 0.38)]
        door = [(-0.38, 0.95), (-0.38, 0.42)]
        return [
            Shape(self._on(outline, near), scaled(self.paint, 0.88)),
            Shape(self._on(sill, near), scaled(self.paint, 0.5)),
            *(Shape(self._on(window, near), _GLASS) for window in self.body.windows),
            Shape(self._on(door, near), scaled(self.paint, 0.6), 0.03),
        ]

    def _lamps(self, near: int) -> list[Shape]:
        """A white lamp in front, a red one behind."""
        front, rear = self.body.outline[1][0] - 0.12, self.body.outline[-2][0] + 0.1
        return [
            Shape(self._on([(front, 0.66)], near), (250, 246, 220), 0.17),
            Shape(self._on([(rear, 0.7)], near), (190, 26, 24), 0.17),
        ]

    def _wheels(self, near: int, distance_m: float) -> list[Shape]:
        """Turning wheels in dark arches."""
        left_m, shapes = 0.89 * near, []
        for forward in self.body.wheels:
            hub = (forward, 0.32)
            spokes = _circle(hub, 0.19, distance_m / 0.32, 5)
            shapes += [
                Shape(_beside([hub], left_m), (18, 18, 20), 0.8),
                Shape(_beside([hub], left_m), _TYRE, 0.64),
                Shape(_beside([hub], left_m), (168, 170, 174), 0.4),
                *(Shape(_beside([hub, end], left_m), (92, 94, 98), 0.05) for end in spokes),
            ]
        return shapes
