"""Functions that all readers share: check frame numbers and boxes and make a `GroundTruth`."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.context import Context
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError

LOG = logging.getLogger(__name__)
ROUNDING_PX = 1e-6
"""A box may stick out of the frame by this much, for rounding errors, without a warning."""


class OutsideError(VadlocError):
    """A box is outside the frame."""


class SequenceSize(NamedTuple):
    """Number and size of a sequence's frames, from the frames or scores; annotations must fit."""

    frame_count: int
    height_px: int
    width_px: int


@dataclass(frozen=True)
class BoxRegion:
    """One annotated box.

    Attributes:
        where: File and line (or frame) of the box, for messages.
        frame: 0-based frame.
        track: Track id, at least 0.
        box_xyxy_px: Half-open box ``x0, y0, x1, y1`` as annotated.
    """

    where: str
    frame: int
    track: int
    box_xyxy_px: tuple[float, float, float, float]


def check_frame(frame: int, count: int, *, where: str, first: int, counted_by: str = "") -> int:
    """The 0-based frame of a frame number.

    Args:
        frame: The number as annotated.
        count: Number of frames of the sequence.
        where: File and line, for the message.
        first: The number that the format gives the first frame, 0 or 1.
        counted_by: File or folder whose frames were counted, for the message.

    Raises:
        VadlocError: The sequence has no such frame.
    """
    if not first <= frame < first + count:
        raise VadlocError(
            f"{where}: frame {frame}, but {counted_by or 'the sequence'} has {count} frames, "
            f"numbered {first} to {first + count - 1}; are annotation and frames of the same "
            "release?"
        )
    return frame - first


def frame_of_number(number: int, count: int, context: Context, *, where: str, first: int) -> int:
    """The 0-based frame of a frame number, found by the names of the frame files if known.

    Raises:
        VadlocError: The sequence has no such frame.
    """
    if context.frame_names is not None:
        return context.frame_names.find_number(number, first=first, where=where)
    return check_frame(number, count, where=where, first=first, counted_by=context.counted_by)


def boxes_to_ground_truth(
    regions: Iterable[BoxRegion],
    sequence: str,
    size: SequenceSize,
    *,
    source: Path,
    derived: bool = False,
) -> GroundTruth:
    """Check annotated boxes, cut them to the frame and sort them by frame.

    Args:
        regions: The boxes in any order; boxes of one frame keep their order.
        sequence: Name of the sequence.
        size: Number and size of the frames.
        source: File with the boxes.
        derived: Whether regions or tracks were computed and not annotated by people.

    Raises:
        VadlocError: A box is empty, inverted, outside the frame, or listed twice.
    """
    ordered = sorted(regions, key=lambda region: region.frame)
    _refuse_repetitions(ordered)
    boxes = np.array([r.box_xyxy_px for r in ordered], np.float64).reshape(-1, 4)
    where = [r.where for r in ordered]
    frame = np.array([r.frame for r in ordered], np.int64)
    anomalous = np.zeros(size.frame_count, np.bool_)
    anomalous[frame] = True
    inside, cut = boxes_in_frame(boxes, where, size)
    return GroundTruth(
        sequence=sequence,
        frame_count=size.frame_count,
        height_px=size.height_px,
        width_px=size.width_px,
        frame=frame,
        track=np.array([r.track for r in ordered], np.int64),
        box_xyxy_px=inside,
        anomalous=anomalous,
        derived=derived,
        source=str(source),
        cut_regions=cut,
    )


def frame_labels_to_ground_truth(
    labels: NDArray[Any], sequence: str, size: SequenceSize, *, source: Path
) -> GroundTruth:
    """Ground truth without regions from frame-level labels.

    Args:
        labels: ``(frames,)``, 1 for an anomalous frame and 0 for a normal one.
        sequence: Name of the sequence.
        size: Number and size of the frames.
        source: File with the labels.

    Raises:
        VadlocError: A label is neither 0 nor 1.
    """
    for frame in np.flatnonzero((labels != 0) & (labels != 1))[:1]:
        raise VadlocError(
            f"{source}: the label of frame {frame} (0-based) is {labels[frame]}, expected 0 or 1"
        )
    truth = boxes_to_ground_truth([], sequence, size, source=source)
    truth.anomalous[labels != 0] = True
    return truth


def boxes_in_frame(
    boxes_xyxy_px: NDArray[np.float64], where: Sequence[str], size: SequenceSize
) -> tuple[NDArray[np.float64], int]:
    """Cut boxes to the frame and warn, with their number, if boxes stick out.

    A box that is completely outside the frame is refused, because no detector could find it.

    Args:
        boxes_xyxy_px: ``(n, 4)`` half-open boxes ``x0, y0, x1, y1``.
        where: File and line (or frame) of each box, for messages.
        size: Number and size of the frames.

    Returns:
        ``(n, 4)`` boxes with ``0 <= x0 < x1 <= width`` and ``0 <= y0 < y1 <= height``, and how many
        of them were cut.

    Raises:
        VadlocError: A box is not finite, empty, inverted or outside the frame.
    """
    clipped = clip_to_frame(boxes_xyxy_px, where, size)
    excess_px = np.abs(boxes_xyxy_px - clipped).max(axis=1, initial=0.0)
    cut = np.flatnonzero(excess_px > ROUNDING_PX)
    if cut.size:
        LOG.warning(
            "%s: %d of %d boxes stick out of the frame of %d x %d px by up to %.3g px and were "
            "cut; do boxes and frames agree in size?",
            where[cut[0]],
            cut.size,
            len(where),
            size.width_px,
            size.height_px,
            excess_px.max(),
        )
    return clipped, cut.size


def clip_to_frame(
    boxes_xyxy_px: NDArray[np.float64], where: Sequence[str], size: SequenceSize
) -> NDArray[np.float64]:
    """Cut boxes to the frame, as `boxes_in_frame` does, but without a warning."""
    clipped = np.clip(boxes_xyxy_px, 0.0, [size.width_px, size.height_px] * 2)
    finite = np.isfinite(np.abs(boxes_xyxy_px).max(axis=1, initial=0.0))
    _refuse(~finite, boxes_xyxy_px, where, "is not made of finite numbers")
    _refuse(_is_empty(boxes_xyxy_px), boxes_xyxy_px, where, "is empty or inverted")
    outside = (
        f"lies outside the frame of {size.width_px} x {size.height_px} px, where nothing can be "
        "found; mend or remove it"
    )
    try:
        _refuse(_is_empty(clipped), boxes_xyxy_px, where, outside)
    except VadlocError as error:
        raise OutsideError(str(error)) from None
    return clipped


def _is_empty(boxes_xyxy_px: NDArray[np.float64]) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = boxes_xyxy_px.T
    empty: NDArray[np.bool_] = ~((x0 < x1) & (y0 < y1))
    return empty


def _refuse(
    bad: NDArray[np.bool_], boxes: NDArray[np.float64], where: Sequence[str], reason: str
) -> None:
    for index in np.flatnonzero(bad)[:1]:
        corners = ", ".join(f"{value:.10g}" for value in boxes[index])
        raise VadlocError(f"{where[index]}: the box x0, y0, x1, y1 = {corners} {reason}")


def _refuse_repetitions(regions: Iterable[BoxRegion]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for region in regions:
        key = (region.frame, region.track, region.box_xyxy_px)
        if key in seen:
            raise VadlocError(f"{region.where}: repeats {seen[key]}; remove one of them")
        seen[key] = region.where
