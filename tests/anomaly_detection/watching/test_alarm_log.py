"""The file of alarms holds whole lines, whatever happens to the process or the disk."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anomaly_detection.watching.alarm_log import MOST_WAITING, AlarmLog, repair
from vadloc.errors import VadlocError

ENDLESS = """
import sys
from pathlib import Path
from anomaly_detection.watching.alarm_log import AlarmLog
log = AlarmLog(Path(sys.argv[1]))
for number in range(10**9):
    log.write({"id": number, "sentence": "x" * 20_000})
    print(number, flush=True)
"""


def ids(path: Path) -> list[int]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_records_are_appended(tmp_path: Path) -> None:
    for number in range(2):
        log = AlarmLog(tmp_path / "new" / "alarms.jsonl")
        assert log.write({"id": number, "sentence": "Über"})
        log.close()
    assert ids(tmp_path / "new" / "alarms.jsonl") == [0, 1]


@pytest.mark.parametrize(
    ("torn", "cut"),
    [('{"id": 2, "sent', 15), ('{"id": 2}', 0), ("[", 1), ("\x00" * 5000, 5000), ("", 0)],
)
def test_the_next_start_repairs_a_torn_line(tmp_path: Path, torn: str, cut: int) -> None:
    path = tmp_path / "alarms.jsonl"
    path.write_text('{"id": 1}\n' + torn)
    assert repair(path) == cut
    log = AlarmLog(path)
    log.write({"id": 3})
    log.close()
    assert ids(path) == ([1, 2, 3] if torn == '{"id": 2}' else [1, 3])


def test_a_file_of_one_torn_line_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    path.write_text('{"id"')
    assert repair(path) == 5
    assert path.read_bytes() == b""


def test_a_killed_process_leaves_what_it_has_written(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    words = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 20:
                process.send_signal(signal.SIGKILL)
                break
    repair(path)
    found = ids(path)
    assert len(found) > 20
    assert found == list(range(len(found)))


def test_a_full_disk_tears_no_line_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "alarms.jsonl"
    log = AlarmLog(path)
    log.write({"id": 0})
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 4:
            return real(file, data[:4])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert not log.write({"id": 1, "sentence": "no room for it"})
    assert not log.write({"id": 2, "sentence": "no room for it"})
    assert ids(path) == [0]
    assert caplog.text.count("No space left on device") == 1
    monkeypatch.setattr(os, "write", real)
    assert log.write({"id": 3})
    log.close()
    assert ids(path) == [0, 1, 2, 3]


def test_two_watches_cannot_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    first = AlarmLog(path)
    first.write({"id": 1})
    with pytest.raises(VadlocError, match="another watch writes to it; give each a folder"):
        AlarmLog(path)
    first.write({"id": 2})
    first.close()
    AlarmLog(path).close()
    assert ids(path) == [1, 2]


def test_numbers_of_alarms_go_on_after_those_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    log = AlarmLog(path)
    assert log.last_number == 0
    for number in (1, 12, 3):
        sentence = 'it said "id": "door-x-99"'
        log.write({"schema": 1, "id": f"door-20260102T030405678-{number}", "sentence": sentence})
    log.close()
    again = AlarmLog(path)
    assert again.last_number == 12
    again.close()


def test_lines_that_wait_are_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alarms.jsonl"
    log = AlarmLog(path)

    def full(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        assert not log.write({"id": 1})
        assert not log.flush()
    assert log.flush()
    log.close()
    assert ids(path) == [1]


def test_lines_that_are_lost_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    caplog.set_level("INFO")
    log = AlarmLog(tmp_path / "alarms.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for number in range(MOST_WAITING + 3):
            log.write({"id": number})
    assert log.flush()
    assert "there is room again; 3 records lost, all others are in it" in caplog.text
    assert ids(tmp_path / "alarms.jsonl") == list(range(3, MOST_WAITING + 3))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.write({"id": -1})
        log.close()
    assert "1 record lost, which found no room to the end" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(VadlocError, match="give another folder with --out"):
        AlarmLog(tmp_path / "alarms.jsonl")
