"""Divisors of the distances of a version's parts, by hand."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exemplar_selection import divisors
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.divisors import measure_divisors, quantiles_to_divisor, rows_to_factors
from exemplar_selection.exemplars import Exemplars, join_exemplars
from exemplar_selection.nearest import distances_to_others, volume_distances
from exemplar_selection.select_exemplars import features_to_exemplars
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures
from vadloc.regions import RegionGrid
from vadloc.versions import LEAST_DIVISOR

DISTANCE = FeatureDistance((1,), (1.0,), (1.0,))
LENGTH = 2


def features_of(name: str, values: list[float]) -> SequenceFeatures:
    """One region; a volume every two frames."""
    return SequenceFeatures(
        sequence=name,
        frame_count=LENGTH * len(values),
        height_px=8,
        width_px=8,
        first_frame=LENGTH * np.arange(len(values)),
        components=("a",),
        widths=(1,),
        values=np.array(values, np.float32)[:, None, None],
    )


@pytest.fixture(autouse=True)
def _without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divisors, "load_features", lambda part, _split, name: part.features[name])


def part_of(version: str, sequences: dict[str, list[float]]) -> Any:
    """The results of a version with these features, every volume of which is an exemplar."""
    features = {name: features_of(name, values) for name, values in sequences.items()}

    def exemplars(name: str) -> Any:
        selected = features_to_exemplars(features[name], distance=DISTANCE, threshold=0.0)
        return SimpleNamespace(load=lambda: selected.to_content(schema=0))

    return SimpleNamespace(
        version=version,
        features=features,
        config=SimpleNamespace(
            scoring=SimpleNamespace(neighbourhood=0),
            regions=SimpleNamespace(size_px=8, stride_px=8, frames_per_volume=LENGTH),
            exemplars=SimpleNamespace(threshold=0.0),
        ),
        sequences=lambda _split: [SimpleNamespace(name=name) for name in features],
        exemplars=exemplars,
    )


def test_three_sequences() -> None:
    """Left out in turn: distances 3, 1 of A; 1, 2 of B; 13, 2 of C; the other part is ten times."""
    sequences = {"A": [0.0, 2.0], "B": [3.0, 7.0], "C": [20.0, 5.0]}
    ten = {name: [10 * value for value in values] for name, values in sequences.items()}
    found = measure_divisors([part_of("p", sequences), part_of("q", ten)], [LEAST_DIVISOR] * 2)
    quantiles = [1 + 0.999 * 2, 1 + 0.999, 2 + 0.999 * 11]
    assert found["quantiles"] == pytest.approx(np.array([quantiles, [10 * q for q in quantiles]]))
    assert found["divisors"] == pytest.approx([sum(quantiles) / 3, 10 * sum(quantiles) / 3])
    assert found["parts"] == ["p", "q"]
    assert found["sources"] == ["sequences", "sequences"]
    assert found["left_out"] == ["A", "B", "C"]
    assert found["volumes"].tolist() == [2, 2, 2]


def test_the_only_sequence_is_halved() -> None:
    """Halves 0, 1 and 3, 7: distances 3, 2 and 2, 6."""
    found = measure_divisors([part_of("p", {"A": [0.0, 1.0, 3.0, 7.0]})], [LEAST_DIVISOR])
    quantiles = [2 + 0.999, 2 + 0.999 * 4]
    assert found["quantiles"][0] == pytest.approx(quantiles)
    assert found["divisors"] == pytest.approx([sum(quantiles) / 2])
    assert found["sources"] == ["halves"]
    assert found["left_out"] == ["A", "A"]


def test_the_only_sequence_is_too_short() -> None:
    with pytest.raises(VadlocError, match="A: 2 frames are too few to be halved"):
        measure_divisors([part_of("p", {"A": [0.0]})], [LEAST_DIVISOR])


def test_parts_in_which_normal_video_never_differs() -> None:
    found = measure_divisors(
        [part_of(name, {"A": [0.0, 0.0], "B": [0.0, 0.0]}) for name in "pq"], [0.05, 0.2]
    )
    assert found["divisors"] == [0.05, 0.2]
    assert found["sources"] == ["least", "least"]


def test_the_divisor_is_a_mean_with_a_least_value() -> None:
    assert quantiles_to_divisor(np.array([1.0, 2.0, 6.0]), 0.2) == (3.0, True)
    assert quantiles_to_divisor(np.full(2, 0.1), 0.2) == (0.2, False)


def test_a_line_over_the_rows() -> None:
    """The line 1, 3 and 5 has the geometric mean 15 ** (1 / 3), and is followed half-way."""
    factors = rows_to_factors(np.array([1.0, 3.0, 5.0]), 2.0)
    assert factors == pytest.approx(np.sqrt(np.array([1, 3, 5]) / 15 ** (1 / 3)))
    assert rows_to_factors(np.array([2.0, 1.0, 6.0]), 2.0) == pytest.approx(factors)


def test_rows_that_have_no_slope_or_no_distances() -> None:
    assert rows_to_factors(np.array([1.0, 9.0, 1.0]), 3.0) == pytest.approx(np.ones(3))
    assert rows_to_factors(np.zeros(4), 0.2) == pytest.approx(np.ones(4))
    assert rows_to_factors(np.array([7.0]), 5.0) == pytest.approx(np.ones(1))


def test_the_line_is_cut_at_half_the_divisor() -> None:
    """The line 0, 1 and 2 with D = 1 becomes 1/2, 1 and 2."""
    assert rows_to_factors(np.array([0.0, 1.0, 2.0]), 1.0) == pytest.approx([0.5**0.5, 1, 2**0.5])


def test_joined_exemplars_are_sorted_by_region() -> None:
    def exemplars(name: str, offsets: list[int]) -> Exemplars:
        count = offsets[-1]
        return Exemplars(
            distance=DISTANCE,
            components=("a",),
            height_px=8,
            width_px=16,
            sequences=(name,),
            offsets=np.array(offsets),
            features=np.arange(count, dtype=np.float32)[:, None] + 10 * (name == "B"),
            counts=np.arange(count) + 1,
            sequence=np.zeros(count, np.int64),
            first_frame=np.arange(count),
        )

    joined = join_exemplars([exemplars("A", [0, 2, 3]), exemplars("B", [0, 1, 3])])
    assert joined.features.ravel().tolist() == [0, 1, 10, 2, 11, 12]
    assert joined.sequence.tolist() == [0, 0, 1, 0, 1, 1]
    assert joined.offsets.tolist() == [0, 3, 6]
    assert joined.sequences == ("A", "B")


@pytest.mark.parametrize("count", [3, 60])
@pytest.mark.parametrize("neighbourhood", [0, 1])
def test_distances_to_others_are_those_of_a_model_without_the_sequence(
    count: int, neighbourhood: int
) -> None:
    """Short lists and long ones, which are compared by products; four regions."""
    rng = np.random.default_rng(0)
    distance = FeatureDistance((90, 2), (1.0, 0.5), (1.0, 1.0))
    grid = RegionGrid(8, 32, 8, 8)
    sequences = [
        replace(
            features_of(name, [0.0] * (count + number)),
            width_px=32,
            components=("a", "b"),
            widths=(90, 2),
            values=rng.normal(0, 1, (count + number, 4, 92)).astype(np.float32),
        )
        for number, name in enumerate("ABC")
    ]
    models = [features_to_exemplars(s, distance=distance, threshold=0.0) for s in sequences]
    found = distances_to_others(
        sequences[:2], join_exemplars(models), grid, neighbourhood=neighbourhood
    )
    assert distance.are_short(2 * count + 1, 3 * count) == (count == 3)
    for number, distances in enumerate(found):
        others = join_exemplars([m for place, m in enumerate(models) if place != number])
        expected = volume_distances(sequences[number], others, grid, neighbourhood=neighbourhood)
        assert distances.tobytes() == expected.tobytes()


def test_sequences_that_do_not_fit_in_memory_together_are_compared_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sequences = {"A": [0.0, 2.0], "B": [3.0, 7.0], "C": [20.0, 5.0]}
    together = measure_divisors([part_of("p", sequences)], [LEAST_DIVISOR])
    monkeypatch.setattr(divisors, "GROUP_BYTES", 1)
    alone = measure_divisors([part_of("p", sequences)], [LEAST_DIVISOR])
    assert alone.keys() == together.keys()
    for key, value in together.items():
        assert np.array_equal(alone[key], value), key
