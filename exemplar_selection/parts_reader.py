"""What the parts of a version know together of the same volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.normal_ranges import speed_floors
from exemplar_selection.volume_attributes import VolumeAttributes
from feature_extraction.attributes import AttributeReader, Attributes
from feature_extraction.registry import words_of
from vadloc.artifacts import Artifacts
from vadloc.regions import RegionGrid

Described = tuple[NDArray[np.float32], Mapping[str, NDArray[np.float32]]]
"""Features ``(n, dimension)`` of volumes, and their descriptors: name to ``(n, k)``."""


@dataclass(frozen=True)
class PartsReader:
    """Reads the class that volumes show from one part of a version, and their motion from another.

    Attributes:
        of_class: Number and reader of the part; ``None`` if no part knows classes.
        of_motion: The same of motion.
        floors_px_per_frame: ``(regions,)``: the speed below which that part measures nothing.
        other_motions: Numbers of the other parts that know motion.
    """

    of_class: tuple[int, AttributeReader] | None
    of_motion: tuple[int, AttributeReader] | None
    floors_px_per_frame: NDArray[np.float64]
    other_motions: tuple[int, ...] = ()

    @classmethod
    def of(cls, artifacts: Artifacts, grid: RegionGrid) -> "PartsReader":
        """The reader of a version of parts.

        Classes are read from the first part that knows them, motion from the part that sees the
        slowest movement: from the first one of those with the lowest speed floor.

        Raises:
            VadlocError: Weights are missing or damaged.
        """
        parts = artifacts.parts
        floors = [speed_floors(part, grid) for part in parts]
        classes, motions = (_that_know(parts, attribute) for attribute in ("class", "speed"))
        motion = min(motions, key=lambda number: float(floors[number].mean()), default=None)

        def reader(number: int | None) -> tuple[int, AttributeReader] | None:
            if number is None:
                return None
            return number, AttributeReader.of(parts[number].config, parts[number].version)

        none = np.zeros(grid.region_count)
        lowest = none if motion is None else floors[motion]
        others = tuple(number for number in motions if number != motion)
        return cls(reader(min(classes, default=None)), reader(motion), lowest, others)

    def __call__(self, parts: Sequence[Described]) -> VolumeAttributes:
        """What volumes show.

        Args:
            parts: The features of the volumes in each part.
        """
        of_class, of_motion = (
            Attributes() if which is None else which[1](*parts[which[0]])
            for which in (self.of_class, self.of_motion)
        )
        return VolumeAttributes(replace(of_motion, class_probability=of_class.class_probability))


def _that_know(parts: Sequence[Artifacts], attribute: str) -> list[int]:
    """Numbers of the parts from which an attribute can be read."""
    return [
        number
        for number, part in enumerate(parts)
        if any(attribute in words_of(name).attributes for name in part.components)
    ]
