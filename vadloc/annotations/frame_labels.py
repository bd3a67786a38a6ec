"""Frame-level labels: which frames are anomalous, without positions.

The labels are in one of these files:

* ``<sequence>.txt``: one line per frame, ``1`` anomalous or ``0`` normal.
* ``<sequence>.npy``: the same as an array ``(frames,)``.
* ``frame_labels.csv``: rows ``sequence,first_anomalous_frame,last_anomalous_frame``; frames are
  1-based and the last one is included. A sequence may have several rows. If it is all normal, it
  has one row with both frame fields empty. The first row may be a header with these names.
* The only ``.npy`` of the folder, an array ``(1, n)`` or ``(n, 1)``: the labels of all sequences
  one after the other, in natural order of their names, as MNAD (Park et al., CVPR 2020) has them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.arrays import (
    check_shape,
    map_numbers,
)
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.files import (
    files_with_suffix,
    find_entry,
    only_file,
    stems_with,
)
from vadloc.annotations.frame_masks import DTYPES
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.regions import (
    SequenceSize,
    check_frame,
    frame_labels_to_ground_truth,
)
from vadloc.annotations.rows import (
    Row,
    read_rows,
)
from vadloc.errors import VadlocError
from vadloc.video.numbering import one_spelling

SIZELESS = True
CSV_NAME = "frame_labels.csv"
FORM_OF_ALL = "one array with the labels of all sequences has the shape (1, n)"
LAYOUT = "sequence,first_anomalous_frame,last_anomalous_frame"


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>.txt``, ``<sequence>.npy``, ``frame_labels.csv`` or the shared array.

    Args:
        folder: Folder of the files.
        sequence: Name of the sequence.
        size: Number and size of its frames.
        context: The number of frames of all sequences, for an array with all labels.

    Returns:
        Ground truth without regions.

    Raises:
        VadlocError: The file is missing or malformed, has no labels of the sequence, or does not
            fit the frames.
    """
    path = annotation_of(folder, sequence)
    if path.suffix.lower() == ".txt":
        labels = _read_lines(path)
    elif path == shared_array(folder):
        labels = _part_of_all(path, sequence, context)
    elif path.suffix.lower() == ".npy":
        labels = map_numbers(path, dtypes=DTYPES)
        if labels.ndim != 1:
            check_shape(path, labels.shape, [(size.frame_count,)])
    else:
        labels = _read_intervals(path, sequence, size.frame_count)
    if len(labels) != size.frame_count:
        raise context.miscounted(path, len(labels), "labels", size.frame_count)
    return frame_labels_to_ground_truth(labels, sequence, size, source=path)


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation of a sequence may be."""
    return (f"{sequence}.txt", f"{sequence}.npy", CSV_NAME)


def shared_files(folder: Path) -> Iterator[Path]:
    """The ``.npy`` files of the folder; one of them may have the labels of all sequences."""
    return files_with_suffix(folder, ".npy")


def annotation_of(folder: Path, sequence: str) -> Path:
    """The annotation file of a sequence.

    Raises:
        VadlocError: There is no such file, or there are several.
    """
    shared = shared_array(folder)
    if shared is not None:
        return shared
    candidates = [folder / place for place in places(sequence)]
    return only_file(candidates, what="frame labels", if_normal=FORM_OF_ALL)


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence; the array with all labels has no names and is left out.

    Raises:
        VadlocError: The rows of ``frame_labels.csv`` are malformed.
    """
    if shared_array(folder) is not None:
        return {}
    files = stems_with(folder, ".npy") | stems_with(folder, ".txt")
    found = {name: path for name, path in files.items() if not name.endswith("_gt")}
    intervals = find_entry(folder / CSV_NAME)
    if intervals is not None:
        rows = read_rows(intervals, layout=LAYOUT)
        found = {one_spelling(row.fields[0]): intervals for row in rows} | found
    return found


def shared_array(folder: Path) -> Path | None:
    """The array with the labels of all sequences, if the folder has one.

    Raises:
        VadlocError: The array is unusable.
    """
    arrays = list(stems_with(folder, ".npy").values())
    if len(arrays) != 1 or stems_with(folder, ".txt") or find_entry(folder / CSV_NAME):
        return None
    array = map_numbers(arrays[0], dtypes=DTYPES)
    return arrays[0] if array.ndim == 2 and 1 in array.shape else None


def _part_of_all(path: Path, sequence: str, context: Context) -> NDArray[Any]:
    """The labels of one sequence, cut from the array with all labels, ``(frames,)``."""
    counts = context.frame_counts
    if counts is None:
        raise VadlocError(
            f"{path}: labels of all sequences one after the other, but the frame counts of the "
            "others are unknown; give the frames of all sequences (--frames)"
        )
    labels = map_numbers(path, dtypes=DTYPES).reshape(-1)
    total = sum(counts.values())
    if len(labels) != total:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise VadlocError(
            f"{path}: {len(labels)} labels of all sequences, but they have {total} frames "
            f"({listed}); every frame of every sequence needs one"
        )
    names = [one_spelling(name) for name in counts]
    ends = np.cumsum(list(counts.values()))
    place = names.index(one_spelling(sequence))
    part: NDArray[Any] = labels[ends[place] - list(counts.values())[place] : ends[place]]
    return part


def _read_lines(path: Path) -> NDArray[np.float64]:
    labels = [row.number(0, "the label") for row in read_rows(path, layout="label")]
    return np.array(labels, np.float64)


def _read_intervals(path: Path, sequence: str, frame_count: int) -> NDArray[np.float64]:
    name = one_spelling(sequence)
    rows = [r for r in read_rows(path, layout=LAYOUT) if one_spelling(r.fields[0]) == name]
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
