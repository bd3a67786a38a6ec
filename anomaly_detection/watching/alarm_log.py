"""The file of alarms: one JSON line for each, written through to the disk before the next one.

A process that is killed leaves whole lines, except perhaps the last one, which the next start
repairs. While the disk is full, lines wait in memory.
"""

import fcntl
import json
import logging
import os
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from vadloc.errors import VadlocError, counted, one_line

logger = logging.getLogger(__name__)
SCHEMA = 1
MOST_WAITING = 1000
"""Lines that wait for room on the disk; older ones are lost then, from the file only."""
_NUMBER = re.compile(rb'"id": "[^"]*-(\d+)"')


def record_to_line(record: Mapping[str, Any]) -> str:
    """A record as one line of JSON, without the end of the line."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def repair(path: Path) -> int:
    """Make the file end with a whole line: end the last one if it is whole, else cut it off.

    Returns:
        Number of bytes that were cut off.

    Raises:
        VadlocError: The file cannot be changed.
    """
    try:
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            torn = _last_line(file, end)
            if not torn:
                return 0
            if _is_whole(torn):
                file.write(b"\n")
                return 0
            file.truncate(end - len(torn))
            return len(torn)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise VadlocError(f"{path}: cannot be written ({error.strerror})") from None


def _last_line(file: BinaryIO, end: int) -> bytes:
    """What follows the last end of a line."""
    tail, start = b"", end
    while start and b"\n" not in tail:
        step = min(4096, start)
        start = file.seek(start - step)
        tail = file.read(step) + tail
    file.seek(end)
    return tail[tail.rfind(b"\n") + 1 :]


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


class AlarmLog:
    """Appends alarm records to a file, which no other process may do meanwhile.

    Args:
        path: The file; it goes on where it ends.

    Attributes:
        last_number: The highest number of an alarm in it; new ones get higher numbers, so that ids
            are unique even if the clock was set back.

    Raises:
        VadlocError: The file cannot be written, or another watch writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._failed = False
        self._lost = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise VadlocError(
                f"{path}: cannot be written ({error.strerror}); give another folder with --out"
            ) from None
        try:
            _lock(self._file, path)
            if cut := repair(path):
                logger.warning("%s: the last line was torn (%d bytes); it was cut off", path, cut)
            self.last_number = _last_number(path)
        except BaseException:
            os.close(self._file)
            raise

    def write(self, record: Mapping[str, Any]) -> bool:
        """Append a record, and those that wait; ``False`` if it has to wait for room."""
        self._lost += len(self._waiting) == MOST_WAITING  # the oldest one makes room
        self._waiting.append((record_to_line(record) + "\n").encode())
        return self.flush()

    def flush(self) -> bool:
        """Write the records that wait; ``False`` if there is no room for them."""
        while self._waiting:
            end = os.fstat(self._file).st_size
            try:
                _write_all(self._file, self._waiting[0])
                os.fsync(self._file)
            except OSError as error:
                self._undo(end)
                self._say(error)
                return False
            self._waiting.popleft()
        if self._failed:
            lost = f"{counted(self._lost, 'record')} lost, all others" if self._lost else "all"
            logger.info("%s: there is room again; %s are in it", self.path, lost)
        self._failed, self._lost = False, 0
        return True

    def close(self) -> None:
        """Write what waits, if there is room, and close the file."""
        if not self.flush():
            lost = counted(self._lost + len(self._waiting), "record")
            logger.error("%s: %s lost, which found no room to the end", self.path, lost)
        os.close(self._file)

    def _undo(self, end: int) -> None:
        """Cut off what was written of a line."""
        try:
            os.ftruncate(self._file, end)
        except OSError as error:
            logger.debug("%s: %s", self.path, error)

    def _say(self, error: OSError) -> None:
        if not self._failed:
            logger.error(
                "%s: cannot be written (%s); alarms go on elsewhere, and into the file when there "
                "is room",
                self.path,
                one_line(error.strerror),
            )
        self._failed = True


def _lock(file: int, path: Path) -> None:
    """Keep other watches out for as long as the file is open.

    Raises:
        VadlocError: Another one has it open.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise VadlocError(
            f"{path}: another watch writes to it; give each a folder of its own with --out"
        ) from None
    except OSError as error:  # file systems that know no locks
        logger.debug("%s: %s", path, error)


def _last_number(path: Path) -> int:
    """The highest number of an alarm in a file of alarms."""
    with path.open("rb") as file:
        found = (match for line in file for match in _NUMBER.finditer(line[:500]))
        return max((int(match[1]) for match in found), default=0)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
