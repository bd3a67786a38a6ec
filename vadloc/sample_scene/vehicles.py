"""Cars, made of shapes in the world."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from vadloc.sample_scene.poses import Point2, Pose, beside, circle, disc
from vadloc.sample_scene.shapes import Colour, Point, Shape, scaled

_TYRE: Final[Colour] = (26, 26, 28)
_GLASS: Final[Colour] = (58, 74, 88)


@dataclass(frozen=True)
class CarBody:
    """Side view of a kind of car.

    Attributes:
        outline: Metres forward and up, from the front bumper over the roof to the rear.
        glass_edges: Indices of ``outline`` at which an edge of glass begins.
        windows: Outlines of the side windows.
        wheels: Positions of the wheel hubs, in metres forward.
        belt_m: Height above which the sides lean inwards.
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
        body: Side view of the car.
        paint: Colour of the car.
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
            *self._top(near, from_front=pose.eye_m is not None and pose.eye_from_figure_m[0] > 0),
            *self._side(near),
            *self._lamps(near),
            *self._wheels(near, pose),
        ]

    def _on(self, points: Sequence[Point2], side: int) -> list[Point]:
        """Points on one side of the car."""
        return [(forward, side * self.body.half_width_m(up), up) for forward, up in points]

    def _top(self, near: int, *, from_front: bool) -> list[Shape]:
        """The floor, then the strips between the far and the near outline, farthest first."""
        outline = self.body.outline
        ends = [(outline[0][0], 0.2), (outline[-1][0], 0.2)]
        shapes = [Shape([*self._on(ends, -near), *self._on(ends[::-1], near)], (22, 22, 24))]
        for i, edge in enumerate(pairwise(outline)):
            strip = [*self._on(edge, -near), *self._on(edge[::-1], near)]
            run, rise = edge[0][0] - edge[1][0], edge[1][1] - edge[0][1]
            light = 0.72 + 0.4 * max(0.0, run) / math.hypot(run, rise)
            colour = _GLASS if i in self.body.glass_edges else self.paint
            shapes.append(Shape(strip, scaled(colour, light)))
        return [shapes[0], *shapes[:0:-1]] if from_front else shapes

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
        """A white lamp in front and a red lamp behind."""
        front, rear = self.body.outline[1][0] - 0.12, self.body.outline[-2][0] + 0.1
        return [
            Shape(self._on([(front, 0.66)], near), (250, 246, 220), 0.17),
            Shape(self._on([(rear, 0.7)], near), (190, 26, 24), 0.17),
        ]

    def _wheels(self, near: int, pose: Pose) -> list[Shape]:
        """Turning wheels in dark arches."""
        left_m, shapes = 0.89 * near, []
        for forward in self.body.wheels:
            hub = (forward, 0.32)
            spokes = circle(hub, 0.19, pose.distance_m / 0.32, 5)
            shapes += [
                disc(hub, left_m, 0.4, (18, 18, 20), pose),
                disc(hub, left_m, 0.32, _TYRE, pose),
                disc(hub, left_m, 0.2, (168, 170, 174), pose),
                *(Shape(beside([hub, end], left_m), (92, 94, 98), 0.05) for end in spokes),
            ]
        return shapes
