"""The greedy selection rule of EVAL: keep what is farther than a threshold from all that is kept.

The rule is sequential: in time order, the first volume is kept, and a later one is kept if its
distance to *every* kept one exceeds the threshold. Each volume that is not kept is counted for the
nearest exemplar kept so far (the earliest of equals). ``greedy_selection`` gives exactly the
result of that rule, but takes the volumes in blocks, so that nearly all of the work is matrix
products.
"""

import numpy as np
from numpy.typing import NDArray

from vadloc.distance import FeatureDistance, Rows, Screen, screen

BLOCK = 512


def greedy_selection(
    features: NDArray[np.floating],
    counts: NDArray[np.int64],
    *,
    distance: FeatureDistance,
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Select exemplars among volumes of one region.

    Args:
        features: ``(n, dimension)`` volumes in time order, not scaled, n >= 1.
        counts: ``(n,)`` how many volumes each row stands for (1 for volumes themselves).
        distance: The distance.
        threshold: Largest distance at which an exemplar stands for a volume.

    Returns:
        Rows kept ``(k,)``, ascending, and the number of volumes each stands for ``(k,)``.
    """
    rows = distance.rows(features)
    kept: list[NDArray[np.int64]] = []
    totals = np.zeros(len(features), np.int64)
    k = 0
    for first in range(0, len(features), BLOCK):
        # The k exemplars so far stand in the first k rows; no block that is still to come does.
        block = slice(first, min(first + BLOCK, len(features)))
        old = screen(rows, rows, block, slice(k)) if k else None
        own = screen(rows, rows, block, block)
        new = _new_exemplars(rows, block, old, own, distance, threshold)
        totals[k : k + len(new)] = counts[first + new]
        _count_others(rows, block, old, own, new, distance, counts[block], totals)
        rows.move(first + new, k)
        kept.append(first + new)
        k += len(new)
    return np.concatenate(kept), totals[:k]


def _new_exemplars(
    rows: Rows,
    block: slice,
    old: Screen | None,
    own: Screen,
    distance: FeatureDistance,
    threshold: float,
) -> NDArray[np.int64]:
    """Rows of the block, counted within it, that become exemplars."""
    exact = rows.exact[block]
    candidates = np.arange(len(exact))
    if old is not None:
        candidates = candidates[~_covered(old, exact, rows.exact, distance, threshold)]
    among = Screen(own.keys[np.ix_(candidates, candidates)], own.error, squared=own.squared)
    covers = distance.settle_within(among, exact[candidates], exact[candidates], threshold)
    covered = np.zeros(len(candidates), np.bool_)
    new = []
    for i, candidate in enumerate(candidates):
        if not covered[i]:
            new.append(candidate)
            covered |= covers[i]
    return np.array(new, np.int64)


def _covered(
    old: Screen,
    x: NDArray[np.float64],
    exemplars: NDArray[np.float64],
    distance: FeatureDistance,
    threshold: float,
) -> NDArray[np.bool_]:
    """Rows of ``x`` within the threshold of some exemplar; only doubtful ones cost more."""
    least, limit = old.keys.min(axis=1), old.key(threshold)
    covered: NDArray[np.bool_] = least < limit - old.error
    doubtful = np.flatnonzero(np.abs(least - limit) <= old.error)
    part = Screen(old.keys[doubtful], old.error, squared=old.squared)
    covered[doubtful] = distance.settle_within(part, x[doubtful], exemplars, threshold).any(axis=1)
    return covered


def _count_others(
    rows: Rows,
    block: slice,
    old: Screen | None,
    own: Screen,
    new: NDArray[np.int64],
    distance: FeatureDistance,
    counts: NDArray[np.int64],
    totals: NDArray[np.int64],
) -> None:
    """Count the rows of a block that were not kept for their exemplars, old or new."""
    others = np.setdiff1d(np.arange(len(counts)), new)
    if not len(others):
        return
    x = rows.exact[block][others]
    place, best = np.full(len(others), -1), np.full(len(others), np.inf)
    k = 0
    if old is not None:
        k = old.keys.shape[1]
        part = Screen(old.keys[others], old.error, squared=old.squared)
        place, best = distance.settle_nearest(part, x, rows.exact)
    if len(new):
        keys = np.where(new < others[:, None], own.keys[np.ix_(others, new)], np.inf)
        part = Screen(keys, own.error, squared=own.squared)
        new_place, new_best = distance.settle_nearest(part, x, rows.exact[block][new])
        place = np.where(new_best < best, k + new_place, place)
    np.add.at(totals, place, counts[others])
