"""Predictions as rows of boxes.

``<sequence>.csv`` has rows ``frame,x_min,y_min,x_max,y_max,score``. Frames are 0-based, boxes
half-open. The first row may be a header with these names.
"""

from pathlib import Path

import numpy as np

from evaluation.predictions.known_size import Details, KnownSize
from vadloc.annotations.regions import (
    boxes_in_frame,
    check_frame,
)
from vadloc.annotations.rows import (
    Row,
    read_rows,
)
from vadloc.annotations.ssvad_prediction import Prediction
from vadloc.scores import BoxScores

LAYOUT = "frame,x_min,y_min,x_max,y_max,score"


def read(path: Path, sequence: str, known: KnownSize, _details: Details, /) -> Prediction:
    """Read boxes (an `evaluation.predictions.readers.FileReader`).

    Raises:
        VadlocError: A row is malformed, or the size of the frames is unknown.
    """
    size = known.complete(where=str(path))
    rows = list(read_rows(path, layout=LAYOUT))
    names = LAYOUT.split(",")
    values = [[row.number(column, names[column]) for column in range(1, 6)] for row in rows]
    table = np.array(values, np.float64).reshape(-1, 5)
    inside, cut = boxes_in_frame(table[:, :4], [row.where for row in rows], size)
    boxes = BoxScores(
        sequence=sequence,
        frame=np.array([_frame(row, known) for row in rows], np.int64),
        box_xyxy_px=inside,
        score=table[:, 4],
        frame_count=size.frame_count,
        height_px=size.height_px,
        width_px=size.width_px,
    )
    return Prediction(sequence, size.frame_count, boxes, None, cut)


def _frame(row: Row, known: KnownSize) -> int:
    number, count = row.whole(0, "the frame"), known.frame_count or 0
    return check_frame(number, count, where=row.where, first=0, counted_by=known.counted_by)
