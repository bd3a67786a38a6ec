"""The marks of a report: alarms that a person has judged to be real or false.

The report exports them as JSON (``docs/explanations.md``). A mark names its alarm by sequence,
frames, peak and region, as the report does when it imports marks. The boxes of the alarm come from
the explanations of which the report was made.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vadloc.errors import VadlocError, first_problem

_Frame = Annotated[int, Field(ge=0)]
_LARGEST_BYTES = 64 << 20


class Mark(BaseModel):
    """One judged alarm; frames are 0-based."""

    model_config = ConfigDict(strict=True, frozen=True)

    sequence: str
    first_frame: _Frame
    last_frame: _Frame
    peak_frame: _Frame
    region: _Frame
    mark: Literal["real", "false"]

    @property
    def alarm(self) -> tuple[int, ...]:
        """What names the alarm within its sequence."""
        return self.first_frame, self.last_frame, self.peak_frame, self.region


class Marks(BaseModel):
    """An exported file of marks."""

    model_config = ConfigDict(strict=True, frozen=True)

    schema_: Literal[1] = Field(alias="schema")
    dataset: str
    version: str
    marks: list[Mark]


def read_marks(path: Path, *, dataset: str, version: str) -> list[Mark]:
    """The marks of a report of this dataset and version.

    Raises:
        VadlocError: The file cannot be read, is no file of marks, has none, or is of another
            report.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"larger than {_LARGEST_BYTES >> 20} MiB")
        marks = Marks.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:  # a ValidationError is a ValueError
        what = first_problem(error) if isinstance(error, ValidationError) else error
        raise VadlocError(f"{path}: no file of marks that a report exported: {what}") from None
    if (marks.dataset, marks.version) != (dataset, version):
        raise VadlocError(
            f"{path}: marks of another report: of {marks.dataset}, version {marks.version}; "
            f"expected marks of {dataset}, version {version}"
        )
    if not marks.marks:
        raise VadlocError(f"{path}: no alarm is marked; mark some in the report and export again")
    return marks.marks


def mark_to_boxes(
    mark: Mark, explained: Mapping[str, Any], path: Path
) -> tuple[int, NDArray[np.int64]]:
    """First frame of a marked alarm, and its box in each frame, ``(frames, 4)``.

    Args:
        mark: The mark.
        explained: The explanations of its sequence.
        path: The file of marks, for messages.

    Raises:
        VadlocError: The sequence has no such alarm.
    """
    for alarm in explained["detections"]:
        named = (*(alarm[f"{key}_frame"] for key in ("first", "last", "peak")),)
        if (*named, alarm["peak"]["region"]) == mark.alarm:
            return alarm["first_frame"], np.array(alarm["boxes_xyxy_px"], np.int64)
    raise VadlocError(
        f"{path}: no alarm of {mark.sequence} has the marked frames {mark.first_frame} to "
        f"{mark.last_frame} (0-based) and region {mark.region}; the alarms have changed since, "
        "import the marks into the present report and export them again"
    )


def paint_boxes(
    cells: NDArray[np.bool_], first_frame: int, boxes_xyxy_px: NDArray[np.int64], cell_px: int
) -> None:
    """Set the cells that boxes touch.

    Args:
        cells: ``(frames, rows, columns)``, changed in place.
        first_frame: The frame of the first box.
        boxes_xyxy_px: ``(n, 4)``, one box for each frame from there on.
        cell_px: Side of a cell.
    """
    for frame, (x0, y0, x1, y1) in enumerate(boxes_xyxy_px.tolist(), start=first_frame):
        rows = slice(y0 // cell_px, -(-y1 // cell_px))
        cells[frame, rows, x0 // cell_px : -(-x1 // cell_px)] = True
