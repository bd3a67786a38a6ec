"""``/metrics``: counts and measured values of a watch in the text format of Prometheus.

Source: "Exposition formats", version 0.0.4,
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
from collections.abc import Iterator

from anomaly_detection.watching.live_state import Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "vadloc_"
HELP = {
    "frames_read": "Frames that the source gave.",
    "frames_scored": "Frames that have scores.",
    "frames_not_scored": "Frames that were not scored because the picture has a fault.",
    "frames_dropped": "Frames left out because scoring fell behind.",
    "alarms": "Alarms that began.",
    "reconnects": "Times that the source was opened again.",
    "clock_jumps": "Times that the clock of the source jumped.",
    "clips_failed": "Clips that could not be written.",
    "sends_failed": "Alarm messages that were lost.",
    "frames_per_second": "Frames scored per second, lately.",
    "latency_seconds": "Time from a frame to its scores, lately.",
    "alarm_latency_seconds": "Time from the first frame of the last alarm to its record.",
    "queue_frames": "Frames that wait to be scored.",
    "source_up": "1 while the source gives frames, else 0.",
    "threshold": "Score above which a cell is part of an alarm.",
    "score": "Highest score of the newest frame.",
    "frame_age_seconds": "Time since the newest frame was shown.",
}
"""What counters and gauges mean, by name; others are allowed."""


def to_prometheus(snapshot: Snapshot) -> str:
    """All counters and gauges, each with the name of the source as its label ``source``.

    Counters end with ``_total``.
    """
    label = f'{{source="{_escaped(snapshot.name)}"}}'
    gauges = dict(snapshot.gauges) | _own_gauges(snapshot)
    lines = [
        *(
            line
            for name in sorted(snapshot.counters)
            for line in _lines(name, "counter", label, snapshot.counters[name])
        ),
        *(line for name in sorted(gauges) for line in _lines(name, "gauge", label, gauges[name])),
    ]
    return "".join(f"{line}\n" for line in lines)


def _own_gauges(snapshot: Snapshot) -> dict[str, float]:
    """What is known without being measured by the loop."""
    found = {"threshold": snapshot.threshold}
    if snapshot.strip and snapshot.strip[-1].top is not None:
        found["score"] = snapshot.strip[-1].top
    if snapshot.frame_age_s is not None:
        found["frame_age_seconds"] = snapshot.frame_age_s
    return found


def _lines(name: str, kind: str, label: str, value: float) -> Iterator[str]:
    full = PREFIX + name
    if kind == "counter" and not name.endswith("_total"):
        full += "_total"
    help_text = HELP.get(name.removesuffix("_total"), f"{name.replace('_', ' ').capitalize()}.")
    yield f"# HELP {full} {help_text}"
    yield f"# TYPE {full} {kind}"
    yield f"{full}{label} {_number(value)}"


def _escaped(value: str) -> str:
    """A label's value."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
