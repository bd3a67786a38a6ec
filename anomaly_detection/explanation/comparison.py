"""How far a volume is from normal: its nearest exemplar, and the shares of the components."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.distance import FeatureDistance


@dataclass(frozen=True)
class Comparison:
    """One volume, and the exemplars that it is compared with.

    Attributes:
        features: ``(dimension,)``, not scaled.
        exemplars: ``(m, dimension)``, not scaled.
        distance: The distance between volumes and exemplars.
        components: Names of the components of the distance.
    """

    features: NDArray[np.float32]
    exemplars: NDArray[np.float32]
    distance: FeatureDistance
    components: tuple[str, ...]

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
