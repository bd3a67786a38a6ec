"""Ground-truth formats, by name.

A reader turns the annotation of one sequence into a `GroundTruth` of
`vadloc.annotations.ground_truth`. It gets the number and size of the frames and refuses an
annotation that does not fit them: nothing is padded or cut silently. A format's module is imported
when it is first used, so that commands can list the names at no cost.

A format is a module of this folder and a line of `MODULES`. The module has

* ``read(folder, sequence, size, context)``: reads the annotation of a sequence, whose frames have a
  `vadloc.annotations.regions.SequenceSize`,
* ``places(sequence)``: paths, relative to the annotation folder, where a sequence's annotation may
  be,
* ``annotation_of(folder, sequence)``: the file or folder with a sequence's annotation,
* ``annotated(folder)``: the annotations of all sequences, by the name of the sequence,

and where the defaults are not right,

* ``key_of(sequence)``: the name of a sequence in ``annotated``; by default its usual name,
* ``IN_FOLDERS = True``: ``places`` are folders and not files,
* ``files_at(path)``: all files that are read for the annotation at a path; by default that path,
* ``shared_files(folder)``: files that are read for a sequence that has no annotation file,
* ``shared_array(folder)``: the file with the labels of all sequences, one after the other, if the
  folder has one; to split it, the reader needs the number of frames of every sequence,
* ``SIZELESS = True``: the format has no positions, so that the frame size has no effect.

Formats are built from these parts: ``files`` finds and reads files, ``rows`` and ``arrays`` read
numbers, ``regions`` checks boxes and makes a `GroundTruth` of them, ``components`` makes regions
and tracks of masks, ``frame_files`` finds the frame that a file name means, and ``context`` says
what is known of the frames. ``shanghaitech`` is the shortest example.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.errors import UsageError
from vadloc.video.numbering import one_spelling

if TYPE_CHECKING:
    from vadloc.annotations.ground_truth import GroundTruth


class Reader(Protocol):
    """Reads the ground truth of one sequence."""

    def __call__(
        self,
        folder: Path,
        sequence: str,
        *,
        frame_count: int,
        height_px: int,
        width_px: int,
        context: Context = NO_CONTEXT,
    ) -> "GroundTruth":
        """Read the annotation of ``sequence`` under ``folder``."""


MODULES = {
    "avenue": "avenue",
    "frame_labels": "frame_labels",
    "frame_masks": "frame_masks",
    "json": "ssvad_json",
    "masks": "masks",
    "shanghaitech": "shanghaitech",
    "street_scene": "street_scene",
    "ubnormal": "ubnormal",
}
"""The module of each format."""


def format_module(name: str) -> ModuleType:
    """The module of a format."""
    return import_module(f"vadloc.annotations.{MODULES[name]}")


def _reader_of(name: str) -> Reader:
    def read(
        folder: Path,
        sequence: str,
        *,
        frame_count: int,
        height_px: int,
        width_px: int,
        context: Context = NO_CONTEXT,
    ) -> "GroundTruth":
        from vadloc.annotations.regions import SequenceSize

        context.check_count(sequence, frame_count)
        size = SequenceSize(frame_count, height_px, width_px)
        truth: GroundTruth = format_module(name).read(folder, sequence, size, context=context)
        return truth

    return read


READERS: dict[str, Reader] = {name: _reader_of(name) for name in MODULES}
"""The reader of each format."""


def find_reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        UsageError: There is no format of that name.
    """
    if name not in READERS:
        raise UsageError(
            f"ground-truth format {name!r} is unknown; known are {', '.join(sorted(READERS))}"
        )
    return READERS[name]


def annotated(name: str, folder: Path) -> dict[str, Path]:
    """The annotation of each sequence under a folder; keys are names as `key_of` gives them.

    Raises:
        VadlocError: A file that lists the sequences is unusable.
    """
    found: dict[str, Path] = format_module(name).annotated(folder)
    return found


def annotation_of(name: str, folder: Path, sequence: str) -> Path:
    """The file or folder with the annotation of a sequence.

    Raises:
        VadlocError: The sequence has no annotation; the message says what was looked for.
    """
    path: Path = format_module(name).annotation_of(folder, sequence)
    return path


def key_of(name: str, sequence: str) -> str:
    """The name of a sequence in the annotation."""
    to_key = getattr(format_module(name), "key_of", one_spelling)
    key: str = to_key(sequence)
    return key
