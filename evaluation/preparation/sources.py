"""Folders and archives with the files of a dataset; they are checked before anything is written.

Folders belong to the user and are trusted. An archive may come from anywhere: names that leave the
folder, links, devices, encrypted members and impossible sizes are refused when its table of
contents is read.
"""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from vadloc.errors import UsageError, VadlocError, one_line

MAX_HEADER_BYTES = 1 << 20
"""Most header bytes of a member of a tar file; usual headers have 1 to 3 kB."""
MAX_TEXT_BYTES = 1 << 24
"""Most bytes of a file that is read as text; the lists of official downloads have a few kB."""
MAX_MEMBERS = 5_000_000
"""Ten times the number of files of the largest supported dataset."""
BOMB_BYTES = 4 * 2**30
"""Archives that unpack to fewer bytes are never refused as decompression bombs."""
BOMB_RATIO = 100
"""Refused compression ratio: frames, videos and masks together never compress so much."""


@dataclass(frozen=True)
class Member:
    """One file of a source.

    Attributes:
        path: Path inside the source.
        size_bytes: Size after unpacking.
    """

    path: PurePosixPath
    size_bytes: int


class Source(Protocol):
    """A folder or an archive."""

    @property
    def path(self) -> Path:
        """Path of the folder or archive."""

    def takes_space(self, folder: Path) -> bool:
        """Whether the files take disk space when they are placed in a folder."""

    def members(self) -> list[Member]:
        """Check and list the files, without hidden ones.

        Raises:
            VadlocError: The source is unreadable, or a member is refused.
        """

    def read_text(self, member: Member) -> str:
        """The content of a small text file."""

    def place(self, wanted: dict[PurePosixPath, Path]) -> Iterator[Path]:
        """Link or write members to their target paths, each completely or not at all.

        Args:
            wanted: The target path of each member.

        Yields:
            Each target when it is complete.

        Raises:
            VadlocError: A member cannot be read, or a target not written.
        """


def open_source(path: Path) -> Source:
    """Open the source at a path.

    Raises:
        UsageError: The path is neither a folder nor a zip or tar archive.
    """
    if path.is_dir():
        return Folder(path)
    if path.is_file() and zipfile.is_zipfile(path):
        return ZipArchive(path)
    if path.is_file() and _is_tar(path):
        return TarArchive(path)
    raise UsageError(f"--source {path}: expected a folder, or a .zip, .tar or .tar.gz archive")


def _is_tar(path: Path) -> bool:
    try:
        with _open_tar(path):
            return True
    except Exception:  # a damaged file can fail in any way
        return False


_UNPACKERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""The function that opens a compressed file, by the first bytes of the file."""


class _Headers:
    """A tar file with a limit on the bytes that are read for the headers of members.

    Without the limit, a name of 8 GiB, which compresses to 8 MiB, would be read into memory.

    Attributes:
        left: Bytes that may still be read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.left = MAX_HEADER_BYTES
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.left:
            raise tarfile.ReadError(f"a header of more than {MAX_HEADER_BYTES >> 20} MiB")
        self.left -= size
        return self._file.read(size)


_Members = Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]


@contextmanager
def _open_tar(path: Path) -> Iterator[_Members]:
    """The members of a tar file, compressed or not; read each before you take the next one."""
    with path.open("rb") as file:
        start = file.read(6)
    unpack = next((u for magic, u in _UNPACKERS.items() if start.startswith(magic)), None)
    with unpack(path) if unpack else path.open("rb") as file:
        headers = _Headers(file)
        with tarfile.open(fileobj=headers, mode="r:") as archive:  # type: ignore[call-overload]
            yield _members(archive, headers)


def _members(archive: tarfile.TarFile, headers: _Headers) -> _Members:
    for info in archive:
        headers.left = info.size
        yield archive, info
        headers.left = MAX_HEADER_BYTES  # for the next member


@dataclass(frozen=True)
class Folder:
    """A folder; its files are hard-linked, or copied if they are on another disk."""

    path: Path

    def takes_space(self, folder: Path) -> bool:
        """True on another disk, where hard links are impossible."""
        return self.path.stat().st_dev != folder.stat().st_dev

    def members(self) -> list[Member]:
        """The files, including those in sub-folders."""
        found = []
        for folder, _, names in os.walk(self.path, followlinks=True):
            for name in names:
                file = Path(folder, name)
                if file.is_file():
                    path = PurePosixPath(file.relative_to(self.path).as_posix())
                    found.append(Member(path, file.stat().st_size))
        return _visible(found)

    def read_text(self, member: Member) -> str:
        """The content of a small text file."""
        _check_text(self.path, member)
        return (self.path / member.path).read_text(encoding="utf-8", errors="replace")

    def place(self, wanted: dict[PurePosixPath, Path]) -> Iterator[Path]:
        """Link the files, or copy them where links are impossible."""
        for path, target in wanted.items():
            file = (self.path / path).resolve()
            with _replacing(target) as part:
                try:
                    os.link(file, part)
                except OSError:  # another disk, or one without hard links
                    shutil.copyfile(file, part)
            yield target


@dataclass(frozen=True)
class ZipArchive:
    """A ``.zip`` file."""

    path: Path

    def takes_space(self, folder: Path) -> bool:  # noqa: ARG002
        """True."""
        return True

    def members(self) -> list[Member]:
        """The files, from the table of contents."""
        with _archive_errors(self.path), zipfile.ZipFile(self.path) as archive:
            found = []
            for info in archive.infolist():
                kind = (info.external_attr >> 16) & 0o170000
                if kind not in (0, 0o040000, 0o100000):
                    raise _refusal(self.path, info.filename, "is a link or a device")
                if info.flag_bits & 1:
                    raise _refusal(self.path, info.filename, "is encrypted")
                path = _safe(self.path, info.filename)
                if not info.is_dir():
                    found.append(Member(path, info.file_size))
            return _visible(_bounded(self.path, found))

    def read_text(self, member: Member) -> str:
        """The content of a small text file."""
        _check_text(self.path, member)
        with _archive_errors(self.path), zipfile.ZipFile(self.path) as archive:
            return archive.read(_zip_names(archive)[member.path]).decode(errors="replace")

    def place(self, wanted: dict[PurePosixPath, Path]) -> Iterator[Path]:
        """Unpack members in the order of the archive; their checksums are checked."""
        with _archive_errors(self.path), zipfile.ZipFile(self.path) as archive:
            for path, name in _zip_names(archive).items():
                if path in wanted:
                    with archive.open(name) as content:
                        _write(wanted[path], content, archive.getinfo(name).file_size)
                    yield wanted[path]


def _zip_names(archive: zipfile.ZipFile) -> dict[PurePosixPath, str]:
    return {PurePosixPath(name): name for name in archive.namelist()}


@dataclass(frozen=True)
class TarArchive:
    """A ``.tar`` file, compressed or not."""

    path: Path

    def takes_space(self, folder: Path) -> bool:  # noqa: ARG002
        """True."""
        return True

    def members(self) -> list[Member]:
        """The files; to find them, a compressed archive is read to its end."""
        with _archive_errors(self.path), _open_tar(self.path) as members:
            return _visible(_bounded(self.path, self._checked(members)))

    def _checked(self, members: _Members) -> Iterator[Member]:
        for _, info in members:
            path = _safe(self.path, info.name)
            if not (info.isreg() or info.isdir()) or info.issparse():
                raise _refusal(self.path, info.name, "is a link or a device")
            if info.isreg():
                yield Member(path, info.size)

    def read_text(self, member: Member) -> str:
        """The content of a small text file."""
        _check_text(self.path, member)
        with _archive_errors(self.path), _open_tar(self.path) as members:
            for archive, info in members:
                content = archive.extractfile(info)
                if content is not None and PurePosixPath(info.name) == member.path:
                    return content.read().decode(errors="replace")
        raise VadlocError(f"{self.path}: {member.path} is gone; has the archive been replaced?")

    def place(self, wanted: dict[PurePosixPath, Path]) -> Iterator[Path]:
        """Unpack members in the order of the archive, in one pass through the file."""
        with _archive_errors(self.path), _open_tar(self.path) as members:
            for archive, info in members:
                target = wanted.get(PurePosixPath(info.name))
                content = archive.extractfile(info) if target and info.isreg() else None
                if target and content:
                    _write(target, content, info.size)
                    yield target


def _visible(members: Iterable[Member]) -> list[Member]:
    """The members without hidden and system files: ``.DS_Store``, ``._001.tif``, ``__MACOSX``."""
    return [
        member
        for member in members
        if not any(part.startswith(".") or part == "__MACOSX" for part in member.path.parts)
    ]


def _bounded(path: Path, members: Iterable[Member]) -> list[Member]:
    """The members of an archive; raises if their number or size is impossible."""
    limit_bytes = max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size)
    found, total = [], 0
    for member in members:
        found.append(member)
        total += member.size_bytes
        if total > limit_bytes or len(found) > MAX_MEMBERS:
            raise VadlocError(
                f"{path}: unpacks to more than {total / 2**30:.1f} GiB in {len(found)} files, the "
                f"archive has {path.stat().st_size / 2**30:.3f} GiB; it is not an official download"
            )
    return found


def _check_text(path: Path, member: Member) -> None:
    if member.size_bytes > MAX_TEXT_BYTES:
        raise VadlocError(
            f"{path}: {one_line(member.path)} has {member.size_bytes} bytes, as text at most "
            f"{MAX_TEXT_BYTES} are read"
        )


def _safe(archive: Path, name: str) -> PurePosixPath:
    """The path of a member; raises if it leaves the archive's folder."""
    path = PurePosixPath(name)
    drive = bool(path.parts) and ":" in path.parts[0]
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or drive:
        raise _refusal(archive, name, "does not stay inside the folder")
    return path


def _refusal(archive: Path, name: str, why: str) -> VadlocError:
    return VadlocError(
        f"{archive}: the member {one_line(name, limit=200)} {why}; nothing was unpacked. If you "
        "trust the archive, unpack it yourself and give the folder as --source"
    )


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    """Turn any error of a damaged archive into a `VadlocError` of one line."""
    try:
        yield
    except VadlocError:
        raise
    except Exception as error:  # a damaged archive can fail in any way
        if isinstance(error, OSError) and error.errno is not None:
            raise VadlocError(f"{path}: cannot read ({error.strerror})") from None
        words = one_line(error) or type(error).__name__
        raise VadlocError(
            f"{path}: a damaged archive ({words}); download it again. What is in place already is "
            "complete, the same command continues"
        ) from None


def _write(target: Path, content: IO[bytes], size_bytes: int) -> None:
    with _replacing(target) as part, part.open("wb") as file:
        shutil.copyfileobj(content, file, 2**20)
        if file.tell() != size_bytes:
            raise EOFError(f"{target.name} has {file.tell()} bytes, {size_bytes} promised")


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A temporary path beside the target that is renamed to the target when the block ends.

    `vadloc.files.storage.replacing` syncs the disk and searches the folder for every file, which is
    too slow for hundreds of thousands of frames. Here only one run at a time writes to the folder:
    the temporary name can be fixed, and the file of a killed run is overwritten.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        yield part
        part.replace(target)
    except OSError as error:
        if error.errno is None:  # no error of the disk: the bytes cannot be unpacked
            raise
        raise VadlocError(f"{target}: cannot write ({error.strerror})") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
