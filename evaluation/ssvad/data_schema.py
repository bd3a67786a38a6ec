"""The JSON of py-ssvad-metrics as classes, for programs that build or check it with them.

The other functions of this package do not use these classes: they read files in another way, with
errors that name the wrong part of the file.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vadloc.annotations.score_maps import (
    find_map,
    map_size,
    read_map,
)

Score = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", validate_assignment=True)


class AnomalousRegion(_Model):
    """A box with a score.

    Attributes:
        bounding_box: ``[x1, y1, x2, y2]`` in whole pixels, half-open.
        score: Score in 0..1; 1 in ground truth.
    """

    bounding_box: Annotated[list[int], Field(min_length=4, max_length=4)]
    score: Score


class VADFrame(_Model):
    """One frame.

    Attributes:
        frame_id: 1-based number of the frame.
        frame_filename: Name of the frame's picture, in older files.
        frame_filepath: Path of the frame's picture.
        video_time_sec: Time of the frame in seconds.
        anomaly_track_id: Track id of the frame's regions, -1 for none.
        frame_level_score: Score of the frame, if there are no regions.
        anomalous_regions: Anomalous regions of the frame.
        pixel_level_scores_map: Path of the frame's score map, used instead of the regions.
    """

    frame_id: Count
    frame_filename: str | None = None
    frame_filepath: str | None = None
    video_time_sec: Annotated[float, Field(ge=0)] | None = None
    anomaly_track_id: int | None = None
    frame_level_score: Score | None = None
    anomalous_regions: list[AnomalousRegion] | None = None
    pixel_level_scores_map: str | None = None


class VADAnnotation(_Model):
    """One sequence.

    Attributes:
        is_gt: Whether the file is ground truth.
        frames_count: Number of frames.
        is_anomalous_regions_available: True if frames have regions or maps, False if they have
            only scores.
        is_anomaly_track_id_available: Whether track ids are given.
        video_length_sec: Duration in seconds.
        frame_width: Frame width in pixels.
        frame_height: Frame height in pixels.
        frame_rate: Frames per second.
        frames: All frames.
    """

    is_gt: bool | None = None
    frames_count: Count
    is_anomalous_regions_available: bool
    is_anomaly_track_id_available: bool
    video_length_sec: Positive | None = None
    frame_width: Count
    frame_height: Count
    frame_rate: Positive | None = None
    frames: list[VADFrame]

    @model_validator(mode="after")
    def _counts_its_frames(self) -> "VADAnnotation":
        if len(self.frames) != self.frames_count:
            raise ValueError(
                f"frames_count is {self.frames_count}, but {len(self.frames)} frames are listed"
            )
        return self


def data_parser(annos: dict[str, Any], score_maps_root_dir: str | None) -> VADAnnotation:
    """Check the content of a JSON, and join the paths of its maps to their folder.

    Args:
        annos: Content of the JSON.
        score_maps_root_dir: Folder of the maps; ``None`` does not change the paths.

    Raises:
        VadlocError: A map is outside the folder or missing.
        ValidationError: A field is missing or malformed.
    """
    annotation = VADAnnotation.model_validate(annos)
    for frame in annotation.frames:
        if frame.pixel_level_scores_map is not None and score_maps_root_dir is not None:
            where = f"frame {frame.frame_id}: pixel_level_scores_map"
            found = find_map(Path(score_maps_root_dir), frame.pixel_level_scores_map, where=where)
            frame.pixel_level_scores_map = str(found)
    return annotation


def load_pixel_score_map(p: str) -> NDArray[np.float32]:
    """Read a ``.npy`` or ``.tiff`` score map, ``(height, width)`` in 0..1.

    Raises:
        VadlocError: The map is missing, malformed or has scores out of range.
    """
    height_px, width_px = map_size(Path(p))
    return read_map(Path(p), height_px=height_px, width_px=width_px)
