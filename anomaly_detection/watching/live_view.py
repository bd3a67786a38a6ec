"""What the page of a watch asks for, again and again: its newest picture, and the state of all."""

import base64
import json
import math
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from anomaly_detection.report.pictures import (
    fit_size,
    legend,
    resize,
    scores_to_levels,
    to_heat_png,
    to_jpeg,
)
from anomaly_detection.watching.live_state import LiveState, Point, Shown, Snapshot
from anomaly_detection.watching.marks import MarkFile

LONGEST_SIDE_PX = 960
"""Longest side of the live picture as it is sent."""
LEAST_S = 0.1
"""Shortest time between two pictures, so that an open page costs little time of the loop."""
LONGEST_WAIT_S = 2.0
"""Longest wait for a new picture; then the page asks again."""
POLL_S = 0.03
MOST_POINTS = 600
"""Most points of the score strip as it is sent."""
TOP_THRESHOLDS = 2.0
"""The colours of the heat map reach to so many thresholds, or to the strip's highest score."""


class _Encoded(NamedTuple):
    serial: int
    content: bytes
    made_at_s: float


class LiveView:
    """JSON for the page, made in the threads of readers.

    Args:
        state: The state of the watch.
        marks: The marks of its alarms.
    """

    def __init__(self, state: LiveState, marks: MarkFile) -> None:
        self.state, self.marks = state, marks
        self._lock = threading.Lock()
        self._encoded: _Encoded | None = None
        self._marks_serial = 0

    def picture(self, after: int) -> bytes:
        """The newest picture and its heat map.

        Args:
            after: Number of the picture that the page has. If the newest one has the same, this
                waits for another for up to `LONGEST_WAIT_S`.

        Returns:
            A JSON object, which has only its ``serial`` if there is no other picture.
        """
        give_up = time.monotonic() + LONGEST_WAIT_S
        while self.state.serial in {after, 0} and time.monotonic() < give_up:
            time.sleep(POLL_S)
        if self.state.serial in {after, 0}:
            return to_json({"serial": self.state.serial})
        return self._newest(after)

    def _newest(self, after: int) -> bytes:
        """The newest frame as JSON, encoded once for all readers, and not too often."""
        with self._lock:
            kept = self._encoded
            age_s = time.monotonic() - kept.made_at_s if kept else LEAST_S
            if kept and kept.serial != after and age_s < LEAST_S:
                return kept.content
            time.sleep(max(0.0, LEAST_S - age_s))
            shown = self.state.shown()
            assert shown is not None, "asked only after the first frame"
            if kept is None or kept.serial != shown.serial:
                content = to_json(self._picture_of(shown))
                kept = self._encoded = _Encoded(shown.serial, content, time.monotonic())
            return kept.content

    def _picture_of(self, shown: Shown) -> dict[str, Any]:
        height, width = shown.rgb.shape[:2]
        small = resize(shown.rgb, fit_size(height, width, LONGEST_SIDE_PX))
        top = heat_top(self.state.snapshot())
        found: dict[str, Any] = {
            "serial": shown.serial,
            "frame": shown.frame,
            "seconds": shown.seconds,
            "time": shown.time,
            "height_px": height,
            "width_px": width,
            "top": top,
            "picture": _base64(to_jpeg(small)),
            "heat": None,
        }
        if shown.scores is not None and shown.scores.size:
            cells = np.nan_to_num(shown.scores, nan=0.0, posinf=top, neginf=0.0)
            found["heat"] = _base64(to_heat_png(scores_to_levels(cells, top)))
            found["covers"] = covers((height, width), cells.shape, self.state.cell_px)
        return found

    def state_of_all(self, alarms_serial: str) -> bytes:
        """Score strip, alarms, counters and gauges.

        Args:
            alarms_serial: What the page had from here with its last alarms. If they are the same
                still, they are left out.
        """
        snapshot = self.state.snapshot()
        serial = f"{id(self.state):x}.{snapshot.alarms_serial}.{self._marks_serial}"
        found: dict[str, Any] = {
            "name": snapshot.name,
            "threshold": snapshot.threshold,
            "top": heat_top(snapshot),
            "colours": legend(),
            "strip": reduced(snapshot.strip, MOST_POINTS),
            "counters": dict(snapshot.counters),
            "gauges": {name: _plain(value) for name, value in snapshot.gauges.items()},
            "frame_age_s": snapshot.frame_age_s,
            "alarms_serial": serial,
        }
        if serial != alarms_serial:
            marks = self.marks.by_id()
            found["alarms"] = [_alarm(record, marks) for record in reversed(snapshot.alarms)]
        return to_json(found)

    def mark(self, record: Mapping[str, Any], kind: str | None) -> None:
        """Mark an alarm, see `MarkFile.put`."""
        self.marks.put(record, kind)
        with self._lock:
            self._marks_serial += 1


def to_json(content: Any) -> bytes:
    """Compact JSON without NaN."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def heat_top(snapshot: Snapshot) -> float:
    """The score that has the brightest colour of the heat map."""
    tops = [point.top for point in snapshot.strip if point.top is not None]
    return max([TOP_THRESHOLDS * snapshot.threshold, *tops, 0.0])


def covers(
    size_px: tuple[int, int], cells: tuple[int, ...], cell_px: int | None
) -> tuple[float, float]:
    """Height and width of the grid of cells as shares of those of the frame.

    Args:
        size_px: Height and width of the frame.
        cells: Number of rows and columns of cells.
        cell_px: Side of a cell, None for the least that fits.
    """
    cell = cell_px or max(-(-size // count) for size, count in zip(size_px, cells, strict=True))
    return cells[0] * cell / size_px[0], cells[1] * cell / size_px[1]


def reduced(strip: tuple[Point, ...], most: int) -> list[tuple[int, float, float | None]]:
    """At most so many points; each has the highest score of the frames that it stands for.

    Args:
        strip: Points in order.
        most: Largest number of points.

    Returns:
        First frame, its seconds, and the highest score or None, of each group of frames.
    """
    size = max(1, -(-len(strip) // most))
    groups = [strip[at : at + size] for at in range(0, len(strip), size)]
    return [(group[0].frame, round(group[0].seconds, 3), _top(group)) for group in groups]


def _top(group: tuple[Point, ...]) -> float | None:
    return max((point.top for point in group if point.top is not None), default=None)


def _alarm(record: Mapping[str, Any], marks: Mapping[str, str]) -> dict[str, Any]:
    """An alarm for the page: the name of its clip on the disk is left out."""
    found = {key: _plain(value) for key, value in record.items() if key != "clip"}
    return found | {"has_clip": bool(record.get("clip")), "mark": marks.get(str(record["id"]))}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
