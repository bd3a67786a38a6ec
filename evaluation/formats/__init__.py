"""Ground-truth formats, by name.

A reader turns the annotation of one sequence into `evaluation.ground_truth.GroundTruth`. It is told
what the frames or scores say about the sequence and refuses an annotation that disagrees: nothing
is padded or cut silently. A format's module is imported when it is first used, so that commands can
list the names at no cost.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vadloc.errors import UsageError

if TYPE_CHECKING:
    from evaluation.ground_truth import GroundTruth


class Reader(Protocol):
    """Reads the ground truth of one sequence."""

    def __call__(
        self, folder: Path, sequence: str, *, frame_count: int, height_px: int, width_px: int
    ) -> "GroundTruth":
        """Read the annotation of ``sequence`` under ``folder``."""


def _reader_of(module: str) -> Reader:
    def read(
        folder: Path, sequence: str, *, frame_count: int, height_px: int, width_px: int
    ) -> "GroundTruth":
        reader: Reader = import_module(f"evaluation.formats.{module}").read
        return reader(
            folder, sequence, frame_count=frame_count, height_px=height_px, width_px=width_px
        )

    return read


READERS: dict[str, Reader] = {
    "avenue": _reader_of("avenue"),
    "frame_labels": _reader_of("frame_labels"),
    "frame_masks": _reader_of("frame_masks"),
    "json": _reader_of("ssvad_json"),
    "masks": _reader_of("masks"),
    "shanghaitech": _reader_of("shanghaitech"),
    "street_scene": _reader_of("street_scene"),
    "ubnormal": _reader_of("ubnormal"),
}
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
