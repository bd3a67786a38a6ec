r"""Write files atomically, and check them when they are read.

Every artifact ends with one readable line, its *trailer*::

    \nvadloc stamp=0123456789abcdef sha256=<64 hexadecimal digits>\n

The digest covers all bytes before it, so that truncation and flipped bits are noticed. joblib and
NumPy ignore what follows their data: ``joblib.load`` and ``numpy.load`` read the files as usual.
JSON cannot have a trailer; stamp and digest are keys of the object. Under ``files`` a JSON may list
the digests of files beside it that have no trailer, such as pictures.

A file that is being written has a hidden temporary name that ends with host, process and ``.part``.
The next process that writes the same file removes abandoned temporary files: those of this host
whose process has ended, and those of other hosts when they are a day old.
"""

import fnmatch
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line

STAMP_LENGTH = 16
ABANDONED_S = 24 * 3600
"""Age at which a temporary file of another host counts as abandoned."""
_STAMP = re.compile(f"[0-9a-f]{{{STAMP_LENGTH}}}")
_TRAILER = re.compile(f"\nvadloc stamp=({_STAMP.pattern}) sha256=([0-9a-f]{{64}})\n".encode())
_TRAILER_BYTES = len(b"\nvadloc stamp= sha256=\n") + STAMP_LENGTH + 64


class DamagedFileError(VadlocError):
    """The content of a file is not what was written to it."""


class _HashingWriter:
    """A binary file for joblib and NumPy to write to, with a digest of all bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes its final name only when the block ends without an error.

    Raises:
        VadlocError: The disk is full, read-only or gone.
        OSError: The block failed on another file.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        _raise_unwritten(error, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder that takes its final name only when the block ends without an error.

    A folder cannot replace another in one step: the old one is moved away first. If the process is
    killed in between, there is no folder under the final name, but never a mixture of both.

    Yields:
        The empty temporary folder beside the target.

    Raises:
        VadlocError: The disk is full, read-only or gone.
        OSError: The block failed on another file.
    """
    temporary = _temporary(path)
    old = _temporary(path.with_name(f"{path.name}.old"))
    try:
        for leftover in (path, path.with_name(f"{path.name}.old")):
            _remove_leftovers(leftover)
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        _raise_unwritten(error, path)
    finally:
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """A hidden name beside the target, with the host and the process in it."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.part")


def _raise_unwritten(error: OSError, path: Path) -> NoReturn:
    """Raise a `VadlocError` for a failed write; an error about another file is raised as it is."""
    if _is_of_another_file(error, path):
        raise error
    raise VadlocError(f"{path}: cannot write ({error.strerror or error})") from None


def _is_of_another_file(error: OSError, path: Path) -> bool:
    """Whether a write error names a path that is neither a parent of the file nor below it."""
    if not isinstance(error.filename, str | os.PathLike):  # errors of open files have no name
        return False
    named, path = Path(error.filename).absolute(), path.absolute()
    return not (path.is_relative_to(named) or named.is_relative_to(_temporary(path)))


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files that killed processes left below a folder."""
    for parent, folders, files in os.walk(folder):  # skips folders that others remove meanwhile
        _remove_dead(Path(parent, name) for name in fnmatch.filter(folders + files, ".*.*.part"))


def _remove_leftovers(path: Path) -> None:
    """Delete the abandoned temporary files of a target."""
    _remove_dead(path.parent.glob(f".{glob.escape(path.name)}.*.part"))


def _remove_dead(parts: Iterable[Path]) -> None:
    for part in list(parts):
        if _is_abandoned(part):
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            with suppress(OSError):
                part.unlink()


def _is_abandoned(part: Path) -> bool:
    """Whether no process writes to a temporary file any more."""
    name, _, pid = part.name.removesuffix(".part").rpartition(".")
    if not pid.isdigit():
        return False
    if name.endswith(f".{socket.gethostname()}"):
        return not _is_running(pid)
    try:
        return time.time() - part.stat().st_mtime > ABANDONED_S
    except OSError:  # its process has just finished it
        return False


def _is_running(pid: str) -> bool:
    """Whether a process of this machine runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def write_joblib(path: Path, content: dict[str, Any], *, stamp: str) -> None:
    """Write a dict of arrays, numbers and strings as a joblib file."""
    import joblib

    with _writing(path, stamp) as writer:
        joblib.dump({"stamp": stamp, **content}, writer)


def write_array(path: Path, array: NDArray[Any], *, stamp: str) -> None:
    """Write one array as a ``.npy`` file."""
    with _writing(path, stamp) as writer:
        np.lib.format.write_array(writer, np.asarray(array), allow_pickle=False)


@contextmanager
def _writing(path: Path, stamp: str) -> Iterator[_HashingWriter]:
    with replacing(path) as file:
        writer = _HashingWriter(file)
        yield writer
        digest = writer.digest.hexdigest()
        file.write(f"\nvadloc stamp={stamp} sha256={digest}\n".encode())


def write_json(path: Path, content: dict[str, Any], *, stamp: str) -> None:
    """Write a JSON object; NaN is not JSON and is refused."""
    body = {"stamp": stamp, **content}
    with replacing(path) as file:
        text = json.dumps({**body, "sha256": _json_digest(body)}, indent=2, allow_nan=False)
        file.write(text.encode() + b"\n")


def write_page(path: Path, page: str, *, stamp: str) -> None:
    """Write an HTML page; the trailer is in a comment, which ends with the file."""
    with _writing(path, stamp) as writer:
        writer.write(f"{page}<!--".encode())


def seal(file: IO[bytes], *, stamp: str, header: Callable[[int], bytes]) -> None:
    """End an open file of any other format, such as a video, with the trailer.

    Args:
        file: The open file from ``replacing``.
        stamp: Stamp of the artifact.
        header: Makes, from a number of bytes, the header that makes readers skip as many bytes.
    """
    file.seek(0, os.SEEK_END)
    file.write(header(_TRAILER_BYTES))
    file.flush()
    digest = _file_digest(Path(file.name))
    file.write(f"\nvadloc stamp={stamp} sha256={digest}\n".encode())


def read_joblib(path: Path) -> dict[str, Any]:
    """Read a joblib file that ``write_joblib`` made, refusing anything but plain data.

    Raises:
        DamagedFileError: Bytes are missing or changed, or the file holds more than plain data.
    """
    from vadloc.files.unpickling import load_plain

    with path.open("rb") as file:
        try:
            content = load_plain(file, path, limit=_check_digest(file, path))
        except VadlocError as error:
            raise DamagedFileError(str(error)) from None
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path}: holds {type(content).__name__}, expected a dict")
    return content


def read_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file that ``write_array`` made.

    Raises:
        DamagedFileError: Bytes are missing or changed, or the array would need unpickling.
    """
    with path.open("rb") as file:
        _check_digest(file, path)
        return npy_to_array(file, path)


def npy_to_array(file: IO[bytes], path: Path) -> NDArray[Any]:
    """The array of an open ``.npy`` file, with or without a trailer.

    Raises:
        DamagedFileError: The file is no ``.npy`` file, is cut off, or would need unpickling.
    """
    try:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # a damaged header can fail in any way
        if "allow_pickle" in str(error):
            raise DamagedFileError(
                f"{path}: an array of Python objects, which is never unpickled; save numbers: "
                "np.save(path, np.asarray(values, float))"
            ) from None
        raise DamagedFileError(f"{path}: not a readable .npy array ({one_line(error)})") from None
    return array


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that ``write_json`` made.

    Raises:
        DamagedFileError: The file is no JSON or its digest does not fit.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        fits = content.pop("sha256") == _json_digest(content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise DamagedFileError(f"{path}: not a JSON object with its digest") from None
    if not fits:
        raise DamagedFileError(f"{path}: the content does not fit its sha256")
    return content


def read_stamp(path: Path) -> str:
    """The stamp of an artifact, from its last bytes or its JSON key; the digest is not checked.

    Raises:
        DamagedFileError: There is no stamp, because the file was cut off or vadloc did not write
            it; or a file that it lists is missing.
    """
    if path.suffix == ".json":
        content = read_json(path)
        stamp = content.get("stamp")
        if not (isinstance(stamp, str) and _STAMP.fullmatch(stamp)):
            raise DamagedFileError(f"{path}: has no stamp, vadloc did not write it")
        _listed(path, content)
        return stamp
    with path.open("rb") as file:
        return _read_trailer(file, path)[0]


def verify(path: Path) -> None:
    """Compare all bytes of an artifact, and of the files that it lists, with their digests.

    Raises:
        DamagedFileError: A digest does not fit.
    """
    if path.suffix == ".json":
        for file, digest in _listed(path, read_json(path)).items():
            if _file_digest(file) != digest:
                raise DamagedFileError(f"{file}: its bytes do not fit the sha256 in {path.name}")
        return
    with path.open("rb") as artifact:
        _check_digest(artifact, path)


def list_files(folder: Path) -> dict[str, str]:
    """Digests of all files below a folder by relative path, for the ``files`` of a JSON."""
    return {
        path.relative_to(folder).as_posix(): _file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _listed(path: Path, content: dict[str, Any]) -> dict[Path, str]:
    """The files that a JSON file lists, with their digests.

    Raises:
        DamagedFileError: A listed file is missing, or is not below the folder of the JSON file.
    """
    listed = content.get("files", {})
    if not isinstance(listed, dict):
        raise DamagedFileError(f"{path}: files: expected names and digests")
    for name in listed:
        if not _is_below(path.parent, name):
            raise DamagedFileError(f"{path}: lists {one_line(name)}, which is not beside it")
    return {path.parent / name: digest for name, digest in listed.items()}


def _is_below(folder: Path, name: str) -> bool:
    """Whether a file of that name exists and its path does not leave the folder."""
    try:
        file = (folder / name).resolve()
        return file.is_relative_to(folder.resolve()) and file.is_file()
    except (OSError, RuntimeError, ValueError):  # a circle of links, or an impossible name
        return False


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_trailer(file: IO[bytes], path: Path) -> tuple[str, str, int]:
    """Stamp, digest, and the number of bytes before the trailer."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TRAILER_BYTES))
    match = _TRAILER.fullmatch(file.read())
    if not match:
        raise DamagedFileError(f"{path}: cut off or damaged, its last line is missing")
    return match[1].decode(), match[2].decode(), size - _TRAILER_BYTES


def _check_digest(file: IO[bytes], path: Path) -> int:
    """Compare all bytes with the trailer and rewind; return the bytes before the trailer."""
    _, expected, remaining = _read_trailer(file, path)
    file.seek(0)
    length = remaining
    digest = hashlib.sha256()
    while remaining and (chunk := file.read(min(remaining, 1 << 20))):
        digest.update(chunk)
        remaining -= len(chunk)
    if digest.hexdigest() != expected:
        raise DamagedFileError(f"{path}: damaged, its bytes do not fit its sha256")
    file.seek(0)
    return length


def _json_digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
