"""Download files; stopped downloads are continued, and complete ones checked before use."""

import hashlib
import http.client
import logging
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from vadloc.console import LINE_EVERY_S
from vadloc.errors import VadlocError

logger = logging.getLogger(__name__)
CHUNK_BYTES = 2**20
TIMEOUT_S = 60
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Download:
    """A published archive.

    Attributes:
        address: Address (URL) of the archive.
        md5: MD5 as 32 hexadecimal digits, published by the authors or by others; ``None`` if
            unknown.
        size_bytes: Size of the archive; ``None`` if unknown, then the size that the server gives
            is used.
    """

    address: str
    md5: str | None = None
    size_bytes: int | None = None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(urlsplit(self.address).path).name


def fetch(download: Download, folder: Path) -> Path:
    """Download an archive to a folder, unless it is there already.

    Args:
        download: The archive.
        folder: Folder for the file, which is called ``<file name>.part`` while it is incomplete.

    Returns:
        The complete file. Its size and MD5 were checked if they are known.

    Raises:
        VadlocError: The server or the disk fails, or the file differs from the published one.
    """
    target = folder / download.file_name
    if target.is_file():
        logger.info("%s: downloaded already", target)
        return target
    part = target.with_name(f"{target.name}.part")
    with _network_errors(download, part):
        folder.mkdir(parents=True, exist_ok=True)
        total_bytes = _transfer(download, part)
    _check(download, part, total_bytes)
    part.replace(target)
    return target


def _transfer(download: Download, part: Path) -> int | None:
    """Append the missing bytes; return the total size if the server gives it."""
    if urlsplit(download.address).scheme not in SCHEMES:
        raise VadlocError(f"{download.address}: expected an address of {' or '.join(SCHEMES)}")
    have_bytes = part.stat().st_size if part.is_file() else 0
    if have_bytes and have_bytes == download.size_bytes:
        return have_bytes
    headers = {"Range": f"bytes={have_bytes}-"} if have_bytes else {}
    request = urllib.request.Request(download.address, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None  # nothing is missing; the file is checked afterwards
        raise
    with response:
        continued = response.status == http.HTTPStatus.PARTIAL_CONTENT
        start = have_bytes if continued else 0
        length = response.headers.get("Content-Length")
        total_bytes = start + int(length) if length else None
        _check_space(part, (total_bytes or 0) - start)
        _append(response, part, start, total_bytes)
    return total_bytes


def _check_space(part: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(part.parent).free
    if needed_bytes > free_bytes:
        raise VadlocError(
            f"{part.parent}: {free_bytes / 2**30:.1f} GiB free, {needed_bytes / 2**30:.1f} GiB to "
            "come; --datasets names a folder on another disk"
        )


def _append(
    response: http.client.HTTPResponse, part: Path, start: int, total_bytes: int | None
) -> None:
    last = time.monotonic()
    with part.open("ab") as file:
        file.truncate(start)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            if time.monotonic() - last > LINE_EVERY_S:
                last = time.monotonic()
                of = f" of {total_bytes / 2**20:.0f}" if total_bytes else ""
                logger.info("%s: %.0f%s MiB", part.name, file.tell() / 2**20, of)


def _check(download: Download, part: Path, total_bytes: int | None) -> None:
    """Check size and MD5; a complete but wrong file is deleted, as it cannot be continued."""
    size = part.stat().st_size
    expected = download.size_bytes or total_bytes
    if expected is not None and size < expected:
        raise VadlocError(f"{part}: {size} of {expected} bytes; the same command continues")
    if expected is not None and size > expected:
        part.unlink()
        raise VadlocError(
            f"{download.address}: {size} bytes came, {expected} are published; removed, try again"
        )
    if download.md5 is None:
        logger.warning("%s: no md5 is published; only its size was compared", part.name)
        return
    found = file_md5(part)
    if found != download.md5:
        part.unlink()
        raise VadlocError(
            f"{download.address}: md5 {found}, published is {download.md5}; removed. Try again, or "
            "download by hand and give the file as --source"
        )


def file_md5(path: Path) -> str:
    """The MD5 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def _network_errors(download: Download, part: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise VadlocError(
            f"{download.address}: {error or type(error).__name__}; what has come is kept in "
            f"{part}, the same command continues. Or download by hand and give it as --source"
        ) from None
