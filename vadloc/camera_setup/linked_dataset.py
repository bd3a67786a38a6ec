"""The folder of a new dataset: it links to the video, and nothing is copied."""

import logging
import os
from pathlib import Path

from vadloc.camera_setup.cut_video import cut_video
from vadloc.errors import UsageError, VadlocError
from vadloc.video.frames import (
    Sequence,
    list_frame_files,
)

logger = logging.getLogger(__name__)


def link(source: Path, target: Path) -> None:
    """Make a symbolic link to a file or folder; hard links if the disk has no symbolic links.

    Args:
        source: Absolute path of the file or folder.
        target: Path of the link.

    Raises:
        VadlocError: The disk has neither kind of link, or no room.
    """
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        _link_hard(source, target)


def _link_hard(source: Path, target: Path) -> None:
    try:
        if not source.is_dir():
            os.link(source.resolve(), target)
            return
        target.mkdir()
        for entry in source.iterdir():
            _link_hard(entry, target / entry.name)
    except OSError as error:
        raise VadlocError(
            f"{target}: cannot link to {source} ({error.strerror}); --datasets names a folder on "
            "another disk"
        ) from None


def place(sequence: Sequence, split: Path) -> None:
    """Link a sequence under its name."""
    link(sequence.path, split / _file_name(sequence))


def _file_name(sequence: Sequence, suffix: str = "") -> str:
    return sequence.name + suffix + sequence.path.suffix * sequence.is_video


def held_back(sequences: list[Sequence], train: Path, test: Path, *, share: float) -> None:
    """Keep the last part of training video for testing.

    If there are several sequences, the last ones go to ``test`` as a whole. A single sequence is
    divided. Pictures are linked one by one. A video is written as two files, since a link cannot
    point to a part.

    Args:
        sequences: The training sequences in order.
        train: Folder of training sequences.
        test: Folder of test sequences.
        share: The part to hold back, between 0 and 1.

    Raises:
        VadlocError: A single video cannot be cut.
    """
    if len(sequences) > 1:
        count = min(len(sequences) - 1, max(1, round(share * len(sequences))))
        for index, sequence in enumerate(sequences):
            place(sequence, train if index < len(sequences) - count else test)
        logger.info("held back for testing: the last %d of %d sequences", count, len(sequences))
        return
    (sequence,) = sequences
    parts = train / _file_name(sequence, "_beginning"), test / _file_name(sequence, "_end")
    if sequence.is_video:
        cut_video(sequence.path, *parts, share=1 - share)
        logger.info("held back for testing: the end; the video is cut in two, copied as it is")
        return
    files = list_frame_files(sequence.path)
    cut = round(len(files) * (1 - share))
    if not 0 < cut < len(files):
        raise UsageError(f"{sequence.path}: {len(files)} frames cannot be divided at {share:g}")
    for part, taken in zip(parts, (files[:cut], files[cut:]), strict=True):
        part.mkdir()
        for file in taken:
            link(file, part / file.name)
    logger.info("held back for testing: the last %d of %d frames", len(files) - cut, len(files))
