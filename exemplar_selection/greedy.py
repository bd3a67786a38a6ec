"""The greedy selection rule of EVAL: a volume far from all exemplars becomes an exemplar.

The rule goes through the volumes in time order. The first volume becomes an exemplar. A later
volume becomes one if its distance to *every* exemplar so far exceeds the threshold. Otherwise it is
counted for the nearest exemplar so far (the earliest one if several are equally near).
``greedy_selection`` gives exactly the result of this rule, but takes the volumes in blocks, so that
nearly all of the work is matrix products. For a short list it computes the exact distances of all
pairs.
"""

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.distance import (
    Approximation,
    FeatureDistance,
    Rows,
    approximate,
    row_blocks,
)


def greedy_selection(
    features: NDArray[np.floating],
    counts: NDArray[np.int64],
    *,
    distance: FeatureDistance,
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Select exemplars among volumes of one region.

    Beside the features, only the exemplars and one block of volumes are held in memory.

    Args:
        features: ``(n, dimension)`` volumes in time order, not scaled, n >= 1.
        counts: ``(n,)`` how many volumes each row stands for (1 for volumes themselves).
        distance: The distance.
        threshold: Largest distance at which an exemplar stands for a volume.

    Returns:
        The rows of the exemplars ``(k,)``, ascending, and the number of volumes that each exemplar
        stands for ``(k,)``.
    """
    if distance.are_short(len(features), len(features)):
        return _selection_of_few(distance.all_pairs(features, features), counts, threshold)
    basis = distance.basis(features)
    exemplars = basis.rows(features[:0])  # grows with each block
    kept: list[NDArray[np.int64]] = []
    totals = np.zeros(len(features), np.int64)
    first = k = 0
    for block in row_blocks(features):
        rows = basis.rows(block)
        old = approximate(rows, exemplars[:k])
        new = _new_exemplars(rows, old, exemplars, distance, threshold)
        weights = counts[first : first + len(block)]
        totals[k : k + len(new)] = weights[new]
        others = np.delete(np.arange(len(block)), new)
        index = _exemplar_of_others(rows, old, exemplars, others, new, distance)
        np.add.at(totals, index, weights[others])
        exemplars = exemplars.put(k, rows[new])
        kept.append(first + new)
        k += len(new)
        first += len(block)
    return np.concatenate(kept), totals[:k]


def _selection_of_few(
    pairs: NDArray[np.float64], counts: NDArray[np.int64], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``greedy_selection``, given the exact distances of all pairs ``(n, n)``."""
    kept = _uncovered(pairs <= threshold)
    later = kept > np.arange(len(pairs))[:, None]  # exemplars after the volume
    index = np.where(later, np.inf, pairs[:, kept]).argmin(axis=1)
    totals = np.zeros(len(kept), np.int64)
    np.add.at(totals, index, counts)
    return kept, totals


def _uncovered(covers: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of a list that no earlier such row covers, ascending.

    Args:
        covers: ``(n, n)``: whether row i covers row j.
    """
    covered = np.zeros(len(covers), np.bool_)
    taken = []
    for i, others in enumerate(covers):
        if not covered[i]:
            taken.append(i)
            covered |= others
    return np.array(taken, np.int64)


def _new_exemplars(
    rows: Rows, old: Approximation, exemplars: Rows, distance: FeatureDistance, threshold: float
) -> NDArray[np.int64]:
    """The rows of a block that become exemplars, counted from the start of the block."""
    candidates = np.flatnonzero(~_covered(old, rows.exact, exemplars.exact, distance, threshold))
    among = rows[candidates]
    covers = distance.settle_within(approximate(among, among), among.exact, among.exact, threshold)
    return candidates[_uncovered(covers)]


def _covered(
    old: Approximation,
    x: NDArray[np.float64],
    exemplars: NDArray[np.float64],
    distance: FeatureDistance,
    threshold: float,
) -> NDArray[np.bool_]:
    """Which rows of ``x`` are within the threshold of an exemplar.

    Exact distances are computed only where approximate ones leave this open.
    """
    least, limit = old.keys.min(axis=1, initial=np.inf), old.key(threshold)
    covered: NDArray[np.bool_] = least < limit - old.error
    doubtful = np.flatnonzero(np.abs(least - limit) <= old.error)
    part = Approximation(old.keys[doubtful], old.error, squared=old.squared)
    covered[doubtful] = distance.settle_within(part, x[doubtful], exemplars, threshold).any(axis=1)
    return covered


def _exemplar_of_others(
    rows: Rows,
    old: Approximation,
    exemplars: Rows,
    others: NDArray[np.int64],
    new: NDArray[np.int64],
    distance: FeatureDistance,
) -> NDArray[np.int64]:
    """The exemplar, old or new, for which each of the other rows of a block is counted."""
    x = rows[others]
    part = Approximation(old.keys[others], old.error, squared=old.squared)
    index, best = distance.settle_nearest(part, x.exact, exemplars.exact)
    among_new = approximate(x, rows[new])
    among_new.keys[new >= others[:, None]] = np.inf  # exemplars after the row
    new_index, new_best = distance.settle_nearest(among_new, x.exact, rows.exact[new])
    return np.where(new_best < best, old.keys.shape[1] + new_index, index)
