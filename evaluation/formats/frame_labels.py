"""Labels of frames only: which frames are anomalous, not where.

One of, in this order:

* ``<sequence>.txt``: a line a frame, ``1`` anomalous or ``0`` normal.
* ``<sequence>.npy``: the same as an array ``(frames,)``.
* ``frame_labels.csv``: rows ``sequence,first_anomalous_frame,last_anomalous_frame``, frames
  1-based, the last one included; a sequence may have several rows, and one with both fields empty
  if all of it is normal. A first row of these very names is a header.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.formats.arrays import map_array
from evaluation.formats.frame_masks import DTYPES
from evaluation.formats.regions import (
    SequenceSize,
    check_frame,
    first_file,
    frame_labels_to_ground_truth,
)
from evaluation.formats.rows import Row, read_rows
from evaluation.ground_truth import GroundTruth
from vadloc.errors import VadlocError

CSV_NAME = "frame_labels.csv"
LAYOUT = "sequence,first_anomalous_frame,last_anomalous_frame"


def read(
    folder: Path, sequence: str, *, frame_count: int, height_px: int, width_px: int
) -> GroundTruth:
    """Read ``<sequence>.txt``, ``<sequence>.npy`` or ``frame_labels.csv``.

    Args:
        folder: Folder of the files.
        sequence: Name of the sequence.
        frame_count: Number of its frames.
        height_px: Frame height.
        width_px: Frame width.

    Returns:
        Ground truth without regions.

    Raises:
        VadlocError: The file is missing, malformed, does not know the sequence, or does not fit
            the frames.
    """
    names = (f"{sequence}.txt", f"{sequence}.npy", CSV_NAME)
    path = first_file([folder / name for name in names], what="frame labels")
    if path.suffix == ".npy":
        labels = map_array(path, shapes=[(frame_count,)], dtypes=DTYPES)
    elif path.suffix == ".txt":
        labels = _read_lines(path, frame_count)
    else:
        labels = _read_intervals(path, sequence, frame_count)
    size = SequenceSize(frame_count, height_px, width_px)
    return frame_labels_to_ground_truth(labels, sequence, size, source=path)


def _read_lines(path: Path, frame_count: int) -> NDArray[np.float64]:
    labels = [row.number(0, "the label") for row in read_rows(path, layout="label")]
    if len(labels) != frame_count:
        raise VadlocError(
            f"{path}: {len(labels)} labels, but the sequence has {frame_count} frames"
        )
    return np.array(labels, np.float64)


def _read_intervals(path: Path, sequence: str, frame_count: int) -> NDArray[np.float64]:
    rows = [row for row in read_rows(path, layout=LAYOUT) if row.fields[0] == sequence]
    if not rows:
        raise VadlocError(
            f"{path}: no row for {sequence}; a sequence that is all normal has a row {sequence},,"
        )
    labels = np.zeros(frame_count)
    for row in rows:
        if row.fields[1:] != ("", ""):
            first, last = _interval(row, frame_count)
            labels[first : last + 1] = 1
    return labels


def _interval(row: Row, frame_count: int) -> tuple[int, int]:
    """The 0-based first and last anomalous frame of a row."""
    names = LAYOUT.split(",")
    first, last = (
        check_frame(row.whole(column, names[column]), frame_count, where=row.where, first=1)
        for column in (1, 2)
    )
    if first > last:
        raise VadlocError(f"{row.where}: the first frame is after the last")
    return first, last
