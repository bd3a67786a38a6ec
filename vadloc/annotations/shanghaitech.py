"""Track rows as published for ShanghaiTech Campus and the Subway videos.

Georgescu et al. published them with *A Background-Agnostic Framework with Adversarial Training for
Abnormal Event Detection in Video* (TPAMI 2021). Each sequence has one file, ``<sequence>.txt``, of
rows

    track_id,frame,x_min,y_min,x_max,y_max

in pixels; the first frame is 0. If the numbers of the frame files have gaps, or begin with neither
0 nor 1, the rows use these numbers (see `vadloc.annotations.context`). A box covers
``[x_min, x_max) x [y_min, y_max)``. UBnormal's tools write rows of the same form.
"""

from pathlib import Path

from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.files import (
    EMPTY_IF_NORMAL,
    first_file,
    stems_with,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.regions import (
    BoxRegion,
    SequenceSize,
    boxes_to_ground_truth,
    frame_of_number,
)
from vadloc.annotations.rows import (
    Row,
    read_rows,
)

LAYOUT = "track_id,frame,x_min,y_min,x_max,y_max"


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>.txt``; an empty file means that all frames are normal.

    Args:
        folder: Folder of the files.
        sequence: Name of the sequence, such as ``01_0014``.
        size: Number and size of its frames.
        context: The names of the frames.

    Raises:
        VadlocError: The file is missing or a row is malformed or does not fit the frames.
    """
    path = annotation_of(folder, sequence)
    rows = read_rows(path, layout=LAYOUT)
    regions = [_row_to_region(row, size.frame_count, context) for row in rows]
    return boxes_to_ground_truth(regions, sequence, size, source=path)


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation of a sequence may be."""
    return (f"{sequence}.txt",)


def annotation_of(folder: Path, sequence: str) -> Path:
    """The annotation file of a sequence.

    Raises:
        VadlocError: There is no such file.
    """
    candidates = [folder / place for place in places(sequence)]
    return first_file(candidates, what="track rows", if_normal=EMPTY_IF_NORMAL)


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence, without ``readme.txt`` and ``*_gt.txt`` of other formats."""
    found = stems_with(folder, ".txt")
    return {name: path for name, path in found.items() if not name.endswith("_gt")}


def _row_to_region(row: Row, frame_count: int, context: Context) -> BoxRegion:
    number = row.whole(1, "the frame")
    frame = frame_of_number(number, frame_count, context, where=row.where, first=0)
    x0, y0, x1, y1 = (row.number(2 + i, name) for i, name in enumerate(LAYOUT.split(",")[2:]))
    return BoxRegion(row.where, frame, row.track(0), (x0, y0, x1, y1))
