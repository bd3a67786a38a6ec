"""How fast and where to things move in each region in training video, for the words of networks.

It is measured once, when networks are trained, on the frames that are in memory anyway. A *sample*
is the motion of a cell in a frame, as explanations give it for a peak; a region has the samples of
its cells. Ranges are those of ``exemplar_selection.normal_ranges``: from the 1 % to the 99 %
quantile of what moves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.error_cells import flows_to_cells
from anomaly_detection.explanation.sentences import times_words
from exemplar_selection.normal_ranges import COMMON_DIRECTION, weighted_range
from exemplar_selection.phrases import normal_to_words, percent
from exemplar_selection.volume_attributes import DIRECTIONS
from feature_extraction.footage import Footage
from vadloc.regions import RegionGrid

MOST_FRAMES = 2000
"""Frames, at most, on which motion is measured; of more, every k-th."""
LEAST_PX_PER_FRAME = 0.2
"""Slower motion has no direction, and counts as none."""
NEVER_MOVES = 0.005
"""Nothing ever moves in a region if it moves in at most this share of the samples."""


@dataclass(frozen=True)
class NormalMotion:
    """What moves in one region in training video.

    Attributes:
        samples: Number of samples.
        moving: Number of those in which something moves.
        speed: Range of their speeds in px/frame; ``None`` if nothing moves.
        directions: Share of each direction among them.
    """

    samples: int
    moving: int
    speed: tuple[float, float] | None
    directions: dict[str, float]

    def words(self) -> str:
        """What is normal, such as "things moving left or right at 0.8-1.9 px/frame"."""
        known = {"volumes": self.samples, "moving_volumes": self.moving, "classes": None}
        record = {**known, "speed": self.speed, "directions": self.directions}
        return normal_to_words(record, floor_px_per_frame=LEAST_PX_PER_FRAME)

    def unusual(self, right_px: float, down_px: float) -> list[str]:
        """What is unusual about a motion in px/frame, in words."""
        speed = float(np.hypot(right_px, down_px))
        if speed < LEAST_PX_PER_FRAME:
            return []
        if self.speed is None or self.moving <= NEVER_MOVES * self.samples:
            seen = "nothing has ever moved here in training video"
            if self.moving:
                seen = f"seen here in {percent(self.moving / self.samples)} of training video"
            return [f"movement ({seen})"]
        low, high = self.speed
        found = []
        if not low <= speed <= high:
            found.append(f"speed ({times_words(speed, low, high)})")
        name = DIRECTIONS[int(directions_of(np.array([right_px, down_px])))]
        if self.directions.get(name, 0) < COMMON_DIRECTION:
            found.append("direction")
        return found


def directions_of(motion: NDArray[np.floating]) -> NDArray[np.int64]:
    """The index in ``DIRECTIONS`` of motions ``(2, ...)`` to the right and down."""
    eighths = np.arctan2(motion[1], motion[0]) / (np.pi / 4)
    return np.asarray(np.rint(eighths).astype(np.int64) % len(DIRECTIONS))


def measure_motion(footage: Sequence[Footage], grid: RegionGrid) -> dict[str, Any]:
    """What moves in all regions, as the record of a training holds it.

    Args:
        footage: Training video; parts of which not all pixels are surely normal do not count.
        grid: Regions of the frames of the video.

    Returns:
        ``samples`` of each region; by region the number of those that are ``moving``, the lowest
        and highest ``speed``, and the counts of all ``directions``.
    """
    parts = [part for part in footage if part.learnt is None]
    every = 1 + sum(map(len, parts)) // MOST_FRAMES
    flows = [part.flow[::every].astype(np.float32).swapaxes(0, 1) for part in parts]
    motion = np.concatenate([flows_to_cells(f, f[:0], grid) for f in flows], axis=1)
    speed = np.hypot(*motion)
    is_moving, direction = speed >= LEAST_PX_PER_FRAME, directions_of(motion)
    record: dict[str, Any] = {"moving": [], "speed": [], "directions": [], "samples": []}
    side, (rows, columns) = grid.cells_per_side, grid.regions
    for row, column in np.ndindex(rows, columns):
        of = slice(None), slice(row, row + side), slice(column, column + side)
        moves = is_moving[of]
        ends = weighted_range(speed[of].ravel(), moves.ravel().astype(np.int64)) or (0.0, 0.0)
        counts = np.bincount(direction[of][moves], minlength=len(DIRECTIONS))
        record["samples"].append(moves.size)
        record["moving"].append(int(moves.sum()))
        record["speed"].append([round(end, 3) for end in ends])
        record["directions"].append(counts.tolist())
    return record


def motion_of(record: Mapping[str, Any], region: int) -> NormalMotion:
    """What moves in one region.

    Args:
        record: As ``measure_motion`` makes it.
        region: Number of the region.
    """
    samples, moving, counts = (record[key][region] for key in ("samples", "moving", "directions"))
    shares = {n: count / moving for n, count in zip(DIRECTIONS, counts, strict=True) if count}
    order = sorted(shares, key=lambda name: -shares[name])
    low, high = record["speed"][region]
    return NormalMotion(
        samples, moving, (low, high) if moving else None, {name: shares[name] for name in order}
    )
