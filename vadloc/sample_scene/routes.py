"""Who moves where and when: routes, actors and scripts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.poses import Figure, Pose

_BRAKING_S: Final = 0.4
_AWAY: Final = (-1e9, 1e9)
LEFT: Final = ("left behind",)
"""The causes of an anomaly that is a thing left behind."""


@dataclass(frozen=True)
class Clock:
    """Length and frame rate of a sequence.

    Attributes:
        frame_count: Number of frames.
        frames_per_second: Frame rate.
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
    """The position of an actor in each frame."""

    @property
    def places_m(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` x and depth in each frame, NaN while absent."""

    @property
    def headings(self) -> NDArray[np.float64]:
        """``(frame_count, 2)`` unit vectors of motion, NaN while absent."""

    def pose(self, frame: int) -> Pose | None:
        """The pose of a figure at a frame; None while absent."""


@dataclass(frozen=True)
class Route:
    """A way through the scene at constant speed, with halts.

    Attributes:
        corners_m: ``(n, 2)`` x and depth of the corners, which the route rounds smoothly.
        speed_m_per_s: Speed along the way.
        first_frame: Frame number at the first corner; may be a fraction or negative.
        clock: Length and rate of the sequence.
        halts: Distance in metres and length in seconds of each halt, by distance.
        corner_m: Distance from a corner at which the curve around it begins and ends.
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
        """Times in seconds after the first corner, and the distances then.

        The speed is constant between two of these times.
        """
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
        """The pose of a figure at a frame; None before its start and after its end."""
        here, heading = self.places_m[frame], self.headings[frame]
        if np.isnan(heading).any():
            return None
        seconds = frame / self.clock.frames_per_second
        pose = Pose(here, heading, float(self.distance_m(frame)), seconds=seconds)
        return replace(pose, moving=self._moving(frame)) if self.halts else pose

    def _moving(self, frame: int) -> float:
        """1 in motion, 0 in a halt, a value in between while braking."""
        reach = _BRAKING_S * self.clock.frames_per_second
        gone = self.distance_m(np.array([frame - reach, frame + reach]))
        return float((gone[1] - gone[0]) / (2 * _BRAKING_S * self.speed_m_per_s))


@dataclass(frozen=True)
class Spot:
    """A fixed position of a figure.

    Attributes:
        place_m: x and depth of the position.
        heading: Angle in radians from the right towards the depth.
        clock: Length and rate of the sequence.
        seconds: The times at which the figure appears and disappears.
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
        what: A description in words.
        class_name: ``person``, ``cyclist``, ``car``, ``dog`` or ``thing``.
        causes: What is abnormal, the main cause first: ``speed``, ``direction``, ``place``,
            ``kind``, ``left behind``, ``standing``.
        allowed_m: Rectangles on the ground in which the actor is normal nevertheless.
        forbidden_m: Nearest and farthest depth at which the actor is anomalous.
        standing: Whether the actor is anomalous only while it stands.
    """

    track: int
    what: str
    class_name: str
    causes: tuple[str, ...]
    allowed_m: tuple[Rectangle, ...] = ()
    forbidden_m: tuple[float, float] = (0.0, np.inf)
    standing: bool = False

    def shows(self, pose: Pose) -> bool:
        """Whether the actor is anomalous in this pose."""
        x_m, depth_m = pose.ground_m
        nearest, farthest = self.forbidden_m
        if not nearest <= depth_m <= farthest or (self.standing and pose.moving > 0):
            return False
        return not any(x0 <= x_m <= x1 and y0 <= depth_m <= y1 for x0, x1, y0, y1 in self.allowed_m)


@dataclass(frozen=True)
class Actor:
    """A figure on its route.

    Attributes:
        figure: Its shape and colours.
        route: Its positions over time.
        anomaly: What is wrong with the actor; None for normal traffic.
        solid: Whether other actors keep a distance from it.
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
        name: Name, such as ``Train001``.
        number: Number among all sequences, from 0; part of the seed of random values.
        actors: All actors of the sequence.
        clock: Length and frame rate.
    """

    name: str
    number: int
    actors: tuple[Actor, ...]
    clock: Clock


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
    """A route that reaches the distance ``at_m`` at the time ``at_s``, and halts for ``halt_s``."""
    start = (at_s - at_m / speed_m_per_s) * clock.frames_per_second
    halts = ((at_m, halt_s),) if halt_s else ()
    return Route(np.array(corners_m), speed_m_per_s, start, clock, halts, corner_m)
