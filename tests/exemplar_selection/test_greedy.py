"""Greedy selection equals the rule one volume at a time, exactly."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import exemplar_selection.distance
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.greedy import greedy_selection
from exemplar_selection.merge_exemplars import merge_exemplars, region_table
from exemplar_selection.select_exemplars import features_to_exemplars, largest_distances
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures

Selection = tuple[list[int], list[int]]
ONE = FeatureDistance((3,), (1.0,), (1.0,))
TWO = FeatureDistance((2, 1), (0.7, 3.0), (1.0, 0.5))


def plain_selection(
    features: NDArray[np.floating], counts: NDArray[np.int64], distance: FeatureDistance,
    threshold: float,
) -> Selection:  # fmt: skip
    """The rule as it is written down, one volume after the other."""
    scaled = distance.scaled(features)
    kept: list[int] = []
    totals: list[int] = []
    for row, volume in enumerate(scaled):
        to_kept = distance.exact(volume, scaled[kept]).tolist()
        if all(d > threshold for d in to_kept):
            kept.append(row)
            totals.append(int(counts[row]))
        else:
            totals[to_kept.index(min(to_kept))] += int(counts[row])
    return kept, totals


def fast_selection(*case: object) -> Selection:
    features, counts, distance, threshold = case
    kept, totals = greedy_selection(features, counts, distance=distance, threshold=threshold)  # type: ignore[arg-type]
    return kept.tolist(), totals.tolist()


@st.composite
def cases(
    draw: st.DrawFn,
) -> tuple[NDArray[np.float32], NDArray[np.int64], FeatureDistance, float]:
    """Features with many ties, counts, a distance, and often a threshold that occurs exactly."""
    distance = draw(st.sampled_from([ONE, TWO]))
    n = draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    decimals = draw(st.sampled_from([0, 1, 9]))
    rounded = np.round(random.normal(size=(n, 3)), decimals)
    features = (rounded + draw(st.sampled_from([0, 100]))).astype(np.float32)
    scaled = distance.scaled(features)
    i, j = random.integers(0, n, 2)
    occurring = float(distance.exact(scaled[i], scaled[j]))
    threshold = draw(st.sampled_from([0.0, occurring, np.nextafter(occurring, 0), 0.5, 1.0, 9.0]))
    return features, random.integers(1, 5, n), distance, float(threshold)


def test_the_rule_on_a_line_by_hand() -> None:
    # 0 is kept; 2 is within 2 of it; 3 is kept; 1 is nearer to 0; 1.5 ties: the earliest, 0;
    # 6 is kept; 4.6 is nearer to 6 than to 3.
    line = np.array([[0.0], [2.0], [3.0], [1.0], [1.5], [6.0], [4.6]])
    kept, counts = greedy_selection(
        line, np.ones(7, np.int64), distance=FeatureDistance((1,), (1.0,), (1.0,)), threshold=2.0
    )
    assert kept.tolist() == [0, 2, 5]
    assert counts.tolist() == [4, 1, 2]


@settings(max_examples=200)
@given(cases(), st.sampled_from([1, 2, 3, 7, 512]), st.sampled_from([0, 1 << 20]))
def test_equals_the_plain_rule(
    case: tuple[NDArray[np.float32], NDArray[np.int64], FeatureDistance, float],
    block: int,
    short: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exemplar_selection.distance, "BLOCK_ROWS", block)
        patch.setattr(exemplar_selection.distance, "SHORT_LISTS", short)
        got = fast_selection(*case)
    assert got == plain_selection(*case)
    assert sum(got[1]) == case[1].sum()


@pytest.mark.parametrize("distance", [ONE, TWO])
@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e20])
def test_many_volumes_of_any_size(distance: FeatureDistance, size: float) -> None:
    random = np.random.default_rng(0)
    features = (np.round(random.normal(size=(700, 3)), 1) * size).astype(np.float32)
    case = features, np.ones(700, np.int64), distance, 0.8 * size
    assert fast_selection(*case) == plain_selection(*case)


def test_equal_volumes_have_one_exemplar_even_at_threshold_zero() -> None:
    features = np.tile(np.array([[0.1, 0.2, 0.3], [1.1, 0.2, 0.3]], np.float32), (700, 1))
    case = features, np.ones(1400, np.int64), ONE, 0.0
    assert fast_selection(*case) == ([0, 1], [700, 700])


def test_the_input_is_left_alone() -> None:
    features = np.random.default_rng(0).normal(size=(600, 3))
    before = features.copy()
    greedy_selection(features, np.ones(600, np.int64), distance=ONE, threshold=0.5)
    assert np.array_equal(features, before)


@pytest.mark.parametrize("widths", [(32,), (20, 12)])
def test_memory_is_that_of_exemplars_and_a_block(widths: tuple[int, ...]) -> None:
    distance = FeatureDistance(widths, (1.0,) * len(widths), (1.0,) * len(widths))
    random = np.random.default_rng(0)
    features = random.random((10, 32), np.float32)[random.integers(10, size=40_000)]
    ones = np.ones(len(features), np.int64)
    tracemalloc.start()
    try:
        kept, _ = greedy_selection(features, ones, distance=distance, threshold=0.5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 10
    assert peak < 2 * features.nbytes  # which one copy of them in double precision would take


def sequence_of(name: str, values: NDArray[np.float32], **size: int) -> SequenceFeatures:
    """Features of one sequence whose volumes begin at frames 0, 5, 10, ..."""
    return SequenceFeatures(
        sequence=name,
        frame_count=5 * len(values) + 5,
        height_px=size.get("height_px", 48),
        width_px=64,
        first_frame=5 * np.arange(len(values)),
        components=("x",),
        widths=(3,),
        values=values,
        descriptors={"first": values[..., :1]},
    )


def exemplars_of(name: str, values: NDArray[np.float32], **size: int) -> Exemplars:
    return features_to_exemplars(sequence_of(name, values, **size), distance=ONE, threshold=0.8)


def test_exemplars_know_region_and_place() -> None:
    random = np.random.default_rng(1)
    values = np.round(random.normal(size=(30, 4, 3)), 1).astype(np.float32)
    model = exemplars_of("a", values)
    for region in range(4):
        kept, counts = plain_selection(values[:, region], np.ones(30, np.int64), ONE, 0.8)
        rows = model.rows_of(np.array([region]))
        assert np.array_equal(model.features[rows], values[kept, region])
        assert model.counts[rows].tolist() == counts
        assert model.first_frame[rows].tolist() == [5 * row for row in kept]
    assert model.counts.sum() == 30 * 4


def test_merging_is_the_rule_over_the_sequences_exemplars() -> None:
    random = np.random.default_rng(2)
    values = [np.round(random.normal(size=(n, 4, 3)), 1).astype(np.float32) for n in (9, 20, 5)]
    parts = [exemplars_of(name, v) for name, v in zip("abc", values, strict=True)]
    merged = merge_exemplars(parts, threshold=0.8)
    for region in range(4):
        rows = [part.rows_of(np.array([region])) for part in parts]
        features = np.concatenate([p.features[r] for p, r in zip(parts, rows, strict=True)])
        counts = np.concatenate([p.counts[r] for p, r in zip(parts, rows, strict=True)])
        kept, totals = plain_selection(features, counts, ONE, 0.8)
        here = merged.rows_of(np.array([region]))
        assert np.array_equal(merged.features[here], features[kept])
        assert merged.counts[here].tolist() == totals
    assert merged.counts.sum() == 34 * 4
    # Each exemplar is still the volume of the sequence and frame that it names.
    region_of = np.repeat(np.arange(4), np.diff(merged.offsets))
    for row, region in enumerate(region_of.tolist()):
        source = values[merged.sequence[row]][merged.first_frame[row] // 5, region]
        assert np.array_equal(merged.features[row], source)
    assert np.array_equal(merged.descriptors["first"], merged.features[:, :1])
    assert region_table(merged).startswith(f"{len(merged.counts)} exemplars of 136 volumes in 4")


def test_sequences_of_other_frame_sizes_do_not_merge() -> None:
    values = np.zeros((3, 4, 3), np.float32)
    parts = [exemplars_of("a", values), exemplars_of("b", values, height_px=47)]
    with pytest.raises(VadlocError, match="b: frames of 64 x 47 px, those of a have 64 x 48"):
        merge_exemplars(parts, threshold=0.8)


def test_a_model_survives_its_file_form() -> None:
    model = exemplars_of("a", np.random.default_rng(0).normal(size=(9, 4, 3)).astype(np.float32))
    again = Exemplars.from_content(model.to_content(schema=1))
    assert again.distance == model.distance
    assert again.components == model.components
    assert np.array_equal(again.features, model.features)
    assert np.array_equal(again.offsets, model.offsets)


def test_divisors_are_the_largest_distances_of_each_component() -> None:
    first = np.array([[0, 0, 1], [3, 4, 0]], np.float32)
    second = np.array([[0, 1, 9], [0, 0, 0]], np.float32)
    assert largest_distances(np.stack([first, second]), (2, 1)) == [5.0, 8.0]
