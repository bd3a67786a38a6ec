"""What is normal in each region of the scene: its exemplars, and what they show."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from exemplar_selection.normal_ranges import (
    NormalRanges,
    VolumeAttributes,
    exemplars_to_ranges,
    speed_floors,
)
from feature_extraction.attributes import AttributeReader
from vadloc.artifacts import Artifacts
from vadloc.config import Config
from vadloc.regions import RegionGrid


@dataclass(frozen=True)
class RegionExemplars:
    """The exemplars that the volumes of one region are compared with.

    Attributes:
        rows: ``(m,)`` rows of the exemplars in the model.
        shown: What the exemplars show.
        normal: What is normal in the region, as ranges over the exemplars.
    """

    rows: NDArray[np.int64]
    shown: VolumeAttributes
    normal: NormalRanges


@dataclass(frozen=True)
class Scene:
    """The exemplars of all regions, with what they show.

    Attributes:
        config: The config.
        model: Exemplars of all regions.
        grid: Regions of the frames.
        reader: Reads attributes out of features.
        floors_px_per_frame: ``(regions,)``: the speed below which nothing is measured; 0 for no
            such limit.
    """

    config: Config
    model: Exemplars
    grid: RegionGrid
    reader: AttributeReader
    floors_px_per_frame: NDArray[np.float64]
    _regions: dict[int, RegionExemplars] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, artifacts: Artifacts, model: Exemplars) -> "Scene":
        """The scene of a version's exemplars."""
        config = artifacts.config
        reader = AttributeReader.of(config, artifacts.version)
        grid = model.grid(config.regions)
        return cls(config, model, grid, reader, speed_floors(artifacts, grid))

    def exemplars_of(self, region: int) -> RegionExemplars:
        """The exemplars that the volumes of a region are compared with; computed once a region."""
        if region not in self._regions:
            near = self.grid.neighbours(region, self.config.scoring.neighbourhood)
            rows = self.model.rows_of(near)
            shown = self.attributes_of(
                self.model.features[rows],
                {name: values[rows] for name, values in self.model.descriptors.items()},
            )
            normal = exemplars_to_ranges(shown, self.model.counts[rows])
            self._regions[region] = RegionExemplars(rows, shown, normal)
        return self._regions[region]

    def attributes_of(
        self, features: NDArray[np.float32], descriptors: dict[str, NDArray[np.float32]]
    ) -> VolumeAttributes:
        """What volumes show.

        Args:
            features: ``(n, dimension)``, not scaled.
            descriptors: Descriptors of the volumes: name to ``(n, k)``.
        """
        return VolumeAttributes(self.reader(features, descriptors))
