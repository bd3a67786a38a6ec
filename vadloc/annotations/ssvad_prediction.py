"""Predictions of one sequence, and reading them from the JSON of py-ssvad-metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.regions import boxes_in_frame
from vadloc.annotations.score_maps import (
    FrameMaps,
    find_map,
)
from vadloc.annotations.ssvad_document import (
    Document,
    Places,
    frame_score_of,
    listed_regions,
    places_of,
    read_document,
)
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    ScoreMap,
)


@dataclass(frozen=True)
class Prediction:
    """A detector's scores of one sequence; ``scores``, ``frame_score`` or both are given.

    Attributes:
        sequence: Name of the sequence.
        frame_count: Number of frames.
        scores: Scores of pixels or boxes; ``None`` if there are only frame scores.
        frame_score: ``(frame_count,)`` float64, score of each frame; ``None`` if there are none.
        cut_boxes: Number of boxes that stuck out of the frame and were cut to it.
    """

    sequence: str
    frame_count: int
    scores: ScoreMap | BoxScores | None
    frame_score: NDArray[np.float64] | None
    cut_boxes: int = 0


def read_prediction(
    path: Path, *, sequence: str | None = None, maps: Path | None = None
) -> Prediction:
    """Read a prediction file; its maps are located now and each is read when it is needed.

    Args:
        path: The JSON.
        sequence: Name of the sequence; by default the file's name without suffix.
        maps: Folder that the paths of maps are relative to; by default that of the file.

    Raises:
        VadlocError: The file is malformed; the message has file, frame and field.
    """
    document = read_document(path)
    name = sequence or path.stem
    frames = places_of(path, document)
    if not document.is_anomalous_regions_available:
        scores = np.array([frame_score_of(where, frame) for where, frame in frames], np.float64)
        return Prediction(name, document.frames_count, None, scores)
    if any(frame.pixel_level_scores_map is not None for frame in document.frames):
        found = _find_maps(maps or path.parent, document, frames)
        grid = cast("NDArray[np.float32]", found)  # ScoreMap needs only shape and [frame]
        height_px, width_px = document.frame_height, document.frame_width
        score_map = ScoreMap(name, grid, 1, 1, height_px=height_px, width_px=width_px)
        return Prediction(name, document.frames_count, score_map, _frame_scores(document))
    boxes, cut = _box_scores(document, frames, name)
    return Prediction(name, document.frames_count, boxes, _frame_scores(document), cut)


def _frame_scores(document: Document) -> NDArray[np.float64] | None:
    """The score of each frame, ``(frames,)``; ``None`` unless every frame has one."""
    scores = [frame.frame_level_score for frame in document.frames]
    return None if None in scores else np.array(scores, np.float64)


def _find_maps(maps: Path, document: Document, places: Places) -> FrameMaps:
    files: list[Path | None] = []
    for where, frame in places:
        name = frame.pixel_level_scores_map
        if name is None and frame.anomalous_regions:
            raise VadlocError(
                f"{where}: anomalous_regions without a pixel_level_scores_map, but other frames "
                "have maps; give one for every frame with regions"
            )
        field = f"{where}: pixel_level_scores_map"
        files.append(None if name is None else find_map(maps, name, where=field))
    return FrameMaps(files, height_px=document.frame_height, width_px=document.frame_width)


def _box_scores(document: Document, places: Places, name: str) -> tuple[BoxScores, int]:
    """The detected boxes, and how many were cut to the frame."""
    listed = [
        (index, place, region)
        for index, (where, frame) in enumerate(places)
        for place, region in listed_regions(where, frame)
    ]
    boxes = np.array([region.bounding_box for _, _, region in listed], np.float64).reshape(-1, 4)
    where = [place for _, place, _ in listed]
    inside, cut = boxes_in_frame(boxes, where, document.size)
    scores = BoxScores(
        sequence=name,
        frame=np.array([index for index, _, _ in listed], np.int64),
        box_xyxy_px=inside,
        score=np.array([region.score for _, _, region in listed], np.float64),
        frame_count=document.frames_count,
        height_px=document.frame_height,
        width_px=document.frame_width,
    )
    return scores, cut
