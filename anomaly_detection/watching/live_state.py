"""What a running watch shows: its newest frame, its last scores and alarms, and its counts.

The loop that scores frames writes; the page and ``/metrics`` read. Every lock is held only while
references are copied, so that a reader never holds up the loop; pictures are encoded by readers.
"""

import math
import re
import threading
import time as clock
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 40_000
"""Largest number of frames that a strip keeps, whatever their rate."""
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class Shown(NamedTuple):
    """The newest frame.

    Attributes:
        rgb: uint8 ``(height, width, 3)``.
        scores: float32 ``(cell rows, cell columns)``, or None while none is final.
        frame: 0-based number in the source.
        seconds: Since the source began.
        time: Wall clock in seconds since 1970 (UTC).
        serial: Number of frames that have been shown, this one included.
    """

    rgb: NDArray[np.uint8]
    scores: NDArray[np.float32] | None
    frame: int
    seconds: float
    time: float
    serial: int


class Point(NamedTuple):
    """One frame of the score strip; ``top`` is its highest score, None where it has none."""

    frame: int
    seconds: float
    top: float | None


@dataclass(frozen=True)
class Snapshot:
    """What a `LiveState` held at one moment.

    Attributes:
        name: Name of the source, without credentials.
        threshold: Score above which a cell is part of an alarm.
        shown: The newest frame, None before the first one.
        strip: The frames of the last seconds, oldest first.
        alarms: Alarm records, oldest first; a record is never changed after it was added.
        alarms_serial: Changes whenever the alarms do.
        counters: Totals since the watch began, by name.
        gauges: Last measured values, by name.
        silent_s: Seconds since the loop wrote anything.
        frame_age_s: Seconds since the newest frame was shown, None before the first one.
    """

    name: str
    threshold: float
    shown: Shown | None
    strip: tuple[Point, ...]
    alarms: tuple[Mapping[str, Any], ...]
    alarms_serial: int
    counters: Mapping[str, int]
    gauges: Mapping[str, float]
    silent_s: float
    frame_age_s: float | None


@dataclass
class _Written:
    """Moments of the monotonic clock at which the loop wrote."""

    any_s: float = field(default_factory=clock.monotonic)
    frame_s: float | None = None


class LiveState:
    """What the page and ``/metrics`` show. One loop, many readers; all methods are thread-safe.

    Args:
        name: Name of the source, without credentials.
        threshold: Score above which a cell is part of an alarm.
        strip_seconds: Length of the score strip.
        alarms_kept: Number of alarms that are kept; older ones are forgotten.
        cell_px: Side of a score cell. Without it, the least side that fits is taken, with which
            the heat map may lie a few pixels off at the lower and right edge.
    """

    def __init__(
        self,
        *,
        name: str,
        threshold: float,
        strip_seconds: float = 300.0,
        alarms_kept: int = 200,
        cell_px: int | None = None,
    ) -> None:
        self.name, self.threshold, self.cell_px = name, threshold, cell_px
        self._strip_seconds, self._alarms_kept = strip_seconds, alarms_kept
        self._lock = threading.Lock()
        self._written = _Written()
        self._shown: Shown | None = None
        self._strip: deque[Point] = deque(maxlen=MOST_POINTS)
        self._alarms: dict[str, Mapping[str, Any]] = {}
        self._alarms_serial = 0
        self._counters: dict[str, int] = {}
        self._gauges: dict[str, float] = {}

    def show(
        self,
        rgb: NDArray[np.uint8],
        scores: NDArray[np.float32] | None,
        *,
        frame: int,
        seconds: float,
        time: float,
    ) -> None:
        """Show a frame.

        The arrays are kept, not copied: the caller must not write to them afterwards.

        Args:
            rgb: uint8 ``(height, width, 3)``.
            scores: float32 ``(cell rows, cell columns)``, or None while none is final.
            frame: 0-based number in the source.
            seconds: Since the source began. If they go back, the strip starts anew.
            time: Wall clock in seconds since 1970 (UTC).
        """
        top = None if scores is None or not scores.size else _finite(float(scores.max()))
        with self._lock:
            serial = self._shown.serial + 1 if self._shown else 1
            self._shown = Shown(rgb, scores, frame, seconds, time, serial)
            self._extend_strip(Point(frame, seconds, top))
            self._written.any_s = self._written.frame_s = clock.monotonic()

    def _extend_strip(self, point: Point) -> None:
        strip = self._strip
        if strip and point.seconds < strip[-1].seconds:
            strip.clear()
        strip.append(point)
        while point.seconds - strip[0].seconds > self._strip_seconds:
            strip.popleft()

    def add_alarm(self, record: Mapping[str, Any]) -> None:
        """Add an alarm record; one with the same ``id`` is replaced where it stands."""
        kept = MappingProxyType(dict(record))
        with self._lock:
            self._alarms[str(kept["id"])] = kept
            if len(self._alarms) > self._alarms_kept:
                del self._alarms[next(iter(self._alarms))]
            self._alarms_serial += 1
            self._written.any_s = clock.monotonic()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter. Other threads than the loop count, too: it is no sign of its life.

        Args:
            name: Lower-case letters, digits and underscores.
            by: At least 0.

        Raises:
            ValueError: The name is of another form, or ``by`` is negative.
        """
        if by < 0:
            raise ValueError(f"counter {name}: cannot count {by}, expected at least 0")
        with self._lock:
            self._counters[_checked(name)] = self._counters.get(name, 0) + by

    def measure(self, name: str, value: float) -> None:
        """Set a gauge.

        Args:
            name: Lower-case letters, digits and underscores.
            value: Any number.

        Raises:
            ValueError: The name is of another form.
        """
        with self._lock:
            self._gauges[_checked(name)] = float(value)
            self._written.any_s = clock.monotonic()

    @property
    def serial(self) -> int:
        """Number of frames that have been shown."""
        shown = self._shown
        return shown.serial if shown else 0

    def shown(self) -> Shown | None:
        """The newest frame."""
        return self._shown

    def alarm(self, name: str) -> Mapping[str, Any] | None:
        """The alarm record with an id, None if there is none."""
        with self._lock:
            return self._alarms.get(name)

    def snapshot(self) -> Snapshot:
        """A copy of all for readers; it never changes."""
        with self._lock:
            now, frame_s = clock.monotonic(), self._written.frame_s
            return Snapshot(
                name=self.name,
                threshold=self.threshold,
                shown=self._shown,
                strip=tuple(self._strip),
                alarms=tuple(self._alarms.values()),
                alarms_serial=self._alarms_serial,
                counters=MappingProxyType(dict(self._counters)),
                gauges=MappingProxyType(dict(self._gauges)),
                silent_s=now - self._written.any_s,
                frame_age_s=None if frame_s is None else now - frame_s,
            )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"name {name!r}: expected lower-case letters, digits and underscores")
    return name
