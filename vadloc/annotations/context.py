"""What readers are told beside the size of a sequence: its files, its neighbours, options.

The files of the frames decide which frame a name in an annotation means. Numbers are counted only
where there are no files: in videos, and where scores are all there is.
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
        """The names without suffixes, in one spelling."""
        return tuple(_stem(file) for file in self.files)

    @cached_property
    def _by_stem(self) -> dict[str, int]:
        return {stem: frame for frame, stem in enumerate(self.stems)}

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The last number in each name; empty if a name has none, or two have the same."""
        found = [last_number(file) for file in self.files]
        numbers = tuple(number for number in found if number is not None)
        return numbers if len(set(numbers)) == len(self.files) else ()

    @cached_property
    def _by_number(self) -> dict[int, int]:
        return {number: frame for frame, number in enumerate(self.numbers)}

    def get_exactly(self, name: str) -> int | None:
        """The 0-based frame of a name, whatever its suffix."""
        return self._by_stem.get(_stem(name))

    def get(self, name: str) -> int | None:
        """The 0-based frame of a name; its suffix and leading zeros may differ from the file's."""
        frame = self.get_exactly(name)
        number = last_number(name)
        return self._by_number.get(number) if frame is None and number is not None else frame

    def find(self, name: str, *, where: str) -> int:
        """The 0-based frame of a name, found as `get` does.

        Args:
            name: Name of a file.
            where: File and line that has the name, for the message.

        Raises:
            VadlocError: There is no such file.
        """
        frame = self.get(name)
        if frame is None:
            raise VadlocError(f"{where}: {one_line(name, limit=80)} is no frame; {self.described}")
        return frame

    def find_number(self, number: int, *, first: int, where: str) -> int:
        """The frame of a number that an annotation counts from ``first``.

        Files that are numbered from 0 or 1 are counted as the annotation does. A numbering that
        begins elsewhere is part of a longer one, and the number is the file's.

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
        """The number that an annotation gives a frame, the opposite of `find_number`."""
        return self.numbers[frame] - self._offset(first) if self.numbers else frame + first

    def _offset(self, first: int) -> int:
        """What the files' numbers are above those of an annotation that counts from ``first``."""
        return self.numbers[0] - first if self.numbers[0] in (0, 1) else 0

    @property
    def described(self) -> str:
        """The files in words."""
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
    """What is known of a sequence beside its size; all of it may be unknown.

    Attributes:
        frame_names: The files of its frames; ``None`` for a video, or if they are unknown.
        frame_counts: Number of frames of all sequences in natural order of their names, where one
            file annotates all.
        counted_by: What the number of frames was taken from, for messages.
        mask_threshold: Level from which a pixel of a mask is anomalous; ``None`` refuses masks of
            more than two levels, and any level but 0 is anomalous.
    """

    frame_names: FrameNames | None = None
    frame_counts: Mapping[str, int] | None = None
    counted_by: str = ""
    mask_threshold: float | None = None

    def check_count(self, sequence: str, frame_count: int) -> None:
        """Compare the number of frames with that of their files.

        Raises:
            VadlocError: They differ.
        """
        if self.frame_names is not None and len(self.frame_names.files) != frame_count:
            files = self.frame_names.files
            raise VadlocError(
                f"{sequence}: scores or annotation of {frame_count} frames, but there are "
                f"{len(files)}, the files {files[0]} to {files[-1]}; both must be of one release"
            )

    def miscounted(self, path: Path, count: int, what: str, frame_count: int) -> VadlocError:
        """The error for an annotation with another number of something than of frames.

        Args:
            path: The annotation.
            count: How many it has.
            what: Of what, such as ``labels``.
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
"""Nothing is known."""
