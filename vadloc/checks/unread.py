"""Find files among sequences and frames that no command reads, to warn users of them."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from vadloc.artifacts import Artifacts
from vadloc.errors import some_of
from vadloc.inputs import Split
from vadloc.video.frames import (
    FRAME_SUFFIXES,
    Sequence,
    is_hidden,
    what_is_read,
)

logger = logging.getLogger(__name__)
ANNOTATION_SUFFIXES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".toml", ".mat", ".m", ".npy"}
    | {".npz", ".md", ".rst", ".html", ".pdf", ".sha256"}
)
"""Suffixes of ground truth and descriptions, which many datasets have beside their frames."""
DOCUMENTS = frozenset({"readme", "license", "licence", "copying", "citation", "changelog"})
"""Names of descriptions without a suffix."""


def unread_lines(artifacts: Artifacts, *splits: Split) -> list[str]:
    """One line for each split with files that are not read."""
    return [
        line
        for split in splits
        if (line := _line(artifacts.split_folder(split), artifacts.every_sequence(split)))
    ]


def log_unread(artifacts: Artifacts, *splits: Split) -> None:
    """Warn of files that are not read; each command does so once, before its work."""
    for line in unread_lines(artifacts, *splits):
        logger.warning("%s", line)


def _line(folder: Path, sequences: list[Sequence]) -> str:
    unread = unread_files(folder, sequences)
    verb = "is" if len(unread) == 1 else "are"
    return f"{folder}: {some_of(unread)} {verb} not read; {what_is_read()}" if unread else ""


def unread_files(folder: Path, sequences: Iterable[Sequence]) -> list[str]:
    """Entries of a folder of sequences, and of the folders of frames in it, that are not read.

    Hidden files, annotation and descriptions are left out, and so are the ``<sequence>_gt`` folders
    of the sequences.

    Returns:
        Paths relative to the folder, in order.
    """
    known = {sequence.path.name: sequence for sequence in sequences}
    names = {sequence.name for sequence in known.values()}
    found = [
        entry.name
        for entry in _candidates(folder)
        if entry.name not in known and not (entry.name.endswith("_gt") and entry.name[:-3] in names)
    ]
    for sequence in known.values():
        if not sequence.is_video:
            found += [
                f"{sequence.path.name}/{entry.name}"
                for entry in _candidates(sequence.path)
                if entry.is_dir() or _suffix(entry.name) not in FRAME_SUFFIXES
            ]
    return sorted(found)


def _candidates(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Entries whose names are neither hidden nor those of annotation."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            is_text = _suffix(name) in ANNOTATION_SUFFIXES or name.lower() in DOCUMENTS
            if not is_hidden(name) and not (is_text and not entry.is_dir()):
                yield entry


def _suffix(name: str) -> str:
    """The suffix in lower case, the same as `Path.suffix`, but faster."""
    stem, dot, suffix = name.rpartition(".")
    return f"{dot}{suffix}".lower() if stem else ""
