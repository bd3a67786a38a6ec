"""The traffic of the hall: who stands and walks there."""

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.casting import PAINTS, choose, clothes, cyclist, pair, person
from vadloc.sample_scene.people import RUN
from vadloc.sample_scene.poses import Figure
from vadloc.sample_scene.routes import LEFT, Actor, Anomaly, Clock, Route, Script, Spot, passing
from vadloc.sample_scene.scenes.hall import COUNTER_M, DOOR_M, EXIT_X_M, ROPED_M, WALL_M
from vadloc.sample_scene.things import Cart, Dog, Group, SlidingDoor, Suitcase, Wheelchair
from vadloc.sample_scene.traffic import (
    MakeAnomaly,
    Stream,
    leave_suitcase,
    write_sequences,
)

_DOOR_X_M: Final = sum(DOOR_M) / 2
_QUEUE_X_M: Final = -6.5
_QUEUE_STEP_M: Final = 1.0
_QUEUE_STEP_S: Final = 6.0
_WAITING: Final = ((-8.3, 9.0), (-8.6, 10.4), (-8.4, 11.8), (5.6, 13.2), (5.9, 14.6), (5.3, 11.9))
"""x and depth of the positions at which people stand and wait."""


def _traveller(rng: np.random.Generator) -> Figure:
    """A person, two people, or a person with a suitcase."""
    chance = rng.random()
    if chance < 0.12:
        return pair(rng)
    if chance < 0.35:
        case = Suitcase(choose(rng, PAINTS), 0.85)
        return Group(((person(rng), 0.0, 0.0), (case, -0.6, -0.2)))
    return person(rng)


def _through_the_door(rng: np.random.Generator, *, end_x_m: float, way: int) -> NDArray[np.float64]:
    """A way from behind the wall through the door to the front, or back, on the right side."""
    lane_m = _DOOR_X_M + way * -0.7 + float(rng.uniform(-0.2, 0.2))
    end_m = end_x_m + float(rng.uniform(-0.8, 0.8))
    corners = [(10.0, WALL_M + 1.2), (lane_m, WALL_M + 1.2), (lane_m, 14.5), (end_m, 1.4)]
    return np.array(corners[::way])


def _across(rng: np.random.Generator, *, way: int) -> NDArray[np.float64]:
    """A way through the front of the hall from side to side."""
    depths = rng.uniform(3.4, 5.8, 4)
    return np.column_stack([(-12.0, -4.0, 4.0, 12.0), depths])[::way]


def _way_out(rng: np.random.Generator) -> NDArray[np.float64]:
    """A way from the right of the wall to the front, which nobody walks back."""
    x_m = EXIT_X_M + float(rng.uniform(-0.4, 0.4))
    return np.array([(11.5, 15.6), (x_m + 0.2, 15.2), (x_m, 1.4)])


_STREAMS: Final = (
    *(
        Stream(_traveller, partial(_through_the_door, end_x_m=x, way=way), (0.9, 1.5), (9, 18))
        for x, way in ((3.0, 1), (4.6, 1), (2.0, -1), (3.4, -1))
    ),
    *(Stream(_traveller, partial(_across, way=way), (0.9, 1.4), (9, 18)) for way in (1, -1)),
    Stream(_traveller, _way_out, (1.0, 1.5), (4, 9)),
)


def _queue(clock: Clock, rng: np.random.Generator) -> list[Actor]:
    """People who move up to the counter one step at a time, and leave through the front."""
    front_m = COUNTER_M[2] - 0.9
    way = [(_QUEUE_X_M, 2.0), (_QUEUE_X_M, front_m), (_QUEUE_X_M + 1.6, 13.4), (-3.6, 12.0)]
    corners = np.array([*way, (-3.6, 1.4)])
    speed, places = 1.1, 5
    rest_s = _QUEUE_STEP_S - _QUEUE_STEP_M / speed
    first_m = front_m - 2.0 - (places - 1) * _QUEUE_STEP_M
    halts = tuple((first_m + place * _QUEUE_STEP_M, rest_s) for place in range(places))
    shift_s = float(rng.uniform(0, _QUEUE_STEP_S))
    starts = np.arange(-80.0, clock.seconds, _QUEUE_STEP_S) + shift_s
    return [
        Actor(person(rng), Route(corners, speed, start * clock.frames_per_second, clock, halts))
        for start in starts.tolist()
    ]


def _still(clock: Clock, number: int) -> list[Actor]:
    """The queue, the clerk behind the counter, and the people who wait."""
    rng = np.random.default_rng([number, 77])
    clerk = Spot((-6.3, COUNTER_M[2] + 1.3), -np.pi / 2, clock)
    actors = [Actor(person(rng), clerk), *_queue(clock, rng)]
    for place_m in _WAITING:
        if rng.random() < 0.6:
            spot = Spot(place_m, float(rng.uniform(0, 2 * np.pi)), clock)
            actors.append(Actor(person(rng), spot))
    return actors


def _door(script: Script) -> Actor:
    """The door, open while somebody is near it."""
    clock = script.clock
    near = np.zeros(clock.frame_count, bool)
    for actor in script.actors:
        x_m, depth_m = actor.route.places_m.T
        with np.errstate(invalid="ignore"):
            near |= (np.abs(x_m - _DOOR_X_M) < 1.8) & (np.abs(depth_m - WALL_M) < 1.9)
    edges = np.flatnonzero(np.diff(near.astype(int), prepend=0, append=0))
    seconds = (edges / clock.frames_per_second).reshape(-1, 2).tolist()
    openings = tuple((first - 0.8, last) for first, last in seconds)
    spot = Spot((_DOOR_X_M, WALL_M - 0.05), np.pi / 2, clock)
    return Actor(SlidingDoor(DOOR_M[1] - DOOR_M[0], openings), spot, solid=False)


def _runner(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(-12.0, 5.0), (12.0, 4.6)]
    route = passing(way, 3.4, clock, at_m=12.0, at_s=0.3 * clock.seconds)
    return [Actor(person(rng, RUN), route, Anomaly(track, "runs", "person", ("speed",)))]


def _suitcase(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A suitcase that somebody leaves."""
    anomaly = Anomaly(track, "a suitcase that nobody minds", "thing", LEFT)
    seconds = 0.45 * clock.seconds, 0.95 * clock.seconds
    return leave_suitcase(rng, [(-9.2, 6.0), (12.0, 6.0)], clock, seconds, anomaly)


def _wrong_way(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(EXIT_X_M, 1.4), (EXIT_X_M, 15.2), (11.5, 15.6)]
    route = passing(way, 1.2, clock, at_m=6.0, at_s=0.35 * clock.seconds)
    anomaly = Anomaly(track, "walks up the way out", "person", ("direction",))
    return [Actor(person(rng), route, anomaly)]


def _wheelchair(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(-12.0, 4.4), (12.0, 5.4)]
    route = passing(way, 1.1, clock, at_m=12.5, at_s=0.7 * clock.seconds)
    anomaly = Anomaly(track, "a wheelchair", "person", ("kind",))
    return [Actor(Wheelchair(clothes(rng)), route, anomaly)]


def _inside_the_ropes(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who steps over the ropes and walks past the statue."""
    x0, x1, near, _ = ROPED_M
    way = [(-3.6, 1.4), (-3.2, near + 0.4), (x1 - 0.3, near + 0.5), (x1 + 1.2, 5.0), (1.5, 1.4)]
    route = passing(way, 0.9, clock, at_m=9.5, at_s=0.3 * clock.seconds)
    outside = ((-20.0, x0, 0.0, 30.0), (x1, 20.0, 0.0, 30.0), (-20.0, 20.0, 0.0, near))
    anomaly = Anomaly(track, "is inside the ropes", "person", ("place",), outside)
    return [Actor(person(rng), route, anomaly)]


def _dog(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(12.0, 4.4), (-12.0, 4.8)]
    route = passing(way, 1.5, clock, at_m=12.0, at_s=0.75 * clock.seconds)
    figure = Dog(float(rng.uniform(1.0, 1.15)))
    return [Actor(figure, route, Anomaly(track, "a dog in the hall", "dog", ("kind",)))]


def _standing(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who comes through the door and stops where everybody walks."""
    way = [(10.0, WALL_M + 1.2), (2.4, WALL_M + 1.2), (2.4, 14.5), (3.4, 1.4)]
    halt_s = 0.5 * clock.seconds
    at_s = 0.2 * clock.seconds
    route = passing(way, 1.2, clock, at_m=16.5, at_s=at_s, halt_s=halt_s)
    causes = "standing", "speed"
    anomaly = Anomaly(track, "stands in the way", "person", causes, standing=True)
    return [Actor(person(rng), route, anomaly)]


def _machine(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(-12.0, 5.2), (12.0, 5.2)]
    route = passing(way, 1.1, clock, at_m=12.0, at_s=0.5 * clock.seconds)
    figure = Cart(choose(rng, PAINTS), clothes(rng))
    return [Actor(figure, route, Anomaly(track, "a cart in the hall", "car", ("kind",)))]


def _cyclist(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    way = [(3.0, WALL_M + 1.2), (3.8, 14.5), (3.6, 1.4)]
    route = passing(way, 2.2, clock, at_m=8.0, at_s=0.62 * clock.seconds)
    anomaly = Anomaly(track, "cycles in the hall", "cyclist", ("kind", "speed"))
    return [Actor(cyclist(rng), route, anomaly)]


_TESTS: Final[tuple[tuple[MakeAnomaly, ...], ...]] = (
    (_runner, _suitcase),
    (_wrong_way, _wheelchair),
    (_inside_the_ropes, _dog),
    (_standing, _machine, _cyclist),
)


def write_scripts(seed: int, clock: Clock, density: float = 1.0) -> list[Script]:
    """Scripts of all sequences, training first."""
    scripts = write_sequences((4, _TESTS), _STREAMS, seed, clock, density, _still)
    return [
        Script(script.name, script.number, (*script.actors, _door(script)), clock)
        for script in scripts
    ]
