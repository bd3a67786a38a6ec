"""Sort scores faster than a general sort does."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def descending_order(scores: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Indices from the highest score to the lowest; equal scores may have any order.

    Args:
        scores: ``(n,)`` scores, no NaN.

    Returns:
        ``(n,)`` indices.
    """
    if scores.dtype == np.float32:
        return np.asarray(_radix_order(scores.view(np.uint32))).view(np.int32)
    return np.argsort(-scores).astype(np.int32)


@njit(cache=True, nogil=True)
def _radix_order(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Indices from the highest float32 to the lowest: a radix sort in three passes of 11 bits."""
    n = len(bits)
    keys, spare_keys = np.empty(n, np.uint32), np.empty(n, np.uint32)
    order, spare = np.empty(n, np.uint32), np.empty(n, np.uint32)
    places = np.zeros((3, 2048), np.uint32)
    low, middle, high = places[0], places[1], places[2]
    for i in range(n):
        # With all bits but the sign flipped, larger positive floats have smaller bits.
        key = bits[i] if bits[i] >> np.uint32(31) else ~bits[i] & np.uint32(0x7FFFFFFF)
        keys[i], order[i] = key, i
        low[key & np.uint32(2047)] += np.uint32(1)
        middle[key >> np.uint32(11) & np.uint32(2047)] += np.uint32(1)
        high[key >> np.uint32(22)] += np.uint32(1)
    _scatter(keys, order, low, np.uint32(0), spare_keys, spare)
    _scatter(spare_keys, spare, middle, np.uint32(11), keys, order)
    _scatter(keys, order, high, np.uint32(22), spare_keys, spare)
    return spare


@njit(cache=True, nogil=True)
def _scatter(
    keys: NDArray[np.uint32],
    order: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    shift: np.uint32,
    sorted_keys: NDArray[np.uint32],
    sorted_order: NDArray[np.uint32],
) -> None:
    """Sort by one digit (stable); the keys are moved too, so that they are never looked up."""
    before = np.uint32(0)
    for i in range(len(counts)):
        counts[i], before = before, np.uint32(before + counts[i])
    for i in range(len(keys)):
        key = keys[i]
        digit = key >> shift & np.uint32(2047)
        place = counts[digit]
        sorted_keys[place], sorted_order[place] = key, order[i]
        counts[digit] = np.uint32(place + 1)
