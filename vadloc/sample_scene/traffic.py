"""Who moves through the street, where and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.camera import (
    BIKE_LANE_M,
    CENTRE_LINE_M,
    FACADE_M,
    FAR_KERB_M,
    FRAMES_PER_SECOND,
    GRASS_M,
    NEAR_KERB_M,
    half_width_m,
)
from vadloc.sample_scene.figures import (
    HATCHBACK,
    RUN,
    SALOON,
    VAN,
    Car,
    CarBody,
    Clothes,
    Cyclist,
    Figure,
    Person,
    Pose,
)
from vadloc.sample_scene.shapes import Colour, scaled

FRAME_COUNT: Final = 200

_CORNER_M: Final = 0.6
_CLEARANCE_M: Final = (1.6, 0.25)


@dataclass(frozen=True)
class Route:
    """A way through the street at constant speed.

    Attributes:
        corners_m: ``(n, 2)`` x and depth of the corners; they are walked round smoothly.
        speed_m_per_s: Speed along the way.
        first_frame: Frame, with a fraction, at the first corner; may be negative.
    """

    corners_m: NDArray[np.float64]
    speed_m_per_s: float
    first_frame: float

    @cached_property
    def places_m(self) -> NDArray[np.float64]:
        """``(FRAME_COUNT, 2)`` x and depth in each frame of a sequence, NaN while absent."""
        return self.at_distance(self.distance_m(np.arange(FRAME_COUNT, dtype=np.float64)))

    @cached_property
    def _headings(self) -> NDArray[np.float64]:
        """``(FRAME_COUNT, 2)`` unit vectors of motion, NaN while absent."""
        distance = self.distance_m(np.arange(FRAME_COUNT, dtype=np.float64))
        ahead, behind = self.at_distance(distance + 0.1), self.at_distance(distance - 0.1)
        step = ahead - behind
        return np.asarray(step / np.linalg.norm(step, axis=1, keepdims=True))

    @cached_property
    def _lengths_m(self) -> NDArray[np.float64]:
        """``(n,)`` distance of each corner from the first."""
        steps = np.linalg.norm(np.diff(self.corners_m, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def distance_m(self, frame: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Distance travelled at a frame."""
        seconds = (np.asarray(frame, dtype=np.float64) - self.first_frame) / FRAMES_PER_SECOND
        return np.asarray(seconds * self.speed_m_per_s)

    def at_distance(self, distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ground points ``(n, 2)`` at distances ``(n,)``, corners rounded, NaN beyond the ends."""
        lengths = self._lengths_m
        nearby = distance_m[:, None] + np.linspace(-_CORNER_M, _CORNER_M, 7)
        axes = [np.interp(nearby, lengths, axis).mean(axis=1) for axis in self.corners_m.T]
        inside = (distance_m >= 0) & (distance_m <= lengths[-1])
        return np.where(inside[:, None], np.stack(axes, axis=1), np.nan)

    def pose(self, frame: int) -> Pose | None:
        """Where a figure on this route is at a frame; None before its start and after its end."""
        here, heading = self.places_m[frame], self._headings[frame]
        if np.isnan(heading).any():
            return None
        return Pose(here, heading, float(self.distance_m(frame)))


@dataclass(frozen=True)
class Actor:
    """A figure on its route.

    Attributes:
        figure: What it looks like.
        route: Where it goes.
        track: Track id in the ground truth, None for normal traffic.
        forbidden_m: Nearest and farthest depth where an actor with a track is anomalous.
    """

    figure: Figure
    route: Route
    track: int | None = None
    forbidden_m: tuple[float, float] = (0.0, np.inf)

    def is_anomalous(self, pose: Pose) -> bool:
        """Whether the ground truth lists the actor while it stands at ``pose``."""
        nearest, farthest = self.forbidden_m
        return self.track is not None and nearest <= pose.ground_m[1] <= farthest


@dataclass(frozen=True)
class Script:
    """One sequence.

    Attributes:
        name: Such as ``Train001``.
        number: Place among all sequences, from 0; seeds what is random in it.
        actors: Everyone who moves.
    """

    name: str
    number: int
    actors: tuple[Actor, ...]


@dataclass(frozen=True)
class _Lane:
    """A strip of the street with traffic of one kind.

    Attributes:
        kind: A key of ``_FIGURES``.
        depth_m: Middle of the strip.
        speed_m_per_s: Slowest and fastest.
        headway_s: Shortest and longest time between two starts.
        direction: 1 to the right, -1 to the left; 0 changes from sequence to sequence.
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
_PAINTS: Final[tuple[Colour, ...]] = (
    (186, 34, 36), (36, 72, 138), (206, 208, 210), (232, 232, 228), (58, 62, 68),
    (92, 128, 132), (204, 166, 66), (50, 92, 66), (140, 144, 150),
)  # fmt: skip
_BODIES: Final = (HATCHBACK, SALOON, HATCHBACK, SALOON, VAN)


def _choose(rng: np.random.Generator, options: Sequence[Colour]) -> Colour:
    """One of the colours, a little lighter or darker."""
    return scaled(options[int(rng.integers(len(options)))], float(rng.uniform(0.8, 1.15)))


def _clothes(rng: np.random.Generator) -> Clothes:
    return Clothes(*(_choose(rng, options) for options in (_TOPS, _BOTTOMS, _SKINS, _HAIRS)))


def _person(rng: np.random.Generator) -> Figure:
    return Person(_clothes(rng), size=float(rng.uniform(0.92, 1.08)))


def _cyclist(rng: np.random.Generator) -> Figure:
    return Cyclist(_clothes(rng), _choose(rng, _PAINTS))


def _car(rng: np.random.Generator) -> Figure:
    body: CarBody = _BODIES[int(rng.integers(len(_BODIES)))]
    return Car(body, _choose(rng, _PAINTS))


_FIGURES: Final = {"person": _person, "cyclist": _cyclist, "car": _car}


def _across(figure: Figure, depth_m: float, direction: int) -> NDArray[np.float64]:
    """Corners ``(2, 2)`` of a way through the whole picture, beginning and ending outside it."""
    reach = half_width_m(depth_m) + figure.footprint_m[0] / 2 + 1.6
    return np.array([[-direction * reach, depth_m], [direction * reach, depth_m]])


def _collide(one: Actor, other: Actor) -> bool:
    """Whether two actors ever come closer to each other than ``_CLEARANCE_M``."""
    sizes = (np.array(one.figure.footprint_m) + other.figure.footprint_m) / 2 + _CLEARANCE_M
    apart = np.abs(one.route.places_m - other.route.places_m)
    return bool((apart < sizes).all(axis=1).any())


def _lane_traffic(
    lane: _Lane, others: Sequence[Actor], number: int, rng: np.random.Generator
) -> list[Actor]:
    """Actors of one lane that keep clear of ``others`` and of each other."""
    direction = lane.direction or (1, -1)[(number + round(lane.depth_m * 10)) % 2]
    actors: list[Actor] = []
    seconds = -45.0 * (lane.kind == "person") - 12.0
    while seconds < FRAME_COUNT / FRAMES_PER_SECOND:
        figure = _FIGURES[lane.kind](rng)
        depth_m = lane.depth_m + float(rng.uniform(-0.2, 0.2))
        speed = float(rng.uniform(*lane.speed_m_per_s))
        route = Route(_across(figure, depth_m, direction), speed, seconds * FRAMES_PER_SECOND)
        actor = Actor(figure, route)
        if any(_collide(actor, other) for other in (*others, *actors)):
            seconds += 0.5
        else:
            actors.append(actor)
            seconds += float(rng.uniform(*lane.headway_s))
    return [actor for actor in actors if not np.isnan(actor.route.places_m).all()]


def _jaywalker(rng: np.random.Generator, track: int) -> Actor:
    """Walks along the far pavement, crosses the road, goes on along the near pavement."""
    way = [(-8.6, 49.2), (-4.5, 49.0), (0.5, 37.6), (2.5, 36.3), (12.0, 36.2)]
    route = Route(np.array(way), speed_m_per_s=1.6, first_frame=4.0)
    return Actor(_person(rng), route, track, (NEAR_KERB_M, FAR_KERB_M))


def _pavement_cyclist(rng: np.random.Generator, track: int) -> Actor:
    """Rides to the left along the near pavement."""
    figure = _cyclist(rng)
    route = Route(_across(figure, 34.75, -1), speed_m_per_s=3.0, first_frame=80.0)
    return Actor(figure, route, track, (GRASS_M, NEAR_KERB_M))


def _wrong_way_car(rng: np.random.Generator, track: int) -> Actor:
    """Drives to the left in the near lane."""
    figure = Car(HATCHBACK, _choose(rng, _PAINTS))
    route = Route(_across(figure, _NEAR_CAR_M, -1), speed_m_per_s=5.2, first_frame=62.0)
    return Actor(figure, route, track, (BIKE_LANE_M, CENTRE_LINE_M))


def _runner(rng: np.random.Generator, track: int) -> Actor:
    """Runs to the right along the near pavement, three times as fast as people walk."""
    figure = Person(_clothes(rng), gait=RUN)
    route = Route(_across(figure, 34.75, 1), speed_m_per_s=2.8, first_frame=85.0)
    return Actor(figure, route, track, (GRASS_M, FACADE_M))


_SEQUENCES: Final = {
    "Train001": (),
    "Train002": (),
    "Train003": (),
    "Test001": (_jaywalker, _pavement_cyclist),
    "Test002": (_wrong_way_car, _runner),
}


def write_scripts(seed: int) -> list[Script]:
    """Scripts of all sequences, training first."""
    return [_write_script(name, number, seed) for number, name in enumerate(_SEQUENCES)]


def _write_script(name: str, number: int, seed: int) -> Script:
    rng = np.random.default_rng([seed, number])
    actors = [anomaly(rng, track) for track, anomaly in enumerate(_SEQUENCES[name])]
    for lane in _LANES:
        actors += _lane_traffic(lane, actors, number, rng)
    return Script(name, number, tuple(actors))
