"""Basins of a frame: drawings, and components as SciPy labels them at every threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import ndimage

from evaluation.criteria.basins import Basins
from evaluation.criteria.kernels import (
    JOIN,
    PEAK,
)
from vadloc.errors import VadlocError

CORNERS = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3), np.bool_)}


def basins_of(scores: NDArray[np.float32], connectivity: int = 8) -> Basins:
    """The basins of one frame."""
    basins = Basins(scores.shape, connectivity=connectivity)
    basins.find(scores)
    return basins


def test_drawn_two_hills_and_the_pass_between_them() -> None:
    picture = """
        12321
        11111
        12541"""
    scores = np.array([list(line) for line in picture.split()], np.float32)
    basins = basins_of(scores)
    assert basins.count == 2
    assert np.argwhere(basins.kind & PEAK).tolist() == [[0, 2], [2, 2]]
    # The hills of 3 and 5 are apart at 2 and meet over a cell of 1.
    assert basins.joins.score.tolist() == [1]
    assert scores[basins.kind & JOIN != 0].tolist() == [1]


MAPS = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from(range(6))
)


@settings(max_examples=200)
@given(MAPS, st.sampled_from([4, 8]))
def test_components_are_peaks_less_joins_at_every_threshold(
    scores: NDArray[np.float32], connectivity: int
) -> None:
    basins = basins_of(scores, connectivity)
    peaks = scores[basins.kind & PEAK != 0]
    assert len(peaks) == basins.count == len(basins.joins.score) + 1
    for threshold in np.unique(scores):
        labels, count = ndimage.label(scores >= threshold, CORNERS[connectivity])
        joined = basins.joins.score >= threshold
        assert np.sum(peaks >= threshold) - np.sum(joined) == count
        # Cells of one basin are in one component, and so are joined basins.
        own = basins.label[1:-1, 1:-1]
        component: dict[int, int] = {}
        for basin, label in zip(own[labels > 0], labels[labels > 0], strict=True):
            assert component.setdefault(basin, label) == label
        for one, other in basins.joins.basin[joined].tolist():
            assert component[one] == component[other]


def test_room_is_used_again_without_a_trace() -> None:
    first, second = np.random.default_rng(0).random((2, 12, 17), np.float32)
    again = basins_of(first)
    again.find(second)
    fresh = basins_of(second)
    assert np.array_equal(again.label, fresh.label)
    assert np.array_equal(again.kind, fresh.kind)
    assert all(np.array_equal(a, b) for a, b in zip(again.joins, fresh.joins, strict=True))


def test_connectivity_is_checked() -> None:
    with pytest.raises(VadlocError, match="connectivity is 6, expected 4 or 8"):
        Basins((2, 2), connectivity=6)
