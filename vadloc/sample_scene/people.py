"""People on foot and on bicycles, made of shapes in the world."""

import math
from dataclasses import dataclass, replace
from typing import Final

from vadloc.sample_scene.poses import Point2, Pose, beside, circle, resized, step
from vadloc.sample_scene.shapes import Colour, Shape, scaled

_TYRE: Final[Colour] = (26, 26, 28)
_SHOES: Final[Colour] = (48, 42, 40)
_SPOKES: Final[Colour] = (150, 150, 152)
_M_PER_CRANK_TURN: Final = 4.6


@dataclass(frozen=True)
class Clothes:
    """The colours of a person."""

    top: Colour
    bottom: Colour
    skin: Colour
    hair: Colour


@dataclass(frozen=True)
class Gait:
    """How the limbs of a person move; angles are in radians.

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
GLIDE: Final = Gait(stride_m=5.0, thigh=0.3, knee=0.5, arm=0.4, elbow=0.4, lean=0.15)
"""The gait of a person on skates or a board."""


def _leg(phase: float, gait: Gait) -> list[Point2]:
    """Hip, knee, ankle and toe, seen from the hip, at a phase (radians) of the gait."""
    hip = (0.0, 0.0)
    thigh = gait.thigh * math.sin(phase) + gait.lean
    shin = thigh - 0.08 - gait.knee * max(0.0, math.cos(phase))
    knee = step(hip, thigh, 0.43)
    ankle = step(knee, shin, 0.43)
    return [hip, knee, ankle, step(ankle, shin + math.pi / 2, 0.17)]


def _arm(shoulder: Point2, phase: float, gait: Gait) -> list[Point2]:
    """Shoulder, elbow and hand of an arm, which swings opposite to the leg of the same side."""
    upper = -gait.arm * math.sin(phase) + gait.lean
    elbow = step(shoulder, upper, 0.29)
    return [shoulder, elbow, step(elbow, upper + gait.elbow, 0.27)]


def _head(centre: Point2, clothes: Clothes) -> list[Shape]:
    """A face, with hair behind it."""
    face, hair = (
        (centre[0] + 0.03, 0.0, centre[1] - 0.03),
        (centre[0] - 0.03, 0.0, centre[1] + 0.03),
    )
    return [Shape([hair], clothes.hair, 0.26), Shape([face], clothes.skin, 0.21)]


@dataclass(frozen=True)
class Person:
    """A person on foot.

    Attributes:
        clothes: Colours of the person.
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
        gait = self._gait(pose)
        legs = {side: _leg(swing, gait) for side, swing in swings.items()}
        hip_m = 0.05 - min(up for leg in legs.values() for _, up in leg)
        shoulder = step((0.0, hip_m), math.pi - gait.lean, 0.53)
        arms = {side: _arm(shoulder, swing, gait) for side, swing in swings.items()}
        shapes = [
            *self._arm_shapes(arms[far], far, 0.72),
            *self._leg_shapes(legs[far], hip_m, far, 0.72),
            *self._leg_shapes(legs[near], hip_m, near, 1.0),
            *self._trunk(hip_m, shoulder, near),
            *_head(step(shoulder, math.pi - gait.lean, 0.24), self.clothes),
            *self._arm_shapes(arms[near], near, 0.88),
        ]
        return pose.from_far_to_near([resized(shape, self.size) for shape in shapes])

    def _gait(self, pose: Pose) -> Gait:
        """The gait, with smaller steps while braking and small movements while standing."""
        if pose.moving >= 1:
            return self.gait
        still = 1 - pose.moving
        phase = 40 * self.size
        sway = 0.05 * math.sin(1.1 * pose.seconds + phase) * still
        fidget = 0.25 * max(0.0, math.sin(0.7 * pose.seconds + 2 * phase)) * still
        return replace(
            self.gait,
            thigh=self.gait.thigh * pose.moving,
            knee=self.gait.knee * pose.moving,
            arm=self.gait.arm * pose.moving + fidget,
            elbow=self.gait.elbow + 2 * fidget,
            lean=self.gait.lean * pose.moving + sway,
        )

    def _leg_shapes(self, leg: list[Point2], hip_m: float, side: int, light: float) -> list[Shape]:
        """A leg in trousers and a shoe."""
        points = beside([(forward, up + hip_m) for forward, up in leg], 0.1 * side)
        trousers = scaled(self.clothes.bottom, light)
        return [
            Shape(points[2:], scaled(_SHOES, light), 0.11),
            Shape(points[:2], trousers, 0.19),
            Shape(points[1:3], trousers, 0.15),
        ]

    def _arm_shapes(self, arm: list[Point2], side: int, light: float) -> list[Shape]:
        """A sleeve and a hand."""
        points = beside(arm, 0.22 * side)
        return [
            Shape(points[2:], scaled(self.clothes.skin, light), 0.12),
            Shape(points, scaled(self.clothes.top, light), 0.12),
        ]

    def _trunk(self, hip_m: float, shoulder: Point2, near: int) -> list[Shape]:
        """A jacket, and the neck."""
        line = [(0.0, hip_m + 0.04), (shoulder[0], shoulder[1] - 0.04)]
        neck = [shoulder, (shoulder[0], shoulder[1] + 0.2)]
        return [
            Shape(beside(neck, 0), scaled(self.clothes.skin, 0.85), 0.12),
            Shape(beside(line, -0.1 * near), scaled(self.clothes.top, 0.92), 0.25),
            Shape(beside(line, 0.1 * near), self.clothes.top, 0.25),
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
        shapes = [
            *self._leg(crank + math.pi, -0.1 * near, 0.7),
            *self._bicycle(pose.distance_m),
            *self._leg(crank, 0.1 * near, 1.0),
            *self._upper_body(near),
        ]
        return pose.from_far_to_near(shapes)

    def _bicycle(self, distance_m: float) -> list[Shape]:
        """Turning wheels, frame and saddle."""
        crank, seat, bar = (-0.05, 0.3), (-0.24, 0.9), (0.4, 1.02)
        rear, front, head = (-0.54, 0.35), (0.56, 0.35), (0.37, 0.86)
        tubes = [[rear, seat, head, crank, rear], [crank, seat], [bar, head, front]]
        rims = [beside(circle(hub, 0.33, distance_m / 0.35, 16), 0) for hub in (rear, front)]
        return [
            *(Shape(rim, _TYRE, 0.08, closed=True) for rim in rims),
            *(Shape([rim[i], rim[i + 8]], _SPOKES, 0.03) for rim in rims for i in (0, 4)),
            *(Shape(beside(tube, 0), self.frame_colour, 0.065) for tube in tubes),
            Shape(beside([(-0.36, 0.95), (-0.12, 0.95)], 0), _TYRE, 0.09),
        ]

    def _leg(self, crank: float, left_m: float, light: float) -> list[Shape]:
        """A leg whose foot is on a pedal; ``crank`` is its angle in radians."""
        hip = (-0.22, 1.0)
        foot = (-0.05 + 0.17 * math.cos(crank), 0.36 + 0.17 * math.sin(crank))
        knee = _knee(hip, foot, 0.44)
        toe = (foot[0] + 0.14, foot[1] - 0.02)
        trousers = scaled(self.clothes.bottom, light)
        return [
            Shape(beside([foot, toe], left_m), scaled(_SHOES, light), 0.1),
            Shape(beside([knee, foot], left_m), trousers, 0.13),
            Shape(beside([hip, knee], left_m), trousers, 0.18),
        ]

    def _upper_body(self, near: int) -> list[Shape]:
        """Back, arms on the bar, head."""
        back, arm = [(-0.2, 1.04), (0.12, 1.46)], [(0.12, 1.46), (0.2, 1.17), (0.4, 1.06)]
        top = self.clothes.top
        return [
            Shape(beside(arm, -0.2 * near), scaled(top, 0.7), 0.1),
            Shape(beside(back, -0.06 * near), top, 0.27),
            Shape(beside(back, 0.06 * near), top, 0.27),
            *_head((0.24, 1.7), self.clothes),
            Shape(beside(arm, 0.2 * near), scaled(top, 0.85), 0.11),
        ]


def _knee(hip: Point2, foot: Point2, bone_m: float) -> Point2:
    """The knee of a leg with two bones of equal length, in front of the line from hip to foot."""
    forward, down = foot[0] - hip[0], hip[1] - foot[1]
    distance = math.hypot(forward, down)
    bend = max(bone_m**2 - distance**2 / 4, 0.0) ** 0.5 / distance
    return (hip[0] + foot[0]) / 2 + bend * down, (hip[1] + foot[1]) / 2 + bend * forward
