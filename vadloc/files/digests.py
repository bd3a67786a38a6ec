"""SHA-256 of input files; only files that were touched since the last time are read again.

A *record* is a JSON file below the results. Of each input file it holds the size, the times of
change and the SHA-256, as they were when the file was read. As long as size and times are those,
the file is not read again. A record is a cache and nothing more: without it, or where it is damaged
or cannot be written, the files are read, with the same result.

There are two times: of the content, which programs may set, and of the file's entry on the disk,
which they may not. Archives give all files one time of content, and uncompressed pictures have one
size: only the second time tells then that others were unpacked in their place.
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

from vadloc.errors import VadlocError
from vadloc.files.storage import (
    read_json,
    write_json,
)

logger = logging.getLogger(__name__)
SETTLED_NS = 2 * 10**9
"""Times of files have steps, the coarsest (FAT) of 2 s. A file that was changed less than this ago
may be changed once more without another time; it is not recorded yet."""
ANNOUNCED_BYTES = 1 << 30
"""Reading so much takes long enough to say so."""
_STAMP = "0000000000000001"
"""Stamp of every record; with another number, records of earlier releases are made again."""
_DIGEST = re.compile("[0-9a-f]{64}")


def digests_of(files: Mapping[str, Path], record: Path) -> dict[str, str]:
    """SHA-256 of the content of each file.

    Args:
        files: The files, by the names under which the record has them.
        record: The record of all of them and of no others; written if it has changed.

    Returns:
        64 hexadecimal digits for each name, in the order of the files.

    Raises:
        VadlocError: One is no regular file.
        OSError: One cannot be read.
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


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        VadlocError: It is no regular file.
        OSError: It cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a named pipe would be waited for
        raise VadlocError(f"{path}: no regular file; restore it or remove it")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_record(record: Path) -> dict[str, str]:
    """The entries of a record, ``<size> <time of content> <of entry> <digest>`` by name."""
    try:
        content = read_json(record)
    except (VadlocError, OSError):
        return {}
    entries = content.get("digests")
    if content.get("stamp") != _STAMP or not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, str)}


def _known_digest(entry: str | None, status: stat_result) -> str:
    """The digest in an entry, empty if it is of another state of the file."""
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
