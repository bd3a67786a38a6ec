"""CUHK Avenue's pixel masks: one ``N_label.mat`` a sequence.

The ground truth published with *Abnormal Event Detection at 150 FPS in MATLAB* (Lu, Shi and Jia,
ICCV 2013): a MATLAB 5 file whose variable ``volLabel`` is a cell array with one mask per frame.
Pixels that are not 0 are anomalous. Sequence ``01`` belongs to ``1_label.mat``.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vadloc.annotations.components import masks_to_ground_truth
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.files import (
    only_file,
    visible_entries,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.mat5 import read_cells
from vadloc.annotations.regions import SequenceSize
from vadloc.errors import VadlocError

VARIABLE = "volLabel"
_NAME = "(?i:([0-9]{1,9})_label[.]mat)"
_BYTES_PER_PIXEL = 8
_BYTES_PER_FRAME = 1024


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``N_label.mat``, N being the number at the end of the sequence's name.

    Args:
        folder: Folder of the ``.mat`` files.
        sequence: Name of the sequence, such as ``01``.
        size: Number and size of its frames.
        context: The threshold of the masks.

    Raises:
        VadlocError: The file is missing, unreadable, or does not fit the frames.
    """
    path = annotation_of(folder, sequence)
    frame_bytes = size.height_px * size.width_px * _BYTES_PER_PIXEL + _BYTES_PER_FRAME
    cells = read_cells(path, VARIABLE, limit_bytes=size.frame_count * frame_bytes)
    masks = _masks(path, cells)
    return masks_to_ground_truth(masks, sequence, size, source=path, context=context)


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation may be; none if the sequence's name has no number."""
    number = _number_of(sequence)
    return () if number is None else (f"{number}_label.mat",)


def annotation_of(folder: Path, sequence: str) -> Path:
    """The annotation file of a sequence.

    Raises:
        VadlocError: There is no such file, or there are two.
    """
    key = key_of(sequence)
    found = [path for number, path in _numbered(folder) if number == key]
    return only_file(found or [folder / f"{key}_label.mat"], what="Avenue annotation")


def key_of(sequence: str) -> str:
    """The number at the end of a sequence's name, which is also in the name of its ``.mat`` file.

    Raises:
        VadlocError: The name does not end with a number.
    """
    number = _number_of(sequence)
    if number is None:
        raise VadlocError(f"{sequence}: no number at the end of the name; expected one such as 01")
    return str(number)


def _number_of(sequence: str) -> int | None:
    number = re.search(r"[0-9]{1,9}$", sequence)
    return None if number is None else int(number[0])


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence, by its number."""
    return dict(_numbered(folder))


def _numbered(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each ``.mat`` file with the number in its name, which may have leading zeros."""
    for path in visible_entries(folder):
        name = re.fullmatch(_NAME, path.name)
        if name:
            yield str(int(name[1])), path


def _masks(path: Path, cells: Iterable[NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, cell in enumerate(cells, start=1):
        yield f"{path}, {VARIABLE}{{{number}}}", cell
