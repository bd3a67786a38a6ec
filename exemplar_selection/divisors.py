"""The divisors that bring the distances of a version's parts to one scale.

Each part has a distance of its own, whose size says nothing: D, its divisor, is what normal video
reaches. Each training sequence is left out in turn: the .999 quantile of the distances of its
volumes to the exemplars of the other training sequences is taken, and D is the mean over the
sequences. The only training sequence is halved, and each half is compared with the other one.

D is never below the least divisor of the part (``vadloc.versions.Part``): where left-out volumes
are nearer than that, as in video without movement, the smallest difference would count beyond
measure.

Things near the camera fill more of a region than those far away, and their distances are larger. By
perspective the size of a thing is a straight line over the rows of the picture. So D has a value
for each row of regions: D times the root of the straight line through the quantiles of the rows,
which is half of the way, since what is rare in training video makes these quantiles uncertain. The
geometric mean over the rows is D; single rows may be below the least divisor. A camera that looks
from above, or across a street, has a line that is nearly level.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import join_exemplars
from exemplar_selection.left_out import leave_out, read_exemplars
from exemplar_selection.nearest import distances_to_others, volume_distances
from vadloc.artifacts import Artifacts
from vadloc.features import SequenceFeatures, load_features

QUANTILE = 0.999
GROUP_BYTES = 1 << 28
"""Features of training sequences that are compared together take at most so many bytes, unless a
single sequence has more; while the next ones are read, there may be twice as many."""

LEAST_OF_A_ROW = 0.5
"""Least value of the line over the rows, as a share of D."""


def quantiles_to_divisor(quantiles: NDArray[np.float64], least: float) -> tuple[float, bool]:
    """D of one part, and whether it is the mean of the quantiles and not the least divisor.

    Args:
        quantiles: ``(left out,)``: of each sequence or half that was left out.
        least: The least divisor of the part.
    """
    mean = float(quantiles.mean())
    return max(mean, least), mean >= least


def rows_to_factors(quantiles: NDArray[np.float64], divisor: float) -> NDArray[np.float64]:
    """How D changes over the rows of regions; the geometric mean of the factors is 1.

    Args:
        quantiles: ``(region rows,)``: of the distances of left-out volumes in each row.
        divisor: D of the part.
    """
    rows = np.arange(len(quantiles))
    slope = np.polyfit(rows, quantiles, 1)[0] if len(rows) > 1 else 0.0
    line = quantiles.mean() + slope * (rows - rows.mean())
    heights = np.log(np.maximum(line, LEAST_OF_A_ROW * divisor))
    return np.asarray(np.exp((heights - heights.mean()) / 2))


def measure_divisors(parts: Sequence[Artifacts], least: Sequence[float]) -> dict[str, Any]:
    """The divisors of all parts of a version.

    Args:
        parts: The results of each part, whose exemplars are selected.
        least: The least divisor of each part.

    Returns:
        A dict with, for each part, its name in ``parts``, its D in ``divisors``, and in
        ``sources`` where it comes from: ``sequences``, ``halves`` or ``least``; ``by_row``
        ``(parts, region rows)`` float64: D of each row; the names of the sequences in ``left_out``,
        once for each half; ``quantiles`` ``(parts, left out)`` float64; and ``volumes``
        ``(left out,)`` int64, of how many distances each is the quantile.

    Raises:
        VadlocError: The only training sequence is too short to be halved.
    """
    measured = [_left_out_quantiles(part) for part in parts]
    quantiles = np.array([left_out.quantiles for left_out in measured])
    divisors = [quantiles_to_divisor(*pair) for pair in zip(quantiles, least, strict=True)]
    by_row = [
        divisor * rows_to_factors(left_out.of_rows, divisor)
        for left_out, (divisor, _) in zip(measured, divisors, strict=True)
    ]
    source = "sequences" if len(parts[0].sequences("train")) > 1 else "halves"
    return {
        "parts": [part.version for part in parts],
        "divisors": [divisor for divisor, _ in divisors],
        "sources": [source if is_measured else "least" for _, is_measured in divisors],
        "by_row": np.array(by_row),
        "left_out": measured[0].names,
        "volumes": np.array(measured[0].volumes, np.int64),
        "quantiles": quantiles,
    }


@dataclass(frozen=True)
class _LeftOut:
    """What is known of everything that was left out in turn.

    Attributes:
        names: Its sequences.
        volumes: Their numbers of distances.
        quantiles: Of the distances of each.
        of_rows: ``(region rows,)``: quantiles of all distances in each row of regions.
    """

    names: list[str]
    volumes: list[int]
    quantiles: list[float]
    of_rows: NDArray[np.float64]


def _left_out_quantiles(artifacts: Artifacts) -> _LeftOut:
    quantiles, names, volumes, by_row = [], [], [], []
    for features, distances in _left_out_distances(artifacts):
        grid = features.grid(artifacts.config.regions)
        quantiles.append(float(np.quantile(distances, QUANTILE)))
        names.append(features.sequence)
        volumes.append(distances.size)
        rows = distances.astype(np.float32).reshape(len(distances), *grid.regions)
        by_row.append(rows.swapaxes(0, 1).reshape(grid.regions[0], -1))
    of_rows = np.quantile(np.concatenate(by_row, axis=1), QUANTILE, axis=1)
    return _LeftOut(names, volumes, quantiles, of_rows.astype(np.float64))


def _left_out_distances(
    artifacts: Artifacts,
) -> Iterator[tuple[SequenceFeatures, NDArray[np.float64]]]:
    """All that can be left out, and its distances to the rest, ``(v, regions)``."""
    neighbourhood = artifacts.config.scoring.neighbourhood
    names = [sequence.name for sequence in artifacts.sequences("train")]
    if len(names) == 1:
        whole = load_features(artifacts, "train", names[0])
        for features, model in leave_out(artifacts, whole, join=join_exemplars):
            grid = features.grid(artifacts.config.regions)
            yield features, volume_distances(features, model, grid, neighbourhood=neighbourhood)
        return
    model = join_exemplars([read_exemplars(artifacts, name) for name in names])
    for group in _groups(load_features(artifacts, "train", name) for name in names):
        grid = group[0].grid(artifacts.config.regions)
        distances = distances_to_others(group, model, grid, neighbourhood=neighbourhood)
        yield from zip(group, distances, strict=True)


def _groups(sequences: Iterable[SequenceFeatures]) -> Iterator[list[SequenceFeatures]]:
    """Sequences together as long as they fit in memory: few long comparisons are fast."""
    group: list[SequenceFeatures] = []
    for features in sequences:
        if group and sum(one.values.nbytes for one in (*group, features)) > GROUP_BYTES:
            yield group
            group = []
        group.append(features)
    yield group
