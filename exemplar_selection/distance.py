"""The distance between video volumes, for any list of feature components.

    d(x, y) = sum over components k of w_k * ||f_k(x) - f_k(y)||_2 / Z_k      (EVAL, section 3)

With a *gate*, motion components count only between two volumes that both move, and ``GATE`` is
added if one of the two moves and the other does not.

Features of all components stand side by side in one row. Distances are computed in two ways:

* *Exact* distances come from the differences of coordinates in float64, one pair at a time.
* *Approximate* distances of all pairs of two lists come from matrix products. This is much faster,
  and their error has a bound that can be computed.

Most questions (is this pair within the threshold, which of two rows is nearer) are answered by
approximate distances. Where their error leaves a question open, exact distances answer it. So all
answers are those of exact arithmetic, at about the cost of a matrix product. For two short lists
the exact distances of all pairs are faster still.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import repeat
from operator import iadd
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)
GATE = 3.0
"""What the gate adds to the distance between a volume that moves and one that does not."""

FLOAT32_RANGE = 1e-20, 1e30
"""Range of squared distances that are computed in float32: twice the largest does not overflow, and
the smallest keeps its precision."""

BLOCK_ROWS = 512
"""Rows of a long list that are processed at a time."""

SHORT_LISTS = 1 << 19
"""Two lists are short if all their pairs together have at most this many numbers. Then exact
distances are faster than approximate ones."""

PAIR_NUMBERS = 32
"""The fixed cost of one pair of rows, in numbers that could be processed in the same time."""

TILE_COLUMNS = 256
"""Columns of approximate distances that are computed at a time, so that they stay in the cache."""


@dataclass(frozen=True)
class FeatureDistance:
    """d(x, y) for rows that hold the components side by side.

    Attributes:
        widths: Number of columns of each component.
        scales: Z_k of each component, in the component's unit; a component with Z_k = 0 never
            differed between training volumes and counts with Z_k = 1.
        weights: w_k of each component.
        gated: Which components count only between rows that both move; empty for no gate. With a
            gate, the last component is a single column, 1 for rows that move and 0 for the others,
            and its weight is ``GATE``.
    """

    widths: tuple[int, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    gated: tuple[bool, ...] = ()

    @property
    def dimension(self) -> int:
        """Columns of a row."""
        return sum(self.widths)

    def scaled(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows multiplied by w_k / Z_k, so that d between them is a plain sum of norms.

        Args:
            features: ``(n, dimension)``.

        Returns:
            ``(n, dimension)`` float64.
        """
        scaled: NDArray[np.float64] = features * self._factors
        return scaled

    @cached_property
    def _factors(self) -> NDArray[np.float64]:
        """w_k / Z_k of each column."""
        factors = [w / (z or 1.0) for w, z in zip(self.weights, self.scales, strict=True)]
        return np.repeat(np.array(factors), self.widths)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """First column of each component."""
        return np.cumsum((0, *self.widths[:-1]))

    def split(self, rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """The columns of each component, ``(n, width)``, of rows ``(n, dimension)``."""
        columns = zip(self._starts.tolist(), self.widths, strict=True)
        return [rows[:, first : first + width] for first, width in columns]

    def parts(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exact distance of each component between paired scaled rows.

        Args:
            x: ``(..., dimension)`` scaled rows.
            y: The same shape, or one that broadcasts with it.

        Returns:
            ``(..., components)``: what each component adds to d.
        """
        squares = (x - y) ** 2
        norms: NDArray[np.float64] = np.sqrt(np.add.reduceat(squares, self._starts, axis=-1))
        if self.gated:
            both = (x[..., -1] > 0) & (y[..., -1] > 0)
            norms[..., np.array(self.gated)] *= both[..., None]
        return norms

    def exact(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exact d between paired scaled rows, shape ``(...)``; see ``parts``."""
        total: NDArray[np.float64] = self.parts(x, y).sum(axis=-1)
        return total

    def are_short(self, n: int, m: int) -> bool:
        """Whether lists of n and m rows are so short that ``all_pairs`` is the faster way."""
        return n * m * (self.dimension + PAIR_NUMBERS) <= SHORT_LISTS

    def all_pairs(
        self, features: NDArray[np.floating], others: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Exact d between all rows of two short lists.

        Args:
            features: ``(n, dimension)``, not scaled.
            others: ``(m, dimension)``, not scaled.

        Returns:
            ``(n, m)``.
        """
        return self.exact(self.scaled(features)[:, None], self.scaled(others))

    def basis(
        self, features: NDArray[np.floating], *, centre: NDArray[np.float64] | None = None
    ) -> "Basis":
        """What approximate distances need to know about a whole list; copies no features.

        Args:
            features: ``(n, dimension)``, n >= 1, not scaled.
            centre: The centre of the rows to compare them with; default: the mean of ``features``.
        """
        middle = self.scaled(features.mean(axis=0, dtype=np.float64)) if centre is None else centre
        norms = [_squares(self, block, middle).max(axis=1) for block in row_blocks(features)]
        return Basis(self, middle, np.max(norms, axis=0))

    def rows(
        self, features: NDArray[np.floating], *, centre: NDArray[np.float64] | None = None
    ) -> "Rows":
        """Prepare features for approximate distances; see ``basis``."""
        return self.basis(features, centre=centre).rows(features)

    def nearest(
        self,
        features: NDArray[np.floating],
        others: NDArray[np.floating],
        *,
        excluded: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest row of another list for each row; the first one if several are equally near.

        Args:
            features: ``(n, dimension)``, n >= 1, not scaled.
            others: ``(m, dimension)``, m >= 1, not scaled.
            excluded: Pairs that do not count, ``(n, m)``, not all of a row.

        Returns:
            Row numbers in ``others`` ``(n,)`` and exact distances ``(n,)``.
        """
        if self.are_short(len(features), len(others)):
            pairs = self.all_pairs(features, others)
            if excluded is not None:
                pairs[excluded] = np.inf
            return pairs.argmin(axis=1), pairs.min(axis=1)
        rows, found = self.rows(others), []
        basis = self.basis(features, centre=rows.centre)
        masks: Iterable[Any] = repeat(slice(0)) if excluded is None else row_blocks(excluded)
        for block, mask in zip(row_blocks(features), masks, strict=False):
            x = basis.rows(block)
            about = approximate(x, rows)
            about.keys[mask] = np.inf
            found.append(self.settle_nearest(about, x.exact, rows.exact))
        nearest, distances = zip(*found, strict=True)
        return np.concatenate(nearest), np.concatenate(distances)

    def settle_nearest(
        self, about: "Approximation", x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest row of ``y`` for each row of ``x``, as exact distances would give it.

        Args:
            about: Approximate distances between the rows.
            x: ``(n, dimension)``, scaled.
            y: ``(m, dimension)``, scaled.

        Returns:
            The same as ``nearest``, but -1 and infinity for a row without finite keys.
        """
        keys = about.keys.min(axis=1, initial=np.inf)
        reach = np.where(np.isinf(keys), -np.inf, keys + 2 * about.error)
        rows, candidates = _nonzero(about.keys <= reach[:, None].astype(about.keys.dtype))
        distances = self.exact(x[rows], y[candidates])
        order = np.lexsort((candidates, distances, rows))
        first = order[np.flatnonzero(np.diff(rows[order], prepend=-1))]  # of each row's candidates
        nearest, least = np.full(len(x), -1), np.full(len(x), np.inf)
        nearest[rows[first]] = candidates[first]
        least[rows[first]] = distances[first]
        return nearest, least

    def settle_within(
        self,
        about: "Approximation",
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        threshold: float,
    ) -> NDArray[np.bool_]:
        """Whether d <= threshold, ``(n, m)``; for the arguments see ``settle_nearest``."""
        limit = about.key(threshold)
        result = about.keys < limit - about.error
        i, j = _nonzero(np.abs(about.keys - limit) <= about.error)
        result[i, j] = self.exact(x[i], y[j]) <= threshold
        return result


@dataclass(frozen=True)
class Approximation:
    """Approximate distances of all pairs of two lists of rows.

    Attributes:
        keys: ``(n, m)``: d, or its square; infinity excludes a pair.
        error: Largest possible difference between a key and its exact value.
        squared: Whether keys are squares.
    """

    keys: NDArray[np.floating]
    error: float
    squared: bool

    def key(self, distance: float) -> float:
        """The key of a distance: the distance, or its square."""
        return distance * distance if self.squared else distance


@dataclass(frozen=True)
class Basis:
    """What the rows of one list have in common, so that they can be prepared part by part.

    With one component, squared distances are computed in float32 if they are within its range.
    With several components, each needs a square root. It would enlarge the rounding errors of
    float32, so float64 is used.

    Attributes:
        distance: The distance.
        centre: ``(dimension,)``, scaled. It is subtracted only for the products, which makes them
            more precise.
        norms: ``(components,)``: largest squared distance from the centre, for each component.
    """

    distance: FeatureDistance
    centre: NDArray[np.float64]
    norms: NDArray[np.float64]

    @property
    def dtype(self) -> type[np.floating]:
        """Precision of the products."""
        least, most = FLOAT32_RANGE
        return np.float32 if len(self.norms) == 1 and least < self.norms[0] < most else np.float64

    def rows(self, features: NDArray[np.floating]) -> "Rows":
        """Prepare some rows of the list.

        Args:
            features: ``(n, dimension)``, not scaled.
        """
        exact = self.distance.scaled(features)
        ones = np.ones(len(exact))
        right = [
            np.column_stack((-2 * part, ones, np.einsum("ij,ij->i", part, part))).astype(
                self.dtype, copy=False
            )
            for part in self.distance.split(exact - self.centre)
        ]
        return Rows(self, exact, right)


@dataclass(frozen=True)
class Rows:
    """Scaled rows, with what their matrix products need.

    A squared distance is one product: |x - y|^2 = (x, |x|^2, 1) . (-2 y, 1, |y|^2).

    Attributes:
        basis: The basis of the list that the rows belong to.
        exact: The rows, ``(n, dimension)`` float64, scaled.
        right: The right factor of the product, ``(n, width + 2)``, for each component.
    """

    basis: Basis
    exact: NDArray[np.float64]
    right: list[NDArray[np.floating]]

    @property
    def centre(self) -> NDArray[np.float64]:
        """The centre of the basis."""
        return self.basis.centre

    @cached_property
    def left(self) -> list[NDArray[np.floating]]:
        """The left factor of the product, ``(n, width + 2)``, for each component."""
        return [
            np.column_stack((part[:, :-2] * part.dtype.type(-0.5), part[:, -1], part[:, -2]))
            for part in self.right
        ]

    def __getitem__(self, which: NDArray[np.int64] | slice) -> "Rows":
        """Some of the rows."""
        return Rows(self.basis, self.exact[which], [part[which] for part in self.right])

    def put(self, first: int, more: "Rows") -> "Rows":
        """The rows before ``first``, then ``more`` of the same basis, then room for later rows."""
        right = [_put(mine, first, new) for mine, new in zip(self.right, more.right, strict=True)]
        return Rows(self.basis, _put(self.exact, first, more.exact), right)


def _put(array: NDArray[np.floating], first: int, new: NDArray[np.floating]) -> NDArray[Any]:
    """The array with new rows from ``first`` on; a copy twice as long if they do not fit."""
    if first + len(new) > len(array):
        room = np.empty((len(array) + len(new), *array.shape[1:]), array.dtype)
        array = np.concatenate((array[:first], room))
    array[first : first + len(new)] = new
    return array


def row_blocks(array: NDArray[_Scalar]) -> Iterator[NDArray[_Scalar]]:
    """An array in parts of at most ``BLOCK_ROWS`` rows."""
    return (array[first : first + BLOCK_ROWS] for first in range(0, len(array), BLOCK_ROWS))


def _squares(
    distance: FeatureDistance, features: NDArray[np.floating], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared distances of rows from a centre, ``(components, n)``."""
    parts = distance.split(distance.scaled(features) - centre)
    return np.stack([np.einsum("ij,ij->i", part, part) for part in parts])


def _nonzero(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``np.nonzero`` of a matrix, several times faster where few elements are true."""
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return rows, columns


def _both_move(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether both rows of each pair move, ``(n, m)``, by their last column."""
    return (x[:, -1:] > 0) & (y[:, -1] > 0)


def approximate(x: Rows, y: Rows) -> Approximation:
    """Approximate distances between all rows of two lists, by matrix products.

    The bound on the error: a product of w + 2 terms in precision u is wrong by at most (w + 2) u
    times the sum of the absolute terms. This sum is at most 2 (|x|^2 + |y|^2). Rounding the
    coordinates themselves adds less than 8 u (|x|^2 + |y|^2).
    """
    distance = x.basis.distance
    coarser = max(np.finfo(basis.dtype).eps for basis in (x.basis, y.basis))
    precision = float(coarser) / 2
    norms = x.basis.norms + y.basis.norms
    errors = (2 * np.array(distance.widths) + 16) * precision * norms
    if len(norms) == 1:
        return Approximation(x.left[0] @ y.right[0].T, float(errors[0]), squared=True)
    keys = np.empty((len(x.exact), len(y.exact)))
    for first in range(0, len(y.exact), TILE_COLUMNS):
        tile = slice(first, first + TILE_COLUMNS)
        keys[:, tile] = reduce(iadd, _roots(x, y[tile]))
    rounding = 4 * len(norms) * precision * float(np.sqrt(2 * norms).sum())
    return Approximation(keys, float(np.sqrt(errors).sum()) + rounding, squared=False)


def _roots(x: Rows, y: Rows) -> Iterator[NDArray[np.floating]]:
    """What each component adds to the distances of all rows of two lists, ``(n, m)``."""
    gated = x.basis.distance.gated
    both = _both_move(x.exact, y.exact) if gated else None
    for k, (left, right) in enumerate(zip(x.left, y.right, strict=True)):
        part = left @ right.T
        np.maximum(part, 0, out=part)
        np.sqrt(part, out=part)
        if both is not None and gated[k]:
            part *= both
        yield part
