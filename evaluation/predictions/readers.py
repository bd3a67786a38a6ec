"""Predictions of other people's detectors, read for the criteria.

A folder holds one prediction a sequence, named after it: a file of a suffix of `FILE_READERS`, a
``.json`` (the JSON of py-ssvad-metrics), or a folder of maps (`map_folders`).
What files do not say of the frames, a ``<sequence>.json`` beside them may (see
`evaluation.predictions.known_size.Details`). Scores are any finite numbers, except in the JSON of
py-ssvad-metrics: there they are in [0, 1].
"""

from pathlib import Path
from typing import NamedTuple, Protocol

from evaluation.predictions import box_rows, map_folders, score_arrays
from evaluation.predictions.known_size import Details, KnownSize, read_details, size_of
from vadloc.annotations.context import FrameNames
from vadloc.annotations.files import (
    is_document,
    visible_entries,
)
from vadloc.annotations.ssvad_prediction import Prediction, read_prediction
from vadloc.errors import VadlocError, some_of
from vadloc.video.frames import natural_key
from vadloc.video.numbering import one_spelling


class FileReader(Protocol):
    """Reads a prediction of one kind of file."""

    def __call__(
        self, path: Path, sequence: str, known: KnownSize, details: Details, /
    ) -> Prediction:
        """Read the prediction of a sequence.

        Args:
            path: The file.
            sequence: Name of the sequence.
            known: What is known of its size.
            details: What the ``.json`` beside the file says.

        Raises:
            VadlocError: The file is malformed, or a size that it needs is unknown.
        """


FILE_READERS: dict[str, FileReader] = {".npy": score_arrays.read, ".csv": box_rows.read}
"""The reader of each kind of file, by its suffix."""
KINDS = (
    f"<sequence>.json, {', '.join(f'<sequence>{suffix}' for suffix in FILE_READERS)}, "
    "or folders of .npy or .tiff maps"
)


class Listing(NamedTuple):
    """What a folder of predictions holds.

    Attributes:
        predictions: The prediction of each sequence, in natural order of the names, which are in
            Unicode form NFC.
        unread: Names of what is no prediction of a known kind, and no readme.
    """

    predictions: dict[str, Path]
    unread: list[str]


def list_folder(folder: Path, *, suffix: str = "") -> Listing:
    """The prediction of each sequence, and what is not read.

    A ``.json`` beside a file of the same name is part of that prediction. Folders
    are predictions only where there is no file: otherwise they hold what the files name.

    Args:
        folder: Folder of the predictions.
        suffix: End of all names (before ``.json`` and the like) that is not part of the sequence's.

    Raises:
        VadlocError: The folder is missing or has no prediction, or a sequence has two.
    """
    entries = _entries(folder)
    files = [e for e in entries if e.suffix.lower() in FILE_READERS and e.is_file()]
    stems = {file.stem for file in files}
    documents = [e for e in entries if e.suffix.lower() == ".json" and e.is_file()]
    files += [e for e in documents if e.stem not in stems]
    found = files or [e for e in entries if e.is_dir() and map_folders.map_files(e)]
    found = [path for path in found if _name(path).endswith(suffix)]
    read = {*found, *(e for e in documents if e.stem in stems)}
    others = (e for e in entries if e not in read and not _is_aside(e))
    if documents:  # which may name maps in folders
        others = (entry for entry in others if not entry.is_dir())
    unread = [entry.name + "/" * entry.is_dir() for entry in others]
    if not found:
        there = f"; there is {some_of(unread)}" if unread else ""
        raise VadlocError(f"{folder}: no predictions *{suffix}{there}; expected {KINDS}")
    return Listing(_by_sequence(found, suffix), unread)


def _by_sequence(found: list[Path], suffix: str) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in sorted(found, key=lambda path: (natural_key(_name(path)), path.suffix)):
        sequence = one_spelling(_name(path)).removesuffix(suffix)
        if sequence in named:
            raise VadlocError(
                f"{path}: {named[sequence].name} is a prediction of {sequence} already; keep one"
            )
        named[sequence] = path
    return named


def _is_aside(path: Path) -> bool:
    """Whether nobody takes it for a prediction."""
    return is_document(path) or path.suffix.lower() in (".md", ".log", ".toml", ".yaml", ".yml")


def _name(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise VadlocError(f"{folder}: no such folder; expected {KINDS} in it")
    return list(visible_entries(folder))


def open_prediction(
    path: Path, sequence: str, known: KnownSize, frame_names: FrameNames | None = None
) -> Prediction:
    """What a detector says of one sequence; maps are read when their frame is asked for.

    Args:
        path: As from `list_folder`.
        sequence: Name of the sequence.
        known: What is known of its size; the prediction must agree.
        frame_names: The files of the frames, by which files of one map a frame are placed.

    Raises:
        VadlocError: The file is malformed or disagrees, or a size that it needs is unknown.
    """
    if path.is_dir():
        prediction = map_folders.read(path, sequence, frame_names)
    elif path.suffix.lower() == ".json":
        prediction = read_prediction(path, sequence=sequence)
    else:
        details = read_details(path)
        known = known.agreeing(details.size, where=str(path.with_suffix(".json")))
        prediction = FILE_READERS[path.suffix.lower()](path, sequence, known, details)
    known.agreeing(size_of(prediction), where=str(path))
    return prediction
