"""The distance between video volumes, for any list of feature components.

    d(x, y) = sum over components k of w_k * ||f_k(x) - f_k(y)||_2 / Z_k      (EVAL, section 3)

and, with a *gate*, motion components count only between volumes that both move, and ``GATE`` is
added between one that moves and one that does not.

Features of all components stand side by side in one row. *Exact* distances are taken from the
differences of coordinates in float64, one pair at a time. A *screen* takes those of all pairs of
two lists from matrix products, to within a bound that it states; what it leaves undecided (is this
pair within the threshold, which of two is nearer) is settled by exact distances. So all decisions
are those of exact arithmetic at about the cost of a matrix product.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

GATE = 3.0
"""Distance between a volume that moves and one that does not, beside that of their appearance."""

FLOAT32_RANGE = 1e-20, 1e30
"""Squared distances of which float32 holds twice the largest and, well enough, the smallest."""


@dataclass(frozen=True)
class FeatureDistance:
    """d(x, y) for rows that hold the components side by side.

    Attributes:
        widths: Number of columns of each component.
        scales: Z_k of each component, in the component's unit; a component with Z_k = 0 never
            differed between training volumes and counts with Z_k = 1.
        weights: w_k of each component.
        gated: Which components count only between rows that both move; empty for no gate. With
            one, the last component is a single column, 1 for rows that move and 0 for the others,
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
        """Rows multiplied by w_k / Z_k: between them d is a plain sum of norms.

        Args:
            features: ``(n, dimension)``.

        Returns:
            ``(n, dimension)`` float64.
        """
        factors = [w / (z or 1.0) for w, z in zip(self.weights, self.scales, strict=True)]
        scaled: NDArray[np.float64] = features * np.repeat(np.array(factors), self.widths)
        return scaled

    def parts(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exact distances between scaled rows in pairs, component by component.

        Args:
            x: ``(..., dimension)`` scaled rows.
            y: The same shape, or one that broadcasts with it.

        Returns:
            ``(..., components)``: what each component adds to d.
        """
        squares = (x - y) ** 2
        starts = np.cumsum((0, *self.widths[:-1]))
        norms: NDArray[np.float64] = np.sqrt(np.add.reduceat(squares, starts, axis=-1))
        if self.gated:
            both = (x[..., -1] > 0) & (y[..., -1] > 0)
            norms[..., np.array(self.gated)] *= both[..., None]
        return norms

    def exact(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Exact d between scaled rows in pairs, shape ``(...)``; see ``parts``."""
        total: NDArray[np.float64] = self.parts(x, y).sum(axis=-1)
        return total

    def rows(
        self, features: NDArray[np.floating], *, centre: NDArray[np.float64] | None = None
    ) -> "Rows":
        """Prepare features for screens.

        Args:
            features: ``(n, dimension)``, n >= 1, not scaled.
            centre: ``Rows.centre`` of the rows they will be compared with; by default their mean.
        """
        exact = self.scaled(features)
        middle = exact.mean(axis=0) if centre is None else centre
        return Rows(exact, self.widths, middle, self.gated)

    def nearest(self, x: "Rows", y: "Rows") -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest row of ``y`` for each row of ``x``; the first of equals.

        Returns:
            Rows of ``y`` ``(n,)`` and exact distances ``(n,)``.
        """
        return self.settle_nearest(screen(x, y), x.exact, y.exact)

    def settle_nearest(
        self, about: "Screen", x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """``nearest`` on a screen of these rows; -1 and infinity for a row without finite keys."""
        least = about.keys.min(axis=1)
        reach = np.where(np.isinf(least), -np.inf, least + 2 * about.error)
        rows, candidates = _nonzero(about.keys <= reach[:, None].astype(about.keys.dtype))
        distances = self.exact(x[rows], y[candidates])
        order = np.lexsort((candidates, distances, rows))
        settled, first = np.unique(rows[order], return_index=True)
        place, best = np.full(len(x), -1), np.full(len(x), np.inf)
        place[settled] = candidates[order[first]]
        best[settled] = distances[order[first]]
        return place, best

    def settle_within(
        self, about: "Screen", x: NDArray[np.float64], y: NDArray[np.float64], threshold: float
    ) -> NDArray[np.bool_]:
        """Whether d <= threshold, ``(n, m)``, on a screen of these rows."""
        limit = about.key(threshold)
        result = about.keys < limit - about.error
        i, j = _nonzero(np.abs(about.keys - limit) <= about.error)
        result[i, j] = self.exact(x[i], y[j]) <= threshold
        return result


@dataclass(frozen=True)
class Screen:
    """Distances of all pairs of two lists of rows, not quite exact.

    Attributes:
        keys: ``(n, m)``: d, or its square; may be set to infinity to take pairs out.
        error: Largest possible difference between a key and its exact value.
        squared: Whether keys are squares.
    """

    keys: NDArray[np.floating]
    error: float
    squared: bool

    def key(self, distance: float) -> float:
        """A distance on the scale of the keys."""
        return distance * distance if self.squared else distance


@dataclass(frozen=True)
class Rows:
    """Scaled rows, with the factors of their matrix products.

    A squared distance is one product: |x - y|^2 = (x, |x|^2, 1) . (-2 y, 1, |y|^2). One component
    is screened by squared distances in float32, if they are within its range; several need a square
    root each, which would blow up the rounding of float32, and are screened in float64.

    Attributes:
        exact: ``(n, dimension)`` float64, scaled.
        widths: Columns of each component.
        centre: ``(dimension,)``, subtracted for the products only, which makes them more precise.
        gated: See ``FeatureDistance``.
        left: ``(n, width + 2)`` for each component.
        right: ``(n, width + 2)`` for each component.
        norms: Largest squared norm of each component.
    """

    exact: NDArray[np.float64]
    widths: tuple[int, ...]
    centre: NDArray[np.float64]
    gated: tuple[bool, ...] = ()
    left: list[NDArray[np.floating]] = field(init=False, default_factory=list)
    right: list[NDArray[np.floating]] = field(init=False, default_factory=list)
    norms: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Fill the factors."""
        ones = np.ones(len(self.exact))
        parts = np.split(self.exact - self.centre, np.cumsum(self.widths)[:-1], axis=1)
        squares = [np.einsum("ij,ij->i", part, part) for part in parts]
        self.norms.extend(float(norms.max()) for norms in squares)
        single = len(parts) == 1 and FLOAT32_RANGE[0] < self.norms[0] < FLOAT32_RANGE[1]
        dtype = np.float32 if single else np.float64
        for part, norms in zip(parts, squares, strict=True):
            self.left.append(np.column_stack((part, norms, ones)).astype(dtype))
            self.right.append(np.column_stack((-2 * part, ones, norms)).astype(dtype))

    def move(self, source: NDArray[np.int64], target: int) -> None:
        """Copy the rows ``source`` to the places from ``target`` on."""
        for array in (self.exact, *self.left, *self.right):
            array[target : target + len(source)] = array[source]


def _nonzero(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``np.nonzero`` of a matrix, several times faster where little is set."""
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return rows, columns


def _both_move(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether both rows of each pair move, ``(n, m)``, by their last column."""
    return (x[:, -1:] > 0) & (y[:, -1] > 0)


def screen(x: Rows, y: Rows, x_rows: slice = slice(None), y_rows: slice = slice(None)) -> Screen:
    """Distances between all rows of two lists (or slices of them) by matrix products.

    The bound on the error: a product of w + 2 terms in precision u is off by at most (w + 2) u
    times the sum of the absolute terms, which is at most 2 (|x|^2 + |y|^2); rounding the
    coordinates themselves adds less than 8 u (|x|^2 + |y|^2).
    """
    squares = [a[x_rows] @ b[y_rows].T for a, b in zip(x.left, y.right, strict=True)]
    types = {array.dtype for array in (*x.left, *y.right)}
    precision = max(float(np.finfo(dtype).eps) for dtype in types) / 2
    norms = np.add(x.norms, y.norms)
    errors = (2 * np.array(x.widths) + 16) * precision * norms
    if len(squares) == 1:
        return Screen(squares[0], float(errors[0]), squared=True)
    total = np.zeros_like(squares[0])
    both = _both_move(x.exact[x_rows], y.exact[y_rows]) if x.gated else None
    for k, part in enumerate(squares):
        np.maximum(part, 0, out=part)
        np.sqrt(part, out=part)
        if both is not None and x.gated[k]:
            part *= both
        total += part
    rounding = 4 * len(squares) * precision * float(np.sqrt(2 * norms).sum())
    return Screen(total, float(np.sqrt(errors).sum()) + rounding, squared=False)
