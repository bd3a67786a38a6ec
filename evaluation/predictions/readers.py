"""Read predictions of any detector.

A folder has one prediction for each sequence, with the name of the sequence: a file with a suffix
of `FILE_READERS`, a ``.json`` (the JSON of py-ssvad-metrics), or a folder of maps (`map_folders`).
A ``<sequence>.json`` beside a file may give the number and size of the frames (see
`evaluation.predictions.known_size.Details`). Scores are any finite numbers; in the JSON of
py-ssvad-metrics they are in [0, 1].
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
    """Function that reads a prediction from one kind of file."""

    def __call__(
        self, path: Path, sequence: str, known: KnownSize, details: Details, /
    ) -> Prediction:
        """Read the prediction of a sequence.

        Args:
            path: The file.
            sequence: Name of the sequence.
            known: Known number and size of the frames.
            details: Content of the ``.json`` beside the file.

        Raises:
            VadlocError: The file is malformed, or a size that the reader needs is unknown.
        """


FILE_READERS: dict[str, FileReader] = {".npy": score_arrays.read, ".csv": box_rows.read}
"""The reader of each kind of file, by suffix."""
KINDS = (
    f"<sequence>.json, {', '.join(f'<sequence>{suffix}' for suffix in FILE_READERS)}, "
    "or folders of .npy or .tiff maps"
)


class Listing(NamedTuple):
    """The content of a folder of predictions.

    Attributes:
        predictions: The prediction of each sequence, in natural order of the names, which are in
            Unicode form NFC.
        unread: Names of files and folders that are neither predictions nor documentation.
    """

    predictions: dict[str, Path]
    unread: list[str]


def list_folder(folder: Path, *, suffix: str = "") -> Listing:
    """List the prediction of each sequence, and the entries that are not read.

    A ``.json`` beside a file of the same name is part of that prediction. Folders are predictions
    only if there are no files; otherwise they hold the maps that the files name.

    Args:
        folder: Folder of the predictions.
        suffix: What follows the sequence's name in all names, before ``.json`` and the like.

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
    others = (e for e in entries if e not in read and not _is_no_prediction(e))
    if documents:  # they may name maps in folders
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


def _is_no_prediction(path: Path) -> bool:
    """Whether an entry is clearly no prediction."""
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
    """Open the prediction of one sequence; each map is read when it is needed.

    Args:
        path: Path of the prediction, from `list_folder`.
        sequence: Name of the sequence.
        known: Known number and size of the frames; the prediction must agree.
        frame_names: The files of the frames, to find the frame of each map file.

    Raises:
        VadlocError: The file is malformed or does not agree, or a size that it needs is unknown.
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
