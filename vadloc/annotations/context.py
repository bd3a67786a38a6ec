"""What readers get besides the size of a sequence: frame files, frame counts and options.

The names of the frame files decide which frame a name in an annotation means. Frames are found by
number only where there are no frame files: for videos, and where there are only scores.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from vadloc.errors import VadlocError, one_line
from vadloc.video.numbering import one_spelling


@dataclass(frozen=True)
class FrameNames:
    """The files of a sequence's frames.

    Attributes:
        files: File names of the frames, in their order.
    """

    files: tuple[str, ...]

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The file names without suffixes, Unicode normalized."""
        return tuple(_stem(file) for file in self.files)

    @cached_property
    def _by_stem(self) -> dict[str, int]:
        return {stem: frame for frame, stem in enumerate(self.stems)}

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The last number in each name; empty if a name has no number or two names share one."""
        found = [last_number(file) for file in self.files]
        numbers = tuple(number for number in found if number is not None)
        return numbers if len(set(numbers)) == len(self.files) else ()

    @cached_property
    def _by_number(self) -> dict[int, int]:
        return {number: frame for frame, number in enumerate(self.numbers)}

    def get_exactly(self, name: str) -> int | None:
        """The 0-based frame whose file has this name; the suffix may differ."""
        return self._by_stem.get(_stem(name))

    def get(self, name: str) -> int | None:
        """The 0-based frame whose file has this name or else its last number."""
        frame = self.get_exactly(name)
        number = last_number(name)
        return self._by_number.get(number) if frame is None and number is not None else frame

    def find(self, name: str, *, where: str) -> int:
        """The 0-based frame of a name, as in `get`.

        Args:
            name: Name of a frame file.
            where: File and line with the name, for the message.

        Raises:
            VadlocError: No frame has this name.
        """
        frame = self.get(name)
        if frame is None:
            raise VadlocError(f"{where}: {one_line(name, limit=80)} is no frame; {self.described}")
        return frame

    def find_number(self, number: int, *, first: int, where: str) -> int:
        """The 0-based frame of a number in an annotation that counts from ``first``.

        If the file numbers begin at 0 or 1, the first file is frame ``first``. If they begin
        elsewhere, the files are a part of a longer video, and the annotation uses their numbers.

        Raises:
            VadlocError: There is no such frame.
        """
        frame = number - first
        if self.numbers:
            frame = self._by_number.get(number + self._offset(first), -1)
        if not 0 <= frame < len(self.files):
            raise VadlocError(
                f"{where}: frame {number} ({first} is the first), but {self.described}"
            )
        return frame

    def number_of(self, frame: int, *, first: int) -> int:
        """The number that an annotation gives a frame, the inverse of `find_number`."""
        return self.numbers[frame] - self._offset(first) if self.numbers else frame + first

    def _offset(self, first: int) -> int:
        """Difference of a file's number and the number that the annotation gives its frame."""
        return self.numbers[0] - first if self.numbers[0] in (0, 1) else 0

    @property
    def described(self) -> str:
        """Number of files, first and last name, for messages."""
        first, last = (one_line(self.files[i], limit=80) for i in (0, -1))
        return (
            f"the {len(self.files)} frames are the files {first} to {last}; are annotation and "
            "frames of the same release?"
        )


def _stem(name: str) -> str:
    return one_spelling(PurePosixPath(name.replace("\\", "/")).stem)


def last_number(name: str) -> int | None:
    """The last number in a file's name without its suffix; ``None`` if it has none."""
    groups = re.findall("[0-9]+", _stem(name))
    return int(groups[-1]) if groups and len(groups[-1]) <= 18 else None


@dataclass(frozen=True)
class Context:
    """Optional knowledge about a sequence besides its size.

    Attributes:
        frame_names: The files of its frames; ``None`` for a video, or if they are unknown.
        frame_counts: Number of frames of each sequence, in natural order of their names; needed
            where one file annotates all sequences.
        counted_by: File or folder whose frames were counted, for messages.
        mask_threshold: Lowest level (pixel value) that is anomalous in masks. ``None``: every
            level but 0 is anomalous, and masks of more than two levels are refused.
    """

    frame_names: FrameNames | None = None
    frame_counts: Mapping[str, int] | None = None
    counted_by: str = ""
    mask_threshold: float | None = None

    def check_count(self, sequence: str, frame_count: int) -> None:
        """Check that there are as many frames as frame files.

        Raises:
            VadlocError: The numbers differ.
        """
        if self.frame_names is not None and len(self.frame_names.files) != frame_count:
            files = self.frame_names.files
            raise VadlocError(
                f"{sequence}: scores or annotation of {frame_count} frames, but there are "
                f"{len(files)}, the files {files[0]} to {files[-1]}; both must be of one release"
            )

    def miscounted(self, path: Path, count: int, what: str, frame_count: int) -> VadlocError:
        """The error for an annotation that does not have one entry per frame.

        Args:
            path: The annotation.
            count: Number of its entries.
            what: What the entries are, such as ``labels``.
            frame_count: Number of frames of the sequence.
        """
        if not self.counted_by:
            return VadlocError(
                f"{path}: {count} {what}, but the sequence has {frame_count} frames; {ONE_EACH}"
            )
        return VadlocError(
            f"{self.counted_by} has {frame_count} frames, but {path} has {count} {what}; {ONE_EACH}"
        )


ONE_EACH = (
    "every frame needs one, and a score: a detector that looks at a window of frames must give the "
    "others a score as well, such as that of the nearest one"
)
NO_CONTEXT = Context()
"""The context of a sequence of which only the size is known."""
