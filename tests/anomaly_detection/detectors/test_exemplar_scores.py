"""Scores of volumes and cells against plain loops."""

import itertools
from collections.abc import Callable
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from volumes import volume_starts

from anomaly_detection.detectors.exemplars import distances_to_scores
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.nearest import volume_distances
from vadloc.features import SequenceFeatures
from vadloc.regions import RegionGrid

GRID = RegionGrid(20, 28, 8, 4)
DISTANCE = FeatureDistance((2, 1), (2.0, 0.5), (1.0, 0.25))


def model_of(random: np.random.Generator, *, offset: float = 0.0) -> Exemplars:
    """One to four exemplars in each region."""
    counts = random.integers(1, 5, GRID.region_count)
    total = int(counts.sum())
    return Exemplars(
        distance=DISTANCE,
        components=("a", "b"),
        height_px=20,
        width_px=28,
        sequences=("Train",),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        features=(np.round(random.normal(size=(total, 3)), 1) + offset).astype(np.float32),
        counts=np.ones(total, np.int64),
        sequence=np.zeros(total, np.int64),
        first_frame=np.arange(total),
    )


def features_of(random: np.random.Generator, *, offset: float = 0.0) -> SequenceFeatures:
    values = np.round(random.normal(size=(4, GRID.region_count, 3)), 1) + offset
    return SequenceFeatures(
        sequence="Test",
        frame_count=13,
        height_px=20,
        width_px=28,
        first_frame=np.array([0, 3, 6, 9]),
        components=("a", "b"),
        widths=(2, 1),
        values=values.astype(np.float32),
    )


@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2),
    st.sampled_from([(0.0, 0.0), (1000.0, 1000.0), (0.0, 1000.0)]),
)
def test_distances_are_to_the_nearest_exemplar_around(
    seed: int, neighbourhood: int, offsets: tuple[float, float]
) -> None:
    random = np.random.default_rng(seed)
    model = model_of(random, offset=offsets[0])
    features = features_of(random, offset=offsets[1])
    got = volume_distances(features, model, GRID, neighbourhood=neighbourhood)
    columns = GRID.regions[1]
    region_of = np.repeat(np.arange(GRID.region_count), np.diff(model.offsets))
    near_rows = np.abs(region_of // columns - np.arange(GRID.region_count)[:, None] // columns)
    near_columns = np.abs(region_of % columns - np.arange(GRID.region_count)[:, None] % columns)
    lends = (near_rows <= neighbourhood) & (near_columns <= neighbourhood)
    for volume, region in itertools.product(range(4), range(GRID.region_count)):
        difference = features.values[volume, region].astype(float) - model.features[lends[region]]
        plain = (
            1.0 * np.linalg.norm(difference[:, :2], axis=1) / 2.0
            + 0.25 * np.abs(difference[:, 2]) / 0.5
        )
        assert got[volume, region] == pytest.approx(plain.min(), rel=1e-9, abs=1e-12)


def test_a_volume_like_an_exemplar_has_distance_zero_exactly() -> None:
    random = np.random.default_rng(0)
    model, features = model_of(random), features_of(random)
    features.values[2, 7] = model.features[model.offsets[7]]
    assert volume_distances(features, model, GRID, neighbourhood=0)[2, 7] == 0.0


def test_drawn_scores() -> None:
    # A frame of 2 x 3 cells and regions of 2 x 2 cells: two regions, which share the middle column.
    # Volumes of 2 frames from frames 0 and 1: frame 1 lies in both.
    grid = RegionGrid(8, 12, 8, 4)
    distances, starts = np.array([[1.0, 3.0], [5.0, 4.0]]), np.array([0, 1])
    mean = distances_to_scores(distances, starts, grid, combine="mean", frames_per_volume=2)
    assert mean.dtype == np.float32
    assert mean[:, 0].tolist() == [[1, 2, 3], [3, 3.25, 3.5], [5, 4.5, 4]]
    most = distances_to_scores(distances, starts, grid, combine="max", frames_per_volume=2)
    assert most[:, 0].tolist() == [[1, 3, 3], [5, 5, 4], [5, 5, 4]]
    assert np.array_equal(mean[:, 0], mean[:, 1])


def plain_scores(
    distances: NDArray[np.float64], starts: list[int], grid: RegionGrid, frames: int, length: int,
    combine: str,
) -> NDArray[np.float64]:  # fmt: skip
    """Cell by cell: over the regions of each volume, then over the volumes of each frame."""
    functions: dict[str, Callable[[list[float]], float]] = {"mean": fmean, "max": max}
    over = functions[combine]
    scores = np.empty((frames, *grid.cells))
    side, columns = grid.cells_per_side, grid.regions[1]
    for frame, row, column in np.ndindex(*scores.shape):
        covering = [
            region
            for region in range(grid.region_count)
            if 0 <= row - region // columns < side and 0 <= column - region % columns < side
        ]
        volumes = [v for v, start in enumerate(starts) if start <= frame < start + length]
        scores[frame, row, column] = over([over(distances[v, covering].tolist()) for v in volumes])
    return scores


@settings(max_examples=30)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.integers(1, 3),
    st.integers(2, 5),
    st.integers(1, 5),
    st.integers(0, 7),
    st.sampled_from(["mean", "max"]),
)
def test_scores_equal_plain_loops(
    size: tuple[int, int], side: int, length: int, stride: int, extra: int, combine: str
) -> None:
    grid = RegionGrid(*size, 4 * side, 4)
    frames = length + extra
    starts = volume_starts(frames, length, min(stride, length))
    distances = np.random.default_rng(extra).random((len(starts), grid.region_count))
    got = distances_to_scores(
        distances,
        np.array(starts),
        grid,
        frames_per_volume=length,
        combine=combine,
    )
    expected = plain_scores(distances, starts, grid, frames, length, combine)
    assert got == pytest.approx(expected, rel=1e-6)
