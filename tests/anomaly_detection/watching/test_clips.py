"""Clips of alarms: some seconds before and after, and what happens if they cannot be written."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly_detection.watching import clips
from anomaly_detection.watching.clips import ClipRecorder, ClipSettings, reduced
from vadloc.errors import VadlocError
from vadloc.video.frames import Sequence, read_frames


def frame(number: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), 5 * number, np.uint8)


def recorder(folder: Path, failures: list[int], **changes: float) -> ClipRecorder:
    settings = {"before_s": 0.3, "after_s": 0.2, "longest_s": 60.0, **changes}
    made = ClipSettings(folder, **settings, frames_per_second=10, waits=True)
    return ClipRecorder(made, lambda: failures.append(1))


def shown(path: Path) -> list[int]:
    """The numbers of the frames of a clip, from their grey levels."""
    return [round(float(grey.mean()) / 5) for grey in read_frames(Sequence(path.stem, path))]


def record(of: ClipRecorder, alarms: range, count: int = 40) -> list[str | None]:
    return [of.add(frame(i), [], alarm="first" if i in alarms else None) for i in range(count)]


def test_a_clip_begins_before_the_alarm_and_ends_after_it(tmp_path: Path) -> None:
    failures: list[int] = []
    of = recorder(tmp_path, failures)
    names = record(of, range(20, 25))
    of.close(20)
    assert names == [None] * 20 + ["first.mp4"] * 6 + [None] * 14
    assert [path.name for path in tmp_path.iterdir()] == ["first.mp4"]
    assert shown(tmp_path / "first.mp4") == list(range(17, 27))
    assert failures == []


def test_a_long_alarm_has_several_clips_of_limited_length(tmp_path: Path) -> None:
    of = recorder(tmp_path, [], longest_s=1.0)
    for i in range(25):
        of.add(frame(i), [], alarm="it")
    of.close(20)
    found = {path.stem: shown(path) for path in tmp_path.iterdir()}
    assert found == {
        "it": list(range(10)),
        "it-2": list(range(7, 17)),  # 0.3 s before, and no more than 1 s in all
        "it-3": list(range(14, 24)),
        "it-4": list(range(21, 25)),
    }


def test_a_clip_without_seconds_after_ends_with_its_alarm(tmp_path: Path) -> None:
    of = recorder(tmp_path, [], after_s=0.0)
    names = record(of, range(20, 25))
    of.close(20)
    assert names[20:25] == ["first.mp4"] * 5
    assert {path.stem: shown(path) for path in tmp_path.iterdir()} == {"first": [*range(17, 26)]}


def test_a_full_disk_ends_clips_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, *_rest: object) -> int:
        raise VadlocError(f"{path}: No space left on device")

    monkeypatch.setattr(clips, "write_video", full)
    failures: list[int] = []
    of = recorder(tmp_path, failures)
    for start in (5, 25):
        record(of, range(start, start + 3))
    of.close(20)
    assert failures == [1, 1]
    assert caplog.text.count("No space left on device") == 1


def test_an_encoder_that_cannot_keep_up_blocks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "WAITING_BYTES", 5 * frame(0).nbytes)
    monkeypatch.setattr(clips._Clip, "start", lambda _clip: None)
    made = ClipSettings(tmp_path, 0.3, 0.2, 60.0, frames_per_second=10, waits=False)
    of = ClipRecorder(made, lambda: None)
    names = record(of, range(10, 40))
    assert names[10] == "first.mp4"
    assert None in names[11:20]


def test_frames_are_reduced_and_marked() -> None:
    black = np.zeros((720, 1280, 3), np.uint8)
    small = reduced(black, [(320, 160, 640, 400)])
    assert small.shape == (360, 640, 3)
    rows, columns = np.nonzero(small[..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (80, 199, 160, 319)
    assert not black.any()


def test_an_encoder_that_fails_in_any_way_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_rest: object) -> int:
        raise RuntimeError("a mistake in a library")

    monkeypatch.setattr(clips, "write_video", broken)
    failures: list[int] = []
    of = recorder(tmp_path, failures)
    record(of, range(5, 35))
    of.close(20)
    assert failures == [1]
    assert caplog.text.count("a mistake in a library") == 1


def test_each_time_that_the_disk_is_full_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, *_rest: object) -> int:
        raise VadlocError(f"{path}: No space left on device")

    of = recorder(tmp_path, [])
    for is_full in (True, False, True):
        with monkeypatch.context() as patch:
            if is_full:
                patch.setattr(clips, "write_video", full)
            record(of, range(5, 8))
            for clip in of._closing:
                clip.join(20)
    of.close(20)
    assert caplog.text.count("No space left on device") == 2


def test_few_clips_are_encoded_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(_path: Path, frames: Iterator[object], *_rest: object) -> int:
        go_on.wait(20)
        return len([*frames])

    monkeypatch.setattr(clips, "write_video", slow)
    failures: list[int] = []
    made = ClipSettings(tmp_path, 0.3, 0.2, 60.0, frames_per_second=10, waits=False)
    of = ClipRecorder(made, lambda: failures.append(1))
    names = {name for alarm in "abcd" for name in _clips_of(of, alarm)}
    assert names == {"a.mp4", "b.mp4"}
    go_on.set()
    of.close(20)
    assert failures == []


def _clips_of(of: ClipRecorder, alarm: str) -> set[str]:
    """The clips of an alarm of two frames, and eight frames without one."""
    found = {of.add(frame(i), [], alarm=alarm if i < 2 else None) for i in range(10)}
    return {name for name in found if name}


def test_a_clip_that_cannot_be_finished_in_time_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(clips, "write_video", lambda *_: go_on.wait(20))
    failures: list[int] = []
    of = recorder(tmp_path, failures)
    record(of, range(5, 8))
    of.close(0.1)
    go_on.set()
    assert failures == [1]
    assert "first.mp4: not finished before the end; it is lost" in caplog.text
