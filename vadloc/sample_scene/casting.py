"""Random looks of the people and cars of a scene."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from vadloc.sample_scene.people import WALK, Clothes, Cyclist, Gait, Person
from vadloc.sample_scene.shapes import Colour, scaled
from vadloc.sample_scene.things import Group
from vadloc.sample_scene.vehicles import HATCHBACK, SALOON, VAN, Car, CarBody

_TOPS: Final[tuple[Colour, ...]] = (
    (178, 42, 40), (38, 84, 150), (226, 222, 210), (52, 110, 72), (232, 176, 52),
    (70, 62, 104), (120, 160, 190), (210, 112, 60), (56, 58, 64), (196, 120, 150),
)  # fmt: skip
_BOTTOMS: Final[tuple[Colour, ...]] = (
    (40, 48, 72), (52, 50, 48), (92, 80, 66), (70, 92, 126), (30, 30, 34), (120, 112, 100),
)  # fmt: skip
_SKINS: Final[tuple[Colour, ...]] = (
    (236, 194, 164),
    (214, 164, 130),
    (160, 112, 80),
    (104, 70, 50),
)
_HAIRS: Final[tuple[Colour, ...]] = ((36, 28, 24), (84, 56, 34), (150, 112, 62), (120, 118, 116))
PAINTS: Final[tuple[Colour, ...]] = (
    (186, 34, 36), (36, 72, 138), (206, 208, 210), (232, 232, 228), (58, 62, 68),
    (92, 128, 132), (204, 166, 66), (50, 92, 66), (140, 144, 150),
)  # fmt: skip
_BODIES: Final = (HATCHBACK, SALOON, HATCHBACK, SALOON, VAN)


def choose(rng: np.random.Generator, options: Sequence[Colour]) -> Colour:
    """A random colour of a list, made a little lighter or darker."""
    return scaled(options[int(rng.integers(len(options)))], float(rng.uniform(0.8, 1.15)))


def clothes(rng: np.random.Generator) -> Clothes:
    """Random colours of clothes, skin and hair."""
    return Clothes(*(choose(rng, options) for options in (_TOPS, _BOTTOMS, _SKINS, _HAIRS)))


def person(rng: np.random.Generator, gait: Gait = WALK) -> Person:
    """A random person on foot."""
    return Person(clothes(rng), size=float(rng.uniform(0.92, 1.08)), gait=gait)


def cyclist(rng: np.random.Generator) -> Cyclist:
    """A random person on a bicycle."""
    return Cyclist(clothes(rng), choose(rng, PAINTS))


def car(rng: np.random.Generator) -> Car:
    """A random car or van."""
    body: CarBody = _BODIES[int(rng.integers(len(_BODIES)))]
    return Car(body, choose(rng, PAINTS))


def pair(rng: np.random.Generator) -> Group:
    """Two random people side by side."""
    return Group(((person(rng), 0.0, 0.38), (person(rng), float(rng.uniform(-0.2, 0.2)), -0.38)))
