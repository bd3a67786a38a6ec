"""Who moves where and when: routes, actors, and traffic that keeps clear of itself."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.poses import Figure, Pose

_BRAKING_S: Final = 0.4
_AWAY: Final = (-1e9, 1e9)
LEFT: Final = ("left behind",)
"""Causes of a thing that is left behind."""


@dataclass(frozen=True)
class Clock:
    """Length and rate of a sequence.

    Attributes:
        frame_count: Frames of the sequence.
        frames_per_second: Their rate.
    """

    frame_count: int
    frames_per_second: float

    @property
    def seconds(self) -> float:
        """Length of the sequence."""
        return self.frame_count / self.frames_per_second

    @cached_property
    def frames(self) -> NDArray[np.float64]:
        """``(frame_count,)`` numbers of all frames."""
        return np.arange(self.frame_count, dtype=np.float64)


class Way(Protocol):
    """Where an actor is in each frame."""

    @property
    def places_m(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` x and depth in each frame, NaN while absent."""

    @property
    def headings(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` unit vectors of motion, NaN while absent."""

    def pose(self, frame: int) -> Pose | None:
        """Where and how a figure is at a frame; None while absent."""


@dataclass(frozen=True)
class Route:
    """A way through the scene at constant speed, with halts.

    Attributes:
        corners_m: ``(n, 2)`` x and depth of the corners; they are gone round smoothly.
        speed_m_per_s: Speed along the way.
        first_frame: Frame, with a fraction, at the first corner; may be negative.
        clock: Length and rate of the sequence.
        halts: Distance in metres and length in seconds of each halt, by distance.
        corner_m: Corners begin and end so far from their tip.
    """

    corners_m: NDArray[np.float64]
    speed_m_per_s: float
    first_frame: float
    clock: Clock
    halts: tuple[tuple[float, float], ...] = ()
    corner_m: float = 0.6

    @cached_property
    def places_m(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` x and depth in each frame of a sequence, NaN while absent."""
        return self.at_distance(self.distance_m(self.clock.frames))

    @cached_property
    def headings(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` unit vectors of motion, NaN while absent."""
        distance = self.distance_m(self.clock.frames)
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
        seconds = (np.asarray(frame, dtype=np.float64) - self.first_frame) / (
            self.clock.frames_per_second
        )
        if not self.halts:
            return np.asarray(seconds * self.speed_m_per_s)
        return np.interp(seconds, *self._halting)

    @cached_property
    def _halting(self) -> tuple[list[float], list[float]]:
        """Seconds after the first corner, and distances then, between which motion is even."""
        distances, times = [_AWAY[0]], [_AWAY[0] / self.speed_m_per_s]
        waited = 0.0
        for at_m, rest_s in self.halts:
            for rest in (0.0, rest_s):
                waited += rest
                distances.append(at_m)
                times.append(at_m / self.speed_m_per_s + waited)
        distances.append(_AWAY[1])
        times.append(_AWAY[1] / self.speed_m_per_s + waited)
        return times, distances

    def at_distance(self, distance_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ground points ``(n, 2)`` at distances ``(n,)``, corners rounded, NaN beyond the ends."""
        lengths = self._lengths_m
        samples = 7 if self.corner_m < 1 else 41
        nearby = distance_m[:, None] + np.linspace(-self.corner_m, self.corner_m, samples)
        axes = [np.interp(nearby, lengths, axis).mean(axis=1) for axis in self.corners_m.T]
        inside = (distance_m >= 0) & (distance_m <= lengths[-1])
        return np.where(inside[:, None], np.stack(axes, axis=1), np.nan)

    def pose(self, frame: int) -> Pose | None:
        """Where a figure on this route is at a frame; None before its start and after its end."""
        here, heading = self.places_m[frame], self.headings[frame]
        if np.isnan(heading).any():
            return None
        seconds = frame / self.clock.frames_per_second
        pose = Pose(here, heading, float(self.distance_m(frame)), seconds=seconds)
        return replace(pose, moving=self._moving(frame)) if self.halts else pose

    def _moving(self, frame: int) -> float:
        """1 in motion, 0 in a halt, between them while braking."""
        reach = _BRAKING_S * self.clock.frames_per_second
        gone = self.distance_m(np.array([frame - reach, frame + reach]))
        return float((gone[1] - gone[0]) / (2 * _BRAKING_S * self.speed_m_per_s))


@dataclass(frozen=True)
class Spot:
    """A place where something stays.

    Attributes:
        place_m: x and depth.
        heading: Angle in radians from the right towards the depth.
        clock: Length and rate of the sequence.
        seconds: From when to when it is there.
    """

    place_m: tuple[float, float]
    heading: float
    clock: Clock
    seconds: tuple[float, float] = _AWAY

    @cached_property
    def places_m(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` x and depth in each frame, NaN while absent."""
        seconds = self.clock.frames / self.clock.frames_per_second
        there = (seconds >= self.seconds[0]) & (seconds < self.seconds[1])
        return np.where(there[:, None], np.array(self.place_m), np.nan)

    @cached_property
    def headings(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` unit vectors, all the same."""
        heading = [math.cos(self.heading), math.sin(self.heading)]
        return np.tile(np.array(heading), (self.clock.frame_count, 1))

    def pose(self, frame: int) -> Pose | None:
        """The same pose in every frame; None while absent."""
        if np.isnan(self.places_m[frame]).any():
            return None
        seconds = frame / self.clock.frames_per_second
        place, heading = self.places_m[frame], self.headings[frame]
        return Pose(place, heading, 0.0, moving=0.0, seconds=seconds)


Rectangle = tuple[float, float, float, float]
"""Least and largest x, least and largest depth, in metres."""


@dataclass(frozen=True)
class Anomaly:
    """What is wrong with an actor.

    Attributes:
        track: Track id in the ground truth.
        what: In words.
        class_name: ``person``, ``cyclist``, ``car``, ``dog`` or ``thing``.
        causes: What is abnormal, the chief cause first: ``speed``, ``direction``, ``place``,
            ``kind``, ``left behind``, ``standing``.
        allowed_m: Where it is normal nevertheless.
        forbidden_m: Nearest and farthest depth where it is anomalous.
        standing: Whether it is anomalous only while it stands.
    """

    track: int
    what: str
    class_name: str
    causes: tuple[str, ...]
    allowed_m: tuple[Rectangle, ...] = ()
    forbidden_m: tuple[float, float] = (0.0, np.inf)
    standing: bool = False

    def shows(self, pose: Pose) -> bool:
        """Whether it is anomalous in this pose."""
        x_m, depth_m = pose.ground_m
        nearest, farthest = self.forbidden_m
        if not nearest <= depth_m <= farthest or (self.standing and pose.moving > 0):
            return False
        return not any(x0 <= x_m <= x1 and y0 <= depth_m <= y1 for x0, x1, y0, y1 in self.allowed_m)


@dataclass(frozen=True)
class Actor:
    """A figure on its route.

    Attributes:
        figure: What it looks like.
        route: Where it goes.
        anomaly: What is wrong with it, None for normal traffic.
        solid: Whether others keep clear of it.
    """

    figure: Figure
    route: Way
    anomaly: Anomaly | None = None
    solid: bool = True

    def is_anomalous(self, pose: Pose) -> bool:
        """Whether the ground truth lists the actor in this pose."""
        return self.anomaly is not None and self.anomaly.shows(pose)

    @property
    def track(self) -> int | None:
        """Track id in the ground truth, None for normal traffic."""
        return None if self.anomaly is None else self.anomaly.track

    @cached_property
    def discs_m(self) -> tuple[NDArray[np.float64], float]:
        """``(frame_count, n, 2)`` centres of discs that cover the figure, and their radius."""
        length, width = self.figure.footprint_m
        count = max(1, round(length / width))
        along = (np.arange(count) - (count - 1) / 2) * length / count
        places = self.route.places_m
        if count == 1:
            return places[:, None], max(length, width) / 2
        return places[:, None] + along[:, None] * self.route.headings[:, None], 0.6 * width


@dataclass(frozen=True)
class Script:
    """One sequence.

    Attributes:
        name: Such as ``Train001``.
        number: Place among all sequences, from 0; seeds what is random in it.
        actors: Everyone who moves.
        clock: Its length and rate.
    """

    name: str
    number: int
    actors: tuple[Actor, ...]
    clock: Clock


class Crowd:
    """The discs of many actors, to see whether another one fits between them."""

    def __init__(self, actors: Sequence[Actor]) -> None:
        self._parts = [_discs(actor) for actor in actors if actor.solid]

    def add(self, actor: Actor) -> None:
        """One actor more."""
        self._parts = [*self._joined(), _discs(actor)]

    def _joined(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        if len(self._parts) < 2:
            return self._parts
        centres, radii = zip(*self._parts, strict=True)
        self._parts = [(np.concatenate(centres, axis=1), np.concatenate(radii))]
        return self._parts

    def meets(self, actor: Actor, clearance_m: float) -> bool:
        """Whether an actor ever comes closer to one of them than this."""
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
        speed_m_per_s: Slowest and fastest.
        headway_s: Shortest and longest time between two starts.
        corner_m: As of the routes.
        halt: Distance in metres, share of actors that halt there, least and most seconds.
        clearance_m: Distance that is kept from others.
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
    """Actors of one stream that keep clear of ``others`` and of each other."""
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
    corners, halts = stream.way(rng), ()
    if stream.halt is not None and rng.random() < stream.halt[1]:
        halts = ((stream.halt[0], float(rng.uniform(*stream.halt[2:]))),)
    speed = float(rng.uniform(*stream.speed_m_per_s))
    start = seconds * clock.frames_per_second
    route = Route(corners, speed, start, clock, halts, stream.corner_m)
    return Actor(stream.make(rng), route)


def passing(
    corners_m: Sequence[tuple[float, float]],
    speed_m_per_s: float,
    clock: Clock,
    *,
    at_m: float,
    at_s: float,
    halt_s: float = 0.0,
    corner_m: float = 0.6,
) -> Route:
    """A route that reaches a distance at a time, and halts there if ``halt_s`` is positive."""
    start = (at_s - at_m / speed_m_per_s) * clock.frames_per_second
    halts = ((at_m, halt_s),) if halt_s else ()
    return Route(np.array(corners_m), speed_m_per_s, start, clock, halts, corner_m)


MakeAnomaly = Callable[[np.random.Generator, int, Clock], Actor]
"""Makes an actor with a track number."""


def write_sequences(
    training_and_tests: tuple[int, Sequence[Sequence[MakeAnomaly]]],
    streams: Sequence[Stream],
    seed: int,
    clock: Clock,
    density: float,
    extras: Callable[[Clock, int], list[Actor]] = lambda _clock, _number: [],
) -> list[Script]:
    """Scripts of sequences with the same traffic, those of training without anomalies.

    Args:
        training_and_tests: Number of training sequences, and the anomalies of each test sequence.
        streams: Normal traffic.
        seed: Of it.
        clock: Length and rate of each sequence.
        density: How many times as much traffic there is as in the streams.
        extras: Makes normal actors that belong to no stream, of a sequence's number.
    """
    training, tests = training_and_tests
    casts = [((), f"Train{number + 1:03d}") for number in range(training)]
    casts += [(makes, f"Test{number + 1:03d}") for number, makes in enumerate(tests)]
    scripts = []
    for number, (makes, name) in enumerate(casts):
        rng = np.random.default_rng([seed, number])
        actors = [make(rng, track, clock) for track, make in enumerate(makes)]
        actors += extras(clock, number)
        for stream in streams:
            headway = tuple(seconds / density for seconds in stream.headway_s)
            actors += fill(replace(stream, headway_s=headway), actors, clock, rng)
        scripts.append(Script(name, number, tuple(actors), clock))
    return scripts
