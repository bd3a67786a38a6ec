"""Regions and tracks from pixel masks.

Masks do not say which pixels belong to one object. Regions and tracks are therefore *derived*: a
region is an 8-connected component of a frame's mask, and a track links overlapping regions of
consecutive frames.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.regions import SequenceSize
from vadloc.errors import VadlocError

_R = TypeVar("_R")
MAX_REGIONS_PER_FRAME = 1000
"""A mask with more regions is noise (lossy compression, a score map) and no annotation."""
SHOWN_LEVELS = 8
HOW_TO_CUT = (
    "save masks without loss and without smooth edges, or say from which level on a pixel is "
    "anomalous: --mask-threshold {0:g}, or ground_truth_mask_threshold = {0:g} in [dataset] (1: "
    "all but 0, as for numbered objects)"
)
MAX_MASK_PX = 2**31
"""Most pixels that the region masks of one sequence may have, at one byte of memory each."""


@dataclass(frozen=True)
class MaskRegion:
    """The pixels of one region in one frame.

    Attributes:
        box_xyxy_px: Half-open box ``x0, y0, x1, y1``.
        mask: ``(y1 - y0, x1 - x0)``, the region's pixels within the box.
        track: Track id; ``None`` where it is unknown.
    """

    box_xyxy_px: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    track: int | None = None

    def shared_px(self, other: "MaskRegion") -> int:
        """Number of pixels that both regions cover."""
        x0, y0 = np.maximum(self.box_xyxy_px[:2], other.box_xyxy_px[:2]).tolist()
        x1, y1 = np.minimum(self.box_xyxy_px[2:], other.box_xyxy_px[2:]).tolist()
        if x0 >= x1 or y0 >= y1:
            return 0
        mine, others = (
            region.mask[
                y0 - region.box_xyxy_px[1] : y1 - region.box_xyxy_px[1],
                x0 - region.box_xyxy_px[0] : x1 - region.box_xyxy_px[0],
            ]
            for region in (self, other)
        )
        return int(np.count_nonzero(mine & others))


def masks_to_ground_truth(
    masks: Iterable[tuple[str, NDArray[Any]]],
    sequence: str,
    size: SequenceSize,
    *,
    source: Path,
    min_pixels: int = 1,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Derive regions and tracks from masks; only one full-size mask is in memory at a time.

    Args:
        masks: For every frame, in order: the file (and frame) for messages, and the pixel values
            of its mask ``(height, width)``, of any real dtype.
        sequence: Name of the sequence.
        size: Number and size of the frames; number and shape of the masks must agree with it.
        source: Where the masks come from.
        min_pixels: Components of fewer pixels are left out.
        context: The threshold of the masks.

    Returns:
        Regions with exact pixels, ``derived`` True. Track ids count up from 0 in the order of
        appearance, within a frame from top to bottom.

    Raises:
        VadlocError: Number or shape of the masks differ from ``size``, a mask is noise, or the
            masks have more than two levels and no threshold is given.
    """
    levels = MaskLevels(context.mask_threshold)
    components = (
        mask_to_components(
            levels.to_mask(_of_size(mask, size, where=where), where=where),
            where=where,
            min_pixels=min_pixels,
        )
        for where, mask in masks
    )
    frames = collect_regions(components, source=source)
    if len(frames) != size.frame_count:
        raise context.miscounted(source, len(frames), "masks", size.frame_count)
    levels.check_all(source)
    tracks = link_by_overlap(frames, mask_overlap_px)
    truth = mask_regions_to_ground_truth(
        frames, tracks, sequence, size, source=source, derived=True
    )
    return replace(truth, mask_threshold=context.mask_threshold)


class MaskLevels:
    """Checks that the masks of a sequence have two levels (pixel values): 0 and one other.

    Lossy compression or smoothed edges make more levels. Which of those are anomalous is then
    unknown, unless a threshold is given.
    """

    def __init__(self, threshold: float | None) -> None:
        self._threshold = threshold
        self._seen: set[float] = set()

    def to_mask(self, values: NDArray[Any], *, where: str) -> NDArray[np.bool_]:
        """True where a level is at least the threshold; without a threshold, where it is not 0.

        Args:
            values: ``(height, width)``, of any real dtype.
            where: File and frame of the mask, for the message.

        Raises:
            VadlocError: A level is NaN, or there are more than two levels and no threshold.
        """
        if np.isnan(values).any():
            raise VadlocError(f"{where}: NaN in the mask")
        if self._threshold is not None:
            above: NDArray[np.bool_] = np.asarray(values >= self._threshold)
            return above
        self._seen.update(_levels(values))
        if len(self._seen) > 2:
            listed = ", ".join(f"{level:g}" for level in sorted(self._seen)[:SHOWN_LEVELS])
            more = ", ..." if len(self._seen) > SHOWN_LEVELS else ""
            raise VadlocError(
                f"{where}: the masks have {len(self._seen)} levels by this frame ({listed}{more}), "
                f"expected two, 0 and another; {HOW_TO_CUT.format(_middle(max(self._seen)))}"
            )
        return values.astype(np.bool_)

    def check_all(self, source: Path) -> None:
        """Raise if all masks together have two levels and neither of them is 0."""
        if len(self._seen) == 2 and 0 not in self._seen:
            low, high = sorted(self._seen)
            raise VadlocError(
                f"{source}: the masks have the levels {low:g} and {high:g}, none of them 0 for "
                f"normal; {HOW_TO_CUT.format(high)}"
            )


def _middle(level: float) -> float:
    return level / 2 if level <= 1 else (level + 1) // 2


def _levels(values: NDArray[Any]) -> list[float]:
    """The distinct values; the usual case of at most two values needs no sorting."""
    if not values.size:
        return []
    low, high = values.min(), values.max()
    if ((values == low) | (values == high)).all():
        return [float(low), float(high)]
    return [float(level) for level in np.unique(values)]


def _of_size(mask: NDArray[Any], size: SequenceSize, *, where: str) -> NDArray[Any]:
    if mask.shape != (size.height_px, size.width_px):
        raise VadlocError(
            f"{where}: a mask of shape {mask.shape}, but the frames have (height, width) = "
            f"({size.height_px}, {size.width_px})"
        )
    return mask


def collect_regions(frames: Iterable[list[MaskRegion]], *, source: Path) -> list[list[MaskRegion]]:
    """Collect the regions of all frames of a sequence, with a limit on their memory.

    Args:
        frames: The regions of each frame, computed one frame at a time.
        source: File or folder of the masks, for the message.

    Raises:
        VadlocError: The boxes of the regions have more than ``MAX_MASK_PX`` pixels in all.
    """
    collected, total_px = [], 0
    for number, regions in enumerate(frames, start=1):
        total_px += sum(region.mask.size for region in regions)
        if total_px > MAX_MASK_PX:
            raise VadlocError(
                f"{source}: the masks of the first {number} frames have {total_px} pixels, at "
                f"most {MAX_MASK_PX} are kept; split the sequence or give boxes"
            )
        collected.append(regions)
    return collected


def mask_regions_to_ground_truth(
    frames: Sequence[Sequence[MaskRegion]],
    tracks: Iterable[Iterable[int]],
    sequence: str,
    size: SequenceSize,
    *,
    source: Path,
    derived: bool,
) -> GroundTruth:
    """Ground truth from the regions and track ids of every frame.

    Args:
        frames: The regions of each frame.
        tracks: The track ids of each frame's regions, in the same order.
        sequence: Name of the sequence.
        size: Number and size of the frames.
        source: File or folder that the regions were read from.
        derived: Whether regions or tracks were computed and not annotated by people.
    """
    regions = [region for frame in frames for region in frame]
    counts = np.array([len(frame) for frame in frames], np.int64)
    return GroundTruth(
        sequence=sequence,
        frame_count=size.frame_count,
        height_px=size.height_px,
        width_px=size.width_px,
        frame=np.repeat(np.arange(len(frames), dtype=np.int64), counts),
        track=np.array([track for frame in tracks for track in frame], np.int64),
        box_xyxy_px=np.array([r.box_xyxy_px for r in regions], np.float64).reshape(-1, 4),
        anomalous=counts > 0,
        masks=tuple(region.mask for region in regions),
        derived=derived,
        source=str(source),
    )


def mask_to_components(
    mask: NDArray[np.bool_], *, where: str, min_pixels: int = 1
) -> list[MaskRegion]:
    """8-connected components of a mask, in the order of their first pixel.

    Args:
        mask: ``(height, width)``.
        where: File and frame of the mask, for the message.
        min_pixels: Components of fewer pixels are left out.

    Raises:
        VadlocError: There are more than ``MAX_REGIONS_PER_FRAME`` components.
    """
    if not mask.any():
        return []
    from scipy import ndimage

    labels = np.empty(mask.shape, np.int32)
    count = int(ndimage.label(mask, structure=np.ones((3, 3)), output=labels))
    keep = np.bincount(labels.ravel(), minlength=count + 1)[1:] >= min_pixels
    if keep.sum() > MAX_REGIONS_PER_FRAME:
        raise VadlocError(
            f"{where}: {keep.sum()} separate regions in one mask, at most {MAX_REGIONS_PER_FRAME} "
            "are read; is it an annotation?"
        )
    places = ndimage.find_objects(labels)
    return [
        MaskRegion((x.start, y.start, x.stop, y.stop), labels[y, x] == index + 1)
        for index, (y, x) in enumerate(places)
        if keep[index]
    ]


def link_by_overlap(
    frames: Iterable[Sequence[_R]],
    overlap_px: Callable[[Sequence[_R], Sequence[_R]], NDArray[np.number[Any]]],
) -> list[list[int]]:
    """Track ids of regions; the regions of each frame are linked to those of the frame before.

    Overlapping pairs are matched greedily, the largest overlap first (ties: the earlier regions
    first), and each region at most once. An unmatched region begins a new track. A track ends when
    nothing overlaps its region in the next frame. Where regions merge, the track with the largest
    overlap continues; where a region splits, its track continues in the part with the largest
    overlap.

    Args:
        frames: The regions of each frame.
        overlap_px: Computes the shared areas ``(regions before, regions now)``.

    Returns:
        The track id of each region of each frame, counted from 0 in the order of appearance.
    """
    linked: list[list[int]] = []
    before: Sequence[_R] = []
    next_track = 0
    for now in frames:
        tracks = _continue_tracks(overlap_px(before, now), linked[-1] if linked else [])
        for index in [index for index, track in enumerate(tracks) if track < 0]:
            tracks[index], next_track = next_track, next_track + 1
        linked.append(tracks)
        before = now
    return linked


def _continue_tracks(overlap_px: NDArray[np.number[Any]], tracks_before: list[int]) -> list[int]:
    """Track ids of this frame's regions, -1 for a region that continues no track."""
    tracks = [-1] * overlap_px.shape[1]
    continued: set[int] = set()
    befores, nows = np.nonzero(overlap_px)
    order = np.argsort(-overlap_px[befores, nows], kind="stable")
    for before, now in zip(befores[order].tolist(), nows[order].tolist(), strict=True):
        if tracks[now] < 0 and before not in continued:
            tracks[now] = tracks_before[before]
            continued.add(before)
    return tracks


def mask_overlap_px(before: Sequence[MaskRegion], now: Sequence[MaskRegion]) -> NDArray[np.int64]:
    """Number of pixels that each region before shares with each region now, ``(before, now)``."""
    boxes = [[r.box_xyxy_px for r in regions] for regions in (before, now)]
    shared = np.zeros((len(before), len(now)), np.int64)
    for i, j in np.argwhere(box_overlap_px(*boxes) > 0):
        shared[i, j] = before[i].shared_px(now[j])
    return shared


def box_overlap_px(
    before_xyxy_px: Sequence[tuple[float, ...]], now_xyxy_px: Sequence[tuple[float, ...]]
) -> NDArray[np.float64]:
    """Area that each box before shares with each box now, ``(before, now)``."""
    before = np.array(before_xyxy_px, np.float64).reshape(-1, 1, 4)
    now = np.array(now_xyxy_px, np.float64).reshape(1, -1, 4)
    corner0, corner1 = np.maximum(before, now)[..., :2], np.minimum(before, now)[..., 2:]
    sides_px = np.maximum(corner1 - corner0, 0.0)
    shared: NDArray[np.float64] = sides_px[..., 0] * sides_px[..., 1]
    return shared
