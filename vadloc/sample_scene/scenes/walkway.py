"""A walkway between lawns, seen along its length by a camera on a wall."""

from functools import cache
from typing import Final

import numpy as np

from vadloc.sample_scene.backdrop import (
    Backdrop,
    bush,
    floor,
    grain,
    ground_grain,
    paint,
    post,
    post_layers,
    still_shadows,
    tree,
)
from vadloc.sample_scene.camera import Camera, Sun
from vadloc.sample_scene.shapes import Colour, Shape, in_three_channels, scaled

CAMERA: Final = Camera(238, 158, 300.0, 9.0, (119.0, 79.0), tilt=0.42)
SUN: Final[Sun] = (0.8, 0.25)

LEFT_M, RIGHT_M = -3.2, 5.6
"""x of the edges of the walkway."""
PATH_M: Final = (27.0, 30.0)
"""Depths between which a path crosses the walkway."""
ENDS_M: Final = (8.0, 64.0)
"""Depths between which people are on the walkway; both are outside the picture."""
SIDE_M: Final = 26.0

_LAWN: Final[Colour] = (92, 120, 66)
_SLAB: Final[Colour] = (172, 166, 156)
_PATH: Final[Colour] = (158, 146, 124)
_TREES: Final = ((-9.0, 23.0), (-7.5, 37.0), (-10.5, 50.0), (10.2, 24.0), (10.5, 41.0))
_BUSHES: Final = ((-7.4, 19.5), (8.2, 35.0), (-7.0, 33.5))


@cache
def build(seed: int, camera: Camera = CAMERA) -> Backdrop:
    """Build the walkway. Callers must not change the arrays of the result, which they share."""
    rng = np.random.default_rng([seed, 2000])
    scale = camera.focal_px / CAMERA.focal_px
    base = paint([*_lawns(rng), *_paving(rng)], ENDS_M[1], camera)
    trees = [found for foot in _TREES for found in tree(rng, foot, 3.9, 2.0, camera, scale=scale)]
    for x_m, depth_m in _BUSHES:
        trees += bush(rng, x_m, depth_m, camera, scale=scale)
    posts = _furniture()
    crowns = [[post(x, depth, 5.0, _LAWN, 2.4)] for x, depth in _TREES]
    shadows = still_shadows([*posts, *crowns], camera, SUN, 1.2 * scale)
    texture = ground_grain(rng, camera, ((0.25, 0.05), (1.2, 0.05), (6.0, 0.05)))
    texture *= grain(rng, camera, scale) * (1 - 0.4 * shadows)
    ground = base * in_three_channels(texture)
    layers = post_layers(posts, camera)
    return Backdrop(camera, ground, tuple(trees), layers, SUN, softness_px=0.8 * scale)


def _lawns(rng: np.random.Generator) -> list[Shape]:
    """Grass with lighter and darker blades."""
    shapes = [floor(-60, 60, 5, 160, _LAWN)]
    spots = rng.uniform((-SIDE_M, 10), (SIDE_M, 60), (1600, 2))
    for x, depth in spots[np.argsort(-spots[:, 1])]:
        blade = [(x, depth, 0.0), (x + float(rng.uniform(-0.1, 0.1)), depth, 0.22)]
        shapes.append(Shape(blade, scaled(_LAWN, float(rng.uniform(0.7, 1.3))), 0.08))
    return shapes


def _paving(rng: np.random.Generator) -> list[Shape]:
    """Slabs of 1.1 m with joints, the crossing path, and edges of stone."""
    shapes = [floor(-60, 60, *PATH_M, _PATH), floor(LEFT_M, RIGHT_M, 5, 120, scaled(_SLAB, 0.8))]
    for row, depth in enumerate(np.arange(6, 70, 1.1)):
        for x in np.arange(LEFT_M - 0.55 * (row % 2), RIGHT_M, 1.1):
            shade = scaled(_SLAB, float(rng.uniform(0.93, 1.06)))
            left, right = max(x + 0.03, LEFT_M), min(x + 1.07, RIGHT_M)
            shapes.append(floor(left, right, depth + 0.04, depth + 1.06, shade))
    edges = ((LEFT_M - 0.15, LEFT_M), (RIGHT_M, RIGHT_M + 0.15))
    for near, far in ((5.0, PATH_M[0]), (PATH_M[1], 120.0)):
        shapes += [floor(*edge, near, far, (126, 122, 116)) for edge in edges]
    return shapes


def _furniture() -> list[list[Shape]]:
    """Lamps, benches and bins beside the walkway."""
    lamps = [
        [post(x, depth, 4.2, (58, 62, 64), 0.14), Shape([(x, depth, 4.2)], (220, 220, 210), 0.4)]
        for x, depth in ((-4.0, 21.5), (-4.0, 43.0), (6.4, 33.0))
    ]
    bins = [[post(x, depth, 0.9, (52, 78, 62), 0.5)] for x, depth in ((6.3, 25.5), (-4.1, 31.5))]
    benches = [_bench(-4.3, 24.0), _bench(6.6, 19.0)]
    return [*lamps, *bins, *benches]


def _bench(x_m: float, depth_m: float) -> list[Shape]:
    """A bench along the walkway."""
    wood: Colour = (122, 88, 56)
    seat = [(x_m, depth_m, 0.45), (x_m, depth_m + 1.8, 0.45)]
    legs = [
        Shape([(x_m, depth_m + along, 0.0), (x_m, depth_m + along, 0.45)], (60, 60, 60), 0.1)
        for along in (0.2, 1.6)
    ]
    return [
        *legs,
        Shape(seat, wood, 0.45),
        Shape([(x, d, z + 0.35) for x, d, z in seat], wood, 0.1),
    ]
