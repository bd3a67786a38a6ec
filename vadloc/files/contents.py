"""The content of result files: keys, types and sizes, checked when a file is read.

Stamp and digest show that a file is complete and belongs to the config. They do not help if
another program wrote wrong content with a correct digest. Therefore this module describes the
content of each kind of file. A missing key, a value of another type, or a size that does not fit
the other sizes is an error before anything is computed from the file.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from vadloc.config import Criterion
from vadloc.errors import one_line
from vadloc.files.array_fields import Array
from vadloc.files.content_fields import (
    Box,
    Content,
    Count,
    Index,
    Moment,
    NotNegative,
    Number,
    Share,
    Side,
)
from vadloc.files.exemplar_contents import (
    Divisors,
    ExemplarFile,
    MinedFrames,
    MinedSummary,
    Sightings,
)
from vadloc.files.model_contents import (
    MemberDivisors,
    PseudoAnomalyFile,
    Quality,
    ScoreDetails,
    TrainedModel,
)
from vadloc.files.storage import DamagedFileError

LONGEST_VOLUME = 1000
"""Largest number of frames per volume that a config allows."""
SHOWN_PROBLEMS = 3


class Features(Content):
    """Features of a sequence by one extractor."""

    sequence: str
    frame_count: Count
    height_px: Side
    width_px: Side
    components: Annotated[
        dict[str, Annotated[Any, Array("float16 float32", "rows _")]], Field(min_length=1)
    ]
    descriptors: dict[str, Annotated[Any, Array("float16 float32", "rows _")]]
    first_frame: Annotated[Any, Array("int64", "volumes", least=0)]
    index: Annotated[Any, Array("int32", "volumes regions", least=0, below="rows")]
    times_s: Annotated[Any, Array("float64", "frames", least=0)] = None
    camera_shift_px: Annotated[Any, Array("float32", "frames _")] = None
    camera_is_found: Annotated[Any, Array("bool", "frames")] = None
    camera_is_undone: Annotated[Any, Array("bool", "frames")] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.times_s is not None and len(self.times_s) != self.frame_count:
            raise ValueError("expected a time for each frame")
        camera = self.camera_shift_px, self.camera_is_found, self.camera_is_undone
        if any(array is not None for array in camera):
            shapes = [np.shape(array) for array in camera]
            if shapes != [(self.frame_count, 2), (self.frame_count,), (self.frame_count,)]:
                raise ValueError("expected the camera's shift in x and y for each frame")
        return self


class SpeedScale(Content):
    """Typical speed at each place, see ``feature_extraction.speed_scale``."""

    height_px: Side
    width_px: Side
    pairs: Annotated[int, Field(ge=0)]
    speed_scale_px_per_frame: Annotated[Any, Array("float64", "rows columns", least=1e-3)]


class Background(Content):
    """The scene without what moves, see ``feature_extraction.background``."""

    height_px: Side
    width_px: Side
    frames: Count
    log_brightness: Annotated[Any, Array("float64", "rows columns")]
    spread: Annotated[Any, Array("float64", "rows columns", least=0)]


class Scales(Content):
    """Divisors (scales) of the feature distance, and the frame size."""

    scales: Annotated[list[NotNegative], Field(min_length=1)]
    height_px: Side
    width_px: Side


class Calibration(Content):
    """False alarms of a training sequence at every threshold, and its most unusual moments."""

    sequence: str
    frame_count: Count
    duration_s: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    frames_per_second: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    scores: Annotated[Any, Array("float32", "steps")]
    alarms: Annotated[Any, Array("int64", "steps", least=0)]
    moments: list[Moment]


class Volume(Content):
    """Position and time of a video volume."""

    region: Index
    box_xyxy_px: Box
    first_frame: Index
    last_frame: Index

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if not self.first_frame <= self.last_frame < self.first_frame + LONGEST_VOLUME:
            raise ValueError("the volume ends before it begins, or much later")
        return self


class Peak(Volume):
    """The most anomalous volume of a detection; ``None`` where its detector gives no value."""

    distance: NotNegative | None = None
    shares: dict[str, Number] | None = None
    motion: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None


class Nearest(Volume):
    """The exemplar that is nearest to the most anomalous volume."""

    sequence: str
    count: Count
    attributes: dict[str, Any]


class Detection(Content):
    """One detection of an explanation."""

    id: Index
    score: Number
    first_frame: Index
    last_frame: Index
    peak_frame: Index
    boxes_xyxy_px: list[Box]
    place: str
    peak: Peak
    nearest: Nearest | None = None
    normal: dict[str, Any] | None = None
    unusual: list[dict[str, Any]] | None = None
    sentence: str

    @property
    def _compared(self) -> dict[str, Any]:
        """The parts of a comparison with an exemplar."""
        names = "nearest", "normal", "unusual"
        of_peak = "distance", "shares", "attributes"
        found = {name: getattr(self, name) for name in names}
        return found | {f"peak.{name}": getattr(self.peak, name) for name in of_peak}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.boxes_xyxy_px) != self.last_frame - self.first_frame + 1:
            raise ValueError("expected a box for each frame")
        if not self.first_frame <= self.peak_frame <= self.last_frame:
            raise ValueError("the peak is outside the detection")
        compared = {name: value is not None for name, value in self._compared.items()}
        missing = [name for name, is_there in compared.items() if not is_there]
        if missing and (compared.keys() - {*missing, "peak.shares"}):
            raise ValueError(f"a comparison with an exemplar, but no {', '.join(missing)}")
        return self


class CameraSummary(Content):
    """How far the camera has moved, see `vadloc.video.camera_summary`."""

    median_px: NotNegative
    high_px: NotNegative
    largest_px: NotNegative
    undone_share: Share
    lost_share: Share


class Explanations(Content):
    """The detections of a test sequence."""

    sequence: str
    frame_count: Count
    height_px: Side
    width_px: Side
    frames_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    times_s: list[NotNegative] | None = None
    camera: CameraSummary | None = None
    cell_px: Side
    region_px: Side
    threshold: Number
    frame_scores: list[Number]
    detections: list[Detection]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.frame_scores) != self.frame_count:
            raise ValueError("expected a score for each frame")
        if self.times_s is not None and len(self.times_s) != self.frame_count:
            raise ValueError("expected a time for each frame")
        last = [d.last_frame for d in self.detections]
        last += [d.peak.last_frame for d in self.detections]
        if max(last, default=0) >= self.frame_count:
            raise ValueError("a detection goes on after the last frame")
        boxes = [box for d in self.detections for box in (*d.boxes_xyxy_px, d.peak.box_xyxy_px)]
        boxes += [d.nearest.box_xyxy_px for d in self.detections if d.nearest]
        if any(x1 > self.width_px or y1 > self.height_px for _, _, x1, y1 in boxes):
            raise ValueError("a box that leaves the frame")
        return self


class AnnotatedRegions(Content):
    """Annotated regions of a sequence, as lists of equal length."""

    frame: list[Index]
    track: list[int]
    box_xyxy_px: list[Annotated[list[Number], Field(min_length=4, max_length=4)]]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not len(self.frame) == len(self.track) == len(self.box_xyxy_px):
            raise ValueError("frame, track and box_xyxy_px differ in number")
        return self


class FrameLabels(Content):
    """Anomalous frames and regions of the test sequences, from the ground truth."""

    anomalous_frames: dict[str, list[Annotated[list[Index], Field(min_length=2, max_length=2)]]]
    regions: dict[str, AnnotatedRegions]


class Counts(Content):
    """Numbers of sequences, frames, regions and tracks of an evaluation."""

    sequences: int
    frames: int
    regions: int
    tracks: int


class Basis(Content):
    """The ground truth from which a criterion is computed."""

    ground_truth: str
    format: str
    derived: bool
    sequences: list[str]
    frames: int


class Summary(Content):
    """The numbers of an evaluation that commands print again."""

    frame_roc_auc: float | None
    frame_macro_roc_auc: float | None
    frame_eer: float | None
    region_roc_auc: float | None
    track_roc_auc: float | None
    pixel_roc_auc: float | None
    dual_pixel_roc_auc: float | None
    rule: str
    areas_by_rule: dict[str, dict[str, float | None]]
    counts: Counts
    part_of: int | None
    localizes: bool = True
    stands_on: dict[Criterion, Basis | None]


CONTENTS: dict[str, Any] = {
    "features": Features,
    "speed_scale": SpeedScale,
    "background": Background,
    "scales": Scales,
    "exemplars": ExemplarFile,
    "merged": ExemplarFile,
    "divisors": Divisors,
    "sightings": Sightings,
    "model": TrainedModel,
    "pseudo_anomalies": PseudoAnomalyFile,
    "quality": Quality,
    "member_divisors": MemberDivisors,
    "scores": Annotated[Any, Array("float32", "frames rows columns")],
    "score_details": ScoreDetails,
    "calibration": Calibration,
    "explanations": Explanations,
    "frame_labels": FrameLabels,
    "summary": Summary,
    "mined": MinedFrames,
    "mined_summary": MinedSummary,
}
"""Description of each kind of file that a command reads again."""


@lru_cache
def _validator(kind: str) -> Callable[..., Any]:
    return TypeAdapter(CONTENTS[kind]).validate_python


def check_content(content: object, kind: str, path: Path) -> None:
    """Check the content of a file against the description of its kind.

    Raises:
        DamagedFileError: The content does not fit; the message has keys and expected values.
    """
    if kind not in CONTENTS:
        return
    try:
        _validator(kind)(content, context={})
    except ValidationError as error:
        problems = [_problem(item["loc"], item["msg"]) for item in error.errors()]
        more = len(problems) - SHOWN_PROBLEMS
        text = "; ".join(problems[:SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise DamagedFileError(f"{path}: holds no {kind.replace('_', ' ')}: {text}") from None


def _problem(keys: tuple[int | str, ...], message: str) -> str:
    name = ".".join(one_line(key, limit=80) for key in keys)
    words = one_line(message.removeprefix("Value error, "))
    return f"{name}: {words}" if name else words
