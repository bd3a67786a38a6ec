"""``/metrics``, read by a strict reader of the format that was written from its definition."""

import math
import re

import pytest
from watching_samples import show, some_state

from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.metrics import to_prometheus

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*),?\}})? (\S+)\Z")
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def read(text: str) -> dict[str, tuple[str, dict[str, str], float]]:
    """Type, labels and value of each metric; each must have HELP, then TYPE, then one sample."""
    assert text.endswith("\n")
    found: dict[str, tuple[str, dict[str, str], float]] = {}
    lines = text[:-1].split("\n")
    assert len(lines) % 3 == 0
    for about, kind, sample in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        match = SAMPLE.match(sample)
        assert match, sample
        name, labels, value = match.groups()
        assert re.match(rf"# HELP {name} [^\\]+\Z", about), about
        assert kind in (f"# TYPE {name} counter", f"# TYPE {name} gauge"), kind
        assert name not in found
        pairs = (label.split("=", 1) for label in re.findall(LABEL, labels or ""))
        read_labels = {
            key: re.sub(r"\\.", lambda m: ESCAPED[m[0]], quoted[1:-1]) for key, quoted in pairs
        }
        found[name] = kind.rsplit(" ", 1)[1], read_labels, float(value)
    return found


def test_counters_and_gauges() -> None:
    state = some_state()
    state.count("frames_dropped", 0)
    state.count("sends_failed", 2)
    state.measure("frames_per_second", 14.5)
    state.measure("something_new", -1e-9)
    show(state, 3, 2.5)
    found = read(to_prometheus(state.snapshot()))
    named = {"source": "gate"}
    assert found["vadloc_frames_read_total"] == ("counter", named, 3)
    assert found["vadloc_frames_dropped_total"] == ("counter", named, 0)
    assert found["vadloc_sends_failed_total"] == ("counter", named, 2)
    assert found["vadloc_frames_per_second"] == ("gauge", named, 14.5)
    assert found["vadloc_something_new"] == ("gauge", named, -1e-9)
    assert found["vadloc_score"] == ("gauge", named, 2.5)
    assert found["vadloc_threshold"] == ("gauge", named, 1)
    assert 0 <= found["vadloc_frame_age_seconds"][2] < 60


def test_before_the_first_frame() -> None:
    state = LiveState(name="gate", threshold=2)
    assert set(read(to_prometheus(state.snapshot()))) == {"vadloc_threshold"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_without_a_number(value: float) -> None:
    state = LiveState(name="gate", threshold=2)
    state.measure("latency_seconds", value)
    got = read(to_prometheus(state.snapshot()))["vadloc_latency_seconds"][2]
    assert got == value or (math.isnan(got) and math.isnan(value))
    text = to_prometheus(state.snapshot())
    assert re.search(r"^vadloc_latency_seconds\{.*\} (NaN|\+Inf|-Inf)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", 'a"} 1\nvadloc_fake 2', "Straße"])
def test_a_name_cannot_add_lines(name: str) -> None:
    state = LiveState(name=name, threshold=2)
    found = read(to_prometheus(state.snapshot()))
    assert found == {"vadloc_threshold": ("gauge", {"source": name}, 2)}
