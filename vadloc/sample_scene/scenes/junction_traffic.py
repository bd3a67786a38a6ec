"""The traffic of the junction: who drives and walks there."""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.casting import PAINTS, car, choose, clothes, pair, person
from vadloc.sample_scene.poses import Figure
from vadloc.sample_scene.routes import LEFT, Actor, Anomaly, Clock, Script, passing
from vadloc.sample_scene.scenes.junction import ACROSS_M, AWAY_M, ENDS_M, PAVEMENT_M, SIDES_M
from vadloc.sample_scene.things import Cart, Dog
from vadloc.sample_scene.traffic import (
    MakeAnomaly,
    Stream,
    leave_suitcase,
    write_sequences,
)
from vadloc.sample_scene.vehicles import HATCHBACK, SALOON, Car

_RIGHT: Final = 0.75 * ACROSS_M[0] + 0.25 * ACROSS_M[1]
"""Depth of the lane that leads to the right."""
_LEFT: Final = 0.25 * ACROSS_M[0] + 0.75 * ACROSS_M[1]
_AWAY: Final = 0.5 * AWAY_M[1]
"""x of the lane that leads away from the camera."""
_TOWARDS: Final = 0.5 * AWAY_M[0]

_X0, _X1 = SIDES_M
_D0, _D1 = ENDS_M
_WAYS: Final = {
    "right": [(_X0, _RIGHT), (_X1, _RIGHT)],
    "left": [(_X1, _LEFT), (_X0, _LEFT)],
    "away": [(_AWAY, _D0), (_AWAY, _D1)],
    "towards": [(_TOWARDS, _D1), (_TOWARDS, _D0)],
    "right, towards": [(_X0, _RIGHT), (_TOWARDS, _RIGHT), (_TOWARDS, _D0)],
    "left, towards": [(_X1, _LEFT), (_TOWARDS, _LEFT), (_TOWARDS, _D0)],
    "away, right": [(_AWAY, _D0), (_AWAY, _RIGHT), (_X1, _RIGHT)],
    "towards, left": [(_TOWARDS, _D1), (_TOWARDS, _LEFT), (_X0, _LEFT)],
}
"""Corners of the ways of cars, by direction."""

_HALTS: Final = {"right": _X1 - AWAY_M[1] - PAVEMENT_M - 3.2, "towards": _D1 - ACROSS_M[1] - 6.0}
"""Distance in metres from the start of a way to its stop line."""


def _lane(rng: np.random.Generator, *, name: str) -> NDArray[np.float64]:
    return np.array(_WAYS[name]) + rng.uniform(-0.25, 0.25, 2)


def _pavement(rng: np.random.Generator, *, side: int, axis: int, way: int) -> NDArray[np.float64]:
    """A way along a pavement and over the crossing; some people turn at the corner.

    Args:
        rng: Random numbers for the position on the pavement.
        side: 0 for the pavement near the camera or on the left, 1 for the other.
        axis: 0 for a way across the picture, 1 for a way away from the camera.
        way: 1 for the way there, -1 for the way back.
    """
    half = PAVEMENT_M / 2
    at = [
        street[side] + (2 * side - 1) * half + float(rng.uniform(-0.7, 0.7))
        for street in (AWAY_M, ACROSS_M)
    ]
    ends = [(SIDES_M[side], at[1]), (at[0], ENDS_M[side])]
    corner = (at[0], at[1])
    if rng.random() < 0.3:
        return np.array([ends[0], corner, ends[1]][::way])
    straight = [(_X0, at[1]), (_X1, at[1])] if axis == 0 else [(at[0], _D0), (at[0], _D1)]
    return np.array(straight[::way])


def _walker(rng: np.random.Generator) -> Figure:
    return pair(rng) if rng.random() < 0.1 else person(rng)


def _cars(name: str, speed: tuple[float, float], headway: tuple[float, float]) -> Stream:
    halt = (_HALTS[name], 0.35, 1.0, 3.0) if name in _HALTS else None
    return Stream(car, partial(_lane, name=name), speed, headway, 3.0, halt, clearance_m=0.5)


_STREAMS: Final = (
    _cars("right", (5.5, 7.0), (4.0, 9.0)),
    _cars("left", (5.5, 7.0), (4.0, 9.0)),
    _cars("away", (5.5, 7.0), (7.0, 14.0)),
    _cars("towards", (5.5, 7.0), (7.0, 14.0)),
    *(
        _cars(name, (4.0, 5.0), (9.0, 18.0))
        for name in ("right, towards", "left, towards", "away, right", "towards, left")
    ),
    *(
        Stream(_walker, partial(_pavement, side=side, axis=axis, way=way), (1.0, 1.5), (9, 20))
        for axis in (0, 1)
        for side in (0, 1)
        for way in (1, -1)
    ),
)


def _drive(
    way: list[tuple[float, float]], speed: float, clock: Clock, *, at_m: float, share: float,
    halt_s: float = 0.0,
) -> Callable[[Figure, Anomaly], Actor]:  # fmt: skip
    """Makes an actor that reaches a distance on a way after a share of the sequence."""
    at_s = share * clock.seconds
    route = passing(way, speed, clock, at_m=at_m, at_s=at_s, halt_s=halt_s, corner_m=3.0)
    return lambda figure, anomaly: Actor(figure, route, anomaly)


def _wrong_way(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    put = _drive([(_X1, _RIGHT), (_X0, _RIGHT)], 6.0, clock, at_m=27, share=0.3)
    anomaly = Anomaly(track, "drives the wrong way", "car", ("direction",))
    return [put(Car(HATCHBACK, choose(rng, PAINTS)), anomaly)]


def _diagonal(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who walks over the middle of the junction."""
    way = [(-12.0, 17.2), (-4.6, 17.2), (4.6, 26.8), (14.0, 26.8)]
    put = _drive(way, 1.5, clock, at_m=14.0, share=0.7)
    strips = ((_X0, _X1, 0.0, ACROSS_M[0]), (_X0, _X1, ACROSS_M[1], 60.0))
    anomaly = Anomaly(track, "walks over the middle", "person", ("place", "direction"), strips)
    return [put(person(rng), anomaly)]


def _on_the_pavement(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A car that drives on the far pavement."""
    depth_m = ACROSS_M[1] + PAVEMENT_M / 2
    put = _drive([(_X0, depth_m), (_X1, depth_m)], 5.5, clock, at_m=27, share=0.25)
    anomaly = Anomaly(track, "drives on the pavement", "car", ("place", "kind", "speed"))
    return [put(Car(SALOON, choose(rng, PAINTS)), anomaly)]


def _racer(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    put = _drive(_WAYS["left"], 13.0, clock, at_m=27, share=0.65)
    anomaly = Anomaly(track, "drives twice as fast", "car", ("speed",))
    return [put(Car(HATCHBACK, choose(rng, PAINTS)), anomaly)]


def _cart(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    put = _drive(_WAYS["away"], 4.5, clock, at_m=20, share=0.75)
    anomaly = Anomaly(track, "a cart on the street", "car", ("kind",))
    return [put(Cart(choose(rng, PAINTS), clothes(rng)), anomaly)]


def _stopped(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A car that stands in the middle of the junction for a while."""
    way, halt_s = _WAYS["right"], 0.3 * clock.seconds
    put = _drive(way, 5.5, clock, at_m=27.0, share=0.5, halt_s=halt_s)
    causes = "standing", "speed"
    anomaly = Anomaly(track, "stands on the junction", "car", causes, standing=True)
    return [put(Car(SALOON, choose(rng, PAINTS)), anomaly)]


def _dog(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(_X1, _LEFT), (_X0, _LEFT)]
    put = _drive(way, 1.7, clock, at_m=12.0, share=0.45)
    causes = "kind", "place", "speed"
    figure = Dog(float(rng.uniform(1.1, 1.2)))
    return [put(figure, Anomaly(track, "a dog on the street", "dog", causes))]


def _left(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A suitcase that somebody leaves on the pavement."""
    x_m = AWAY_M[1] + 0.4 * PAVEMENT_M
    anomaly = Anomaly(track, "a suitcase left on the pavement", "thing", LEFT)
    seconds = 0.4 * clock.seconds, 0.95 * clock.seconds
    return leave_suitcase(rng, [(x_m, -32.0), (x_m, _D1)], clock, seconds, anomaly)


def _u_turn(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A car that comes from the left and turns back."""
    way = [(_X0, _RIGHT), (-8.0, _RIGHT), (-8.0, _LEFT), (_X0, _LEFT)]
    put = _drive(way, 3.5, clock, at_m=20.0, share=0.65)
    anomaly = Anomaly(track, "turns round before the junction", "car", ("direction", "speed"))
    return [put(Car(HATCHBACK, choose(rng, PAINTS)), anomaly)]


def _slow(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    put = _drive(_WAYS["left"], 1.8, clock, at_m=12.0, share=0.45)
    anomaly = Anomaly(track, "drives at walking pace", "car", ("speed",))
    return [put(Car(SALOON, choose(rng, PAINTS)), anomaly)]


_TESTS: Final[tuple[tuple[MakeAnomaly, ...], ...]] = (
    (_wrong_way, _diagonal),
    (_on_the_pavement, _racer),
    (_cart, _stopped, _dog),
    (_left, _u_turn, _slow),
)


def write_scripts(seed: int, clock: Clock, density: float = 1.0) -> list[Script]:
    """Scripts of all sequences, training first."""
    return write_sequences((4, _TESTS), _STREAMS, seed, clock, density)
