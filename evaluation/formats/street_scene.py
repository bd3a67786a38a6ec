"""Street Scene rows: a track's box in a frame, one row each.

The format of the annotations that Ramachandra and Jones published with *Street Scene: A new
dataset and evaluation protocol for video anomaly detection* (WACV 2020) for Street Scene, UCSD
Ped1 and Ped2, and CUHK Avenue. One file a sequence, ``<sequence>_gt.txt``, of rows

    <filename> <track_id> <x_center> <y_center> <width> <height>

separated by blanks. The frame number is 1-based and stands in the digits of the file name. Track
ids are 0-based. Centres may be fractional: a box covers ``[x_center - width/2, x_center +
width/2)`` in pixel-edge coordinates. Centres and sizes are rounded, so that a box may end up to one
pixel outside the frame; such boxes are clipped, with a warning.
"""

import re
from pathlib import Path, PurePosixPath

import numpy as np

from evaluation.formats.regions import (
    BoxRegion,
    SequenceSize,
    boxes_to_ground_truth,
    check_frame,
    first_file,
)
from evaluation.formats.rows import Row, read_rows
from evaluation.ground_truth import GroundTruth
from vadloc.errors import VadlocError

LAYOUT = "<filename> <track_id> <x_center> <y_center> <width> <height>"
ROUNDING_SLACK_PX = 1.0


def read(
    folder: Path, sequence: str, *, frame_count: int, height_px: int, width_px: int
) -> GroundTruth:
    """Read ``<sequence>/<sequence>_gt.txt`` or ``<sequence>_gt.txt``; an empty file is all normal.

    Args:
        folder: Folder of the test sequences or of the annotation files.
        sequence: Name of the sequence.
        frame_count: Number of its frames.
        height_px: Frame height.
        width_px: Frame width.

    Raises:
        VadlocError: The file is missing or a row is malformed or does not fit the frames.
    """
    name = f"{sequence}_gt.txt"
    path = first_file([folder / sequence / name, folder / name], what="Street Scene annotation")
    size = SequenceSize(frame_count, height_px, width_px)
    regions = [_row_to_region(row, frame_count) for row in read_rows(path, layout=LAYOUT)]
    return boxes_to_ground_truth(regions, sequence, size, source=path, slack_px=ROUNDING_SLACK_PX)


def _row_to_region(row: Row, frame_count: int) -> BoxRegion:
    frame = check_frame(_frame_number(row), frame_count, where=row.where, first=1)
    x, y = row.number(2, "x_center"), row.number(3, "y_center")
    half_width, half_height = row.number(4, "width") / 2, row.number(5, "height") / 2
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    return BoxRegion(row.where, frame, row.track(1), box)


def _frame_number(row: Row) -> int:
    groups = re.findall("[0-9]+", PurePosixPath(row.fields[0]).stem)
    if not groups or len(groups[-1]) > 9:
        raise VadlocError(
            f"{row.where}: no frame number in the file name {row.fields[0][:60]!r}; expected a "
            "name such as 061.jpg"
        )
    return int(groups[-1])


def to_rows(truth: GroundTruth) -> str:
    """The regions of a sequence as Street Scene rows; masks become their boxes.

    Raises:
        VadlocError: There are anomalous frames without any region: rows cannot say so.
    """
    missing = np.setdiff1d(np.flatnonzero(truth.anomalous), truth.frame)
    if missing.size:
        raise VadlocError(
            f"{truth.source or truth.sequence}: {missing.size} anomalous frames without a region, "
            f"the first is frame {missing[0] + 1}; Street Scene rows cannot say so, write json"
        )
    rows = zip(truth.frame, truth.track, truth.box_xyxy_px, strict=True)
    return "".join(
        f"{frame + 1:03d}.jpg {track} {_plain((x0 + x1) / 2)} {_plain((y0 + y1) / 2)} "
        f"{_plain(x1 - x0)} {_plain(y1 - y0)}\n"
        for frame, track, (x0, y0, x1, y1) in rows
    )


def _plain(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
