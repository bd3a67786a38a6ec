"""What all readers share: sizes, checks of files and boxes, and the way into `GroundTruth`."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.ground_truth import GroundTruth
from vadloc.errors import VadlocError

LOG = logging.getLogger(__name__)
MAX_TEXT_BYTES = 256 * 2**20
"""Text annotations beyond this are refused unread; the largest published one has 2 MB."""
ROUNDING_PX = 1e-6
"""Excess over the frame that floating-point arithmetic explains."""


class SequenceSize(NamedTuple):
    """What frames or scores say about a sequence, to be compared with its annotation."""

    frame_count: int
    height_px: int
    width_px: int


@dataclass(frozen=True)
class BoxRegion:
    """One annotated box.

    Attributes:
        where: File and line (or frame) it was read from, for messages.
        frame: 0-based frame.
        track: Track id, at least 0.
        box_xyxy_px: Half-open box ``x0, y0, x1, y1`` as annotated.
    """

    where: str
    frame: int
    track: int
    box_xyxy_px: tuple[float, float, float, float]


def first_file(candidates: Sequence[Path], *, what: str) -> Path:
    """The first candidate that is a regular file.

    Raises:
        VadlocError: None is; the message lists them.
    """
    for path in candidates:
        if path.is_file():
            return path
    tried = ", ".join(str(path) for path in candidates)
    raise VadlocError(f"no {what}: looked for {tried}; check the folder and the format's name")


def read_bytes(path: Path, *, limit: int = MAX_TEXT_BYTES) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Raises:
        VadlocError: It is missing, no regular file, unreadable or too large.
    """
    try:
        if not path.is_file():
            raise VadlocError(f"{path}: no such file")
        if path.stat().st_size > limit:
            raise VadlocError(f"{path}: {path.stat().st_size} bytes, at most {limit} are read")
        return path.read_bytes()
    except OSError as error:
        raise VadlocError(f"{path}: cannot be read ({error.strerror or error})") from None


def check_frame(frame: int, count: int, *, where: str, first: int) -> int:
    """A frame number as a 0-based frame of the sequence.

    Args:
        frame: The number as annotated.
        count: Number of frames of the sequence.
        where: File and line, for the message.
        first: The number that the format gives the first frame, 0 or 1.

    Raises:
        VadlocError: The sequence has no such frame.
    """
    if not first <= frame < first + count:
        raise VadlocError(
            f"{where}: frame {frame}, but the sequence has {count} frames, numbered "
            f"{first} to {first + count - 1}; are annotation and frames of the same release?"
        )
    return frame - first


def boxes_to_ground_truth(
    regions: Iterable[BoxRegion],
    sequence: str,
    size: SequenceSize,
    *,
    source: Path,
    slack_px: float = 0.0,
    derived: bool = False,
) -> GroundTruth:
    """Check annotated boxes and bring them into the order of frames.

    Args:
        regions: In any order; within a frame their order is kept.
        sequence: Name of the sequence.
        size: Its size.
        source: File the regions come from.
        slack_px: How far a box may stick out of the frame and be clipped, with a warning that
            counts such boxes.
        derived: Whether regions or tracks were computed.

    Raises:
        VadlocError: A box is empty, inverted, outside, sticks out too far, or is listed twice.
    """
    ordered = sorted(regions, key=lambda region: region.frame)
    _refuse_repetitions(ordered)
    boxes = np.array([r.box_xyxy_px for r in ordered], np.float64).reshape(-1, 4)
    where = [r.where for r in ordered]
    frame = np.array([r.frame for r in ordered], np.int64)
    anomalous = np.zeros(size.frame_count, np.bool_)
    anomalous[frame] = True
    return GroundTruth(
        sequence=sequence,
        frame_count=size.frame_count,
        height_px=size.height_px,
        width_px=size.width_px,
        frame=frame,
        track=np.array([r.track for r in ordered], np.int64),
        box_xyxy_px=boxes_in_frame(boxes, where, size, slack_px=slack_px),
        anomalous=anomalous,
        derived=derived,
        source=str(source),
    )


def frame_labels_to_ground_truth(
    labels: NDArray[Any], sequence: str, size: SequenceSize, *, source: Path
) -> GroundTruth:
    """Labels of frames as ground truth without regions.

    Args:
        labels: ``(frames,)``, 1 for an anomalous frame and 0 for a normal one.
        sequence: Name of the sequence.
        size: Its size.
        source: File the labels come from.

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
    boxes_xyxy_px: NDArray[np.float64],
    where: Sequence[str],
    size: SequenceSize,
    *,
    slack_px: float,
) -> NDArray[np.float64]:
    """Boxes cut to the frame, after refusing those that cannot be meant.

    Args:
        boxes_xyxy_px: ``(n, 4)`` half-open boxes ``x0, y0, x1, y1``.
        where: The place of each box in its file.
        size: Size of the sequence.
        slack_px: How far a box may stick out.

    Returns:
        ``(n, 4)`` boxes with ``0 <= x0 < x1 <= width`` and ``0 <= y0 < y1 <= height``.

    Raises:
        VadlocError: A box is not finite, empty, inverted, outside, or sticks out too far.
    """
    limits = np.array([size.width_px, size.height_px] * 2, np.float64)
    clipped = np.clip(boxes_xyxy_px, 0.0, limits)
    finite = np.isfinite(np.abs(boxes_xyxy_px).max(axis=1, initial=0.0))
    excess_px = np.abs(np.where(finite[:, None], boxes_xyxy_px - clipped, 0.0)).max(1, initial=0.0)
    frame_px = f"{size.width_px} x {size.height_px} px"
    _refuse(~finite, boxes_xyxy_px, where, "is not made of finite numbers")
    _refuse(_is_empty(boxes_xyxy_px), boxes_xyxy_px, where, "is empty or inverted")
    _refuse(_is_empty(clipped), boxes_xyxy_px, where, f"lies outside the frame of {frame_px}")
    sticks_out = f"sticks out of the frame of {frame_px}; do annotation and frames agree in size?"
    _refuse(excess_px > max(slack_px, ROUNDING_PX), boxes_xyxy_px, where, sticks_out)
    cut = np.flatnonzero(excess_px > ROUNDING_PX)
    if cut.size:
        LOG.warning(
            "%s: %d of %d boxes stick out of the frame by up to %.3g px and were clipped",
            where[cut[0]],
            cut.size,
            len(where),
            excess_px.max(),
        )
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
