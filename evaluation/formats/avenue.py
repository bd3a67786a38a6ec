"""CUHK Avenue's pixel masks: one ``N_label.mat`` a sequence.

The ground truth published with *Abnormal Event Detection at 150 FPS in MATLAB* (Lu, Shi and Jia,
ICCV 2013): a MATLAB 5 file whose variable ``volLabel`` is a cell array with one mask a frame, not 0
where anomalous. Sequence ``01`` belongs to ``1_label.mat``.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.formats.components import masks_to_ground_truth, numbers_to_mask
from evaluation.formats.mat5 import read_cells
from evaluation.formats.regions import SequenceSize, first_file
from evaluation.ground_truth import GroundTruth
from vadloc.errors import VadlocError

VARIABLE = "volLabel"
_BYTES_PER_PIXEL = 8
_BYTES_PER_FRAME = 1024


def read(
    folder: Path, sequence: str, *, frame_count: int, height_px: int, width_px: int
) -> GroundTruth:
    """Read ``N_label.mat``, N being the number at the end of the sequence's name.

    Args:
        folder: Folder of the ``.mat`` files.
        sequence: Name of the sequence, such as ``01``.
        frame_count: Number of its frames.
        height_px: Frame height.
        width_px: Frame width.

    Raises:
        VadlocError: The file is missing, unreadable, or does not fit the frames.
    """
    number = re.search(r"[0-9]{1,9}$", sequence)
    if number is None:
        raise VadlocError(f"{sequence}: no number at the end of the name; expected one such as 01")
    path = first_file([folder / f"{int(number[0])}_label.mat"], what="Avenue annotation")
    size = SequenceSize(frame_count, height_px, width_px)
    frame_bytes = height_px * width_px * _BYTES_PER_PIXEL + _BYTES_PER_FRAME
    cells = read_cells(path, VARIABLE, limit_bytes=frame_count * frame_bytes)
    return masks_to_ground_truth(_masks(path, cells), sequence, size, source=path)


def _masks(path: Path, cells: Iterable[NDArray[Any]]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for number, cell in enumerate(cells, start=1):
        where = f"{path}, {VARIABLE}{{{number}}}"
        yield where, numbers_to_mask(cell, where=where)
