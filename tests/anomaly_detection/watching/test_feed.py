"""The queue between decoding and scoring: what is dropped, what is not, and cameras that go."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tiny_scene import film, save_frames, save_video

from anomaly_detection.watching import feed as feed_module
from anomaly_detection.watching.feed import EventQueue, Feed
from anomaly_detection.watching.pictures import (
    Dropped,
    Ended,
    Event,
    Lost,
    Picture,
    Restarted,
)
from anomaly_detection.watching.source_names import SourceName
from anomaly_detection.watching.sources import Frames, Source
from vadloc.errors import UsageError, VadlocError

BLANK = np.zeros((4, 4), np.uint8)


def picture(number: int) -> Picture:
    return Picture(BLANK, np.zeros((4, 4, 3), np.uint8), number, number / 10, 0, 0)


def shorthand(events: list[Event]) -> list[object]:
    """Frames as their numbers, drops as negative counts, all else as its type."""
    return [
        e.number if isinstance(e, Picture) else -e.count if isinstance(e, Dropped) else type(e)
        for e in events
    ]


def everything(queue: EventQueue) -> list[Event]:
    return list(iter(lambda: queue.get(0), None))


def test_a_full_queue_drops_what_comes_until_it_is_empty() -> None:
    queue = EventQueue(3, drops=True)
    for number in range(5):
        queue.put(picture(number))
    assert queue.waiting == 3
    assert shorthand([queue.get(0) or Ended() for _ in range(2)]) == [0, 1]
    queue.put(picture(5))  # there is room, but the block would be short
    assert shorthand(everything(queue)) == [2]
    queue.put(picture(6))
    queue.put(picture(7))
    assert shorthand(everything(queue)) == [-3, 6, 7]


def test_large_frames_fill_a_queue_sooner() -> None:
    size = picture(0).byte_count
    assert size == 4 * 4 * 4
    queue = EventQueue(9, drops=True, most_bytes=2 * size, least=1)
    for number in range(4):
        queue.put(picture(number))
    assert shorthand(everything(queue)) == [0, 1]
    for number in range(4, 6):
        queue.put(picture(number))
    assert shorthand(everything(queue)) == [-2, 4, 5]


def test_frames_of_a_volume_may_wait_however_large_they_are() -> None:
    queue = EventQueue(9, drops=True, most_bytes=1, least=3)
    for number in range(5):
        queue.put(picture(number))
    assert shorthand(everything(queue)) == [0, 1, 2]


def test_drops_are_told_in_the_order_of_events() -> None:
    queue = EventQueue(2, drops=True)
    for number in range(4):
        queue.put(picture(number))
    queue.put(Lost("away", 0, 0))
    queue.put(picture(4))
    queue.put(Ended())
    assert shorthand(everything(queue)) == [0, 1, -2, Lost, -1, Ended]


def test_without_drops_the_reader_is_waited_for() -> None:
    queue = EventQueue(2, drops=False)
    writer = threading.Thread(target=lambda: [queue.put(picture(n)) for n in range(50)])
    writer.start()
    found = []
    while len(found) < 50:
        event = queue.get(10)
        assert queue.waiting <= 2
        assert event is not None
        found.append(event)
    writer.join()
    assert shorthand(found) == list(range(50))


def test_a_writer_is_told_that_nobody_reads() -> None:
    queue = EventQueue(1, drops=False)
    assert queue.put(picture(0))
    told: list[bool] = []
    writer = threading.Thread(target=lambda: told.append(queue.put(picture(1))))
    writer.start()
    queue.close()
    writer.join(10)
    assert told == [False]


@dataclass(frozen=True)
class Camera(Source):
    """A camera whose connections give so many frames each, or fail."""

    connections: list[int] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        return True

    def frames(self) -> Frames:
        return self._frames(self.connections.pop(0))

    def _frames(self, count: int) -> Iterator[tuple[np.ndarray, ...]]:
        for _ in range(count):
            yield BLANK, np.zeros((4, 4, 3), np.uint8)
        if not self.connections:
            threading.Event().wait(30)
        raise VadlocError(f"cannot open {self.name.address}")


def test_a_camera_that_goes_is_tried_again_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    camera = Camera(
        SourceName.of("rtsp://viewer:secret-word@cam/1"), 10, connections=[2, 0, 0, 0, 2, 0, 1]
    )
    feed = Feed(camera, room=100, drops=True)
    monkeypatch.setattr(feed._stop, "wait", waits.append)
    with feed:
        found: list[Event] = []
        while sum(isinstance(event, Picture) for event in found) < 5:
            event = feed.get(10)
            assert event is not None
            found.append(event)
    assert shorthand(found) == [0, 1, Lost, Restarted, 2, 3, Lost, Restarted, 4]
    assert waits == [1, 2, 4, 8, 1, 2]
    assert [e.reason for e in found if isinstance(e, Lost)] == ["cannot open rtsp://cam/1"] * 2


@dataclass(frozen=True)
class Hanging(Camera):
    """A camera whose driver does not come back from the second read for a while."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def frames(self) -> Frames:
        yield BLANK, np.zeros((4, 4, 3), np.uint8)
        self.go_on.wait(30)
        yield BLANK, np.zeros((4, 4, 3), np.uint8)
        threading.Event().wait(30)


def test_a_camera_whose_driver_hangs_is_gone_and_may_come_back() -> None:
    camera = Hanging(SourceName.of("/dev/video7"), 10, timeout_s=0.2)
    with Feed(camera, room=9, drops=True) as feed:
        found = [feed.get(10), *(feed.get(0.1) for _ in range(12))]
        camera.go_on.set()
        found.append(feed.get(10))
    events = [event for event in found if event]
    assert shorthand(events) == [0, Lost, 1]
    assert isinstance(events[1], Lost)
    assert "no picture for 0 s" in events[1].reason


def test_the_waits_end_somewhere() -> None:
    assert feed_module.FIRST_WAIT_S * 2**10 > feed_module.LONGEST_WAIT_S == 30


def test_a_file_is_read_again(tmp_path: Path) -> None:
    frames = film(seed=1)[:5]
    save_frames(tmp_path / "pictures", frames)
    save_video(tmp_path / "video.mkv", frames)
    for path in (tmp_path / "pictures", tmp_path / "video.mkv"):
        with Feed(Source(SourceName.of(str(path)), 10), room=2, drops=False, loops=2) as feed:
            found = []
            while not found or not isinstance(found[-1], Ended):
                event = feed.get(10)
                assert event is not None
                found.append(event)
        assert shorthand(found) == [0, 1, 2, 3, 4, Restarted, 5, 6, 7, 8, 9, Ended]
        pictures = [event for event in found if isinstance(event, Picture)]
        assert [p.seconds for p in pictures] == pytest.approx(np.arange(10) / 10)
        assert all((p.grey == frames[p.number % 5]).all() for p in pictures)


def test_a_file_that_is_cut_off_ends_with_its_error(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    save_frames(folder, film(seed=1)[:3])
    (folder / "002.png").write_bytes(b"no picture")
    with Feed(Source(SourceName.of(str(folder)), 10), room=9, drops=False) as feed:
        found = [feed.get(10) for _ in range(2)]
    last = found[-1]
    assert isinstance(last, Ended)
    assert "not a readable picture" in str(last.error)


def test_a_device_that_is_missing_or_locked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VadlocError, match=r"/dev/video97: no such device; there is .*: plug"):
        Source(SourceName.of("/dev/video97"), 10).check()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(VadlocError, match="/dev/null: you may not read it; add your user"):
        Source(SourceName.of("/dev/null"), 10).check()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere.mp4", "no such file or folder"),
        ("ftp://viewer:secret-word@cam/x", "ftp://cam/x: expected http://, https://, rtsp://"),
        (__file__, "no video; a sequence is a folder of pictures"),
    ],
)
def test_what_cannot_be_a_source_is_refused(given: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as failure:
        Source(SourceName.of(given), 10).check()
    assert "secret-word" not in str(failure.value)
