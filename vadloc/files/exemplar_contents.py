"""The content of the files of exemplars, and of what was mined for them."""

from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from vadloc.files.array_fields import Array
from vadloc.files.content_fields import Content, Count, Names, NotNegative, Number, Share, Side

FATES = 6
"""Number of the fates of cells, see ``exemplar_selection.mining``."""


class ExemplarFile(Content):
    """Exemplars of one sequence, or the merged exemplars of all sequences."""

    components: Names
    widths: list[Count]
    scales: list[NotNegative]
    weights: list[NotNegative]
    gated: list[bool]
    height_px: Side
    width_px: Side
    sequences: Names
    features: Annotated[Any, Array("float32", "exemplars columns")]
    counts: Annotated[Any, Array("int64", "exemplars", least=1)]
    sequence: Annotated[Any, Array("int64", "exemplars", least=0)]
    first_frame: Annotated[Any, Array("int64", "exemplars", least=0)]
    descriptors: dict[str, Annotated[Any, Array("float32", "exemplars _")]]
    offsets: Annotated[Any, Array("int64", "_")]
    mined_round: Annotated[Any, Array("int64", "exemplars", least=0)] = None
    mined_volumes: Annotated[Any, Array("float64", "exemplars", least=0)] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        parts = {len(part) for part in (self.components, self.widths, self.scales, self.weights)}
        if len(parts) > 1 or len(self.gated) not in (0, *parts):
            raise ValueError("components, widths, scales, weights and gated differ in number")
        if sum(self.widths) != self.features.shape[1]:
            raise ValueError("the widths do not add up to the columns of features")
        steps = np.diff(self.offsets)
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.features) or (steps < 1).any():
            raise ValueError("the offsets do not rise from 0 to the number of exemplars")
        if self.sequence.max() >= len(self.sequences):
            raise ValueError("an exemplar of none of the sequences")
        if (self.mined_round is None) != (self.mined_volumes is None):
            raise ValueError("mined_round without mined_volumes, or the other way round")
        return self


class Divisors(Content):
    """Divisors of the distances of a version's parts, see ``exemplar_selection.divisors``."""

    parts: Names
    divisors: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    sources: list[str]
    by_row: Annotated[Any, Array("float64", "parts rows", least=1e-9)]
    left_out: Names
    volumes: Annotated[Any, Array("int64", "left_out", least=1)]
    quantiles: Annotated[Any, Array("float64", "parts left_out", least=0)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        sizes = {len(of) for of in (self.divisors, self.sources, self.by_row, self.quantiles)}
        if sizes != {len(self.parts)} or len(self.left_out) != len(self.volumes):
            raise ValueError("parts and what is known of each differ in number")
        return self


class Sightings(Content):
    """What training video shows in each region, see ``exemplar_selection.sightings``."""

    regions: Count
    keys: Annotated[Any, Array("int64", "rows", least=0)]
    counts: Annotated[Any, Array("int64", "rows", least=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (np.diff(self.keys) < 1).any():
            raise ValueError("the keys do not rise")
        return self


class MinedFrames(Content):
    """What was mined of one sequence, see ``exemplar_selection.mine_normal``."""

    sequence: str
    frame_count: Count
    cell_px: Side
    frame_error: Annotated[Any, Array("float64", "frames")]
    coarse: Annotated[Any, Array("float64", "frames", least=0)]
    fine: Annotated[Any, Array("float64", "frames", least=0)]
    is_abnormal: Annotated[Any, Array("bool", "frames")]
    fate: Annotated[Any, Array("uint8", "frames rows columns", least=0)]
    confirmed: Annotated[Any, Array("bool", "frames rows columns")]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.fate) != self.frame_count or self.fate.max() >= FATES:
            raise ValueError("expected the fate of each cell in each frame")
        return self


class MinedSummary(Content):
    """Thresholds and counts of what was mined in all sequences."""

    protocol: str
    round: Count
    sequences: Names
    fine_floor: NotNegative
    mean_coarse: Share
    threshold: Number
    frames: Count
    normal_frames: Annotated[int, Field(ge=0)]
    kept_normal_frames: Annotated[int, Field(ge=0)]
    kept_abnormal_frames: Annotated[int, Field(ge=0)]
    masked_share: Share
    cells: dict[str, Annotated[int, Field(ge=0)]]
    confirmed_cells: Annotated[int, Field(ge=0)]
    words: str
