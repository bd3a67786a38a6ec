"""Read and check the fields of a py-ssvad-metrics JSON.

Each sequence has one file. Its fields are those of `Document`, `Frame` and `Region`; other fields
are ignored. Boxes are half-open, in pixels; paths of maps are relative to the JSON. vadloc adds
these optional fields and rules:

* ``track_id`` in a region. Without it the region has the ``anomaly_track_id`` of its frame.
* ``mask_runs`` in a region: its exact pixels, as lengths of alternating runs of pixels outside and
  inside the region, row by row within the bounding box. The first run is outside (it may be 0).
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
        score: Score of the region; 1 in ground truth.
        track_id: Track id of the region (added by vadloc).
        mask_runs: Pixels of the region within the box (added by vadloc).
    """

    bounding_box: tuple[_Corner, _Corner, _Corner, _Corner]
    score: _Score
    track_id: Annotated[int, Field(ge=0, le=MAX_COUNT)] | None = None
    mask_runs: list[Annotated[int, Field(ge=0, le=MAX_COUNT)]] | None = None


class Frame(_Part):
    """One frame.

    Attributes:
        frame_id: 1-based number of the frame.
        frame_filename: Picture of the frame, in older files; only `evaluation.ssvad` uses it.
        frame_filepath: Picture of the frame; only `evaluation.ssvad` uses it.
        video_time_sec: Time of the frame in seconds; not used.
        anomaly_track_id: Track id of the frame's regions, -1 for none.
        frame_level_score: Score of the frame; in ground truth 0 or 1.
        anomalous_regions: Anomalous regions of the frame.
        pixel_level_scores_map: Path of the frame's map, which is used instead of the regions.
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
        is_gt: True for ground truth; not used.
        is_derived: True if regions or tracks were computed (added by vadloc).
        frames_count: Number of frames.
        is_anomalous_regions_available: True if frames have regions or maps, False if they have
            only scores.
        is_anomaly_track_id_available: True if track ids are given; otherwise regions are linked by
            overlap.
        video_length_sec: Duration in seconds; not used.
        frame_rate: Frames per second; not used.
        frame_width: Frame width in pixels.
        frame_height: Frame height in pixels.
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
"""Frames, each with its file and number for messages."""


def read_document(path: Path) -> Document:
    """Read and check a file; its frames are sorted by id.

    Raises:
        VadlocError: The file is no JSON, a field is missing, malformed or NaN, the number of
            frames is not ``frames_count``, or the frame ids are not 1 to ``frames_count``.
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
    """Every frame of a file, with file and frame number for messages."""
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
    """The score of a frame, needed where the file has no regions.

    Raises:
        VadlocError: The frame has no score.
    """
    if frame.frame_level_score is None:
        raise VadlocError(
            f"{where}: frame_level_score is missing; it is needed where "
            "is_anomalous_regions_available is false"
        )
    return frame.frame_level_score


def listed_regions(where: str, frame: Frame) -> list[tuple[str, Region]]:
    """The listed regions of a frame, each with file, frame and index for messages.

    Raises:
        VadlocError: The frame has no list of regions; an empty list is accepted.
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
    """The mask with the given lengths of alternating runs outside, inside, outside, ...

    Args:
        runs: Lengths of the runs, row by row; their sum must be the number of pixels of ``shape``.
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
