"""What the motion network computes before its convolutions, in compiled loops for a CPU.

Contrast is normalised in the whole frame. The frame is divided into tiles, and the rest is computed
of those in which something has changed; regions that overlap share their tiles. The functions are
those of ``motion.layers`` for a whole frame. Most of them add few numbers over small pictures; the
general operations of a framework would take longer than the convolutions. They release Python's
lock while they compute.

Numba keeps what it has compiled for as long as this file is the same, and compiles anew for other
values that a function closes over. So constants of other files come in as arguments or closures.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from feature_extraction.motion.architecture import (
    AFTER_TILE_PX,
    AROUND_TILE_PX,
    BEFORE_TILE_PX,
    CELL_PX,
    MATCHES,
    MIN_CONTRAST,
    MIN_FRAMES,
    SURROUND_PX,
    TILE_PX,
    Match,
    window_starts,
)

_PER_LEVEL = np.float32(1 / 255)


class TilesAndCosts:
    """What the convolutions are given of the tiles of frames.

    It keeps arrays as large as the frames: new ones at each time step would cost more than what is
    computed in them.

    Args:
        shape: ``(T, height, width)`` of the frames of a time step.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        length, *size = shape
        self._starts, self._size = np.array(window_starts(length)), np.array(size)
        sides = [-(-n // TILE_PX) * TILE_PX + 2 * AROUND_TILE_PX for n in size]
        self._normalised = np.zeros((length, *sides), np.float32)
        self._reduced = [
            np.empty((length, *(n // match.step_px for n in sides)), np.float32)
            for match, _, _ in _of_matches()
        ]

    def look_at(self, pictures: NDArray[np.uint8]) -> None:
        """Take the frames of a time step, brightness 0 to 255.

        ``layers.normalise_contrast`` of them, in a border that stays 0, and reduced.
        """
        inside = self._normalised[:, AROUND_TILE_PX:, AROUND_TILE_PX:]
        _normalise(pictures, inside, SURROUND_PX // 2, np.float32(MIN_CONTRAST))
        for (_, reduce, _), small in zip(_of_matches(), self._reduced, strict=True):
            reduce(self._normalised, small)

    def inputs(self, tiles: NDArray[np.int64]) -> tuple[NDArray[np.float32], ...]:
        """The inputs of the convolutions for the windows of some tiles of the frames.

        Args:
            tiles: ``(n, 2)``: row and column of each tile, in tiles.

        Returns:
            ``layers.window`` of each tile and ``BEFORE_TILE_PX`` and ``AFTER_TILE_PX`` around it,
            ``(windows n, side, side, 4)``, the first windows of all tiles first; which results of
            ``conv1`` lie in the frame, ``(windows n, 1, rows, columns)``, 1 or 0; then for each of
            ``MATCHES`` its costs, ``(windows n, displacements, 16, 16)``.
        """
        count, side = len(self._starts) * len(tiles), BEFORE_TILE_PX + TILE_PX + AFTER_TILE_PX
        shown = np.empty((count, side, side, MIN_FRAMES), np.float32)
        corners = TILE_PX * tiles + AROUND_TILE_PX - BEFORE_TILE_PX
        _show(self._normalised, corners, self._starts, shown)
        found = [shown, _inside(tiles, len(self._starts))]
        cells = TILE_PX // CELL_PX
        for (match, _, match_windows), small in zip(_of_matches(), self._reduced, strict=True):
            costs = np.empty((count, match.displacements, cells, cells), np.float32)
            match_windows(small, tiles, self._starts, self._size, costs)
            found.append(costs)
        return tuple(found)


def _inside(tiles: NDArray[np.int64], windows: int) -> NDArray[np.float32]:
    """Which results of ``conv1`` lie in the frame: all but those before its first rows."""
    side = TILE_PX // 2 + 1
    inside = np.ones((len(tiles), 1, side, side), np.float32)
    inside[tiles[:, 0] == 0, :, 0] = 0
    inside[tiles[:, 1] == 0, :, :, 0] = 0
    return np.tile(inside, (windows, 1, 1, 1))


@cache
def _of_matches() -> list[tuple[Match, Callable[..., None], Callable[..., None]]]:
    """Loops for each size: they take a third of the time if the compiler knows the numbers."""
    return [(match, _reducer(match), _matcher(match)) for match in MATCHES]


@njit(nogil=True, cache=True)
def _normalise(pictures, normalised, reach, least):  # type: ignore[no-untyped-def]  # noqa: C901
    """Write the normalised pictures; the border is left as it is."""
    length, height, width = pictures.shape
    share = np.float32(1 / length)
    sums = np.zeros((height, width), np.float32)
    means = np.empty((height, width), np.float32)
    contrasts = np.empty((height, width), np.float32)
    for y in range(height):
        for t in range(length):
            for x in range(width):
                sums[y, x] += pictures[t, y, x] * _PER_LEVEL
    _surround(sums, share, means, reach)
    sums[:] = 0
    for y in range(height):
        for t in range(length):
            for x in range(width):
                above = pictures[t, y, x] * _PER_LEVEL - means[y, x]
                sums[y, x] += above * above
    _surround(sums, share, contrasts, reach)
    for y in range(height):
        for x in range(width):
            contrasts[y, x] = 1 / (np.sqrt(contrasts[y, x]) + least)
        for t in range(length):
            for x in range(width):
                above = pictures[t, y, x] * _PER_LEVEL - means[y, x]
                normalised[t, y, x] = above * contrasts[y, x]


@njit(nogil=True, cache=True)
def _surround(sums, share, means, reach):  # type: ignore[no-untyped-def]
    """Mean, times a share, over the square round each pixel, as far as there is picture."""
    height, width = sums.shape
    column = np.zeros(width + 2 * reach, np.float32)
    for y in range(height):
        top, bottom = max(0, y - reach), min(height, y + reach + 1)
        column[reach : reach + width] = 0
        for row in range(top, bottom):
            for x in range(width):
                column[reach + x] += sums[row, x]
        means[y] = 0
        for near in range(2 * reach + 1):
            for x in range(width):
                means[y, x] += column[near + x]
        for x in range(width):
            columns = min(width, x + reach + 1) - max(0, x - reach)
            means[y, x] *= share / np.float32((bottom - top) * columns)


@njit(nogil=True, cache=True)
def _show(normalised, corners, starts, shown):  # type: ignore[no-untyped-def]
    """``layers.window`` of each window, four frames; its differences come last."""
    count, at = len(corners), np.uint64  # as in `_matcher`
    side, share = shown.shape[2], np.float32(0.25)
    for k in range(len(shown)):
        t = at(starts[k // count])
        top, left = at(corners[k % count, 0]), at(corners[k % count, 1])
        for y in range(side):
            for x in range(side):  # frame by frame: that is vectorised
                a = normalised[t, top + at(y), left + at(x)]
                b = normalised[t + at(1), top + at(y), left + at(x)]
                c = normalised[t + at(2), top + at(y), left + at(x)]
                d = normalised[t + at(3), top + at(y), left + at(x)]
                shown[k, y, x, 0] = share * (a + b + c + d)
                shown[k, y, x, 1] = np.float32(2) * (b - a)
                shown[k, y, x, 2] = np.float32(2) * (c - b)
                shown[k, y, x, 3] = np.float32(2) * (d - c)


def _reducer(match: Match) -> Callable[..., None]:
    """Means of squares of pixels, as ``match`` says."""
    step = match.step_px
    share = np.float32(1 / step**2)

    @njit(nogil=True, cache=True)
    def reduce(frames, small):  # type: ignore[no-untyped-def]
        for t in range(small.shape[0]):
            for y in range(small.shape[1]):
                for x in range(small.shape[2]):
                    total = np.float32(0)
                    for row in range(step):
                        for column in range(step):
                            total += frames[t, step * y + row, step * x + column]
                    small[t, y, x] = total * share

    return reduce


def _matcher(match: Match) -> Callable[..., None]:  # noqa: C901  plain loops, one below another
    """``layers.matching_costs`` of each window of tiles.

    One function, since numba keeps no compiled function that calls another one made here.
    """
    gap, reach, pairs = match.gap, match.reach, MIN_FRAMES - match.gap
    step, places = match.step_px, 2 * match.reach + 1
    side, cells, stride = TILE_PX // step, TILE_PX // CELL_PX, CELL_PX // step
    wide = side + 2  # one pixel more on each side
    border = AROUND_TILE_PX // step - 1
    share = np.float32(1 / ((stride + 2) ** 2 * pairs))
    at = np.uint64  # places in an array: signed ones might count from its end, which is slow

    @njit(nogil=True, cache=True)
    def match_windows(small, tiles, starts, size, costs):  # type: ignore[no-untyped-def]  # noqa: C901
        squares = np.empty((wide, wide), np.float32)
        column = np.empty(wide, np.float32)
        for k in range(len(costs)):
            first = at(starts[k // len(tiles)])
            top, left = tiles[k % len(tiles), 0] * side, tiles[k % len(tiles), 1] * side
            y_from, x_from = at(top + border), at(left + border)
            bottom = min(wide, size[0] // step + 1 - top)  # of the frame
            right = min(wide, size[1] // step + 1 - left)
            for place in range(places * places):
                y_to = at(top + border - reach + place // places)
                x_to = at(left + border - reach + place % places)
                for y in range(wide):
                    for x in range(wide):
                        total = np.float32(0)
                        for t in range(pairs):
                            here = small[first + at(t), y_from + at(y), x_from + at(x)]
                            there = small[first + at(t + gap), y_to + at(y), x_to + at(x)]
                            total += (here - there) * (here - there)
                        squares[y, x] = total
                if top == 0:
                    squares[0] = 0
                if left == 0:
                    squares[:, 0] = 0
                squares[bottom:] = 0
                squares[:, right:] = 0
                for y in range(cells):
                    for x in range(wide):
                        total = np.float32(0)
                        for row in range(stride + 2):
                            total += squares[stride * y + row, x]
                        column[x] = total
                    for x in range(cells):
                        total = np.float32(0)
                        for near in range(stride + 2):
                            total += column[stride * x + near]
                        costs[k, place, y, x] = total * share

    return match_windows
