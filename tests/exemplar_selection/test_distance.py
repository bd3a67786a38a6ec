"""Approximate distances keep their bound; all decisions are those of plain arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import exemplar_selection.distance
from exemplar_selection.distance import (
    GATE,
    FeatureDistance,
    approximate,
)


@st.composite
def distances(draw: st.DrawFn) -> FeatureDistance:
    widths = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    number = st.sampled_from([1e-3, 0.3, 1.0, 7.0, 1e4])
    scales = tuple(draw(number | st.just(0.0)) for _ in widths)
    weights = tuple(draw(number) for _ in widths)
    if not draw(st.booleans()):
        return FeatureDistance(widths, scales, weights)
    gated = (*(draw(st.booleans()) for _ in widths), False)
    return FeatureDistance((*widths, 1), (*scales, 1.0), (*weights, GATE), gated)


@st.composite
def pairs_of_lists(
    draw: st.DrawFn,
) -> tuple[FeatureDistance, NDArray[np.float32], NDArray[np.float32]]:
    """A distance and two lists of rows: rounded or not, repeated, far from zero, tiny or huge."""
    distance = draw(distances())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    rows = random.normal(size=(n + m, distance.dimension))
    if draw(st.booleans()):
        rows = np.round(rows)
    repeats = random.integers(0, n + m, size=(n + m) // 2)
    rows[random.integers(0, n + m, size=len(repeats))] = rows[repeats]
    size = 10.0 ** draw(st.integers(-40, 30))
    offset = draw(st.sampled_from([0.0, 1.0, 1e3, 1e6]))
    single = ((rows + offset) * size).astype(np.float32)
    if distance.gated:
        single[:, -1] = random.integers(0, 2, n + m)
    return distance, single[:n], single[n:]


def plain_distance(
    distance: FeatureDistance, x: NDArray[np.float32], y: NDArray[np.float32]
) -> float:
    """The formula, with exactly rounded sums."""
    total, first = [], 0
    gated = distance.gated or (False,) * len(distance.widths)
    for width, scale, weight, moving_only in zip(
        distance.widths, distance.scales, distance.weights, gated, strict=True
    ):
        columns = slice(first, first + width)
        difference = x[columns].astype(float) - y[columns].astype(float)
        if not moving_only or (x[-1] == 1 and y[-1] == 1):
            total.append(weight * math.hypot(*difference) / (scale or 1.0))
        first += width
    return math.fsum(total)


def test_gate_by_hand() -> None:
    """Appearance of width 2, motion of width 1, and whether it moves."""
    distance = FeatureDistance((2, 1, 1), (5.0, 2.0, 1.0), (1.0, 1.0, GATE), (False, True, False))
    moving, other, still, empty = distance.scaled(
        np.array([[3.0, 4.0, 6.0, 1.0], [0, 0, 2, 1], [0, 0, 9, 0], [3, 4, 0, 0]])
    )
    assert distance.parts(moving, other).tolist() == [1.0, 2.0, 0.0]
    assert distance.parts(moving, still).tolist() == [1.0, 0.0, 3.0]
    assert distance.parts(still, empty).tolist() == [1.0, 0.0, 0.0]


def test_distance_of_two_components_by_hand() -> None:
    distance = FeatureDistance((2, 3), (5.0, 2.0), (1.0, 0.5))
    x = distance.scaled(np.array([[3.0, 4.0, 0.0, 2.0, 0.0]]))
    y = distance.scaled(np.zeros((1, 5)))
    # 1 * |(3, 4)| / 5 = 1, and 0.5 * |(0, 2, 0)| / 2 = 0.5.
    assert distance.parts(x, y) == pytest.approx(np.array([[1.0, 0.5]]))
    assert distance.exact(x, y) == pytest.approx([1.5])
    assert distance.dimension == 5


def test_a_component_that_never_differed_counts_unscaled() -> None:
    distance = FeatureDistance((1,), (0.0,), (1.0,))
    x, y = distance.scaled(np.array([[2.0]])), distance.scaled(np.array([[5.0]]))
    assert distance.exact(x, y).tolist() == [3.0]


@given(pairs_of_lists())
def test_exact_distances_are_those_of_the_formula(
    case: tuple[FeatureDistance, NDArray[np.float32], NDArray[np.float32]],
) -> None:
    distance, x, y = case
    got = distance.exact(distance.scaled(x)[:, None], distance.scaled(y)[None])
    expected = [[plain_distance(distance, a, b) for b in y] for a in x]
    largest = max(plain_distance(distance, a, np.zeros_like(a)) for a in (*x, *y))
    assert got == pytest.approx(np.array(expected), rel=1e-9, abs=1e-14 * largest)


@given(pairs_of_lists(), st.sampled_from([1, 3, 256]))
def test_screens_keep_their_bound(
    case: tuple[FeatureDistance, NDArray[np.float32], NDArray[np.float32]], tile: int
) -> None:
    distance, x, y = case
    left = distance.rows(x)
    right = distance.rows(y, centre=left.centre)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exemplar_selection.distance, "TILE_COLUMNS", tile)
        about = approximate(left, right)
    exact = distance.exact(left.exact[:, None], right.exact[None])
    wanted = exact**2 if about.squared else exact
    assert (np.abs(about.keys - wanted) <= about.error).all()
    part = approximate(left[:2], right[1:])
    assert part.keys.shape == about.keys[:2, 1:].shape
    assert (np.abs(part.keys - wanted[:2, 1:]) <= part.error).all()


@given(pairs_of_lists(), st.sampled_from([1, 3, 512]), st.sampled_from([0, 1000, 1 << 20]))
def test_nearest_is_the_first_of_the_least(
    case: tuple[FeatureDistance, NDArray[np.float32], NDArray[np.float32]], block: int, short: int
) -> None:
    distance, x, y = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exemplar_selection.distance, "BLOCK_ROWS", block)
        patch.setattr(exemplar_selection.distance, "SHORT_LISTS", short)
        place, best = distance.nearest(x, y)
    left, right = distance.scaled(x), distance.scaled(y)
    exact = np.array([[float(distance.exact(a, b)) for b in right] for a in left])
    assert np.array_equal(place, exact.argmin(axis=1))
    assert np.array_equal(best, exact.min(axis=1))


@given(pairs_of_lists(), st.data())
def test_within_a_threshold_that_occurs(
    case: tuple[FeatureDistance, NDArray[np.float32], NDArray[np.float32]], data: st.DataObject
) -> None:
    distance, x, y = case
    left = distance.rows(x)
    right = distance.rows(y, centre=left.centre)
    exact = distance.exact(left.exact[:, None], right.exact[None])
    threshold = data.draw(st.sampled_from([0.0, *exact.ravel().tolist(), exact.mean()]))
    got = distance.settle_within(approximate(left, right), left.exact, right.exact, threshold)
    assert np.array_equal(got, exact <= threshold)


def test_rows_without_a_finite_key_have_no_nearest() -> None:
    distance = FeatureDistance((1,), (1.0,), (1.0,))
    rows = distance.rows(np.array([[0.0], [3.0]]))
    about = approximate(rows, rows)
    about.keys[0] = np.inf
    place, best = distance.settle_nearest(about, rows.exact, rows.exact)
    assert place.tolist() == [-1, 1]
    assert best.tolist() == [np.inf, 0.0]
