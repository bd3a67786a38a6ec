"""What the motion network computes before its convolutions, in compiled loops for a CPU.

The functions are those of the same names in ``motion.layers``. Most of them add few numbers over
small pictures; the general operations of a framework would take longer than the convolutions.
They release Python's lock while they compute.

Numba keeps what it has compiled for as long as this file is the same, and compiles anew for other
values that a function closes over. So constants of other files come in as arguments or closures.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX
from feature_extraction.motion.architecture import (
    MAP_PX,
    MATCHES,
    MIN_CONTRAST,
    MIN_FRAMES,
    SURROUND_PX,
    Match,
    window_starts,
)

_PER_LEVEL = np.float32(1 / 255)

Pictures = NDArray[np.float32]


def windows_and_costs(volumes: NDArray[np.uint8]) -> tuple[Pictures, ...]:
    """The inputs of the convolutions, for the windows of all volumes.

    Args:
        volumes: ``(n, T, 64, 64)`` brightness.

    Returns:
        ``layers.window``, ``(windows n, 4, 64, 64)``, the first windows of all volumes
        first; then for each of ``MATCHES`` its costs, ``(windows n, displacements, 16, 16)``.
    """
    starts = np.array(window_starts(volumes.shape[1]))
    count = len(starts) * len(volumes)
    normalised = np.empty(volumes.shape, np.float32)
    _normalise_contrast(volumes, normalised, SURROUND_PX // 2, np.float32(MIN_CONTRAST))
    shown = np.empty((count, MIN_FRAMES, CROP_PX, CROP_PX), np.float32)
    _show(normalised, starts, shown)
    found = [shown]
    for match, reduce, match_windows in _of_matches():
        side = CROP_PX // match.step_px + 2 * match.reach
        small = np.zeros((*volumes.shape[:2], side, side), np.float32)
        reduce(normalised, small)
        costs = np.empty((count, match.displacements, MAP_PX, MAP_PX), np.float32)
        match_windows(small, starts, costs)
        found.append(costs)
    return tuple(found)


@cache
def _of_matches() -> list[tuple[Match, Callable[..., None], Callable[..., None]]]:
    """Loops for each size: they take a third of the time if the compiler knows the numbers."""
    return [(match, _reducer(match), _matcher(match)) for match in MATCHES]


@njit(nogil=True, cache=True)
def _normalise_contrast(volumes, normalised, reach, least):  # type: ignore[no-untyped-def]
    """``layers.normalise_contrast`` of brightness in 0 to 255."""
    count, length, side, _ = volumes.shape
    share = np.float32(1 / length)
    sums = np.empty((side, side), np.float32)
    around = np.empty((side, side), np.float32)
    for i in range(count):
        frames = normalised[i]
        sums[:] = 0
        for t, y in np.ndindex((length, side)):
            for x in range(side):
                frames[t, y, x] = volumes[i, t, y, x] * _PER_LEVEL
                sums[y, x] += frames[t, y, x]
        _surround(sums, share, around, reach)
        sums[:] = 0
        for t, y in np.ndindex((length, side)):
            for x in range(side):
                frames[t, y, x] -= around[y, x]
                sums[y, x] += frames[t, y, x] * frames[t, y, x]
        _surround(sums, share, around, reach)
        for y, x in np.ndindex(around.shape):
            around[y, x] = 1 / (np.sqrt(around[y, x]) + least)
        for t, y in np.ndindex((length, side)):
            for x in range(side):
                frames[t, y, x] *= around[y, x]


@njit(nogil=True, cache=True)
def _surround(sums, share, around, reach):  # type: ignore[no-untyped-def]
    """Mean, times a share, over the square around each pixel, as far as there is picture."""
    side = len(sums)
    column = np.zeros(side + 2 * reach, np.float32)
    for y in range(side):
        top, bottom = max(0, y - reach), min(side, y + reach + 1)
        column[reach : reach + side] = 0
        for row in range(top, bottom):
            for x in range(side):
                column[reach + x] += sums[row, x]
        for x in range(side):
            total = np.float32(0)
            for near in range(2 * reach + 1):
                total += column[x + near]
            width = min(side, x + reach + 1) - max(0, x - reach)
            around[y, x] = total * share / np.float32((bottom - top) * width)


@njit(nogil=True, cache=True)
def _show(frames, starts, shown):  # type: ignore[no-untyped-def]
    """``layers.window`` of each window."""
    count, _, side, _ = frames.shape
    length = shown.shape[1]
    for k in range(len(shown)):
        i, first = k % count, starts[k // count]
        for y in range(side):
            shown[k, 0, y] = 0
            for t in range(length):
                for x in range(side):
                    shown[k, 0, y, x] += frames[i, first + t, y, x] / np.float32(length)
            for t in range(1, length):
                for x in range(side):
                    step = frames[i, first + t, y, x] - frames[i, first + t - 1, y, x]
                    shown[k, t, y, x] = np.float32(2) * step


def _reducer(match: Match) -> Callable[..., None]:
    """Means of squares of pixels, as ``match`` says, within a border that stays 0."""
    step, border, side = match.step_px, match.reach, CROP_PX // match.step_px
    share = np.float32(1 / step**2)

    @njit(nogil=True, cache=True)
    def reduce(frames, small):  # type: ignore[no-untyped-def]
        for i in range(frames.shape[0]):
            for t in range(frames.shape[1]):
                for y in range(side):
                    for x in range(side):
                        total = np.float32(0)
                        for row in range(step):
                            for column in range(step):
                                total += frames[i, t, step * y + row, step * x + column]
                        small[i, t, border + y, border + x] = total * share

    return reduce


def _matcher(match: Match) -> Callable[..., None]:  # noqa: C901  plain loops, one below another
    """``layers.matching_costs`` of each window.

    One function, since numba keeps no compiled function that calls another one made here.
    """
    gap, reach, pairs = match.gap, match.reach, MIN_FRAMES - match.gap
    side, places = CROP_PX // match.step_px, 2 * match.reach + 1
    map_px, stride = MAP_PX, side // MAP_PX
    share = np.float32(1 / ((stride + 2) ** 2 * pairs))

    @njit(nogil=True, cache=True)
    def match_windows(small, starts, costs):  # type: ignore[no-untyped-def]
        squares = np.zeros((side + 2, side + 2), np.float32)
        column = np.empty(side + 2, np.float32)
        for k, place in np.ndindex(costs.shape[:2]):
            frames, first = small[k % len(small)], starts[k // len(small)]
            down, right = place // places, place % places
            for y in range(side):
                for x in range(side):
                    total = np.float32(0)
                    for t in range(first, first + pairs):
                        later = frames[t + gap, down + y, right + x]
                        change = frames[t, reach + y, reach + x] - later
                        total += change * change
                    squares[1 + y, 1 + x] = total
            for y in range(map_px):
                for x in range(side + 2):
                    total = np.float32(0)
                    for row in range(stride + 2):
                        total += squares[stride * y + row, x]
                    column[x] = total
                for x in range(map_px):
                    total = np.float32(0)
                    for near in range(stride + 2):
                        total += column[stride * x + near]
                    costs[k, place, y, x] = total * share

    return match_windows
