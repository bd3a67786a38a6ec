"""What a watch shows: frames, strip, alarms and counts, written by one and read by many."""

import threading

import numpy as np
import pytest
from watching_samples import alarm, show, some_state

from anomaly_detection.watching import live_state
from anomaly_detection.watching.live_state import LiveState


def make(**changes: object) -> LiveState:
    return LiveState(**({"name": "gate", "threshold": 1.0} | changes))  # type: ignore[arg-type]


def test_nothing_is_shown_at_first() -> None:
    snapshot = make().snapshot()
    assert (snapshot.shown, snapshot.strip, snapshot.alarms) == (None, (), ())
    assert snapshot.frame_age_s is None
    assert make().serial == 0


def test_the_newest_frame_is_shown() -> None:
    state = make()
    show(state, 7, 0.25)
    show(state, 9, None)
    shown = state.snapshot().shown
    assert shown is not None
    assert (shown.frame, shown.seconds, shown.serial, shown.scores) == (9, 0.9, 2, None)
    assert [(p.frame, p.top) for p in state.snapshot().strip] == [(7, 0.25), (9, None)]


def test_the_strip_keeps_its_seconds_and_no_more() -> None:
    state = make(strip_seconds=2.0)
    for frame in range(100):
        show(state, frame)
    assert [point.frame for point in state.snapshot().strip] == list(range(79, 100))


def test_the_strip_is_bounded_at_any_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_state, "MOST_POINTS", 50)
    state = make()
    for frame in range(200):
        state.show(np.zeros((2, 2, 3), np.uint8), None, frame=frame, seconds=0.0, time=0.0)
    assert [point.frame for point in state.snapshot().strip] == list(range(150, 200))


def test_the_strip_begins_anew_when_the_source_does() -> None:
    state = make()
    for frame in (5, 6, 0, 1):
        show(state, frame)
    assert [point.frame for point in state.snapshot().strip] == [0, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_no_points(value: float) -> None:
    state = make()
    show(state, 0, value)
    expected = 0.0 if value == -np.inf else None  # the other cells have 0
    assert state.snapshot().strip[0].top == expected


def test_alarms_replace_those_of_their_id_and_the_oldest_go() -> None:
    state = make(alarms_kept=2)
    state.add_alarm(alarm(1, state="begun"))
    state.add_alarm(alarm(2))
    state.add_alarm(alarm(1, state="ended"))
    assert [(a["id"][-1], a["state"]) for a in state.snapshot().alarms] == [
        ("1", "ended"),
        ("2", "ended"),
    ]
    state.add_alarm(alarm(3))
    assert [a["id"][-1] for a in state.snapshot().alarms] == ["2", "3"]
    assert state.alarm(alarm(1)["id"]) is None
    assert state.snapshot().alarms_serial == 4


def test_a_snapshot_does_not_change() -> None:
    state = some_state()
    before = state.snapshot()
    record = alarm(2)
    state.add_alarm(record)
    record["sentence"] = "changed"
    state.count("frames_read")
    state.measure("queue_frames", 3)
    show(state, 3)
    assert len(before.alarms) == 1
    assert before.counters == {"frames_read": 3}
    assert before.gauges == {}
    assert len(before.strip) == 3
    assert state.snapshot().alarms[1]["sentence"] == alarm(2)["sentence"]
    with pytest.raises(TypeError):
        before.counters["frames_read"] = 0  # type: ignore[index]


@pytest.mark.parametrize("name", ["", "Frames", "frames-read", "frames read", "1st", "a\n"])
def test_names_of_counts_are_plain(name: str) -> None:
    with pytest.raises(ValueError, match="expected lower-case letters"):
        make().count(name)
    with pytest.raises(ValueError, match="expected lower-case letters"):
        make().measure(name, 1)


def test_counters_never_fall() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        make().count("frames_read", -1)


def test_many_readers_and_one_writer() -> None:
    state, stop, seen = make(strip_seconds=1.0), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            snapshot = state.snapshot()
            frames = [point.frame for point in snapshot.strip]
            if frames:
                assert snapshot.shown is not None
                seen.append(frames == list(range(frames[0], snapshot.shown.frame + 1)))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for frame in range(2000):
        show(state, frame)
        state.count("frames_read")
    stop.set()
    for reader in readers:
        reader.join()
    assert all(seen)
    assert state.snapshot().counters["frames_read"] == 2000
