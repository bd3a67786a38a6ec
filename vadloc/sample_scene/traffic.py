"""Normal traffic without collisions, and the sequences of a scene."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.casting import PAINTS, choose, person
from vadloc.sample_scene.poses import Figure
from vadloc.sample_scene.routes import Actor, Anomaly, Clock, Route, Script, Spot, passing
from vadloc.sample_scene.things import BEHIND_M, Leaver, Suitcase


class Crowd:
    """The discs of many actors, to test whether another actor meets one of them."""

    def __init__(self, actors: Sequence[Actor]) -> None:
        self._parts = [_discs(actor) for actor in actors if actor.solid]

    def add(self, actor: Actor) -> None:
        """Add an actor."""
        self._parts = [*self._joined(), _discs(actor)]

    def _joined(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        if len(self._parts) < 2:
            return self._parts
        centres, radii = zip(*self._parts, strict=True)
        self._parts = [(np.concatenate(centres, axis=1), np.concatenate(radii))]
        return self._parts

    def meets(self, actor: Actor, clearance_m: float) -> bool:
        """Whether an actor ever comes closer to one of the others than ``clearance_m``."""
        if not (actor.solid and self._parts):
            return False
        [(others, radii)] = self._joined()
        centres, [radius, *_] = _discs(actor)
        there = np.isfinite(centres[:, 0, 0])
        apart = centres[there, :, None] - others[there, None]
        reach = radii + radius + clearance_m
        return bool(((apart**2).sum(axis=-1) < reach**2).any())


def _discs(actor: Actor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(frame_count, n, 2)`` centres of an actor's discs and ``(n,)`` their radii."""
    centres, radius = actor.discs_m
    return centres, np.full(centres.shape[1], radius)


Make = Callable[[np.random.Generator], Figure]
MakeWay = Callable[[np.random.Generator], NDArray[np.float64]]


@dataclass(frozen=True)
class Stream:
    """Traffic of one kind.

    Attributes:
        make: Makes a figure.
        way: Makes the corners of a route.
        speed_m_per_s: Lowest and highest speed.
        headway_s: Shortest and longest time between two starts.
        corner_m: Distance from a corner at which the curve begins and ends; see `Route`.
        halt: Distance of a halt in metres, share of actors that halt, shortest and longest time.
        clearance_m: Least distance from other actors.
    """

    make: Make
    way: MakeWay
    speed_m_per_s: tuple[float, float]
    headway_s: tuple[float, float]
    corner_m: float = 0.6
    halt: tuple[float, float, float, float] | None = None
    clearance_m: float = 0.15


def fill(
    stream: Stream, others: Sequence[Actor], clock: Clock, rng: np.random.Generator
) -> list[Actor]:
    """Actors of one stream that keep a distance from ``others`` and from each other."""
    actors: list[Actor] = []
    crowd = Crowd(others)
    seconds = -60.0 - float(rng.uniform(0, stream.headway_s[1]))
    while seconds < clock.seconds:
        actor = _join(stream, seconds, clock, rng)
        if np.isnan(actor.route.places_m).all():
            seconds += float(rng.uniform(*stream.headway_s))
        elif crowd.meets(actor, stream.clearance_m):
            seconds += 0.5
        else:
            actors.append(actor)
            crowd.add(actor)
            seconds += float(rng.uniform(*stream.headway_s))
    return actors


def _join(stream: Stream, seconds: float, clock: Clock, rng: np.random.Generator) -> Actor:
    """One actor of a stream that starts at a time."""
    corners = stream.way(rng)
    halts: tuple[tuple[float, float], ...] = ()
    if stream.halt is not None and rng.random() < stream.halt[1]:
        halts = ((stream.halt[0], float(rng.uniform(*stream.halt[2:]))),)
    speed = float(rng.uniform(*stream.speed_m_per_s))
    start = seconds * clock.frames_per_second
    route = Route(corners, speed, start, clock, halts, stream.corner_m)
    return Actor(stream.make(rng), route)


def _denser(stream: Stream, density: float) -> Stream:
    """The stream with ``density`` times as much traffic."""
    shortest, longest = stream.headway_s
    return replace(stream, headway_s=(shortest / density, longest / density))


MakeAnomaly = Callable[[np.random.Generator, int, Clock], Sequence[Actor]]
"""Function that makes an anomalous actor with a track number, and the actors that belong to it."""


def leave_suitcase(
    rng: np.random.Generator,
    way: Sequence[tuple[float, float]],
    clock: Clock,
    seconds: tuple[float, float],
    anomaly: Anomaly,
) -> list[Actor]:
    """A person who walks straight on, halts half-way, and goes on without their suitcase.

    Args:
        rng: Random numbers for the looks of person and suitcase.
        way: First and last point.
        clock: Length and rate of the sequence.
        seconds: The times at which the suitcase is left and at which it disappears.
        anomaly: What is wrong with the suitcase.
    """
    ends = np.array(way)
    step = ends[1] - ends[0]
    half_m = float(np.linalg.norm(step)) / 2
    ahead = step / (2 * half_m)
    halt_s = 1.6
    at_s = seconds[0] - halt_s / 2
    route = passing(list(way), 1.2, clock, at_m=half_m, at_s=at_s, halt_s=halt_s)
    x_m, depth_m = ends.mean(axis=0) - BEHIND_M * ahead - 0.2 * np.array([-ahead[1], ahead[0]])
    place_m = float(x_m), float(depth_m)
    heading = float(np.arctan2(ahead[1], ahead[0]))
    case = Suitcase(choose(rng, PAINTS))
    spot = Spot(place_m, heading, clock, seconds)
    left = Actor(case, spot, anomaly)
    return [left, Actor(Leaver(person(rng), case, seconds[0]), route)]


def write_sequences(
    training_and_tests: tuple[int, Sequence[Sequence[MakeAnomaly]]],
    streams: Sequence[Stream],
    seed: int,
    clock: Clock,
    density: float,
    extras: Callable[[Clock, int], list[Actor]] = lambda _clock, _number: [],
) -> list[Script]:
    """Scripts of sequences with the same traffic; training sequences have no anomalies.

    Args:
        training_and_tests: Number of training sequences, and the anomalies of each test sequence.
        streams: Normal traffic.
        seed: Seed of the traffic.
        clock: Length and rate of each sequence.
        density: Factor of the amount of traffic.
        extras: Makes the normal actors of a sequence, by its number, that belong to no stream.
    """
    training, tests = training_and_tests
    casts: list[tuple[Sequence[MakeAnomaly], str]] = [
        ((), f"Train{number + 1:03d}") for number in range(training)
    ]
    casts += [(makes, f"Test{number + 1:03d}") for number, makes in enumerate(tests)]
    scripts = []
    for number, (makes, name) in enumerate(casts):
        rng = np.random.default_rng([seed, number])
        actors = [actor for track, make in enumerate(makes) for actor in make(rng, track, clock)]
        actors += extras(clock, number)
        for stream in streams:
            actors += fill(_denser(stream, density), actors, clock, rng)
        scripts.append(Script(name, number, tuple(actors), clock))
    return scripts
