"""How far the volumes of a sequence are from the nearest exemplars."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures
from vadloc.regions import RegionGrid

MASK_ROWS = 4096
"""Volumes whose pairs with exemplars are masked at a time."""


def volume_distances(
    features: SequenceFeatures, model: Exemplars, grid: RegionGrid, *, neighbourhood: int
) -> NDArray[np.float64]:
    """Distance of each volume to the nearest exemplar of its region (or neighbouring ones).

    Args:
        features: Features of the sequence.
        model: Exemplars of all regions.
        grid: Regions of the frames.
        neighbourhood: Regions up to so many rows and columns away lend their exemplars.

    Returns:
        ``(v, regions)`` float64, in units of the distance.
    """
    result = np.empty(features.values.shape[:2])
    for region, exemplars in enumerate(region_exemplars(model, grid, neighbourhood)):
        result[:, region] = model.distance.nearest(features.values[:, region], exemplars)[1]
    return result


def distances_to_others(
    sequences: list[SequenceFeatures], model: Exemplars, grid: RegionGrid, *, neighbourhood: int
) -> list[NDArray[np.float64]]:
    """Distances of the volumes of some training sequences to the exemplars of all others.

    Args:
        sequences: Features of the sequences.
        model: The exemplars of all training sequences, two or more.
        grid: Regions of the frames.
        neighbourhood: Regions up to so many rows and columns away lend their exemplars.

    Returns:
        For each sequence ``(v, regions)`` float64: those to the nearest exemplar that was not
        selected from the sequence.

    Raises:
        VadlocError: A region has exemplars of only one sequence.
    """
    ends = np.cumsum([len(features.values) for features in sequences])
    numbers = [model.sequences.index(features.sequence) for features in sequences]
    sources = np.repeat(numbers, np.diff(ends, prepend=0))
    result = np.empty((ends[-1], grid.region_count))
    for region in range(grid.region_count):
        here = np.concatenate([features.values[:, region] for features in sequences])
        rows = model.rows_of(grid.neighbours(region, neighbourhood))
        for first in range(0, len(here), MASK_ROWS):
            some = slice(first, first + MASK_ROWS)
            own = sources[some, None] == model.sequence[rows]
            found = model.distance.nearest(here[some], model.features[rows], excluded=own)
            result[some, region] = found[1]
    if np.isinf(result).any():
        raise VadlocError(
            f"{sequences[0].sequence} and others: a region has exemplars of one training sequence "
            "alone; select them again with --overwrite"
        )
    return np.split(result, ends[:-1])


def region_exemplars(
    model: Exemplars, grid: RegionGrid, neighbourhood: int
) -> Iterator[NDArray[np.float32]]:
    """The exemplars that volumes of each region are compared with, ``(m, dimension)``."""
    for region in range(grid.region_count):
        yield model.features[model.rows_of(grid.neighbours(region, neighbourhood))]
