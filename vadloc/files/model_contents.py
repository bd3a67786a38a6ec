"""The content of result files about networks, pseudo-anomalies and scores; see ``contents``."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from vadloc.files.array_fields import Array
from vadloc.files.content_fields import (
    Content,
    Count,
    Index,
    Names,
    NotNegative,
    Number,
    Share,
    Side,
)


class TrainedNetwork(Content):
    """The training of one network."""

    parameters: Count
    steps: Count
    best_step: Count
    held_out_loss: NotNegative
    curve: list[dict[str, Number]]


class NormalMotion(Content):
    """What moves in each region, see ``anomaly_detection.detectors.normal_motion``."""

    samples: list[Count]
    moving: list[Index]
    speed: list[Annotated[list[NotNegative], Field(min_length=2, max_length=2)]]
    directions: list[list[Index]]


class TrainedModel(Content):
    """The record of a training, see ``anomaly_detection.train_detector``."""

    detector: str
    held_out: Names
    described: dict[str, Number | list[Count]]
    networks: Annotated[dict[str, TrainedNetwork], Field(min_length=1)]
    scales: dict[str, dict[str, NotNegative]]
    motion: NormalMotion | None = None


class PseudoAnomaly(Content):
    """A pseudo-anomaly in a training sequence."""

    kind: str
    step: Count
    first_frame: Index
    frames: Count
    is_moving: bool
    redrawn: Annotated[int, Field(ge=0)]
    area_px: NotNegative
    size: str
    mask_shape: list[Count]
    mask_bits: Annotated[Any, Array("uint8", "_")]


class PseudoAnomalyFile(Content):
    """The pseudo-anomalies of a training sequence."""

    sequence: str
    made: list[PseudoAnomaly]


class MemberDivisors(Content):
    """What each member of a combined version reaches on normal video."""

    members: Names
    sequences: Names
    divisors: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.members) != len(self.divisors):
            raise ValueError("expected a divisor for each member")
        return self


class Quality(Content):
    """Which pseudo-anomalies a version finds, see ``anomaly_detection.estimate_quality``."""

    threshold: Number
    tried: list[dict[str, Any]]
    found: dict[str, dict[str, Index]]
    auc: Share | None


class ScoreDetails(Content):
    """Frame size, cell size and duration of a score map, and what made it.

    ``localizes`` is false if all cells of a frame have the same score.
    """

    detector: str | None = None
    localizes: bool = True
    indicators: dict[str, NotNegative] | None = None

    frame_height_px: Side
    frame_width_px: Side
    cell_height_px: Side
    cell_width_px: Side
    frame_count: Count
    duration_s: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    frames_per_second: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
