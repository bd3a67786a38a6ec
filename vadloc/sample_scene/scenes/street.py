"""A street seen from the side, without its traffic."""

import math
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from vadloc.sample_scene.backdrop import (
    Backdrop,
    bush,
    floor,
    grain,
    leaves,
    paint,
    post,
    post_layers,
    still_shadows,
    tree,
)
from vadloc.sample_scene.camera import Camera, Sun
from vadloc.sample_scene.shapes import Colour, Shape, in_three_channels, scaled

CAMERA: Final = Camera(320, 240, 640.0, 16.5, (160.0, -136.0))
SUN: Final[Sun] = (0.75, 0.3)

# Depth at which each part of the street begins, from the houses towards the camera.
FACADE_M: Final = 53.0
FAR_KERB_M: Final = 48.2
CENTRE_LINE_M: Final = 44.4
BIKE_LANE_M: Final = 40.4
NEAR_KERB_M: Final = 38.0
GRASS_M: Final = 31.0

_EDGE_M: Final = CAMERA.half_width_m(FACADE_M) + 1
_BOTTOM_M: Final = 27.5

_ASPHALT: Final[Colour] = (98, 99, 103)
_BIKE_RED: Final[Colour] = (142, 92, 82)
_PAINT_WHITE: Final[Colour] = (212, 212, 204)
_KERB: Final[Colour] = (176, 174, 168)
_SLABS: Final[Colour] = (158, 152, 142)
_GRASS: Final[Colour] = (86, 116, 58)

# Left edge in metres, and the colours of wall, window frames and shop awning.
_HOUSES: Final[tuple[tuple[float, Colour, Colour, Colour], ...]] = (
    (-14.5, (176, 106, 84), (232, 226, 214), (46, 92, 72)),
    (-8.0, (206, 190, 158), (112, 84, 62), (168, 52, 46)),
    (-1.5, (150, 160, 168), (238, 238, 236), (44, 74, 122)),
    (5.0, (196, 148, 104), (240, 232, 218), (204, 160, 60)),
    (11.0, (158, 92, 82), (226, 220, 210), (70, 70, 74)),
    (17.5, (158, 92, 82), (226, 220, 210), (70, 70, 74)),
)


@cache
def build(seed: int, camera: Camera = CAMERA) -> Backdrop:
    """Build the street. Its layout is fixed; grain, slabs and leaves depend on the seed.

    Callers must not change the arrays of the result, which all callers with this seed share.
    """
    rng = np.random.default_rng([seed, 1000])
    scale = camera.focal_px / CAMERA.focal_px
    flat = [*_houses(rng), *_pavements(rng), *_road(), *_lawn(rng)]
    base = paint(flat, FACADE_M, camera)
    trees = [
        found
        for x_m in (-10.6, -3.3, 4.6, 10.2)
        for found in tree(rng, (x_m, FAR_KERB_M + 0.35), 3.7, 1.5, camera, scale=scale)
    ]
    for x_m, depth_m in _BUSHES:
        trees += bush(rng, x_m, depth_m, camera, scale=scale)
    posts = _furniture()
    shadows = still_shadows([_tree_shadows(rng), *posts], camera, SUN, 1.2 * scale)
    ground = base * in_three_channels(grain(rng, camera, scale) * (1 - 0.4 * shadows))
    layers = post_layers(posts, camera)
    return Backdrop(
        camera, ground, tuple(trees), layers, SUN, softness_px=scale, from_the_side=True
    )


def _wall(x0_m: float, x1_m: float, low_m: float, high_m: float, colour: Colour) -> Shape:
    """A rectangle on the facade."""
    corners = [(x0_m, high_m), (x1_m, high_m), (x1_m, low_m), (x0_m, low_m)]
    return Shape([(x, FACADE_M, z) for x, z in corners], colour)


def _houses(rng: np.random.Generator) -> list[Shape]:
    shapes = []
    for (left, wall, frame, awning), (right, *_) in pairwise(_HOUSES):
        shapes += [_wall(left, right, 0, 8, wall), *_bricks(rng, left, right, wall)]
        shapes += _shop(left, right, wall, frame, awning)
        for window in np.arange(left + 0.8, right - 1.5, 1.75):
            shapes += _window(float(window), 3.65, frame, float(rng.uniform(0.7, 1.3)))
        shapes.append(_wall(left, left + 0.08, 0, 8, scaled(wall, 0.6)))
    return [*shapes, _wall(-_EDGE_M, _EDGE_M, 0, 0.25, (96, 92, 88))]


def _bricks(rng: np.random.Generator, left: float, right: float, wall: Colour) -> list[Shape]:
    """Courses of bricks with slightly different shades."""
    return [
        _wall(x, x + 0.5, z, z + 0.2, scaled(wall, float(rng.uniform(0.88, 1.1))))
        for row, z in enumerate(np.arange(0.25, 5.6, 0.22))
        for x in np.arange(left + 0.27 * (row % 2), right - 0.5, 0.54)
    ]


def _shop(left: float, right: float, wall: Colour, frame: Colour, awning: Colour) -> list[Shape]:
    """A shop window and a door under a striped awning, and a cornice above."""
    glass: Colour = (62, 78, 88)
    window_end = right - 1.9
    stripes = np.arange(left + 0.5, window_end + 0.1, 0.3)
    return [
        _wall(left + 0.5, window_end, 0.45, 2.3, frame),
        _wall(left + 0.6, window_end - 0.1, 0.6, 2.2, glass),
        _wall(left + 0.9, left + 1.5, 0.6, 1.4, scaled(awning, 0.9)),
        _wall(left + 2.1, left + 2.5, 0.6, 1.7, (150, 130, 96)),
        _wall(left + 3.2, left + 3.6, 0.6, 1.5, (96, 60, 58)),
        _wall(right - 1.5, right - 0.5, 0, 2.3, scaled(frame, 0.85)),
        _wall(right - 1.4, right - 0.6, 0, 2.2, scaled(awning, 0.62)),
        _wall(right - 1.25, right - 0.75, 1.1, 2.0, glass),
        *(
            _wall(float(x), float(x) + 0.3, 2.05, 2.65, ((240, 236, 226), awning)[i % 2])
            for i, x in enumerate(stripes)
        ),
        _wall(left + 0.5, float(stripes[-1]) + 0.3, 1.98, 2.06, scaled(awning, 0.5)),
        _wall(left, right, 2.95, 3.15, scaled(wall, 1.2)),
        _wall(left, right, 2.85, 2.95, scaled(wall, 0.7)),
    ]


def _window(x_m: float, sill_m: float, frame: Colour, light: float) -> list[Shape]:
    """A window of four panes."""
    glass = scaled((70, 88, 104), light)
    panes = [
        _wall(x_m + x, x_m + x + 0.38, sill_m + z, sill_m + z + h, glass)
        for x in (0.08, 0.54)
        for z, h in ((0.08, 0.85), (1.0, 0.5))
    ]
    sill = _wall(x_m - 0.08, x_m + 1.08, sill_m - 0.12, sill_m, scaled(frame, 0.8))
    return [_wall(x_m, x_m + 1, sill_m, sill_m + 1.58, frame), *panes, sill]


def _slabs(rng: np.random.Generator, near_m: float, far_m: float) -> list[Shape]:
    """Slabs of 1.2 m with different shades and dark joints."""
    shapes = [floor(-_EDGE_M, _EDGE_M, near_m, far_m, scaled(_SLABS, 0.8))]
    rows = np.linspace(near_m, far_m, round((far_m - near_m) / 1.2) + 1)
    for row, (near, far) in enumerate(pairwise(rows)):
        for x in np.arange(-_EDGE_M - 0.6 * (row % 2), _EDGE_M, 1.2):
            shade = scaled(_SLABS, float(rng.uniform(0.95, 1.06)))
            shapes.append(floor(x + 0.03, x + 1.17, near + 0.06, far - 0.06, shade))
    return shapes


def _kerb(near_m: float, rng: np.random.Generator) -> list[Shape]:
    """Kerb stones 0.3 m deep, and the dark line of the gutter."""
    stones = [
        floor(x, x + 0.96, near_m, near_m + 0.3, scaled(_KERB, float(rng.uniform(0.94, 1.06))))
        for x in np.arange(-_EDGE_M, _EDGE_M, 1.0)
    ]
    return [floor(-_EDGE_M, _EDGE_M, near_m - 0.12, near_m + 0.4, (82, 81, 80)), *stones]


def _pavements(rng: np.random.Generator) -> list[Shape]:
    return [
        *_slabs(rng, FAR_KERB_M, FACADE_M),
        *_slabs(rng, GRASS_M, NEAR_KERB_M),
        floor(-_EDGE_M, _EDGE_M, NEAR_KERB_M, FAR_KERB_M, _ASPHALT),
        *_kerb(FAR_KERB_M, rng),
        *_kerb(NEAR_KERB_M - 0.3, rng),
    ]


def _road() -> list[Shape]:
    """Bike lane, lane markings, bicycle symbols, drains and a patch of newer asphalt."""
    dashes = np.arange(-_EDGE_M, _EDGE_M, 3.6)
    return [
        floor(-4.2, 1.0, 45.0, 47.2, scaled(_ASPHALT, 0.88)),
        floor(7.2, 9.0, 41.2, 43.2, scaled(_ASPHALT, 0.9)),
        floor(-_EDGE_M, _EDGE_M, NEAR_KERB_M + 0.1, BIKE_LANE_M, _BIKE_RED),
        floor(-_EDGE_M, _EDGE_M, BIKE_LANE_M - 0.1, BIKE_LANE_M + 0.12, _PAINT_WHITE),
        floor(-_EDGE_M, _EDGE_M, FAR_KERB_M - 0.55, FAR_KERB_M - 0.4, scaled(_PAINT_WHITE, 0.9)),
        *(
            floor(x, x + 1.9, CENTRE_LINE_M - 0.09, CENTRE_LINE_M + 0.09, _PAINT_WHITE)
            for x in dashes
        ),
        *(symbol for x in (-6.0, 4.5) for symbol in _bicycle_symbol(x)),
        *(
            floor(x, x + 0.7, NEAR_KERB_M + 0.12, NEAR_KERB_M + 0.5, (52, 52, 52))
            for x in (-9.0, 1.5)
        ),
        Shape([(-2.2, 42.4, 0.0)], (74, 74, 76), 0.75),
        Shape([(-2.2, 42.4, 0.0)], (88, 88, 90), 0.55),
    ]


def _bicycle_symbol(x_m: float) -> list[Shape]:
    """A bicycle painted on its lane."""
    low, high = BIKE_LANE_M - 1.9, BIKE_LANE_M - 0.6
    angles = [2 * math.pi * step / 14 for step in range(14)]
    wheels = [
        [(x + 0.38 * math.cos(a), low + 0.42 + 0.42 * math.sin(a), 0.0) for a in angles]
        for x in (x_m, x_m + 1.2)
    ]
    tubes = [
        [
            (x_m, low + 0.42),
            (x_m + 0.35, high - 0.15),
            (x_m + 0.95, high - 0.1),
            (x_m + 0.55, low + 0.42),
        ],
        [(x_m, low + 0.42), (x_m + 0.55, low + 0.42), (x_m + 0.3, high)],
        [(x_m + 1.2, low + 0.42), (x_m + 0.9, high + 0.1), (x_m + 1.15, high + 0.1)],
    ]
    lines = [[(x, depth, 0.0) for x, depth in tube] for tube in tubes]
    return [
        *(Shape(wheel, _PAINT_WHITE, 0.1, closed=True) for wheel in wheels),
        *(Shape(line, _PAINT_WHITE, 0.1) for line in lines),
    ]


_BUSHES: Final = ((-6.6, 29.0), (-5.3, 28.6), (-4.0, 29.2), (5.6, 28.8), (6.9, 29.3))


def _lawn(rng: np.random.Generator) -> list[Shape]:
    """Grass with blades, behind a low edge of stone."""
    shapes = [
        floor(-_EDGE_M, _EDGE_M, _BOTTOM_M, GRASS_M, _GRASS),
        floor(-_EDGE_M, _EDGE_M, GRASS_M - 0.18, GRASS_M, (140, 138, 130)),
    ]
    spots = rng.uniform((-9, _BOTTOM_M), (9, GRASS_M - 0.35), (1500, 2))
    for x, depth in spots[np.argsort(-spots[:, 1])]:
        lean = float(rng.uniform(-0.08, 0.08))
        blade = [(x, depth, 0.0), (x + lean, depth, 0.16)]
        shapes.append(Shape(blade, scaled(_GRASS, float(rng.uniform(0.72, 1.3))), 0.04))
    return shapes


def _tree_shadows(rng: np.random.Generator) -> list[Shape]:
    """Leaves that cast the irregular shadows of the trees."""
    return [
        shape
        for x in (-10.6, -3.3, 4.6, 10.2)
        for shape in leaves(rng, (x, FAR_KERB_M + 0.35, 3.7), (1.5, 1.2), 110)
    ]


def _furniture() -> list[list[Shape]]:
    """Street lamps at the far kerb, bollards and a litter bin at the near edge."""
    lamps = [[post(x, FAR_KERB_M + 0.5, 7.0, (58, 62, 64), 0.13)] for x in (-7.0, 7.4)]
    bollards = [[post(x, GRASS_M + 0.3, 0.6, (70, 66, 64), 0.16)] for x in (-3.0, -1.0, 1.0, 3.0)]
    bin_ = [
        post(4.4, GRASS_M + 0.3, 0.75, (52, 78, 62), 0.46),
        post(4.4, GRASS_M + 0.3, 0.05, (44, 66, 54), 0.46),
    ]
    return [*lamps, *bollards, bin_]
