"""Ground-truth formats, by name.

A reader turns the annotation of one sequence into a `GroundTruth` of
`vadloc.annotations.ground_truth`. It is told what the frames or scores say about the sequence and
refuses an annotation that disagrees: nothing is padded or cut silently. A format's module is
imported when it is first used, so that commands can list the names at no cost.

A format is a module of this folder and a line of `MODULES`. The module has

* ``read``, a `Reader`,
* ``places(sequence)``: paths below the folder of the annotation where that of the sequence may lie,
* ``annotation_of(folder, sequence)``: the file or folder that is read,
* ``annotated(folder)``: all of them by sequence,

and where the defaults are not right,

* ``key_of(sequence)``: the name under which ``annotated`` has a sequence; by default its own,
* ``IN_FOLDERS = True``: the places are folders and not files,
* ``files_at(path)``: all files that are read if the annotation is at a path; by default it alone,
* ``shared_files(folder)``: files that are read for a sequence without one of its own,
* ``shared_array(folder)``: the file with the frames of all sequences one after the other, if the
  folder has one; it is read with the number of frames of all of them,
* ``SIZELESS = True``: the format does not say where, so that the size of frames has no effect.
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
        context.check_count(sequence, frame_count)
        reader: Reader = format_module(name).read
        return reader(
            folder,
            sequence,
            frame_count=frame_count,
            height_px=height_px,
            width_px=width_px,
            context=context,
        )

    return read


READERS: dict[str, Reader] = {name: _reader_of(name) for name in MODULES}
"""The formats that can be read."""


def find_reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in READERS:
        raise UsageError(
            f"ground-truth format {name!r} is unknown; known are {', '.join(sorted(READERS))}"
        )
    return READERS[name]


def annotated(name: str, folder: Path) -> dict[str, Path]:
    """The annotation of each sequence under a folder, by `key_of` the sequence.

    Raises:
        VadlocError: A file that lists the sequences is unusable.
    """
    found: dict[str, Path] = format_module(name).annotated(folder)
    return found


def annotation_of(name: str, folder: Path, sequence: str) -> Path:
    """The file or folder with the annotation of a sequence.

    Raises:
        VadlocError: There is none; the message says what was looked for.
    """
    path: Path = format_module(name).annotation_of(folder, sequence)
    return path


def key_of(name: str, sequence: str) -> str:
    """The name of a sequence in the annotation."""
    to_key = getattr(format_module(name), "key_of", one_spelling)
    key: str = to_key(sequence)
    return key
