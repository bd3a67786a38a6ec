"""The traffic of the walkway: who is on it."""

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.casting import PAINTS, choose, clothes, cyclist, pair, person
from vadloc.sample_scene.people import GLIDE, RUN, Cyclist
from vadloc.sample_scene.poses import Figure
from vadloc.sample_scene.routes import LEFT, Actor, Anomaly, Clock, Route, Script, passing
from vadloc.sample_scene.scenes.walkway import ENDS_M, LEFT_M, PATH_M, RIGHT_M, SIDE_M
from vadloc.sample_scene.things import Board, Cart, Dog, Group, Wheelchair
from vadloc.sample_scene.traffic import (
    MakeAnomaly,
    Stream,
    leave_suitcase,
    write_sequences,
)

_MIDDLE_M: Final = sum(PATH_M) / 2
_WALKWAY: Final = (LEFT_M, RIGHT_M, 0.0, 100.0)
_PATH: Final = (-100.0, 100.0, *PATH_M)


def _along(rng: np.random.Generator, *, x_m: float, direction: int) -> NDArray[np.float64]:
    """Corners of a way along the walkway that is not quite straight."""
    depths = np.linspace(*ENDS_M, 6)[::direction]
    wander = x_m + np.cumsum(rng.uniform(-0.35, 0.35, 6))
    return np.column_stack([np.clip(wander, LEFT_M + 0.4, RIGHT_M - 0.4), depths])


def _turning(rng: np.random.Generator, *, side: int, direction: int) -> NDArray[np.float64]:
    """A way from the path onto the walkway, or from the walkway onto the path."""
    x_m = float(rng.uniform(LEFT_M + 1, RIGHT_M - 1))
    path_m = _MIDDLE_M + float(rng.uniform(-1, 1))
    end_m = ENDS_M[int(rng.random() < 0.5)]
    way = [(side * SIDE_M, path_m), (x_m, path_m), (x_m, end_m)]
    return np.array(way[::direction])


def _walker(rng: np.random.Generator) -> Figure:
    """One person, or two people side by side."""
    return pair(rng) if rng.random() < 0.15 else person(rng)


_STREAMS: Final = (
    *(
        Stream(_walker, partial(_along, x_m=x, direction=way), (0.9, 1.5), (9, 20))
        for x in (-2.2, -0.4, 1.3, 3.0, 4.6)
        for way in (1, -1)
    ),
    *(
        Stream(person, partial(_turning, side=side, direction=way), (0.9, 1.4), (20, 40))
        for side in (1, -1)
        for way in (1, -1)
    ),
)


def _straight(
    x_m: float, direction: int, speed: float, clock: Clock, *, depth_m: float, share: float,
    halt_s: float = 0.0,
) -> Route:  # fmt: skip
    """A straight route along the walkway that reaches a depth after a share of the sequence."""
    ends = ENDS_M[::direction]
    way = [(x_m, ends[0]), (x_m, ends[1])]
    at_m, at_s = abs(depth_m - ends[0]), share * clock.seconds
    return passing(way, speed, clock, at_m=at_m, at_s=at_s, halt_s=halt_s)


def _cyclist(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    route = _straight(0.4, 1, 4.2, clock, depth_m=16, share=0.52)
    return [Actor(cyclist(rng), route, Anomaly(track, "cycles", "cyclist", ("speed", "kind")))]


def _slow_cyclist(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    figure = Cyclist(clothes(rng), choose(rng, PAINTS))
    route = _straight(2.1, -1, 2.1, clock, depth_m=26, share=0.24)
    return [Actor(figure, route, Anomaly(track, "cycles slowly", "cyclist", ("kind", "speed")))]


def _cart(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    figure = Cart(choose(rng, PAINTS), clothes(rng))
    route = _straight(2.6, -1, 1.7, clock, depth_m=46, share=0.6)
    return [Actor(figure, route, Anomaly(track, "a cart among walkers", "car", ("kind",)))]


def _skater(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    figure = Group(((Board(), 0.0, 0.0), (person(rng, GLIDE), 0.0, 0.0)))
    route = _straight(1.0, -1, 2.6, clock, depth_m=26, share=0.25)
    return [Actor(figure, route, Anomaly(track, "skates", "person", ("speed",)))]


def _on_the_lawn(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    route = _straight(-5.2, -1, 1.2, clock, depth_m=22, share=0.2)
    what = "walks on the lawn"
    anomaly = Anomaly(track, what, "person", ("place",), (_WALKWAY, _PATH))
    return [Actor(person(rng), route, anomaly)]


def _runner(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    route = _straight(-1.4, 1, 3.1, clock, depth_m=22, share=0.6)
    return [Actor(person(rng, RUN), route, Anomaly(track, "runs", "person", ("speed",)))]


def _wheelchair(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    route = _straight(3.6, 1, 1.2, clock, depth_m=18, share=0.68)
    anomaly = Anomaly(track, "a wheelchair among walkers", "person", ("kind",))
    return [Actor(Wheelchair(clothes(rng)), route, anomaly)]


def _suitcase(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A suitcase that somebody leaves."""
    anomaly = Anomaly(track, "a suitcase left on the walkway", "thing", LEFT)
    seconds = 0.42 * clock.seconds, 0.95 * clock.seconds
    return leave_suitcase(rng, [(3.2, -26.0), (3.2, 64.0)], clock, seconds, anomaly)


def _dog(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    route = _straight(-0.6, 1, 1.5, clock, depth_m=18, share=0.62)
    figure = Dog(float(rng.uniform(1.0, 1.2)))
    return [Actor(figure, route, Anomaly(track, "a dog alone", "dog", ("kind",)))]


def _standing(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who stops in the middle and goes on later."""
    halt_s = 0.35 * clock.seconds
    route = _straight(0.2, 1, 1.2, clock, depth_m=19, share=0.15, halt_s=halt_s)
    causes = "standing", "speed"
    anomaly = Anomaly(track, "stands in the way", "person", causes, standing=True)
    return [Actor(person(rng), route, anomaly)]


def _crossing(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who walks across the walkway from lawn to lawn."""
    way = [(-SIDE_M, 21.5), (SIDE_M, 22.5)]
    route = passing(way, 1.3, clock, at_m=SIDE_M, at_s=0.2 * clock.seconds)
    causes = "direction", "place"
    return [Actor(person(rng), route, Anomaly(track, "walks across", "person", causes, (_PATH,)))]


_TESTS: Final[tuple[tuple[MakeAnomaly, ...], ...]] = (
    (_cyclist, _cart),
    (_skater, _on_the_lawn),
    (_runner, _wheelchair),
    (_suitcase, _dog),
    (_standing, _slow_cyclist, _crossing),
)


def write_scripts(seed: int, clock: Clock, density: float = 1.0) -> list[Script]:
    """Scripts of all sequences, training first."""
    return write_sequences((4, _TESTS), _STREAMS, seed, clock, density)
