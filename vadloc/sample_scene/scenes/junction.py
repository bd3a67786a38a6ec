"""A junction of two streets, seen from a high roof."""

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

CAMERA: Final = Camera(320, 240, 313.0, 22.0, (160.0, 120.0), tilt=0.85)
SUN: Final[Sun] = (0.55, 0.45)

ACROSS_M: Final = (18.5, 25.5)
"""Depth of the kerbs of the street that runs across the picture."""
AWAY_M: Final = (-3.5, 3.5)
"""x of the kerbs of the street that runs away from the camera."""
PAVEMENT_M: Final = 2.6
SIDES_M: Final = (-27.0, 27.0)
ENDS_M: Final = (1.0, 54.0)
"""Smallest and largest depth of the street that runs away; both are outside the picture."""

_ASPHALT: Final[Colour] = (104, 105, 108)
_WHITE: Final[Colour] = (214, 214, 206)
_KERB: Final[Colour] = (182, 180, 174)
_SLABS: Final[Colour] = (164, 156, 146)
_LAWN: Final[Colour] = (94, 122, 66)
_PLAZA: Final[Colour] = (176, 150, 122)
_TREES: Final = ((-9.5, 31.0), (9.0, 31.5), (-10.5, 12.5), (16.0, 30.5), (-17.0, 31.0))
_BUSHES: Final = ((9.0, 13.0), (10.4, 12.4), (11.8, 13.1), (8.3, 11.6))


@cache
def build(seed: int, camera: Camera = CAMERA) -> Backdrop:
    """Build the junction. Callers must not change the arrays of the result, which they share."""
    rng = np.random.default_rng([seed, 3000])
    scale = camera.focal_px / CAMERA.focal_px
    flat = [*_blocks(rng), *_pavements(rng), *_streets(), *_zebras()]
    base = paint(flat, ENDS_M[1], camera)
    trees = [found for foot in _TREES for found in tree(rng, foot, 3.2, 1.7, camera, scale=scale)]
    for x_m, depth_m in _BUSHES:
        trees += bush(rng, x_m, depth_m, camera, scale=scale)
    posts = _furniture()
    crowns = [[post(x, depth, 4.4, _LAWN, 2.4)] for x, depth in _TREES]
    shadows = still_shadows([*posts, *crowns], camera, SUN, 1.2 * scale)
    texture = ground_grain(rng, camera, ((0.12, 0.04), (0.8, 0.04), (5.0, 0.05)))
    texture *= grain(rng, camera, scale) * (1 - 0.4 * shadows)
    ground = base * in_three_channels(texture)
    layers = post_layers(posts, camera)
    return Backdrop(camera, ground, tuple(trees), layers, SUN, softness_px=scale)


def _blocks(rng: np.random.Generator) -> list[Shape]:
    """The four corners: two lawns behind, a lawn and a paved square in front."""
    shapes = [floor(-60, 60, 0, 90, _LAWN), floor(AWAY_M[1], 60, 0, ACROSS_M[0], _PLAZA)]
    for x in np.arange(AWAY_M[1] + PAVEMENT_M, 22, 1.5):
        for depth in np.arange(4.0, ACROSS_M[0] - PAVEMENT_M, 1.5):
            shade = scaled(_PLAZA, float(rng.uniform(0.9, 1.08)))
            shapes.append(floor(x + 0.04, x + 1.46, depth + 0.04, depth + 1.46, shade))
    spots = rng.uniform((-30, 4), (30, 50), (1800, 2))
    spots = spots[(spots[:, 0] < 0) | (spots[:, 1] > ACROSS_M[1])]
    for x, depth in spots[np.argsort(-spots[:, 1])]:
        blade = [(x, depth, 0.0), (x + float(rng.uniform(-0.1, 0.1)), depth, 0.2)]
        shapes.append(Shape(blade, scaled(_LAWN, float(rng.uniform(0.72, 1.3))), 0.09))
    return shapes


def _strips() -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The four pavements, by x and depth."""
    near, far = ACROSS_M
    left, right = AWAY_M
    return [
        (SIDES_M, (near - PAVEMENT_M, near)),
        (SIDES_M, (far, far + PAVEMENT_M)),
        ((left - PAVEMENT_M, left), ENDS_M),
        ((right, right + PAVEMENT_M), ENDS_M),
    ]


def _pavements(rng: np.random.Generator) -> list[Shape]:
    """Slabs of 0.87 m with joints."""
    side = PAVEMENT_M / 3
    shapes = [floor(*x, *depth, scaled(_SLABS, 0.8)) for x, depth in _strips()]
    for x_m, depth_m in _strips():
        for x in np.arange(x_m[0], x_m[1] - 0.1, side):
            for depth in np.arange(depth_m[0], depth_m[1] - 0.1, side):
                shade = scaled(_SLABS, float(rng.uniform(0.93, 1.06)))
                shapes.append(floor(x + 0.03, x + side - 0.03, depth + 0.03, depth + side, shade))
    return shapes


def _streets() -> list[Shape]:
    """Asphalt between kerbs, middle lines, stop lines, patches."""
    near, far = ACROSS_M
    left, right = AWAY_M
    middle = (near + far) / 2
    kerbs = [
        *(floor(*SIDES_M, depth - 0.15, depth + 0.15, _KERB) for depth in ACROSS_M),
        *(floor(x - 0.15, x + 0.15, *ENDS_M, _KERB) for x in AWAY_M),
    ]
    reach = PAVEMENT_M + 0.6
    lines = [
        *(floor(x, x + 1.8, middle - 0.07, middle + 0.07, _WHITE)
          for x in np.arange(SIDES_M[0], SIDES_M[1], 3.6) if abs(x + 0.9) > right + reach + 0.6),
        *(floor(-0.07, 0.07, depth, depth + 1.8, _WHITE)
          for depth in np.arange(ENDS_M[0], ENDS_M[1], 3.6)
          if not near - reach - 2 < depth < far + reach),
        floor(left - reach - 0.35, left - reach, near + 0.2, middle, _WHITE),
        floor(right + reach, right + reach + 0.35, middle, far - 0.2, _WHITE),
        floor(0, right - 0.2, near - reach - 0.35, near - reach, _WHITE),
        floor(left + 0.2, 0, far + reach, far + reach + 0.35, _WHITE),
    ]  # fmt: skip
    return [
        *kerbs,
        floor(*SIDES_M, near + 0.15, far - 0.15, _ASPHALT),
        floor(left + 0.15, right - 0.15, *ENDS_M, _ASPHALT),
        floor(-12.0, -8.5, near + 0.6, near + 2.4, scaled(_ASPHALT, 0.88)),
        floor(0.4, 2.2, 31.0, 34.0, scaled(_ASPHALT, 0.9)),
        Shape([(-0.8, middle + 0.6, 0.0)], (76, 76, 78), 0.75),
        *lines,
    ]


def _zebras() -> list[Shape]:
    """Zebra crossings where pavements meet streets."""
    near, far = ACROSS_M
    left, right = AWAY_M
    width = PAVEMENT_M - 0.8
    stripes = []
    for x in np.arange(left + 0.4, right - 0.4, 0.9):
        for depth in (near - PAVEMENT_M + 0.4, far + 0.4):
            stripes.append(floor(x, x + 0.45, depth, depth + width, _WHITE))
    for depth in np.arange(near + 0.4, far - 0.4, 0.9):
        for x in (left - PAVEMENT_M + 0.4, right + 0.4):
            stripes.append(floor(x, x + width, depth, depth + 0.45, _WHITE))
    return stripes


def _furniture() -> list[list[Shape]]:
    """Lamps at the corners, bollards before the square."""
    lamps = [
        [post(x, depth, 5.5, (58, 62, 64), 0.14), Shape([(x, depth, 5.5)], (226, 226, 214), 0.5)]
        for x, depth in ((-6.5, 28.6), (6.6, 15.2), (-18.0, 28.6))
    ]
    bollards = [[post(6.4, depth, 0.8, (72, 68, 66), 0.2)] for depth in (9.0, 10.5, 12.0, 13.5)]
    return [*lamps, *bollards]
