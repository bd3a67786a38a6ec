"""What video volumes show, and what is normal in a region, in numbers that people can read."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.attributes import CLASSES, Attributes
from feature_extraction.registry import kind_of
from vadloc.artifacts import Artifacts
from vadloc.regions import RegionGrid
from vadloc.versions import extractors_of

DIRECTIONS = (
    "right",
    "down right",
    "down",
    "down left",
    "left",
    "up left",
    "up",
    "up right",
)
"""Names of directions in the picture, clockwise; each is 45 degrees wide."""
STILL_SHARE = 0.02
"""A volume in which a smaller share of the pixels moves counts as still."""
COMMON_SHARE = 0.5
"""A volume has one direction if the length of its mean movement is at least this share of the sum
of the lengths."""
COMMON_DIRECTION = 0.05
"""A direction is normal in a region if at least this share of the moving volumes has it."""
CLASS_PROBABILITY = 0.5
"""A class is named if its probability is at least this."""
TAIL = 0.01
"""Normal is what lies between the 1 % lowest and the 1 % highest of the volumes."""


@dataclass(frozen=True)
class VolumeAttributes:
    """What n volumes show.

    Attributes:
        attributes: The numbers that were read from their features.
    """

    attributes: Attributes

    @cached_property
    def motion_is_known(self) -> bool:
        """Whether the features of the version describe motion."""
        return self.attributes.moving_share is not None

    @cached_property
    def is_moving(self) -> NDArray[np.bool_]:
        """``(n,)``: at least ``STILL_SHARE`` of the pixels move."""
        share = self.attributes.moving_share
        assert share is not None
        return share >= STILL_SHARE

    @cached_property
    def speed_px_per_frame(self) -> NDArray[np.float64]:
        """``(n,)``: mean over the moving pixels; NaN where nothing moves."""
        share, speed = self._by_direction()
        total = share.sum(axis=1)
        has_speed = self.is_moving & (total > 0)
        mean = (share * speed).sum(axis=1) / np.where(has_speed, total, 1.0)
        return np.where(has_speed, mean, np.nan)

    @cached_property
    def direction(self) -> NDArray[np.int64]:
        """``(n,)``: index in ``DIRECTIONS`` of the mean movement; -1 if the directions differ."""
        share, speed = self._by_direction()
        bins = share.shape[1]
        angle = (np.arange(bins) + 0.5) * (2 * np.pi / bins)
        movement = share * speed
        x, y = movement @ np.cos(angle), movement @ np.sin(angle)
        eighth = np.rint(np.arctan2(y, x) / (np.pi / 4)).astype(np.int64) % len(DIRECTIONS)
        common = np.hypot(x, y) >= COMMON_SHARE * movement.sum(axis=1)
        return np.where(common & np.isfinite(self.speed_px_per_frame), eighth, -1)

    @cached_property
    def class_index(self) -> NDArray[np.int64] | None:
        """``(n,)``: index in ``CLASSES`` of the most probable class; -1 if it is improbable."""
        probability = self.attributes.class_probability
        if probability is None:
            return None
        probable = probability.max(axis=1) >= CLASS_PROBABILITY
        return np.where(probable, probability.argmax(axis=1), -1)

    def _by_direction(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        share, speed = self.attributes.direction_share, self.attributes.speed_px_per_frame
        assert share is not None
        assert speed is not None
        return share.astype(np.float64), speed.astype(np.float64)

    def record(self, volume: int) -> dict[str, Any]:
        """The attributes of one volume as plain numbers and words; ``None`` for what is unknown."""
        a = self.attributes
        speed = direction = None
        if self.motion_is_known:
            number, eighth = self.speed_px_per_frame[volume], self.direction[volume]
            speed = None if np.isnan(number) else round(float(number), 4)
            direction = DIRECTIONS[eighth] if eighth >= 0 else None
        classes = _plain(a.class_probability, volume)
        return {
            "classes": None if classes is None else dict(zip(CLASSES, classes, strict=True)),
            "direction_share": _plain(a.direction_share, volume),
            "speed_px_per_frame": _plain(a.speed_px_per_frame, volume),
            "moving_share": _plain(a.moving_share, volume),
            "speed": speed,
            "direction": direction,
        }


def _plain(values: NDArray[np.float32] | None, volume: int) -> Any:
    """One volume's numbers as JSON holds them, to four digits after the point."""
    if values is None:
        return None
    return np.round(values[volume].astype(np.float64), 4).tolist()


@dataclass(frozen=True)
class NormalRanges:
    """What is normal in a region: its exemplars, each weighted by the volumes that it stands for.

    Attributes:
        exemplars: Number of exemplars.
        volumes: Number of volumes that they stand for.
        moving_volumes: Number of those volumes in which something moves; ``None`` if the features
            do not describe motion.
        speed: Range of the speed of the moving pixels in px/frame; ``None`` if nothing moves.
        moving_share: Range of the share of moving pixels.
        directions: Among the volumes that have one direction, the share of each direction.
        classes: Mean probability of each class over the volumes in which something moves (over all
            volumes if nothing moves or motion is unknown).

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

    def record(self) -> dict[str, Any]:
        """The ranges as JSON holds them."""
        return {
            "exemplars": self.exemplars,
            "volumes": self.volumes,
            "moving_volumes": self.moving_volumes,
            "speed": _rounded(self.speed),
            "moving_share": _rounded(self.moving_share),
            "directions": self.directions,
            "classes": self.classes,
        }


def exemplars_to_ranges(shown: VolumeAttributes, counts: NDArray[np.int64]) -> NormalRanges:
    """What is normal in a region.

    Args:
        shown: What the exemplars of the region show.
        counts: ``(n,)``, number of volumes that each exemplar stands for.
    """
    normal: dict[str, Any] = {"exemplars": len(counts), "volumes": int(counts.sum())}
    weights = counts
    if shown.motion_is_known:
        moving = np.where(shown.is_moving, counts, 0)
        normal["moving_volumes"] = int(moving.sum())
        normal["moving_share"] = weighted_range(shown.attributes.moving_share, counts)
        normal["speed"] = weighted_range(shown.speed_px_per_frame, moving)
        normal["directions"] = _shares(DIRECTIONS, shown.direction, moving)
        weights = moving if moving.any() else counts
    probability = shown.attributes.class_probability
    if probability is not None:
        mean = weights @ probability.astype(np.float64) / weights.sum()
        normal["classes"] = dict(zip(CLASSES, np.round(mean, 4).tolist(), strict=True))
    return NormalRanges(**normal)


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
    values: NDArray[np.floating] | None, weights: NDArray[np.int64]
) -> tuple[float, float] | None:
    """The weighted 1 % and 99 % quantiles: at least so much of the weight does not exceed them.

    Args:
        values: ``(n,)``; ``None`` if they are unknown.
        weights: ``(n,)``, not negative. Values of weight 0 do not count and may be NaN.
    """
    used = weights > 0
    if values is None or not used.any():
        return None
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
