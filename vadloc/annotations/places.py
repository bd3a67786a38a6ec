"""List the annotation files that a format reads, by the names of the files.

The stamps of results depend on these files, so that a changed annotation is noticed. Hidden files,
files of other kinds and files of sequences that are not evaluated do not count. Each format's
module says where its files are (see `vadloc.annotations`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from vadloc.annotations import format_module
from vadloc.video.numbering import one_spelling


def annotation_files(gt_format: str, folder: Path, sequences: Sequence[str]) -> dict[str, Path]:
    """The existing files that are read for some sequences.

    Args:
        gt_format: Format of the ground truth.
        folder: Folder of the annotation.
        sequences: Names of the sequences.

    Returns:
        The files, by their paths relative to the folder, sorted.
    """
    module = format_module(gt_format)
    is_right = Path.is_dir if getattr(module, "IN_FOLDERS", False) else Path.is_file
    files_at = getattr(module, "files_at", _alone)
    shared_files = getattr(module, "shared_files", _none)
    spelled = lru_cache(maxsize=None)(_entries_by_spelling)
    found: set[Path] = set()
    for name in sequences:
        entries = (_find(folder, place, spelled) for place in module.places(name))
        entry = next((entry for entry in entries if entry and is_right(entry)), None)
        found.update(shared_files(folder) if entry is None else files_at(entry))
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def _alone(path: Path) -> Iterator[Path]:
    yield path


def _none(_folder: Path) -> Iterator[Path]:
    yield from ()


def _find(folder: Path, place: str, spelled: Callable[[Path], dict[str, Path]]) -> Path | None:
    """The entry at a relative path; Unicode form and case of the suffix may differ."""
    path: Path | None = folder
    for part in Path(place).parts:
        if path is not None:
            exact = path / part
            path = exact if exact.exists() else spelled(path).get(_spelling(exact))
    return path


def _entries_by_spelling(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {_spelling(entry): entry for entry in sorted(folder.iterdir(), reverse=True)}


def _spelling(path: Path) -> str:
    return one_spelling(path.stem) + path.suffix.lower()
