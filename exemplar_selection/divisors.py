"""The divisors that bring the distances of a version's parts to one scale.

Each part has a distance of its own, whose size says nothing: D, its divisor, is what normal video
reaches. Each training sequence is left out in turn: the .999 quantile of the distances of its
volumes to the exemplars of the other training sequences is taken, and D is the mean over the
sequences. The only training sequence is halved, and each half is compared with the other one.

D is never below the least divisor of the part (``vadloc.versions.Part``): where left-out volumes
are nearer than that, as in video without movement, the smallest difference would count beyond
measure.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import join_exemplars
from exemplar_selection.left_out import leave_out, read_exemplars
from exemplar_selection.nearest import volume_distances
from vadloc.artifacts import Artifacts
from vadloc.features import load_features

QUANTILE = 0.999


def quantiles_to_divisor(quantiles: NDArray[np.float64], least: float) -> tuple[float, bool]:
    """D of one part, and whether it is the mean of the quantiles and not the least divisor.

    Args:
        quantiles: ``(left out,)``: of each sequence or half that was left out.
        least: The least divisor of the part.
    """
    mean = float(quantiles.mean())
    return max(mean, least), mean >= least


def measure_divisors(parts: Sequence[Artifacts], least: Sequence[float]) -> dict[str, Any]:
    """The divisors of all parts of a version.

    Args:
        parts: The results of each part, whose exemplars are selected.
        least: The least divisor of each part.

    Returns:
        A dict with, for each part, its name in ``parts``, its D in ``divisors``, and in
        ``sources`` where it comes from: ``sequences``, ``halves`` or ``least``; the names of the
        sequences in ``left_out``, once for each half; ``quantiles`` ``(parts, left out)`` float64;
        and ``volumes`` ``(left out,)`` int64, of how many distances each is the quantile.

    Raises:
        VadlocError: The only training sequence is too short to be halved.
    """
    measured = [_left_out_quantiles(part) for part in parts]
    names, volumes = measured[0][1:]
    quantiles = np.array([values for values, _, _ in measured])
    divisors = [quantiles_to_divisor(*pair) for pair in zip(quantiles, least, strict=True)]
    source = "sequences" if len(parts[0].sequences("train")) > 1 else "halves"
    return {
        "parts": [part.version for part in parts],
        "divisors": [divisor for divisor, _ in divisors],
        "sources": [source if is_measured else "least" for _, is_measured in divisors],
        "left_out": names,
        "volumes": np.array(volumes, np.int64),
        "quantiles": quantiles,
    }


def _left_out_quantiles(artifacts: Artifacts) -> tuple[list[float], list[str], list[int]]:
    """The quantile, the name and the number of volumes of everything that is left out in turn."""
    neighbourhood = artifacts.config.scoring.neighbourhood
    read = cache(partial(read_exemplars, artifacts))
    quantiles, names, volumes = [], [], []
    for sequence in artifacts.sequences("train"):
        whole = load_features(artifacts, "train", sequence.name)
        for features, model in leave_out(artifacts, whole, join=join_exemplars, read=read):
            grid = features.grid(artifacts.config.regions)
            distances = volume_distances(features, model, grid, neighbourhood=neighbourhood)
            quantiles.append(float(np.quantile(distances, QUANTILE)))
            names.append(sequence.name)
            volumes.append(distances.size)
    return quantiles, names, volumes
