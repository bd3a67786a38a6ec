"""Why a volume is far from normal: the shares of the components, and the unusual attributes.

An attribute is unusual if it is outside the normal range of the region's exemplars. Unusual
attributes are ordered by the share that their component has in the distance, the largest first.
Attributes of one component (momentum has speed, direction and share of moving pixels) are ordered
by how far they are outside, in widths of the normal range.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.distance import FeatureDistance
from exemplar_selection.normal_ranges import (
    COMMON_DIRECTION,
    DIRECTIONS,
    NormalRanges,
    VolumeAttributes,
)
from feature_extraction.attributes import CLASSES
from feature_extraction.registry import words_of

UNITS = {"speed": "px/frame", "moving_share": "share of the pixels"}
LEAST_WIDTH = {"speed": 0.1, "moving_share": 0.5}
"""Least width of a normal range, by attribute; a narrower range counts as this wide. Flow is not
more exact, and the share of moving pixels depends on where in the region an object is."""
RARE_CLASS = 0.1
"""A class with a smaller mean probability over the normal volumes is unusual."""


@dataclass(frozen=True)
class Comparison:
    """One volume, the exemplars that it is compared with, what it shows, and what is normal.

    Attributes:
        features: ``(dimension,)``, not scaled.
        exemplars: ``(m, dimension)``, not scaled.
        distance: The distance between volumes and exemplars.
        components: Names of the components of the distance.
        shown: What the volume shows; one row.
        normal: What is normal according to the exemplars.
    """

    features: NDArray[np.float32]
    exemplars: NDArray[np.float32]
    distance: FeatureDistance
    components: tuple[str, ...]
    shown: VolumeAttributes
    normal: NormalRanges

    @cached_property
    def nearest(self) -> tuple[int, float]:
        """Row and distance of the nearest exemplar; the first one if several are equally near."""
        rows, distances = self.distance.nearest(self.features[None], self.exemplars)
        return int(rows[0]), float(distances[0])

    @cached_property
    def shares(self) -> dict[str, float]:
        """Share of each component in the distance to the nearest exemplar; they add up to 1."""
        row, _ = self.nearest
        scaled = self.distance.scaled(np.stack((self.features, self.exemplars[row])))
        parts = self.distance.parts(scaled[0], scaled[1])
        total = parts.sum()
        shares = parts / total if total > 0 else np.full(len(parts), 1 / len(parts))
        return dict(zip(self.components, shares.tolist(), strict=True))

    def unusual(self, *, part_share: float = 1.0) -> list[dict[str, Any]]:
        """The attributes outside their normal range, the most important first.

        Args:
            part_share: Share in the whole distance of what is compared here.

        Returns:
            For each attribute its name, value, range and unit, its component, the share of this
            component in the distance, and how many widths of the range it lies outside (for a
            direction: steps of 45 degrees from the nearest normal direction; for a class: 1).
        """
        shares = self.shares
        entries = [*self._numbers_outside(), *self._words_outside()]
        for entry in entries:
            names = [name for name in shares if entry["attribute"] in words_of(name).attributes]
            entry["component"] = max(names, key=lambda name: shares[name])
            entry["share"] = round(part_share * shares[entry["component"]], 4)
        return sorted(entries, key=lambda entry: (-entry["share"], -entry["excess"]))

    def _numbers_outside(self) -> list[dict[str, Any]]:
        """Speed and share of moving pixels, where they are outside their ranges."""
        shown, normal = self.shown.record(0), self.normal.record()
        entries = []
        for name, width in LEAST_WIDTH.items():
            value, bounds = shown[name], normal[name]
            if value is None or bounds is None or bounds[0] <= value <= bounds[1]:
                continue
            low, high = bounds
            excess = max(low - value, value - high) / max(high - low, width)
            entries.append(_entry(name, value, excess, low=low, high=high))
        return entries

    def _words_outside(self) -> list[dict[str, Any]]:
        """Direction and class, where they are rare."""
        entries = []
        direction = self.shown.record(0)["direction"]
        common = [
            k for k, share in (self.normal.directions or {}).items() if share >= COMMON_DIRECTION
        ]
        if direction and common and direction not in common:
            steps = min(_turn(direction, other) for other in common)
            entries.append(_entry("direction", direction, steps))
        index, classes = self.shown.class_index, self.normal.classes
        if index is not None and index[0] >= 0 and classes:
            name = CLASSES[index[0]]
            if classes[name] < RARE_CLASS:
                entries.append(_entry("class", name, 1.0))
        return entries


def _turn(first: str, second: str) -> int:
    """Steps of 45 degrees between two directions, 0 to 4."""
    count = len(DIRECTIONS)
    steps = (DIRECTIONS.index(first) - DIRECTIONS.index(second)) % count
    return min(steps, count - steps)


def _entry(
    attribute: str,
    value: float | str,
    excess: float,
    *,
    low: float | None = None,
    high: float | None = None,
) -> dict[str, Any]:
    return {
        "attribute": attribute,
        "value": value,
        "low": low,
        "high": high,
        "unit": UNITS.get(attribute),
        "excess": round(excess, 4),
    }
