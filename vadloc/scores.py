"""Scores of one test sequence: a grid of cells for every frame, or boxes with scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError


class Cells(NamedTuple):
    """The scores of one frame on a grid of rectangles that tile it.

    Attributes:
        scores: ``(rows, columns)`` float; higher is more anomalous. Every pixel of a cell has the
            cell's score. ``-inf`` where there is no detection at any threshold.
        row_edges_px: ``(rows + 1,)`` float64, row ``i`` spans ``[edges[i], edges[i + 1])``.
        column_edges_px: ``(columns + 1,)`` float64, likewise.
    """

    scores: NDArray[np.floating[Any]]
    row_edges_px: NDArray[np.float64]
    column_edges_px: NDArray[np.float64]


@dataclass(frozen=True)
class ScoreMap:
    """Scores of a sequence on cells of equal size, which begin at the top left corner.

    Cells at the right and bottom edge may extend beyond the frame; only the part inside counts.

    Attributes:
        sequence: Name of the sequence.
        scores: ``(frames, rows, columns)``, float32 (float64 and bool are accepted too). Any object
            with ``shape`` and ``[frame]`` is accepted; a memory map is read one frame at a time.
        cell_height_px: Height of a cell, 1 for a map at full resolution.
        cell_width_px: Width of a cell.
        height_px: Frame height.
        width_px: Frame width.
    """

    sequence: str
    scores: NDArray[np.float32]
    cell_height_px: int
    cell_width_px: int
    height_px: int
    width_px: int

    def __post_init__(self) -> None:
        """Check that the cells tile the frame."""
        if min(self.cell_height_px, self.cell_width_px, self.height_px, self.width_px) < 1:
            raise VadlocError(f"{self.sequence}: cells and frames must measure at least 1 px")
        grid = ceil(self.height_px / self.cell_height_px), ceil(self.width_px / self.cell_width_px)
        shape = tuple(self.scores.shape)
        if len(shape) != 3 or shape[1:] != grid:
            raise VadlocError(
                f"{self.sequence}: scores have shape {shape}, expected (frames, {grid[0]}, "
                f"{grid[1]}) for cells of {self.cell_height_px} x {self.cell_width_px} px in "
                f"frames of {self.height_px} x {self.width_px} px (height x width)"
            )

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return int(self.scores.shape[0])

    @property
    def row_edges_px(self) -> NDArray[np.float64]:
        """``(rows + 1,)`` float64, the last one cut to the frame."""
        return _edges_px(self.height_px, self.cell_height_px)

    @property
    def column_edges_px(self) -> NDArray[np.float64]:
        """``(columns + 1,)`` float64, the last one cut to the frame."""
        return _edges_px(self.width_px, self.cell_width_px)

    def frame_scores(self, frame: int) -> NDArray[np.floating[Any]]:
        """Read the scores of one frame.

        Args:
            frame: 0-based frame.

        Returns:
            ``(rows, columns)``, C-contiguous; float64 if the scores are float64, otherwise float32.

        Raises:
            VadlocError: A score is not a finite number.
        """
        scores = np.asarray(self.scores[frame])
        scores = np.ascontiguousarray(scores, np.result_type(scores, np.float32))
        if not np.isfinite(scores).all():
            raise VadlocError(
                f"{self.sequence}: the scores of frame {frame} (0-based) hold NaN or infinity; "
                "every score must be a finite number"
            )
        return scores

    def cells(self, frame: int) -> Cells:
        """The cells of a 0-based frame."""
        return Cells(self.frame_scores(frame), self.row_edges_px, self.column_edges_px)


@dataclass(frozen=True)
class BoxScores:
    """Detections of a sequence as boxes; each box is one detected region and is never merged.

    The score of a pixel is the highest score of the boxes that cover it, and ``-inf`` outside all
    boxes.

    Attributes:
        sequence: Name of the sequence.
        frame: ``(n,)`` int64, 0-based frame of each box, in any order.
        box_xyxy_px: ``(n, 4)`` float64, half-open ``[x0, x1) x [y0, y1)``, inside the frame.
        score: ``(n,)`` float, finite.
        frame_count: Number of frames of the sequence.
        height_px: Frame height.
        width_px: Frame width.
    """

    sequence: str
    frame: NDArray[np.int64]
    box_xyxy_px: NDArray[np.float64]
    score: NDArray[np.float64]
    frame_count: int
    height_px: int
    width_px: int

    def __post_init__(self) -> None:
        """Check lengths, frames, boxes and scores."""
        n = len(self.frame)
        if self.box_xyxy_px.shape != (n, 4) or self.score.shape != (n,):
            raise VadlocError(
                f"{self.sequence}: {n} frame numbers, boxes of shape {self.box_xyxy_px.shape} and "
                f"scores of shape {self.score.shape}; expected ({n}, 4) and ({n},)"
            )
        self._refuse(
            (self.frame < 0) | (self.frame >= self.frame_count),
            f"frame outside of the sequence's {self.frame_count} frames",
        )
        self._refuse(~np.isfinite(self.score), "score that is not a finite number")
        x0, y0, x1, y1 = self.box_xyxy_px.T
        inside = (x0 >= 0) & (x0 < x1) & (x1 <= self.width_px)
        inside &= (y0 >= 0) & (y0 < y1) & (y1 <= self.height_px)
        self._refuse(
            ~inside,
            f"box that is empty, inverted or leaves the frame of {self.height_px} x "
            f"{self.width_px} px (height x width)",
        )

    def _refuse(self, wrong: NDArray[np.bool_], what: str) -> None:
        """Raise for the first wrong box."""
        if wrong.any():
            i = int(np.argmax(wrong))
            raise VadlocError(
                f"{self.sequence}: box {i} (0-based), frame {self.frame[i]}, "
                f"{self.box_xyxy_px[i].tolist()}, score {self.score[i]}: {what}"
            )

    def by_frame(self) -> Iterator[NDArray[np.intp]]:
        """Yield for each frame 0, 1, 2, ... the rows of its boxes."""
        order = np.argsort(self.frame, kind="stable")
        ends = np.searchsorted(self.frame[order], np.arange(self.frame_count + 1))
        for first, last in pairwise(ends):
            yield order[first:last]

    def cells(self, frame: int) -> Cells:
        """The frame, cut along all edges of its boxes, so that every cell has one score.

        Args:
            frame: 0-based frame.

        Returns:
            Cells of different sizes; scores are float64.
        """
        rows = self.frame == frame
        boxes = self.box_xyxy_px[rows]
        row_edges = np.unique(np.append(boxes[:, 1::2], [0.0, self.height_px]))
        column_edges = np.unique(np.append(boxes[:, 0::2], [0.0, self.width_px]))
        scores = np.full((len(row_edges) - 1, len(column_edges) - 1), -np.inf)
        for box, score in zip(boxes, self.score[rows], strict=True):
            left, right = np.searchsorted(column_edges, box[0::2])
            top, bottom = np.searchsorted(row_edges, box[1::2])
            part = scores[top:bottom, left:right]
            np.maximum(part, score, out=part)
        return Cells(scores, row_edges, column_edges)


Scores: TypeAlias = ScoreMap | BoxScores


def _edges_px(length_px: int, cell_px: int) -> NDArray[np.float64]:
    """Edges of cells laid along ``length_px``, the last one cut."""
    edges = np.arange(ceil(length_px / cell_px) + 1, dtype=np.float64) * cell_px
    edges[-1] = length_px
    return edges
