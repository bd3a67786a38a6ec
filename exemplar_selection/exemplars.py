"""Exemplars of all regions. Selection writes them, merging joins them, and scoring reads them."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.distance import FeatureDistance
from vadloc.config import Regions
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures
from vadloc.regions import RegionGrid


@dataclass(frozen=True)
class Exemplars:
    """Exemplars, sorted by region, and within a region by the order in which they were selected.

    Attributes:
        distance: The distance by which they were selected.
        components: Names of the components of the distance.
        height_px: Frame height of the sequences.
        width_px: Frame width of the sequences.
        sequences: Names of the training sequences.
        offsets: ``(regions + 1,)`` int64; exemplars of region r are ``offsets[r]:offsets[r + 1]``.
        features: ``(n, dimension)`` float32, not scaled.
        counts: ``(n,)`` int64, number of volumes that each exemplar stands for, itself included.
        sequence: ``(n,)`` int64, index in ``sequences`` of the sequence that it comes from.
        first_frame: ``(n,)`` int64, its 0-based first frame in that sequence.
        descriptors: Name to ``(n, k)`` float32: values that describe the exemplars but do not
            count in the distance.
        mined_round: ``(n,)`` int64: the round in which each was mined, 0 if it is of a training
            sequence; ``None`` if nothing was mined.
        mined_volumes: ``(n,)`` float64: the volumes that each mined exemplar stands for, which
            decay with time (see ``exemplar_selection.forgetting``); 0 for the others.
    """

    distance: FeatureDistance
    components: tuple[str, ...]
    height_px: int
    width_px: int
    sequences: tuple[str, ...]
    offsets: NDArray[np.int64]
    features: NDArray[np.float32]
    counts: NDArray[np.int64]
    sequence: NDArray[np.int64]
    first_frame: NDArray[np.int64]
    descriptors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    mined_round: NDArray[np.int64] | None = None
    mined_volumes: NDArray[np.float64] | None = None

    @property
    def region_count(self) -> int:
        """Number of regions."""
        return len(self.offsets) - 1

    def grid(self, regions: Regions) -> RegionGrid:
        """The regions of the frames.

        Raises:
            VadlocError: The model has another number of regions.
        """
        grid = RegionGrid(self.height_px, self.width_px, regions.size_px, regions.stride_px)
        self.check_grid(grid)
        return grid

    def check_grid(self, grid: RegionGrid) -> None:
        """Refuse frames whose size or regions differ from those of the exemplars.

        Raises:
            VadlocError: The frame size or the regions differ.
        """
        names = ", ".join(self.sequences[:3])
        if (grid.height_px, grid.width_px) != (self.height_px, self.width_px):
            raise VadlocError(
                f"frames of {grid.width_px} x {grid.height_px} px, those of the exemplars of "
                f"{names} have {self.width_px} x {self.height_px}; bring them to one size"
            )
        if grid.region_count != self.region_count:
            raise VadlocError(
                f"exemplars of {names}: {self.region_count} regions, a "
                f"frame has {grid.region_count}; select and merge them again with --overwrite"
            )

    def check_widths(self, features: SequenceFeatures) -> None:
        """Refuse features whose columns differ from those of the exemplars.

        Raises:
            VadlocError: The columns differ.
        """
        if features.widths != self.distance.widths:
            raise VadlocError(
                f"{features.sequence}: features of {features.widths} columns, exemplars of "
                f"{self.distance.widths}; make both again with --overwrite"
            )

    def rows_of(self, regions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the exemplars of some regions."""
        return np.concatenate([np.arange(self.offsets[r], self.offsets[r + 1]) for r in regions])

    def region_of(self, row: int) -> int:
        """Region of an exemplar."""
        return int(np.searchsorted(self.offsets, row, side="right")) - 1

    def source_of(self, row: int) -> tuple[str, int]:
        """The sequence of an exemplar, and the round in which it was mined; 0 for training."""
        round_ = 0 if self.mined_round is None else int(self.mined_round[row])
        return self.sequences[self.sequence[row]], round_

    def select(self, chosen: NDArray[np.bool_]) -> "Exemplars":
        """Those exemplars that are chosen, ``(n,)``; a region may have none."""
        ends = np.concatenate(([0], np.cumsum(chosen)))
        return replace(self.take(np.flatnonzero(chosen)), offsets=ends[self.offsets])

    def without_unused_names(self) -> "Exemplars":
        """The same exemplars, without the names of mined sequences of which none is left."""
        if self.mined_round is None:
            return self
        trained = self.sequence[self.mined_round == 0].max(initial=-1)
        used = np.union1d(self.sequence, np.arange(trained + 1))
        names = tuple(self.sequences[number] for number in used)
        return replace(self, sequences=names, sequence=np.searchsorted(used, self.sequence))

    def take(self, rows: NDArray[np.int64]) -> "Exemplars":
        """Some of the exemplars, in this order; the offsets are still to be made."""
        return replace(
            self,
            features=self.features[rows],
            counts=self.counts[rows],
            sequence=self.sequence[rows],
            first_frame=self.first_frame[rows],
            descriptors={name: values[rows] for name, values in self.descriptors.items()},
            mined_round=None if self.mined_round is None else self.mined_round[rows],
            mined_volumes=None if self.mined_volumes is None else self.mined_volumes[rows],
        )

    def to_content(self, *, schema: int) -> dict[str, Any]:
        """The exemplars as a dict of arrays, numbers and strings, as the file holds them."""
        return {
            "schema": schema,
            "components": list(self.components),
            "widths": list(self.distance.widths),
            "scales": list(self.distance.scales),
            "weights": list(self.distance.weights),
            "gated": list(self.distance.gated),
            "height_px": self.height_px,
            "width_px": self.width_px,
            "sequences": list(self.sequences),
            "offsets": self.offsets,
            "features": self.features,
            "counts": self.counts,
            "sequence": self.sequence,
            "first_frame": self.first_frame,
            "descriptors": self.descriptors,
            **(
                {}
                if self.mined_round is None
                else {"mined_round": self.mined_round, "mined_volumes": self.mined_volumes}
            ),
        }

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> "Exemplars":
        """The exemplars from a dict that ``to_content`` made."""
        return cls(
            distance=FeatureDistance(
                *(tuple(content[key]) for key in ("widths", "scales", "weights", "gated"))
            ),
            components=tuple(content["components"]),
            sequences=tuple(content["sequences"]),
            mined_round=content.get("mined_round"),
            mined_volumes=content.get("mined_volumes"),
            **{
                key: content[key]
                for key in (
                    "height_px",
                    "width_px",
                    "offsets",
                    "features",
                    "counts",
                    "sequence",
                    "first_frame",
                    "descriptors",
                )
            },
        )


def join_exemplars(parts: list[Exemplars]) -> Exemplars:
    """All exemplars of several sequences, sorted by region and then in the order of the parts."""
    before = np.cumsum([0, *(len(part.sequences) for part in parts)])
    numbered = zip(parts, before[:-1], strict=True)
    joined = replace(
        parts[0],
        sequences=tuple(name for part in parts for name in part.sequences),
        features=np.concatenate([part.features for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
        sequence=np.concatenate([part.sequence + first for part, first in numbered]),
        first_frame=np.concatenate([part.first_frame for part in parts]),
        descriptors={
            name: np.concatenate([part.descriptors[name] for part in parts])
            for name in parts[0].descriptors
        },
        mined_round=_joined([part.mined_round for part in parts]),
        mined_volumes=_joined([part.mined_volumes for part in parts]),
    )
    numbers = np.sum([np.diff(part.offsets) for part in parts], axis=0)
    regions = np.concatenate(
        [np.repeat(np.arange(part.region_count), np.diff(part.offsets)) for part in parts]
    )
    order = np.argsort(regions, kind="stable")
    return replace(joined.take(order), offsets=np.concatenate(([0], np.cumsum(numbers))))


def _joined(arrays: list[Any]) -> Any:
    """The arrays of all parts as one; ``None`` if one of them has none."""
    return None if any(array is None for array in arrays) else np.concatenate(arrays)
