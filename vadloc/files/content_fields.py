"""Types of the fields of result files, and the base of their models."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST_SIDE_PX = 100_000


def _is_box(box: list[int]) -> list[int]:
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= LARGEST_SIDE_PX and 0 <= y0 < y1 <= LARGEST_SIDE_PX):
        raise ValueError("expected x0 < x1 and y0 < y1, in pixels")
    return box


Side = Annotated[int, Field(gt=0, le=LARGEST_SIDE_PX)]
Index = Annotated[int, Field(ge=0, lt=1 << 31)]
Count = Annotated[int, Field(gt=0, lt=1 << 31)]
Number = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Box = Annotated[list[int], Field(min_length=4, max_length=4), AfterValidator(_is_box)]
Names = Annotated[list[str], Field(min_length=1)]


class Content(BaseModel):
    """A dict whose keys are described by the fields; other keys are not checked."""

    model_config = ConfigDict(strict=True, extra="ignore", defer_build=True)


class Moment(Content):
    """An unusual moment of a training sequence."""

    score: NotNegative
    first_frame: Index
    last_frame: Index
    box_xyxy_px: Box
    place: str
