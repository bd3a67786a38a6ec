"""Street Scene rows: each row is the box of one track in one frame.

Ramachandra and Jones published annotations in this format with *Street Scene: A new dataset and
evaluation protocol for video anomaly detection* (WACV 2020) for Street Scene, UCSD Ped1 and Ped2,
and CUHK Avenue. Each sequence has one file, ``<sequence>_gt.txt``, of rows

    <filename> <track_id> <x_center> <y_center> <width> <height>

separated by blanks. A row belongs to the frame whose file has the name of the row; suffix, leading
zeros and words around the number may differ. Without frame files (videos, only scores) the last
number in the name is the frame, counted from 1. Track ids are 0-based. Centres may be fractional: a
box covers ``[x_center - width/2, x_center + width/2)`` in pixel-edge coordinates. Boxes that stick
out of the frame are cut, with a warning: published centres and sizes are rounded.
"""

from pathlib import Path

import numpy as np

from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
    FrameNames,
    last_number,
)
from vadloc.annotations.files import (
    EMPTY_IF_NORMAL,
    only_file,
    stems_with,
    visible_entries,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.regions import (
    BoxRegion,
    SequenceSize,
    boxes_to_ground_truth,
    check_frame,
)
from vadloc.annotations.rows import (
    Row,
    read_rows,
)
from vadloc.errors import VadlocError
from vadloc.video.numbering import name_to_words, one_spelling

LAYOUT = "<filename> <track_id> <x_center> <y_center> <width> <height>"


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>/<sequence>_gt.txt`` or ``<sequence>_gt.txt``; empty means all normal.

    Args:
        folder: Folder of the test sequences or of the annotation files.
        sequence: Name of the sequence.
        size: Number and size of its frames.
        context: The names of the frames.

    Raises:
        VadlocError: The file is missing or a row is malformed or does not fit the frames.
    """
    path = annotation_of(folder, sequence)
    rows = list(read_rows(path, layout=LAYOUT))
    if context.frame_names is None:
        _check_numbers(rows)
    regions = [_row_to_region(row, size.frame_count, context) for row in rows]
    return boxes_to_ground_truth(regions, sequence, size, source=path)


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation of a sequence may be."""
    return (f"{sequence}/{sequence}_gt.txt", f"{sequence}_gt.txt")


def annotation_of(folder: Path, sequence: str) -> Path:
    """The annotation file of a sequence.

    Raises:
        VadlocError: There is no such file, or there are two.
    """
    candidates = [folder / place for place in places(sequence)]
    return only_file(candidates, what="Street Scene annotation", if_normal=EMPTY_IF_NORMAL)


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence."""
    found = stems_with(folder, ".txt", ending="_gt")
    for entry in visible_entries(folder):
        if entry.is_dir():
            own = stems_with(entry, ".txt", ending="_gt")
            found |= {name: path for name, path in own.items() if name == one_spelling(entry.name)}
    return found


def _row_to_region(row: Row, frame_count: int, context: Context) -> BoxRegion:
    frame = _frame(row, frame_count, context)
    x, y = row.number(2, "x_center"), row.number(3, "y_center")
    half_width, half_height = row.number(4, "width") / 2, row.number(5, "height") / 2
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    return BoxRegion(row.where, frame, row.track(1), box)


def _check_numbers(rows: list[Row]) -> None:
    """Refuse names whose last number is not the frame number, such as ``007_cam2.jpg``."""
    first: dict[tuple[int, ...], Row] = {}
    for row in rows:
        words, numbers = name_to_words(row.fields[0])
        known = first.setdefault(numbers[-1:], row)
        known_words, known_numbers = name_to_words(known.fields[0])
        if numbers and (words, numbers) != (known_words, known_numbers):
            raise VadlocError(
                f"{row.where}: {row.fields[0][:60]} and {known.fields[0][:60]} end with the same "
                "number, which frames without files are told by; give the folder of the frames' "
                "pictures, whose names then decide"
            )


def _frame(row: Row, frame_count: int, context: Context) -> int:
    """The 0-based frame that a row names."""
    name = row.fields[0]
    if context.frame_names is not None:
        return context.frame_names.find(name, where=row.where)
    number = last_number(name)
    if number is None:
        raise VadlocError(
            f"{row.where}: no frame number in the file name {name[:60]!r}; expected a name such "
            "as 061.jpg"
        )
    if number == 0:
        raise VadlocError(
            f"{row.where}: frame 0 ({name[:60]}), but frames without files are numbered from 1; "
            "give the folder of the frames' pictures, whose names then decide, or number the "
            "rows from 1"
        )
    return check_frame(number, frame_count, where=row.where, first=1, counted_by=context.counted_by)


def to_rows(truth: GroundTruth, *, frame_names: FrameNames | None = None) -> str:
    """The regions of a sequence as Street Scene rows; of masks only the boxes remain.

    Args:
        truth: The ground truth.
        frame_names: The files of the frames, whose names the rows get; without them the rows have
            frame numbers from 1.

    Raises:
        VadlocError: An anomalous frame has no region; rows cannot express this.
    """
    missing = np.setdiff1d(np.flatnonzero(truth.anomalous), truth.frame)
    if missing.size:
        raise VadlocError(
            f"{truth.source or truth.sequence}: {missing.size} anomalous frames without a region, "
            f"the first is frame {missing[0] + 1}; Street Scene rows cannot say so, write json"
        )
    rows = zip(truth.frame, truth.track, truth.box_xyxy_px, strict=True)
    return "".join(
        f"{_name(frame, frame_names)} {track} {_plain((x0 + x1) / 2)} {_plain((y0 + y1) / 2)} "
        f"{_plain(x1 - x0)} {_plain(y1 - y0)}\n"
        for frame, track, (x0, y0, x1, y1) in rows
    )


def _name(frame: int, frame_names: FrameNames | None) -> str:
    name = f"{frame + 1:03d}.jpg" if frame_names is None else frame_names.files[frame]
    if any(character.isspace() for character in name):
        raise VadlocError(f"{name}: a frame's file with blanks in its name, which rows cannot name")
    return name


def _plain(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
