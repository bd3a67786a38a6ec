"""SHA-256 of input files; only files that have changed since the last time are read again.

A *record* is a JSON file in the results folder. It stores size, times of change and SHA-256 of each
input file when it was read. While size and times are the same, the file is not read again. A record
is only a cache: if it is missing or damaged, or cannot be written, the files are read, with the
same result.

There are two times: the modification time (mtime), which programs may set, and the change time of
the inode (ctime), which they may not. Files unpacked from an archive may all have one mtime, and
uncompressed pictures one size. If they replace other files, only the ctime shows it.
"""

import hashlib
import logging
import re
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from os import stat_result
from pathlib import Path

from vadloc.errors import UsageError, VadlocError
from vadloc.files.storage import (
    read_json,
    write_json,
)

logger = logging.getLogger(__name__)
SETTLED_NS = 2 * 10**9
"""File systems store times in steps, of 2 s at most (FAT). A file that was changed less than this
ago could change again without a new time; therefore it is not recorded yet."""
ANNOUNCED_BYTES = 1 << 30
"""From this many bytes on, reading takes long enough for a log message."""
_STAMP = "0000000000000001"
"""Stamp of every record. With a new number, records of earlier releases are not used."""
_DIGEST = re.compile("[0-9a-f]{64}")


def digests_of(files: Mapping[str, Path], record: Path) -> dict[str, str]:
    """SHA-256 of the content of each file.

    Args:
        files: The files, by the names under which the record has them.
        record: The record of exactly these files; it is written if it has changed.

    Returns:
        64 hexadecimal digits for each name, in the order of the files.

    Raises:
        VadlocError: A path is no regular file.
        OSError: A file cannot be read.
    """
    now_ns = time.time_ns()
    known = _read_record(record)
    found = {name: path.stat() for name, path in files.items()}
    digests = {name: _known_digest(known.get(name), found[name]) for name in files}
    unread = [name for name, digest in digests.items() if not digest]
    _announce(record, sum(found[name].st_size for name in unread))
    for name in unread:
        digests[name] = file_digest(files[name])
        after = files[name].stat()
        is_settled = max(after.st_mtime_ns, after.st_ctime_ns) <= now_ns - SETTLED_NS
        if not is_settled or _state(after) != _state(found[name]):
            del found[name]
    entries = {name: f"{_state(status)} {digests[name]}" for name, status in found.items()}
    if entries != known:
        with suppress(VadlocError, OSError):
            write_json(record, {"digests": entries}, stamp=_STAMP)
    return digests


def files_below(folder: Path, *, setting: str, content: str) -> dict[str, Path]:
    """All files below a folder by their path in it, in order.

    Args:
        folder: The folder that a setting names.
        setting: Name of the setting, for the message.
        content: What the folder should hold, for the message.

    Raises:
        UsageError: There is no such folder, or no file in it.
    """
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    if not found:
        raise UsageError(
            f"{setting} = {str(folder)!r}: no such folder, or no file in it; expected {content}"
        )
    return {file.relative_to(folder).as_posix(): file for file in found}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        VadlocError: The path is no regular file.
        OSError: The file cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # reading a named pipe would wait for ever
        raise VadlocError(f"{path}: no regular file; restore it or remove it")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_record(record: Path) -> dict[str, str]:
    """The entries of a record, ``<size> <mtime> <ctime> <digest>``, by name."""
    try:
        content = read_json(record)
    except (VadlocError, OSError):
        return {}
    entries = content.get("digests")
    if content.get("stamp") != _STAMP or not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, str)}


def _known_digest(entry: str | None, status: stat_result) -> str:
    """The digest in an entry; empty if the file has changed since."""
    state, _, digest = (entry or "").rpartition(" ")
    return digest if state == _state(status) and _DIGEST.fullmatch(digest) else ""


def _state(status: stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _announce(record: Path, size_bytes: int) -> None:
    if size_bytes > ANNOUNCED_BYTES:
        logger.info(
            "reading %.1f GiB of inputs that are new or were touched (%s)",
            size_bytes / 2**30,
            record.stem,
        )
