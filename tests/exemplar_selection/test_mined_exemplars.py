"""Mined exemplars come after those of training, so that no score rises; and what is forgotten."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.forgetting import forget
from exemplar_selection.merging import merge_exemplars
from exemplar_selection.mined_exemplars import learn_volumes, mined_part
from exemplar_selection.nearest import volume_distances
from exemplar_selection.select_exemplars import features_to_exemplars
from vadloc.features import SequenceFeatures
from vadloc.mining import Mining
from vadloc.regions import RegionGrid

DISTANCE = FeatureDistance((2, 1), (0.7, 3.0), (1.0, 0.5))
GRID = RegionGrid(16, 24, 16, 8)
REGIONS = GRID.region_count
THRESHOLD = 0.4


def features(values: NDArray[np.float64], name: str) -> SequenceFeatures:
    """A sequence of volumes ``(v, regions, 3)`` of two frames each."""
    return SequenceFeatures(
        sequence=name,
        frame_count=2 * len(values),
        height_px=16,
        width_px=24,
        first_frame=2 * np.arange(len(values)),
        components=("a", "b"),
        widths=(2, 1),
        values=values.astype(np.float32),
        descriptors={"d": values[..., :1].astype(np.float32)},
    )


def random_features(random: np.random.Generator, count: int, name: str) -> SequenceFeatures:
    return features(random.normal(size=(count, REGIONS, 3)), name)


def trained(random: np.random.Generator) -> Exemplars:
    parts = [
        features_to_exemplars(
            random_features(random, 6, f"Train{i}"), distance=DISTANCE, threshold=THRESHOLD
        )
        for i in range(2)
    ]
    return merge_exemplars(parts, threshold=THRESHOLD)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
def test_no_score_ever_rises(seed: int, neighbourhood: int) -> None:
    random = np.random.default_rng(seed)
    model, seen = trained(random), random_features(random, 12, "Seen")
    before = volume_distances(seen, model, GRID, neighbourhood=neighbourhood)
    for round_ in (1, 2):
        mined = random_features(random, 8, f"Mined{round_}")
        learnt = random.random((8, REGIONS)) < 0.5
        model = learn_volumes(model, mined, learnt, round_=round_, threshold=THRESHOLD)
        after = volume_distances(seen, model, GRID, neighbourhood=neighbourhood)
        assert (after <= before).all()
        before = after


def test_all_exemplars_of_training_stay_and_counts_add_up() -> None:
    random = np.random.default_rng(3)
    model, mined = trained(random), random_features(random, 9, "Mined")
    learnt = random.random((9, REGIONS)) < 0.6
    after = learn_volumes(model, mined, learnt, round_=1, threshold=THRESHOLD)
    assert after.mined_round is not None
    assert after.mined_volumes is not None
    np.testing.assert_array_equal(after.select(after.mined_round == 0).features, model.features)
    assert after.counts.sum() == model.counts.sum() + learnt.sum()
    new = after.mined_round > 0
    np.testing.assert_array_equal(after.mined_volumes[new], after.counts[new])
    assert not after.mined_volumes[~new].any()


def test_only_learnt_volumes_become_exemplars_and_say_where_they_come_from() -> None:
    model = trained(np.random.default_rng(4))
    values = np.full((3, REGIONS, 3), 50.0) + 10 * np.arange(3)[:, None, None]
    learnt = np.zeros((3, REGIONS), bool)
    learnt[2, 1] = True
    after = learn_volumes(model, features(values, "Test7"), learnt, round_=2, threshold=THRESHOLD)
    part = mined_part(after)
    assert part is not None
    assert np.diff(part.offsets).tolist() == [0, 1]
    assert part.features.tolist() == [[70.0, 70.0, 70.0]]
    assert part.source_of(0) == ("Test7", 2)
    assert part.first_frame.tolist() == [4]
    assert after.source_of(0) == ("Train0", 0)
    again = Exemplars.from_content(after.to_content(schema=2))
    assert again.source_of(int(np.flatnonzero(again.mined_round)[0])) == ("Test7", 2)


def test_a_model_without_mined_exemplars_is_stored_as_before() -> None:
    model = trained(np.random.default_rng(5))
    assert not {"mined_round", "mined_volumes"} & model.to_content(schema=2).keys()
    assert mined_part(model) is None


def aged(volumes: list[float], mined: list[int]) -> Exemplars:
    """A model of one region whose exemplars were mined in these rounds."""
    count = len(volumes)
    grown = features_to_exemplars(
        features(10.0 * np.arange(count)[:, None, None] + np.zeros((count, 1, 3)), "S"),
        distance=DISTANCE,
        threshold=THRESHOLD,
    )
    return replace(grown, mined_round=np.array(mined), mined_volumes=np.array(volumes))


def test_counts_halve_in_keep_days() -> None:
    model = aged([0.0, 1.0, 8.0], [0, 1, 1])
    after = forget(model, Mining(keep_days=2.0), days=1.0)
    assert after.mined_volumes == pytest.approx([0, 2**-0.5, 8 * 2**-0.5])
    assert after.counts.tolist() == [1, 1, 6]  # 5.66


def test_what_was_seen_once_is_forgotten_after_keep_days_and_training_never() -> None:
    model = aged([0.0, 1.0, 8.0], [0, 1, 1])
    after = forget(model, Mining(keep_days=7.0), days=7.0)
    assert after.features[:, 0].tolist() == [0.0, 20.0]
    assert forget(model, Mining(keep_days=7.0), days=1e6).features[:, 0].tolist() == [0.0]


def test_regions_keep_what_stands_for_most() -> None:
    model = aged([0.0, 3.0, 8.0, 3.0, 1.0], [0, 1, 1, 2, 2])
    after = forget(model, Mining(max_per_region=2), days=0)
    assert after.features[:, 0].tolist() == [0.0, 20.0, 30.0]  # of equal ones the later
    assert forget(model, Mining(), days=9.0) is model


def test_a_region_is_bounded_however_long_it_learns() -> None:
    random = np.random.default_rng(6)
    settings = Mining(keep_days=5.0, max_per_region=4)
    model = trained(random)
    trained_count = np.diff(model.offsets)
    for round_ in range(1, 30):
        model = forget(model, settings)
        mined = random_features(random, 5, f"Mined{round_}")
        learnt = np.ones((5, REGIONS), bool)
        model = learn_volumes(model, mined, learnt, round_=round_, threshold=THRESHOLD)
        model = forget(model, settings, days=0).without_unused_names()
        assert len(model.sequences) <= len(model.counts)
        assert {model.source_of(row) for row in range(len(model.counts))} <= {
            ("Train0", 0), ("Train1", 0), *((f"Mined{i}", i) for i in range(1, round_ + 1))
        }  # fmt: skip
        assert (np.diff(model.offsets) <= trained_count + 4).all()
