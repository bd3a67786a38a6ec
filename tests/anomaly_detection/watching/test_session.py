"""What a watch makes of its options, and how it bears what goes wrong around it."""

import argparse
import errno
import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from watching_samples import TOKEN, ask, wait_until

from anomaly_detection.watch_camera import parser
from anomaly_detection.watching import feed as feed_module
from anomaly_detection.watching import pages, reporter, session
from anomaly_detection.watching.alarm_log import AlarmLog
from anomaly_detection.watching.feed import Feed
from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.meter import Meter
from anomaly_detection.watching.records import Watch
from anomaly_detection.watching.reporter import Outlets, Reporter
from anomaly_detection.watching.server import Server
from anomaly_detection.watching.source_names import SourceName
from anomaly_detection.watching.sources import Frames, Source
from anomaly_detection.watching.watcher import Watcher
from vadloc.errors import UsageError, VadlocError


def options(*more: object) -> argparse.Namespace:
    words = ["--config", "c.toml", "--source", "x.mp4", *more]
    return parser().parse_args([str(word) for word in words])


def served(folder: Path, state: LiveState, closing: ExitStack, *more: object) -> Server:
    """The page that the options ask for."""
    found: list[Server] = []
    real = session._part

    def noted(name: str) -> Any:
        module = real(name)

        class Noted:
            @staticmethod
            def serve(*args: Any, **named: Any) -> Server:
                found.append(module.serve(*args, **named))
                return found[0]

        return Noted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "_part", noted)
        session._serve(options("--out", folder, "--page", "0", *more), state, closing)
    return found[0]


def test_a_token_is_read_with_all_checks(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    state = LiveState(name="gate", threshold=1)
    file.chmod(0o644)
    with ExitStack() as closing:
        with pytest.raises(UsageError, match="chmod 600"):
            served(tmp_path, state, closing, "--token-file", file)
        with pytest.raises(UsageError, match="No such file"):
            served(tmp_path, state, closing, "--token-file", tmp_path / "nothing")
        file.chmod(0o600)
        server = served(tmp_path, state, closing, "--token-file", file)
        assert ask(server, "/state").status == 401
        assert ask(server, "/state", Authorization=f"Bearer {TOKEN}").status == 200


def test_a_second_signal_ends_at_once_but_not_an_echo_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(session, "SAME_SIGNAL_S", 3600.0)
    with session._stopped_by_signals() as is_stopped:
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        term, interrupt = (handler for handler in handlers if callable(handler))
        assert not is_stopped()
        term(signal.SIGTERM, None)  # called, not sent: a signal would end a worker of the tests
        term(signal.SIGTERM, None)
        assert is_stopped()
        monkeypatch.setattr(session, "SAME_SIGNAL_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            interrupt(signal.SIGINT, None)
    assert signal.getsignal(signal.SIGTERM) is before


class Gone(Source):
    """A camera that is never there."""

    @property
    def is_live(self) -> bool:
        return True

    def frames(self) -> Frames:
        raise VadlocError("Connection refused")


def watcher(feed: Feed, state: LiveState, log: AlarmLog) -> Watcher:
    """A loop that gets no frame."""
    meter = Meter(state, "gate")
    told = Reporter(Watch("gate", "yard", "momentum"), Outlets(log, state), meter)
    nothing: Any = argparse.Namespace(
        end=lambda *_: None,
        artifacts=argparse.Namespace(
            config=argparse.Namespace(regions=argparse.Namespace(frames_per_volume=4))
        ),
    )
    return Watcher(nothing, feed, nothing, nothing, told, state, meter)


def test_a_loop_that_waits_for_a_camera_is_alive_and_one_that_hangs_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SILENT_S", 1.5)
    monkeypatch.setattr(feed_module, "FIRST_WAIT_S", 60.0)
    state, over = LiveState(name="gate", threshold=1), threading.Event()
    feed = Feed(Gone(SourceName.of("rtsp://cam/1"), 10), room=9, drops=True)
    loop = watcher(feed, state, AlarmLog(tmp_path / "alarms.jsonl"))
    with ExitStack() as closing, feed:
        server = served(tmp_path, state, closing)
        thread = threading.Thread(target=lambda: loop.run(until=over.is_set), daemon=True)
        thread.start()
        wait_until(lambda: state.snapshot().gauges.get("source_up") == 0)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert ask(server, "/healthz").status == 200
            time.sleep(0.2)
        over.set()
        thread.join(20)
        state.count("sends_failed")  # of another thread: no sign that the loop lives
        wait_until(lambda: ask(server, "/healthz").status == 503)


class Outlet:
    """A sender whose queue is full, and that takes a while to end."""

    def __init__(self) -> None:
        self.given_s = -1.0

    def offer(self, _record: object) -> bool:
        return False

    def close(self, timeout_s: float) -> None:
        self.given_s = timeout_s
        time.sleep(0.05)


def reported(folder: Path, state: LiveState, *senders: Outlet) -> Reporter:
    log = AlarmLog(folder / "alarms.jsonl")
    outlets = Outlets(log, state, senders or [Outlet()])
    return Reporter(Watch("gate", "yard", "momentum"), outlets, Meter(state, "gate"))


def tell(of: Reporter, id_: str) -> None:
    of.picture("black", id_, "It is dark.", began=0.0, ended=None, frames=(0, None))


def test_what_a_sender_loses_is_counted_by_the_sender_alone(tmp_path: Path) -> None:
    state = LiveState(name="gate", threshold=1)
    of = reported(tmp_path, state)
    tell(of, "a")
    of.close(1)
    assert dict(state.snapshot().counters) == {"alarms": 1}


def test_all_senders_share_the_time_that_is_left(tmp_path: Path) -> None:
    first, second = Outlet(), Outlet()
    reported(tmp_path, LiveState(name="gate", threshold=1), first, second).close(10)
    assert 0 < second.given_s <= first.given_s - 0.05


def test_alarms_go_on_if_stdout_is_a_file_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_line: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(reporter, "emit", full)
    state = LiveState(name="gate", threshold=1)
    of = reported(tmp_path, state)
    for id_ in "abc":
        tell(of, id_)
    of.close(1)
    assert [record["id"] for record in state.snapshot().alarms] == ["a", "b", "c"]
    assert len((tmp_path / "alarms.jsonl").read_text().splitlines()) == 3
    assert caplog.text.count("stdout: cannot be written") == 1


def test_ids_are_unique_though_two_watches_begin_in_the_same_millisecond(tmp_path: Path) -> None:
    state, found = LiveState(name="gate", threshold=1), []
    for _ in range(2):
        of = reported(tmp_path, state)
        found.append(of.new_id(1_800_000_000.0))
        tell(of, found[-1])
        of.close(1)
    assert found == ["gate-20270115T080000000-1", "gate-20270115T080000000-2"]


def test_many_threads_count_while_the_status_line_is_made(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    state = LiveState(name="gate", threshold=1)
    meter = Meter(state, "gate")

    def count(first: int) -> None:
        for number in range(2000):
            meter.count("alarms")
            meter.count(f"of_{'abcdefghij'[first]}_{'abcdefghij'[number % 10]}")

    threads = [threading.Thread(target=count, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        meter.tell(waiting=0, is_up=True, force=True)
    meter.tell(waiting=0, is_up=True, force=True)
    assert "8000 alarms" in caplog.text
    assert state.snapshot().counters["alarms"] == 8000
