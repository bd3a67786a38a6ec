"""Paint boxes to maps, one frame at a time, so that boxes count by their pixels."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from vadloc.scores import (
    BoxScores,
    ScoreMap,
)


class PaintedBoxes:
    """The boxes of a sequence as maps at full resolution.

    ``painted[frame]`` paints a 0-based frame. The score of a pixel is the mean score of the boxes
    that cover its centre, and 0 if no box does.

    Attributes:
        shape: ``(frames, height, width)``.
        dtype: float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, boxes: BoxScores) -> None:
        self.shape = (boxes.frame_count, boxes.height_px, boxes.width_px)
        self._rows = list(boxes.by_frame())
        # The first pixel whose centre is at or beyond each edge.
        self._corners = np.ceil(boxes.box_xyxy_px - 0.5).astype(np.int64)
        self._score = boxes.score

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> NDArray[np.float32]:
        total, count = np.zeros(self.shape[1:]), np.zeros(self.shape[1:], np.int64)
        for row in self._rows[frame]:
            x0, y0, x1, y1 = self._corners[row]
            total[y0:y1, x0:x1] += self._score[row]
            count[y0:y1, x0:x1] += 1
        return (total / np.maximum(count, 1)).astype(np.float32)


def boxes_to_map(boxes: BoxScores) -> ScoreMap:
    """Convert boxes to a map; each frame is painted when it is needed."""
    return ScoreMap(
        sequence=boxes.sequence,
        # ScoreMap needs only shape and [frame]
        scores=cast("NDArray[np.float32]", PaintedBoxes(boxes)),
        cell_height_px=1,
        cell_width_px=1,
        height_px=boxes.height_px,
        width_px=boxes.width_px,
    )
