"""The fields of a py-ssvad-metrics JSON, checked.

One file a sequence. Its fields are those of `Document`, `Frame` and `Region`; fields that are not
listed there are ignored. Boxes are half-open, in pixels; maps are named by paths relative to the
JSON. What we add, all of it optional:

* ``track_id`` in a region. Without it the frame's ``anomaly_track_id`` holds for its regions.
* ``mask_runs`` in a region: its exact pixels, as lengths of alternating runs of pixels outside and
  inside, row by row within the bounding box, beginning with outside (0 if there are none).
* ``is_derived`` at the top: regions or tracks were computed and not annotated by people.
* In ground truth, a frame with ``frame_level_score`` 1 is anomalous even if no region is listed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vadloc.annotations.components import MAX_REGIONS_PER_FRAME
from vadloc.annotations.files import read_text
from vadloc.annotations.regions import SequenceSize
from vadloc.errors import VadlocError, first_problem
from vadloc.video.decoding import MAX_FRAME_PX

MAX_COUNT = 10**9
MAX_CORNER_PX = 1e9
_Score = Annotated[float, Field(ge=0, le=1)]
_Corner = Annotated[float, Field(ge=-MAX_CORNER_PX, le=MAX_CORNER_PX)]
_Track = Annotated[int, Field(ge=-1, le=MAX_COUNT)]
_Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class Region(_Part):
    """One anomalous region of a frame.

    Attributes:
        bounding_box: ``x1, y1, x2, y2`` in pixels, half-open.
        score: Its score; 1 in ground truth.
        track_id: Its track (our addition).
        mask_runs: Its pixels within the box (our addition).
    """

    bounding_box: tuple[_Corner, _Corner, _Corner, _Corner]
    score: _Score
    track_id: Annotated[int, Field(ge=0, le=MAX_COUNT)] | None = None
    mask_runs: list[Annotated[int, Field(ge=0, le=MAX_COUNT)]] | None = None


class Frame(_Part):
    """One frame.

    Attributes:
        frame_id: 1-based number.
        frame_filename: Its picture, in older files; for `evaluation.ssvad` only.
        frame_filepath: Its picture; for `evaluation.ssvad` only.
        video_time_sec: Its time in seconds; not used.
        anomaly_track_id: Track of the frame's regions, -1 for none.
        frame_level_score: Score of the frame; in ground truth 0 or 1.
        anomalous_regions: Its regions.
        pixel_level_scores_map: Path to its map, which has priority over the regions.
    """

    frame_id: Annotated[int, Field(gt=0, le=MAX_COUNT)]
    frame_filename: str | None = None
    frame_filepath: str | None = None
    video_time_sec: Annotated[float, Field(ge=0)] | None = None
    anomaly_track_id: _Track | None = None
    frame_level_score: _Score | None = None
    anomalous_regions: Annotated[list[Region], Field(max_length=MAX_REGIONS_PER_FRAME)] | None = (
        None
    )
    pixel_level_scores_map: str | None = None


class Document(_Part):
    """One sequence.

    Attributes:
        is_gt: True for ground truth; not relied on.
        is_derived: Regions or tracks were computed (our addition).
        frames_count: Number of frames.
        is_anomalous_regions_available: Regions or maps are given; otherwise frame scores are.
        is_anomaly_track_id_available: Tracks are given; otherwise they are linked by overlap.
        video_length_sec: Duration; not used.
        frame_rate: Frames per second; not used.
        frame_width: In pixels.
        frame_height: In pixels.
        frames: All frames, in any order.
    """

    is_gt: bool | None = None
    is_derived: bool = False
    frames_count: Annotated[int, Field(gt=0, le=MAX_COUNT)]
    is_anomalous_regions_available: bool
    is_anomaly_track_id_available: bool
    video_length_sec: _Positive | None = None
    frame_rate: _Positive | None = None
    frame_width: Annotated[int, Field(gt=0, le=MAX_COUNT)]
    frame_height: Annotated[int, Field(gt=0, le=MAX_COUNT)]
    frames: list[Frame]

    @property
    def size(self) -> SequenceSize:
        """Number and size of the frames."""
        return SequenceSize(self.frames_count, self.frame_height, self.frame_width)


Places: TypeAlias = list[tuple[str, Frame]]
"""Frames, each with its place in messages."""


def read_document(path: Path) -> Document:
    """The checked fields of a file, frames in the order of their ids.

    Raises:
        VadlocError: It is no JSON, a field is missing, malformed or NaN, the number of frames is
            not ``frames_count``, or frame ids repeat or leave 1 to ``frames_count``.
    """
    content = read_text(path, expected="the JSON of py-ssvad-metrics")
    try:
        document = Document.model_validate_json(content)
    except ValidationError as error:
        raise VadlocError(f"{path}: {first_problem(error)}") from None
    if len(document.frames) != document.frames_count:
        raise VadlocError(
            f"{path}: frames_count is {document.frames_count}, but {len(document.frames)} frames "
            "are listed; every frame must be listed once"
        )
    if document.frame_width * document.frame_height > MAX_FRAME_PX:
        raise VadlocError(
            f"{path}: frame_width x frame_height is {document.frame_width} x "
            f"{document.frame_height}, at most {MAX_FRAME_PX} px are read"
        )
    return document.model_copy(update={"frames": _ordered(path, document.frames)})


def places_of(path: Path, document: Document) -> Places:
    """Every frame of a file with its place in messages."""
    return [(f"{path}, frame {frame.frame_id}", frame) for frame in document.frames]


def _ordered(path: Path, frames: Sequence[Frame]) -> list[Frame]:
    by_id: dict[int, Frame] = {}
    for frame in frames:
        if frame.frame_id in by_id:
            raise VadlocError(f"{path}, frame {frame.frame_id}: frame_id is listed twice")
        if frame.frame_id > len(frames):
            raise VadlocError(
                f"{path}, frame {frame.frame_id}: frame_id, but there are {len(frames)} frames; "
                "ids run from 1"
            )
        by_id[frame.frame_id] = frame
    return [by_id[frame_id] for frame_id in sorted(by_id)]


def frame_score_of(where: str, frame: Frame) -> float:
    """The score of a frame whose file has no regions.

    Raises:
        VadlocError: It has none.
    """
    if frame.frame_level_score is None:
        raise VadlocError(
            f"{where}: frame_level_score is missing; it is needed where "
            "is_anomalous_regions_available is false"
        )
    return frame.frame_level_score


def listed_regions(where: str, frame: Frame) -> list[tuple[str, Region]]:
    """The listed regions of a frame, each with its place.

    Raises:
        VadlocError: There is no list, not even an empty one.
    """
    if frame.anomalous_regions is None:
        raise VadlocError(
            f"{where}: neither anomalous_regions nor pixel_level_scores_map is given; an empty "
            "list says that there is none"
        )
    return [
        (f"{where}, anomalous_regions[{index}]", region)
        for index, region in enumerate(frame.anomalous_regions)
    ]


def runs_to_mask(runs: Sequence[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask from the lengths of its alternating runs outside, inside, outside, ...

    Args:
        runs: Lengths, row by row, that add up to the pixels of ``shape``.
        shape: ``(height, width)``.
    """
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(shape)


def mask_to_runs(mask: NDArray[np.bool_]) -> list[int]:
    """The lengths of a mask's alternating runs outside, inside, outside, ..., row by row."""
    flat = mask.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    runs: list[int] = np.diff(changes, prepend=0, append=flat.size).tolist()
    return runs
