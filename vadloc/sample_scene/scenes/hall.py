"""A hall: a counter with a queue, a door, a way out, and a statue behind ropes."""

import itertools
from functools import cache
from typing import Final

import numpy as np

from vadloc.sample_scene.backdrop import (
    Backdrop,
    floor,
    grain,
    ground_grain,
    paint,
    post,
    post_layers,
    still_shadows,
)
from vadloc.sample_scene.camera import Camera, Sun
from vadloc.sample_scene.shapes import (
    Colour,
    Layer,
    Point,
    Shape,
    in_three_channels,
    scaled,
    shapes_to_layer,
)

CAMERA: Final = Camera(320, 240, 205.0, 4.6, (160.0, 120.0), tilt=0.47)
SUN: Final[Sun] = (0.16, -0.1)
"""Direction of shadows: the lamps hang high and a little to the left."""

WALL_M: Final = 17.0
"""Depth of the back wall."""
SIDES_M: Final = (-11.0, 11.0)
DOOR_M: Final = (1.6, 4.6)
"""x of the two edges of the doorway."""
ROPED_M: Final = (-2.4, 0.2, 10.2, 12.8)
"""Smallest and largest x, and smallest and largest depth, of the square within ropes."""
COUNTER_M: Final = (-8.6, -4.4, 14.2)
"""x of the ends of the counter, and its depth."""
EXIT_X_M: Final = 7.6
"""x of the middle of the one way out."""

_TILE: Final[Colour] = (186, 180, 170)
_WALL: Final[Colour] = (204, 200, 188)
_WOOD: Final[Colour] = (134, 98, 66)
_ROPE: Final[Colour] = (150, 36, 44)
_STEEL: Final[Colour] = (112, 114, 120)


@cache
def build(seed: int, camera: Camera = CAMERA) -> Backdrop:
    """Build the hall. Callers must not change the arrays of the result, which they share."""
    rng = np.random.default_rng([seed, 4000])
    scale = camera.focal_px / CAMERA.focal_px
    behind = [_wall(*SIDES_M, 0, 3.2, (56, 60, 66), depth_m=WALL_M + 3)]
    base = paint([*behind, *_tiles(rng), *_carpets()], WALL_M + 3, camera)
    posts = _barriers()
    shadows = still_shadows(posts, camera, SUN, 2.0 * scale)
    texture = ground_grain(rng, camera, ((0.1, 0.02), (0.7, 0.03), (4.0, 0.05)))
    texture *= grain(rng, camera, scale) * (1 - 0.3 * shadows)
    ground = base * in_three_channels(texture)
    layers = (*_layers(_front_wall(rng), WALL_M, camera), *_layers(_counter(), None, camera))
    furniture = (*layers, *post_layers(posts, camera))
    return Backdrop(camera, ground, (), furniture, SUN, shade=0.3, softness_px=2.0 * scale)


def _layers(shapes: list[Shape], depth_m: float | None, camera: Camera) -> list[Layer]:
    """One picture of shapes; empty if the camera does not see them."""
    layer = shapes_to_layer(shapes, COUNTER_M[2] if depth_m is None else depth_m, camera)
    return [] if layer is None else [layer]


def _wall(
    x0_m: float, x1_m: float, low_m: float, high_m: float, colour: Colour, depth_m: float = WALL_M
) -> Shape:
    """An upright rectangle that faces the camera."""
    corners = [(x0_m, high_m), (x1_m, high_m), (x1_m, low_m), (x0_m, low_m)]
    return Shape([(x, depth_m, z) for x, z in corners], colour)


def _tiles(rng: np.random.Generator) -> list[Shape]:
    """A floor of tiles of 0.6 m in two shades."""
    shapes = [floor(-16, 16, 1.0, WALL_M + 3, scaled(_TILE, 0.78))]
    for row, depth in enumerate(np.arange(1.2, WALL_M + 3, 0.6)):
        for column, x in enumerate(np.arange(-14, 14, 0.6)):
            light = 0.9 if (row // 3 + column // 3) % 2 else 1.03
            shade = scaled(_TILE, light * float(rng.uniform(0.97, 1.03)))
            shapes.append(floor(x + 0.015, x + 0.585, depth + 0.015, depth + 0.585, shade))
    return shapes


def _carpets() -> list[Shape]:
    """A mat before the door, arrows on the way out, the square within ropes, queue lines."""
    x0, x1, near, far = ROPED_M
    arrows = [
        Shape(
            [(EXIT_X_M - 0.4, depth + 0.9, 0), (EXIT_X_M + 0.4, depth + 0.9, 0),
             (EXIT_X_M, depth, 0)],
            (206, 170, 60),
        )
        for depth in (5.0, 8.0, 11.0, 14.0)
    ]  # fmt: skip
    return [
        floor(DOOR_M[0] - 0.2, DOOR_M[1] + 0.2, WALL_M - 1.6, WALL_M + 0.4, (84, 80, 84)),
        floor(x0, x1, near, far, (122, 58, 62)),
        floor(x0 + 0.8, x1 - 0.8, near + 0.8, far - 0.8, (92, 92, 96)),
        *arrows,
        floor(-7.1, -5.9, 12.9, 13.0, (206, 170, 60)),
    ]


def _front_wall(rng: np.random.Generator) -> list[Shape]:
    """The back wall around the doorway: panels, posters, a sign over the door."""
    left, right = SIDES_M[0] - 8, SIDES_M[1] + 8
    shapes = [
        _wall(left, DOOR_M[0], 0, 7, _WALL),
        _wall(DOOR_M[1], right, 0, 7, _WALL),
        _wall(*DOOR_M, 2.4, 7, _WALL),
        _wall(left, DOOR_M[0], 0, 0.2, scaled(_WALL, 0.6)),
        _wall(DOOR_M[1], right, 0, 0.2, scaled(_WALL, 0.6)),
        _wall(DOOR_M[0] - 0.15, DOOR_M[1] + 0.15, 2.3, 2.45, _STEEL),
        _wall(DOOR_M[0] + 0.6, DOOR_M[1] - 0.6, 2.6, 3.1, (40, 112, 70)),
    ]
    shapes += [_wall(x, x + 0.04, 0.2, 7, scaled(_WALL, 0.88)) for x in np.arange(left, -1, 1.4)]
    for x in (-9.8, -3.2, -1.4, 6.0, 9.0):
        paper = tuple(float(c) for c in rng.uniform(80, 220, 3))
        shapes.append(_wall(x, x + 1.1, 1.1, 2.6, (236, 234, 228)))
        shapes.append(_wall(x + 0.1, x + 1.0, 1.3, 2.5, (paper[0], paper[1], paper[2])))
        shapes.append(_wall(x + 0.2, x + 0.9, 1.5, 1.8, scaled((210, 210, 210), 1.0)))
    return shapes


def _counter() -> list[Shape]:
    """Top and front of the counter, with a computer screen on it."""
    left, right, depth = COUNTER_M
    top: list[Point] = [(left, depth, 1.1), (right, depth, 1.1)]
    screen = [_wall(x, x + 0.5, 1.15, 1.5, (38, 40, 44), depth_m=depth + 0.4) for x in (-7.8, -5.4)]
    return [
        *screen,
        Shape([*top, (right, depth + 0.7, 1.1), (left, depth + 0.7, 1.1)], scaled(_WOOD, 1.3)),
        _wall(left, right, 0, 1.1, _WOOD, depth_m=depth),
        *(
            _wall(x, x + 0.06, 0.1, 1.0, scaled(_WOOD, 0.7), depth_m=depth)
            for x in np.arange(left + 0.7, right, 0.9)
        ),
    ]


def _barriers() -> list[list[Shape]]:
    """Posts with ropes around the statue, along the queue and the way out; and the statue."""
    x0, x1, near, far = ROPED_M
    corners = [(x0, far), (x1, far), (x1, near), (x0, near), (x0, far)]
    fences = [
        *itertools.pairwise(corners),
        ((-7.3, 6.6), (-7.3, 12.6)),
        ((-5.7, 6.6), (-5.7, 12.6)),
        ((EXIT_X_M - 1.1, 6.6), (EXIT_X_M - 1.1, 14.5)),
    ]
    statue: list[Shape] = [
        post(-1.1, 11.5, 0.8, (150, 148, 142), 1.0),
        Shape([(-1.1, 11.5, 0.8), (-1.1, 11.5, 1.9)], (98, 116, 104), 0.55),
        Shape([(-1.1, 11.5, 2.2)], (98, 116, 104), 0.4),
        Shape([(-1.0, 11.5, 1.7), (-0.5, 11.5, 2.3)], (88, 106, 94), 0.16),
    ]
    return [statue, *(part for fence in fences for part in _fence(*fence))]


def _fence(start: tuple[float, float], end: tuple[float, float]) -> list[list[Shape]]:
    """Steel posts about 1.8 m apart with ropes between them, one list of shapes per post."""
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    count = max(2, round(length / 1.8) + 1)
    places = np.linspace(start, end, count).tolist()
    parts = []
    for (x, depth), (next_x, next_depth) in itertools.pairwise(places):
        middle = ((x + next_x) / 2, (depth + next_depth) / 2, 0.66)
        rope = Shape([(x, depth, 0.86), middle, (next_x, next_depth, 0.86)], _ROPE, 0.06)
        parts.append([post(x, depth, 0.95, _STEEL, 0.08), rope])
    return [*parts, [post(*end, 0.95, _STEEL, 0.08)]]
