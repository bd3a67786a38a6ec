"""Find annotation files, also under names of another spelling, and read them as bytes or text."""

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from vadloc.errors import VadlocError, some_of
from vadloc.video.frames import is_hidden
from vadloc.video.numbering import one_spelling

MAX_TEXT_BYTES = 256 * 2**20
"""Larger text files are refused before they are read; the largest published one has 2 MB."""
EMPTY_IF_NORMAL = "of a sequence that is all normal an empty file is needed"
_DOCUMENT = re.compile(
    r"(read[ _-]?me|licen[cs]e|copying|changelog|changes|citation|notes?|about|index|contents)"
    r"([ ._-].*)?",
    re.IGNORECASE,
)
_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_FIRST_BYTES = {
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a zip archive (such as .npz)",
    b"\x80": "a Python pickle",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"MATLAB": "a MATLAB file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
}


def is_document(path: Path) -> bool:
    """Whether a file is documentation by its name, such as ``readme.txt``."""
    return _DOCUMENT.fullmatch(path.stem) is not None


def visible_entries(folder: Path) -> Iterator[Path]:
    """The entries of a folder without hidden ones, sorted by name; none if it is missing."""
    if folder.is_dir():
        yield from (e for e in sorted(folder.iterdir()) if not is_hidden(e.name))


def files_with_suffix(folder: Path, *suffixes: str) -> Iterator[Path]:
    """The visible files of a folder that have one of the suffixes, such as ``.png``."""
    for entry in visible_entries(folder):
        if entry.suffix.lower() in suffixes and entry.is_file():
            yield entry


def stems_with(folder: Path, suffix: str, *, ending: str = "") -> dict[str, Path]:
    """The files of a folder that have a suffix; keys are their names without it.

    Args:
        folder: The folder; nothing is found if it is missing.
        suffix: The suffix, such as ``.txt``; case does not matter.
        ending: What the names must end with, such as ``_gt``; the keys are without it.
    """
    found = {}
    for entry in visible_entries(folder):
        named = entry.suffix.lower() == suffix and entry.stem.lower().endswith(ending)
        if named and entry.is_file() and not is_document(entry):
            stem = _comparable(entry)[: -len(entry.suffix)]
            found[stem.removesuffix(ending)] = entry
    return found


def find_entry(path: Path) -> Path | None:
    """The file or folder at a path, or else the entry that has the same name in another spelling.

    Other spellings are another Unicode form, and another case of the suffix and of ``_gt``.

    Raises:
        VadlocError: Several entries have this name in other spellings.
    """
    if path.exists():
        return path
    key = _comparable(path)
    found = [entry for entry in visible_entries(path.parent) if _comparable(entry) == key]
    if len(found) > 1:
        names = " and ".join(ascii(entry.name) for entry in found)
        raise VadlocError(f"{path.parent}: {names} are spellings of one name; keep one")
    return found[0] if found else None


def _comparable(path: Path) -> str:
    name = one_spelling(path.name)
    return re.sub(r"(_gt)?([.][^.]*)?$", lambda end: end[0].lower(), name, flags=re.IGNORECASE)


def first_file(candidates: Sequence[Path], *, what: str, if_normal: str = "") -> Path:
    """The first candidate that is a regular file; other spellings count, as in `find_entry`.

    Args:
        candidates: Paths in the order of preference.
        what: What the file should hold, for the message.
        if_normal: What the format needs for a sequence without anomalies, for the message.

    Raises:
        VadlocError: No candidate is a file; the message lists the candidates and what is there
            instead.
    """
    found = _files(candidates)
    if found:
        return found[0]
    tried = ", ".join(str(path) for path in candidates)
    folder = next((p.parent for p in candidates if p.parent.is_dir()), candidates[0].parent)
    there = [entry.name for entry in visible_entries(folder)]
    instead = f"{folder} has {some_of(there)}" if there else f"{folder} is empty or missing"
    remedy = f"; {if_normal}" if if_normal else ""
    raise VadlocError(
        f"no {what}: looked for {tried}; {instead}; check the folder and the format's name{remedy}"
    )


def only_file(candidates: Sequence[Path], *, what: str, if_normal: str = "") -> Path:
    """The only candidate that is a regular file; other spellings count, as in `find_entry`.

    Raises:
        VadlocError: No candidate is a file, or several are.
    """
    found = _files(candidates)
    if len(found) > 1:
        raise VadlocError(f"{found[0]} and {found[1]} are both {what} of one sequence; keep one")
    return first_file(candidates, what=what, if_normal=if_normal)


def _files(candidates: Sequence[Path]) -> list[Path]:
    """The candidates that are files, with their names as on the disk."""
    entries = (find_entry(path) for path in candidates)
    return list(dict.fromkeys(e for e in entries if e is not None and e.is_file()))


def read_bytes(path: Path, *, limit: int = MAX_TEXT_BYTES) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Raises:
        VadlocError: The file is missing, no regular file, unreadable or too large.
    """
    try:
        if not path.is_file():
            raise VadlocError(f"{path}: no such file")
        if path.stat().st_size > limit:
            raise VadlocError(f"{path}: {path.stat().st_size} bytes, at most {limit} are read")
        return path.read_bytes()
    except OSError as error:
        raise VadlocError(f"{path}: cannot be read ({error.strerror or error})") from None


def kind_of_bytes(content: bytes) -> str:
    """The kind of a file by its first bytes; empty if the kind is unknown."""
    kinds = (kind for start, kind in _FIRST_BYTES.items() if content.startswith(start))
    return next(kinds, "")


def read_text(path: Path, *, expected: str) -> str:
    """The content of a text file in UTF-8, without a byte order mark.

    Args:
        path: The file.
        expected: What the file should hold, for the message.

    Raises:
        VadlocError: The file is unreadable, no text, or in another encoding; the message says
            which kind of file it is.
    """
    content = read_bytes(path)
    encoding = next((e for mark, e in _WIDE_MARKS.items() if content.startswith(mark)), "")
    if not encoding and b"\0" in content[:4] and not kind_of_bytes(content):
        encoding = "UTF-16" if content[:4].strip(b"\0") else ""
    if encoding:
        raise VadlocError(f"{path}: text in {encoding}; save it as UTF-8. Expected {expected}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = kind_of_bytes(content)
        if not kind and b"\0" not in content:
            kind = "text in Latin-1 or Windows-1252, perhaps; save it as UTF-8"
        raise VadlocError(
            f"{path}: byte {error.start} is no text{f': {kind}' if kind else ''}. "
            f"Expected {expected}"
        ) from None
