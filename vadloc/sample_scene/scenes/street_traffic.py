"""The traffic of the street: who moves where and when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.casting import PAINTS, car, choose, clothes, cyclist, person
from vadloc.sample_scene.people import RUN, Person
from vadloc.sample_scene.poses import Figure
from vadloc.sample_scene.routes import LEFT, Actor, Anomaly, Clock, Route, Script, passing
from vadloc.sample_scene.scenes.street import (
    BIKE_LANE_M,
    CAMERA,
    CENTRE_LINE_M,
    FAR_KERB_M,
    NEAR_KERB_M,
)
from vadloc.sample_scene.things import Dog
from vadloc.sample_scene.traffic import leave_suitcase
from vadloc.sample_scene.vehicles import HATCHBACK, SALOON, Car

CLOCK: Final = Clock(200, 15)
_CLEARANCE_M: Final = (1.6, 0.25)


@dataclass(frozen=True)
class _Lane:
    """A strip of the street with traffic of one kind.

    Attributes:
        kind: A key of ``_FIGURES``.
        depth_m: Depth of the middle of the strip.
        speed_m_per_s: Lowest and highest speed.
        headway_s: Shortest and longest time between two starts.
        direction: 1 to the right, -1 to the left, 0 for a direction that changes with the sequence.
    """

    kind: str
    depth_m: float
    speed_m_per_s: tuple[float, float]
    headway_s: tuple[float, float]
    direction: int = 0


_FAR_CAR_M: Final = (FAR_KERB_M + CENTRE_LINE_M) / 2
_NEAR_CAR_M: Final = (CENTRE_LINE_M + BIKE_LANE_M) / 2
_BIKE_M: Final = (BIKE_LANE_M + NEAR_KERB_M) / 2

_LANES: Final = (
    *(_Lane("person", depth, (0.9, 1.25), (8, 15)) for depth in (52.0, 50.7, 49.4)),
    _Lane("car", _FAR_CAR_M, (5.0, 5.8), (3.0, 5.5), -1),
    _Lane("car", _NEAR_CAR_M, (5.0, 5.8), (3.0, 5.5), 1),
    _Lane("cyclist", _BIKE_M, (2.8, 3.4), (3.5, 6.5), 1),
    *(_Lane("person", depth, (0.8, 1.1), (9, 15)) for depth in (37.0, 35.5, 34.0, 32.5)),
)

_FIGURES: Final[dict[str, Callable[[np.random.Generator], Figure]]] = {
    "person": person,
    "cyclist": cyclist,
    "car": car,
}


def _denser(lane: _Lane, density: float) -> _Lane:
    """The lane with ``density`` times as much traffic."""
    shortest, longest = lane.headway_s
    return replace(lane, headway_s=(shortest / density, longest / density))


def _across(figure: Figure, depth_m: float, direction: int) -> NDArray[np.float64]:
    """Corners ``(2, 2)`` of a way across the whole picture, which begins and ends outside it."""
    reach = CAMERA.half_width_m(depth_m) + figure.footprint_m[0] / 2 + 1.6
    return np.array([[-direction * reach, depth_m], [direction * reach, depth_m]])


def _collide(one: Actor, other: Actor) -> bool:
    """Whether two actors ever come closer to each other than ``_CLEARANCE_M``."""
    sizes = (np.array(one.figure.footprint_m) + other.figure.footprint_m) / 2 + _CLEARANCE_M
    apart = np.abs(one.route.places_m - other.route.places_m)
    return bool((apart < sizes).all(axis=1).any())


def _lane_traffic(
    lane: _Lane, others: Sequence[Actor], number: int, clock: Clock, rng: np.random.Generator
) -> list[Actor]:
    """Actors of one lane that keep a distance from ``others`` and from each other."""
    direction = lane.direction or (1, -1)[(number + round(lane.depth_m * 10)) % 2]
    actors: list[Actor] = []
    seconds = -45.0 * (lane.kind == "person") - 12.0
    while seconds < clock.seconds:
        figure = _FIGURES[lane.kind](rng)
        depth_m = lane.depth_m + float(rng.uniform(-0.2, 0.2))
        speed = float(rng.uniform(*lane.speed_m_per_s))
        start = seconds * clock.frames_per_second
        route = Route(_across(figure, depth_m, direction), speed, start, clock)
        actor = Actor(figure, route)
        if any(_collide(actor, other) for other in (*others, *actors)):
            seconds += 0.5
        else:
            actors.append(actor)
            seconds += float(rng.uniform(*lane.headway_s))
    return [actor for actor in actors if not np.isnan(actor.route.places_m).all()]


def _start(clock: Clock, frame: float) -> float:
    """Convert a frame number at 15 frames per second to the frame rate of the clock."""
    return frame * clock.frames_per_second / CLOCK.frames_per_second


def _jaywalker(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who crosses the road from the far pavement to the near pavement."""
    way = [(-8.6, 49.2), (-4.5, 49.0), (0.5, 37.6), (2.5, 36.3), (12.0, 36.2)]
    route = Route(np.array(way), 1.6, _start(clock, 4.0), clock)
    what, causes = "crosses the road on foot", ("place", "direction")
    forbidden = NEAR_KERB_M, FAR_KERB_M
    return [
        Actor(person(rng), route, Anomaly(track, what, "person", causes, forbidden_m=forbidden))
    ]


def _pavement_cyclist(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A cyclist who rides to the left on the near pavement."""
    figure = cyclist(rng)
    route = Route(_across(figure, 34.75, -1), 3.0, _start(clock, 80.0), clock)
    what, causes = "cycles on the pavement", ("kind", "speed", "place")
    return [Actor(figure, route, Anomaly(track, what, "cyclist", causes))]


def _wrong_way_car(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A car that drives to the left in the near lane."""
    figure = Car(HATCHBACK, choose(rng, PAINTS))
    route = Route(_across(figure, _NEAR_CAR_M, -1), 5.2, _start(clock, 62.0), clock)
    return [Actor(figure, route, Anomaly(track, "drives the wrong way", "car", ("direction",)))]


def _runner(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who runs to the right on the near pavement, three times as fast as people walk."""
    figure = Person(clothes(rng), gait=RUN)
    route = Route(_across(figure, 34.75, 1), 2.8, _start(clock, 85.0), clock)
    return [Actor(figure, route, Anomaly(track, "runs", "person", ("speed",)))]


def _on_the_lawn(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who walks on the lawn, where nobody else walks."""
    figure = person(rng)
    route = Route(_across(figure, 30.0, 1), 1.1, _start(clock, 60.0), clock)
    return [Actor(figure, route, Anomaly(track, "walks on the lawn", "person", ("place",)))]


def _dog(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A dog that trots along the near pavement."""
    figure = Dog(float(rng.uniform(0.9, 1.1)))
    route = Route(_across(figure, 34.75, -1), 1.3, _start(clock, 62.0), clock)
    return [Actor(figure, route, Anomaly(track, "a dog alone on the pavement", "dog", ("kind",)))]


def _slow_car(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A car that drives very slowly in the far lane."""
    figure = Car(SALOON, choose(rng, PAINTS))
    route = Route(_across(figure, _FAR_CAR_M, -1), 1.6, _start(clock, 72.0), clock)
    return [Actor(figure, route, Anomaly(track, "drives at walking pace", "car", ("speed",)))]


def _bag(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A suitcase that somebody leaves on the near pavement."""
    x_m = float(rng.uniform(1.5, 3.0))
    anomaly = Anomaly(track, "a suitcase left on the pavement", "thing", LEFT)
    seconds = clock.seconds * 0.4, 1e9
    way = [(x_m - 15.0, 34.75), (x_m + 15.0, 34.75)]
    return leave_suitcase(rng, way, clock, seconds, anomaly)


def _waiting(rng: np.random.Generator, track: int, clock: Clock) -> list[Actor]:
    """A person who steps from the pavement into the bike lane, stands there and goes back."""
    x_m = float(rng.uniform(-4.0, -2.0))
    way = [(-11.0, 37.2), (x_m, 37.2), (x_m, _BIKE_M), (x_m + 0.3, 37.0), (12.0, 37.0)]
    at_m = x_m + 11.0 + _BIKE_M - 37.2
    at_s, halt_s = 0.45 * clock.seconds, 0.35 * clock.seconds
    route = passing(way, 1.2, clock, at_m=at_m, at_s=at_s, halt_s=halt_s)
    causes = "standing", "place", "kind"
    what, forbidden = "stands in the bike lane", (NEAR_KERB_M, BIKE_LANE_M)
    return [
        Actor(person(rng), route, Anomaly(track, what, "person", causes, forbidden_m=forbidden))
    ]


_SEQUENCES: Final = {
    "Train001": (),
    "Train002": (),
    "Train003": (),
    "Test001": (_jaywalker, _pavement_cyclist),
    "Test002": (_wrong_way_car, _runner),
    "Test003": (_on_the_lawn, _dog, _slow_car),
    "Test004": (_bag, _waiting),
}


def write_scripts(seed: int, clock: Clock = CLOCK, density: float = 1.0) -> list[Script]:
    """Scripts of all sequences, training first."""
    return [
        _write_script(name, number, seed, clock, density) for number, name in enumerate(_SEQUENCES)
    ]


def _write_script(name: str, number: int, seed: int, clock: Clock, density: float) -> Script:
    rng = np.random.default_rng([seed, number])
    makes = enumerate(_SEQUENCES[name])
    actors = [actor for track, make in makes for actor in make(rng, track, clock)]
    for lane in _LANES:
        actors += _lane_traffic(_denser(lane, density), actors, number, clock, rng)
    return Script(name, number, tuple(actors), clock)
