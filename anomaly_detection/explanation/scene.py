"""What is normal in each region of the scene: its exemplars, and what they show."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.explanation.unusual import LEAST_VOLUMES, RARE_CLASS
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.normal_ranges import NormalSightings, speed_floors
from exemplar_selection.sightings import SceneSightings
from exemplar_selection.volume_attributes import MOVABLE, VolumeAttributes
from feature_extraction.attributes import AttributeReader
from vadloc.artifacts import Artifacts
from vadloc.config import Config
from vadloc.regions import RegionGrid
from vadloc.versions import VERSIONS


@dataclass(frozen=True)
class RegionExemplars:
    """The exemplars that the volumes of one region are compared with.

    Attributes:
        rows: ``(m,)`` rows of the exemplars in the model.
        shown: What the exemplars show.
        known: What is normal in the region, according to the exemplars, or to all that the parts
            of a version have seen.
    """

    rows: NDArray[np.int64]
    shown: VolumeAttributes
    known: NormalSightings


def read_sightings(artifacts: Artifacts) -> SceneSightings | None:
    """What all parts of a version have seen together; ``None`` for a version without parts."""
    if not VERSIONS[artifacts.version].parts:
        return None
    return SceneSightings.from_content(artifacts.sightings().load())


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
        sightings: What training video shows, if the exemplars are those of a part of the version.
    """

    config: Config
    model: Exemplars
    grid: RegionGrid
    reader: AttributeReader
    floors_px_per_frame: NDArray[np.float64]
    sightings: SceneSightings | None = None
    _regions: dict[int, RegionExemplars] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, artifacts: Artifacts, model: Exemplars, sightings: SceneSightings | None = None
    ) -> "Scene":
        """The scene of a version's exemplars, or of those of a part of a version."""
        config = artifacts.config
        reader = AttributeReader.of(config, artifacts.version)
        grid = model.grid(config.regions)
        return cls(config, model, grid, reader, speed_floors(artifacts, grid), sightings)

    def exemplars_of(self, region: int) -> RegionExemplars:
        """The exemplars that the volumes of a region are compared with; computed once a region."""
        if region not in self._regions:
            near = self.grid.neighbours(region, self.config.scoring.neighbourhood)
            rows = self.model.rows_of(near)
            shown = self.attributes_of(
                self.model.features[rows],
                {name: values[rows] for name, values in self.model.descriptors.items()},
            )
            self._regions[region] = RegionExemplars(rows, shown, self._known(region, rows, shown))
        return self._regions[region]

    def of_exemplars(self, region: int) -> NormalSightings:
        """What is normal in a region according to its exemplars alone."""
        exemplars = self.exemplars_of(region)
        counts = self.model.counts[exemplars.rows]
        return NormalSightings(exemplars.shown.sightings, counts, len(counts))

    def _known(
        self, region: int, rows: NDArray[np.int64], shown: VolumeAttributes
    ) -> NormalSightings:
        """What is normal in a region with these exemplars."""
        if self.sightings is None:
            return NormalSightings(shown.sightings, self.model.counts[rows], len(rows))
        return self.sightings.of(region, exemplars=len(rows))

    @cached_property
    def classes(self) -> frozenset[str]:
        """The classes of things that move that are normal in at least one region."""
        ranges = [self.exemplars_of(r).known.ranges for r in range(self.grid.region_count)]
        return frozenset(
            name
            for of_region in ranges
            for name in MOVABLE
            if (of_region.classes or {}).get(name, 0) >= RARE_CLASS
            and of_region.by_class[name].volumes >= LEAST_VOLUMES
        )

    def attributes_of(
        self, features: NDArray[np.float32], descriptors: dict[str, NDArray[np.float32]]
    ) -> VolumeAttributes:
        """What volumes show.

        Args:
            features: ``(n, dimension)``, not scaled.
            descriptors: Descriptors of the volumes: name to ``(n, k)``.
        """
        return VolumeAttributes(self.reader(features, descriptors))
