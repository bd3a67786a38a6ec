"""Partly known number and size of the frames of a sequence."""

from pathlib import Path
from typing import Annotated, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vadloc.annotations.context import ONE_EACH
from vadloc.annotations.files import read_text
from vadloc.annotations.regions import SequenceSize
from vadloc.annotations.ssvad_prediction import Prediction
from vadloc.errors import VadlocError, first_problem
from vadloc.video.decoding import MAX_FRAME_PX

MAX_FRAMES = 10_000_000
"""Almost four days at 30 frames per second; a larger count is taken for a mistake."""
_Pixels = Annotated[int, Field(gt=0, le=MAX_FRAME_PX)]


class KnownSize(NamedTuple):
    """Number and size of the frames of a sequence; values that are unknown are ``None``.

    Attributes:
        frame_count: Number of frames.
        height_px: Frame height.
        width_px: Frame width.
        counted_by: File or folder whose frames were counted, for messages.
    """

    frame_count: int | None = None
    height_px: int | None = None
    width_px: int | None = None
    counted_by: str = ""

    def agreeing(self, other: "KnownSize", *, where: str) -> "KnownSize":
        """Combine the values that are known from two sources.

        Args:
            other: Size from the other source.
            where: File or folder that is the other source, for the message.

        Raises:
            VadlocError: The two contradict each other.
        """
        fields = ("frame_count", "height_px", "width_px")
        for name, mine, others in zip(fields, self[:3], other[:3], strict=True):
            if None not in (mine, others) and mine != others:
                source = self.counted_by if name == "frame_count" else ""
                remedy = ONE_EACH if name == "frame_count" else "both must be of the same frames"
                raise VadlocError(
                    f"{where}: {name} is {others}, but {mine} is expected from "
                    f"{source or 'the frames, the ground truth or the options'}; {remedy}"
                )
        counted_by = self.counted_by if self.frame_count is not None else where
        return KnownSize(
            self.frame_count or other.frame_count,
            self.height_px or other.height_px,
            self.width_px or other.width_px,
            counted_by,
        )

    def complete(self, *, where: str) -> SequenceSize:
        """The size, if all of it is known.

        Raises:
            VadlocError: A value is unknown.
        """
        if None in self:
            missing = ", ".join(name for name, value in self._asdict().items() if value is None)
            raise VadlocError(
                f"{where}: {missing} unknown; give the folder of the frames (--frames), the size "
                "(--size), or a .json beside the predictions"
            )
        return SequenceSize(*cast("SequenceSize", self[:3]))


class Details(BaseModel):
    """Content of a ``.json`` beside a ``.npy`` or ``.csv``; other keys are ignored.

    Attributes:
        cell_height_px: Height of a cell of the map; by default a cell is one pixel.
        cell_width_px: Width of a cell.
        frame_height_px: Height of the frames.
        frame_width_px: Width of the frames.
        frame_count: Number of frames.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    cell_height_px: _Pixels = 1
    cell_width_px: _Pixels = 1
    frame_height_px: _Pixels | None = None
    frame_width_px: _Pixels | None = None
    frame_count: Annotated[int, Field(gt=0, le=MAX_FRAMES)] | None = None

    @property
    def size(self) -> KnownSize:
        """Number and size of the frames, as far as the details have them."""
        return KnownSize(self.frame_count, self.frame_height_px, self.frame_width_px)


def size_of(prediction: Prediction) -> KnownSize:
    """Number and size of the frames, as far as a prediction has them."""
    if prediction.scores is None:
        return KnownSize(prediction.frame_count)
    return KnownSize(
        prediction.frame_count, prediction.scores.height_px, prediction.scores.width_px
    )


def read_details(path: Path) -> Details:
    """Read the details beside a file; the defaults if there are none."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return Details()
    try:
        return Details.model_validate_json(read_text(beside, expected="JSON"))
    except ValidationError as error:
        raise VadlocError(f"{beside}: {first_problem(error)}") from None
