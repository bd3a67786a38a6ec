"""What is normal in a region, in numbers that people can read."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.volume_attributes import DIRECTIONS, MOVABLE, Sightings
from feature_extraction.attributes import CLASSES
from feature_extraction.registry import kind_of
from vadloc.artifacts import Artifacts
from vadloc.regions import RegionGrid
from vadloc.versions import extractors_of

COMMON_DIRECTION = 0.05
"""A direction is normal in a region if at least this share of the moving volumes has it."""
TAIL = 0.01
"""Normal is what lies between the 1 % lowest and the 1 % highest of the volumes."""
SIMILAR_SPEED = 1.5
"""Volumes are about as fast as another one if their speeds differ by at most this factor."""


@dataclass(frozen=True)
class ClassRanges:
    """What is normal of one class in a region.

    Attributes:
        volumes: Number of volumes in which the class is seen.
        moving_volumes: Number of those in which something moves; ``None`` if motion is unknown.
        speed: Range of the speed of the moving pixels in px/frame; ``None`` if nothing moves.
        directions: Among those that have one direction, the share of each direction.
    """

    volumes: int
    moving_volumes: int | None = None
    speed: tuple[float, float] | None = None
    directions: dict[str, float] | None = None

    def record(self) -> dict[str, Any]:
        """The ranges as JSON holds them."""
        return asdict(self) | {"speed": _rounded(self.speed)}


@dataclass(frozen=True)
class NormalRanges:
    """What is normal in a region, by the volumes that its exemplars stand for.

    Attributes:
        exemplars: Number of exemplars.
        volumes: Number of volumes.
        moving_volumes: Number of those volumes in which something moves; ``None`` if the features
            do not describe motion.
        speed: Range of the speed of the moving pixels in px/frame; ``None`` if nothing moves.
        moving_share: Range of the share of moving pixels.
        directions: Among the volumes that have one direction, the share of each direction.
        classes: Share of the volumes in which each class is seen, among those in which something
            moves (among all if nothing moves or motion is unknown).
        by_class: For each class of things that move, if it was seen, what is normal of it.

    Ranges reach from the 1 % to the 99 % quantile. So they hold what normal video shows, without
    single errors of measurement.
    """

    exemplars: int
    volumes: int
    moving_volumes: int | None = None
    speed: tuple[float, float] | None = None
    moving_share: tuple[float, float] | None = None
    directions: dict[str, float] | None = None
    classes: dict[str, float] | None = None
    by_class: dict[str, ClassRanges] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The ranges as JSON holds them."""
        return asdict(self) | {
            "speed": _rounded(self.speed),
            "moving_share": _rounded(self.moving_share),
            "by_class": {name: ranges.record() for name, ranges in self.by_class.items()},
        }


@dataclass(frozen=True)
class NormalSightings:
    """What normal video shows in a region: exemplars or volumes, with how often each was seen.

    Attributes:
        seen: What they show.
        counts: ``(n,)``: number of volumes that each stands for.
        exemplars: Number of exemplars of the region.
    """

    seen: Sightings
    counts: NDArray[np.int64]
    exemplars: int

    @cached_property
    def ranges(self) -> NormalRanges:
        """What is normal in the region."""
        moving = self._moving
        return NormalRanges(
            exemplars=self.exemplars,
            volumes=int(self.counts.sum()),
            moving_volumes=None if moving is None else int(moving.sum()),
            speed=weighted_range(self.seen.speed_px_per_frame, moving),
            moving_share=weighted_range(self.seen.moving_share, self.counts),
            directions=self._directions(moving),
            classes=self._classes(),
            by_class=self._by_class(),
        )

    def directions_as_fast(self, speed_px_per_frame: float) -> dict[str, float]:
        """Share of each direction among the volumes that move about as fast as this."""
        assert self.seen.speed_px_per_frame is not None
        assert self._moving is not None
        with np.errstate(invalid="ignore"):
            factor = np.abs(np.log(self.seen.speed_px_per_frame / speed_px_per_frame))
            weights = np.where(factor <= np.log(SIMILAR_SPEED), self._moving, 0)
        return self._directions(weights) or {}

    @cached_property
    def _moving(self) -> NDArray[np.int64] | None:
        """The counts of volumes in which something moves, and 0 for the others."""
        is_moving = self.seen.is_moving
        return None if is_moving is None else np.where(is_moving, self.counts, 0)

    def _directions(self, weights: NDArray[np.int64] | None) -> dict[str, float] | None:
        if weights is None or self.seen.direction is None:
            return None
        return _shares(DIRECTIONS, self.seen.direction, weights)

    def _classes(self) -> dict[str, float] | None:
        if self.seen.class_index is None:
            return None
        moving = self._moving
        weights = self.counts if moving is None or not moving.any() else moving
        totals = [int(weights[self.seen.class_index == k].sum()) for k in range(len(CLASSES))]
        shares = np.round(np.array(totals) / max(int(weights.sum()), 1), 4).tolist()
        return dict(zip(CLASSES, shares, strict=True))

    def _by_class(self) -> dict[str, ClassRanges]:
        index = self.seen.class_index
        if index is None:
            return {}
        masks = {name: index == CLASSES.index(name) for name in MOVABLE}
        return {name: self._of(mask) for name, mask in masks.items() if mask.any()}

    def _of(self, mask: NDArray[np.bool_]) -> ClassRanges:
        """What is normal of some of the volumes."""
        moving = None if self._moving is None else np.where(mask, self._moving, 0)
        return ClassRanges(
            volumes=int(self.counts[mask].sum()),
            moving_volumes=None if moving is None else int(moving.sum()),
            speed=weighted_range(self.seen.speed_px_per_frame, moving),
            directions=self._directions(moving),
        )


def speed_floors(artifacts: Artifacts, grid: RegionGrid) -> NDArray[np.float64]:
    """Speeds in px/frame below which a version does not measure movement; 0 for no such limit.

    Args:
        artifacts: The results of the version.
        grid: The regions of the frames.

    Returns:
        ``(regions,)``.
    """
    floors = [_floors(artifacts, name, grid) for name in extractors_of(artifacts.version)]
    return np.asarray(np.max(floors, axis=0))


def _floors(artifacts: Artifacts, extractor: str, grid: RegionGrid) -> NDArray[np.float64]:
    """The speed floors of one extractor."""
    kind = kind_of(extractor)
    if kind.region_floors is None:
        return np.full(grid.region_count, kind.speed_floor(artifacts.config))
    return kind.region_floors(artifacts.config, grid, artifacts.learnt(extractor).load())


def weighted_range(
    values: NDArray[np.floating] | None, weights: NDArray[np.int64] | None
) -> tuple[float, float] | None:
    """The weighted 1 % and 99 % quantiles: at least so much of the weight does not exceed them.

    Args:
        values: ``(n,)``; ``None`` if they are unknown.
        weights: ``(n,)``, not negative. Values of weight 0 do not count and may be NaN.
    """
    if values is None or weights is None or not weights.any():
        return None
    used = weights > 0
    order = np.argsort(values[used], kind="stable")
    shares = np.cumsum(weights[used][order]) / weights[used].sum()
    ends = np.searchsorted(shares, [TAIL, 1 - TAIL])
    low, high = values[used][order][ends]
    return float(low), float(high)


def _shares(
    names: tuple[str, ...], indices: NDArray[np.int64], weights: NDArray[np.int64]
) -> dict[str, float]:
    """Share of the weight of each name whose weight is not 0, the largest first."""
    has_index = indices >= 0
    totals = np.bincount(indices[has_index], weights[has_index], minlength=len(names))
    order = [i for i in np.argsort(-totals, kind="stable") if totals[i] > 0]
    return {names[i]: round(float(totals[i] / totals.sum()), 4) for i in order}


def _rounded(values: tuple[float, float] | None) -> list[float] | None:
    return None if values is None else [round(value, 4) for value in values]
