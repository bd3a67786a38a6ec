"""The greedy selection rule of EVAL: keep what is farther than a threshold from all that is kept.

The rule is sequential: in time order, the first volume is kept, and a later one is kept if its
distance to *every* kept one exceeds the threshold. Each volume that is not kept is counted for the
nearest exemplar kept so far (the earliest of equals). ``greedy_selection`` gives exactly the
result of that rule, but takes the volumes in blocks, so that nearly all of the work is matrix
products. For a short list it computes the exact distances of all pairs.
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

    Beside the features, memory is taken for exemplars and one block alone.

    Args:
        features: ``(n, dimension)`` volumes in time order, not scaled, n >= 1.
        counts: ``(n,)`` how many volumes each row stands for (1 for volumes themselves).
        distance: The distance.
        threshold: Largest distance at which an exemplar stands for a volume.

    Returns:
        Rows kept ``(k,)``, ascending, and the number of volumes each stands for ``(k,)``.
    """
    if distance.are_short(len(features), len(features)):
        return _selection_of_few(distance.all_pairs(features, features), counts, threshold)
    basis = distance.basis(features)
    exemplars = basis.rows(features[:0])  # those so far, and room for more
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
    later = kept > np.arange(len(pairs))[:, None]  # exemplars that were not there yet
    index = np.where(later, np.inf, pairs[:, kept]).argmin(axis=1)
    totals = np.zeros(len(kept), np.int64)
    np.add.at(totals, index, counts)
    return kept, totals


def _uncovered(covers: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of a list, in their order, each taken if none that was taken before covers it.

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
    """Rows of the block, counted within it, that become exemplars."""
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
    """Rows of ``x`` within the threshold of some exemplar; only doubtful ones cost more."""
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
    """The exemplar, old or new, that each row of a block counts for that did not become one."""
    x = rows[others]
    part = Approximation(old.keys[others], old.error, squared=old.squared)
    index, best = distance.settle_nearest(part, x.exact, exemplars.exact)
    among_new = approximate(x, rows[new])
    among_new.keys[new >= others[:, None]] = np.inf  # those that came later were not there yet
    new_index, new_best = distance.settle_nearest(among_new, x.exact, rows.exact[new])
    return np.where(new_best < best, old.keys.shape[1] + new_index, index)
