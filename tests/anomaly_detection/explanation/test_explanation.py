"""What volumes show, what is normal, what is unusual, and the sentence, from made-up numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly_detection.explanation.comparison import Comparison
from anomaly_detection.explanation.sentences import (
    box_to_place,
    comparison_to_words,
    detection_to_sentence,
    score_to_words,
)
from anomaly_detection.explanation.unusual import Unusual
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.normal_ranges import NormalRanges, NormalSightings, weighted_range
from exemplar_selection.phrases import joined, normal_to_words, percent, volume_to_words
from exemplar_selection.volume_attributes import DIRECTIONS, VolumeAttributes
from feature_extraction.attributes import CLASSES, Attributes
from vadloc.regions import RegionGrid
from vadloc.video.times import Clock

RIGHT, LEFT, DOWN = 0, 6, 3
"""Bins of 30 degrees: just below right, just above left, just left of straight down."""


def moving(*rows: tuple[int, float, float]) -> Attributes:
    """Volumes in which all that moves goes one way: bin, speed, share of the pixels."""
    direction, speed = np.zeros((2, len(rows), 12), np.float32)
    for row, (k, pace, share) in enumerate(rows):
        direction[row, k] = share > 0
        speed[row, k] = pace
    shares = np.array([share for _, _, share in rows], np.float32)
    return Attributes(None, direction, speed, shares)


def classes(*names: str | None) -> NDArray[np.float32]:
    """Probability 0.9 for each name and 0.02 for all others."""
    return np.array([[0.9 if name == c else 0.02 for c in CLASSES] for name in names], np.float32)


@pytest.mark.parametrize("k", range(12))
def test_directions_are_those_of_the_picture(k: int) -> None:
    degrees = 30 * k + 15  # clockwise from right, since y points down
    nearest = int((degrees + 22.5) % 360 // 45)
    seen = VolumeAttributes(moving((k, 2.0, 0.5)))
    assert DIRECTIONS[seen.direction[0]] == DIRECTIONS[nearest]
    assert (DIRECTIONS[0], DIRECTIONS[2], DIRECTIONS[5]) == ("right", "down", "up left")


def test_speed_is_the_mean_over_the_moving_pixels() -> None:
    direction = np.zeros((1, 12), np.float32)
    speed = np.zeros((1, 12), np.float32)
    direction[0, [RIGHT, LEFT]] = 0.75, 0.25
    speed[0, [RIGHT, LEFT]] = 1.0, 5.0
    seen = VolumeAttributes(Attributes(None, direction, speed, np.array([0.4], np.float32)))
    assert seen.speed_px_per_frame.tolist() == [2.0]
    assert seen.direction.tolist() == [-1]  # 0.75 to the right against 1.25 to the left
    assert seen.record(0)["direction"] is None


def test_where_nothing_moves_there_is_no_speed() -> None:
    record = VolumeAttributes(moving((RIGHT, 0.0, 0.0))).record(0)
    assert (record["speed"], record["direction"], record["moving_share"]) == (None, None, 0.0)


def test_ranges_count_each_exemplar_as_often_as_it_stands_for_volumes() -> None:
    values = np.array([9.0, 1.0, 5.0, 2.0])
    assert weighted_range(values, np.array([1, 500, 0, 499])) == (1.0, 2.0)  # 9 is 1 in 1000
    assert weighted_range(values, np.array([20, 500, 0, 480])) == (1.0, 9.0)
    assert weighted_range(values, np.zeros(4, np.int64)) is None


def ranges_of(seen: VolumeAttributes, counts: list[int]) -> NormalRanges:
    return NormalSightings(seen.sightings, np.array(counts), len(counts)).ranges


def test_normal_speeds_and_directions_are_those_of_what_moves() -> None:
    seen = VolumeAttributes(moving((RIGHT, 0.0, 0.0), (RIGHT, 1.0, 0.2), (LEFT, 2.0, 0.5)))
    normal = ranges_of(seen, [900, 75, 25])
    assert (normal.exemplars, normal.volumes, normal.moving_volumes) == (3, 1000, 100)
    assert normal.speed == (1.0, 2.0)
    assert normal.moving_share == (0.0, 0.5)
    assert normal.directions == {"right": 0.75, "left": 0.25}
    assert normal.classes is None


def test_normal_classes_are_those_of_what_moves() -> None:
    attributes = moving((RIGHT, 0.0, 0.0), (RIGHT, 1.0, 0.2))
    seen = VolumeAttributes(
        Attributes(classes("tree", "person"), *list(vars(attributes).values())[1:])
    )
    normal = ranges_of(seen, [900, 100]).classes
    assert normal is not None
    assert (normal["person"], normal["tree"]) == (1.0, 0.0)


@dataclass(frozen=True)
class Compared:
    """A volume, the exemplars that it is compared with, and what it and they show."""

    comparison: Comparison
    shown: VolumeAttributes
    known: NormalSightings

    def unusual(self) -> list[dict[str, Any]]:
        record, shares = self.shown.record(0), self.comparison.shares
        return Unusual(record, self.known, frozenset(), shares).entries()


def compare(volume: Attributes, known: Attributes, counts: list[int], **given: Any) -> Compared:
    """A volume and exemplars, by their momentum unless other features are given."""
    if not given:
        given = {
            "features": momentum(volume)[0],
            "exemplars": momentum(known),
            "distance": FeatureDistance((12,), (1.0,), (1.0,)),
            "components": ("momentum",),
        }
    sightings = VolumeAttributes(known).sightings
    normal = NormalSightings(sightings, np.array(counts), len(counts))
    return Compared(Comparison(**given), VolumeAttributes(volume), normal)


def momentum(attributes: Attributes) -> NDArray[np.float32]:
    """By its definition: share of the pixels times their speed, by direction."""
    share, speed = attributes.direction_share, attributes.speed_px_per_frame
    assert attributes.moving_share is not None
    assert share is not None
    assert speed is not None
    return attributes.moving_share[:, None] * share * speed


WALKERS = moving((RIGHT, 1.0, 0.3), (RIGHT, 1.4, 0.5), (RIGHT, 0.0, 0.0))
COUNTS = [100, 100, 300]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ((RIGHT, 1.2, 0.4), []),
        ((RIGHT, 5.0, 0.4), ["speed"]),
        ((LEFT, 1.2, 0.4), ["direction"]),
        ((RIGHT, 1.2, 0.9), ["moving_share"]),
        ((LEFT, 5.0, 0.9), ["speed", "direction", "moving_share"]),
        ((DOWN, 1.8, 0.4), ["direction", "speed"]),
    ],
)
def test_unusual_is_what_is_outside_the_range(
    volume: tuple[int, float, float], expected: list[str]
) -> None:
    entries = compare(moving(volume), WALKERS, COUNTS).unusual()
    assert [entry["attribute"] for entry in entries] == expected


def test_how_far_outside() -> None:
    entries = compare(moving((LEFT, 5.0, 0.9)), WALKERS, COUNTS).unusual()
    excess = {entry["attribute"]: entry["excess"] for entry in entries}
    assert excess["speed"] == pytest.approx((5.0 - 1.4) / 0.4, rel=1e-3)
    assert excess["direction"] == 4  # opposite: four steps of 45 degrees
    assert excess["moving_share"] == pytest.approx((0.9 - 0.5) / 0.5, rel=1e-3)
    assert {entry["share"] for entry in entries} == {1.0}


def test_what_stands_where_something_always_moves_is_unusual() -> None:
    always = moving((RIGHT, 1.0, 0.3), (RIGHT, 1.4, 0.5))
    (entry,) = compare(moving((RIGHT, 0.0, 0.0)), always, [10, 10]).unusual()
    assert (entry["attribute"], entry["value"], entry["low"]) == ("moving_share", 0.0, 0.3)


def test_shares_are_those_of_the_distance_and_rank_what_is_unusual() -> None:
    volume = moving((RIGHT, 5.0, 0.4))
    seen = Attributes(classes("cyclist"), *list(vars(volume).values())[1:])
    walkers = Attributes(classes("person", "person", None), *list(vars(WALKERS).values())[1:])
    compared = compare(
        seen,
        walkers,
        COUNTS,
        # Appearance 3 away from every exemplar, momentum 1 from the nearest one.
        features=np.array([3.0, 2.0], np.float32),
        exemplars=np.array([[0.0, 1.0], [0.0, 0.5], [0.0, 0.0]], np.float32),
        distance=FeatureDistance((1, 1), (1.0, 1.0), (1.0, 1.0)),
        components=("appearance", "momentum"),
    )
    assert compared.comparison.nearest == (0, 4.0)
    assert compared.comparison.shares == {"appearance": 0.75, "momentum": 0.25}
    found = [(e["attribute"], e["component"], e["share"]) for e in compared.unusual()]
    assert found == [("class", "appearance", 0.75), ("speed", "momentum", 0.25)]


def test_a_distance_of_nothing_has_shares_too() -> None:
    same = moving((RIGHT, 1.0, 0.3))
    compared = compare(same, same, [1])
    assert compared.comparison.shares == {"momentum": 1.0}
    assert compared.unusual() == []


def record_of(compared: Compared, near: VolumeAttributes, row: int) -> dict[str, Any]:
    return {
        "first_frame": 60,
        "last_frame": 179,
        "place": "lower right",
        "peak": {"attributes": compared.shown.record(0), "shares": compared.comparison.shares},
        "nearest": {
            "sequence": "Train004",
            "first_frame": 39,
            "last_frame": 48,
            "count": 312,
            "attributes": near.record(row),
        },
        "normal": compared.known.ranges.record(),
        "unusual": compared.unusual(),
    }


def sentence(
    compared: Compared, near: VolumeAttributes, row: int = 0, *, floor: float = 0.0
) -> str:
    record = record_of(compared, near, row)
    words = comparison_to_words(record, floor_px_per_frame=floor)
    return detection_to_sentence(record, words, clock=Clock(10))


def test_sentence_of_measured_motion() -> None:
    assert sentence(
        compare(moving((LEFT, 5.0, 0.4)), WALKERS, COUNTS), VolumeAttributes(WALKERS)
    ) == (
        "Frames 61-180 (6.0-18.0 s), lower right: something moving left at 5.0 px/frame. "
        "Here normally: things moving right at 1.0-1.4 px/frame (nearest: Train004, frames 40-49, "
        "stands for 312 volumes). "
        "Unusual: speed (3.6 times the highest normal one), then direction."
    )


def test_sentence_of_networks_names_classes_and_shares() -> None:
    volume = moving((LEFT, 5.0, 0.4))
    seen = Attributes(classes("cyclist"), *list(vars(volume).values())[1:])
    walkers = Attributes(classes("person", "person", "tree"), *list(vars(WALKERS).values())[1:])
    comparison = compare(
        seen,
        walkers,
        COUNTS,
        features=np.array([2.0, 0.5, 7.0, 0.5], np.float32),
        exemplars=np.zeros((3, 4), np.float32),
        distance=FeatureDistance((1, 1, 1, 1), (1.0,) * 4, (1.0,) * 4),
        components=("appearance", "angle", "speed", "background"),
    )
    assert sentence(comparison, VolumeAttributes(walkers)).partition("right: ")[2] == (
        "a cyclist moving left at 5.0 px/frame. Here normally: persons moving right at "
        "1.0-1.4 px/frame (nearest: Train004, frames 40-49, stands for 312 volumes). Unusual: "
        "speed (3.6 times the highest normal one; 75 % of the distance), then class (no cyclist "
        "was ever seen in training video; 20 % of the distance)."
    )


def test_sentence_where_only_the_combination_is_unusual() -> None:
    known = moving((RIGHT, 1.0, 0.5), (RIGHT, 5.0, 0.1))
    text = sentence(compare(moving((RIGHT, 5.0, 0.5)), known, [1, 1]), VolumeAttributes(known))
    assert text.endswith(
        "Unusual: no attribute alone, but all together; the nearest exemplar: something moving "
        "right at 1.0 px/frame (50 % of the pixels move; here 50 %)."
    )


def test_sentence_where_only_the_looks_are_unusual() -> None:
    person = Attributes(classes("person"))
    comparison = compare(
        person,
        person,
        [4],
        features=np.array([1.0], np.float32),
        exemplars=np.zeros((1, 1), np.float32),
        distance=FeatureDistance((1,), (1.0,), (1.0,)),
        components=("appearance",),
    )
    text = sentence(comparison, VolumeAttributes(person))
    assert "lower right: something. Here normally: persons (nearest" in text
    assert text.endswith("Unusual: appearance (unlike all that was seen here, most like a person).")


def test_sentence_of_something_new_that_stands_still() -> None:
    nothing = Attributes()
    comparison = compare(
        nothing,
        nothing,
        [4],
        features=np.array([0.8], np.float32),
        exemplars=np.zeros((1, 1), np.float32),
        distance=FeatureDistance((1,), (1.0,), (1.0,)),
        components=("still",),
    )
    assert sentence(comparison, VolumeAttributes(nothing)).endswith(
        "Unusual: standing still (new here for seconds, and nothing like it in training video)."
    )


def test_sentence_of_several_attributes_in_one_of_several_components() -> None:
    volume = moving((LEFT, 5.0, 0.4))
    comparison = compare(
        volume,
        WALKERS,
        COUNTS,
        features=np.array([1.0, 9.0], np.float32),
        exemplars=np.zeros((3, 2), np.float32),
        distance=FeatureDistance((1, 1), (1.0, 1.0), (1.0, 1.0)),
        components=("appearance", "momentum"),
    )
    assert sentence(comparison, VolumeAttributes(WALKERS)).endswith(
        "Unusual: speed (3.6 times the highest normal one), then direction (together 90 % of the "
        "distance)."
    )


def test_sentence_where_nothing_ever_moves() -> None:
    still = moving((RIGHT, 0.0, 0.0))
    text = sentence(
        compare(moving((LEFT, 2.0, 0.4)), still, [9]), VolumeAttributes(still), floor=0.8
    )
    assert "Here normally: nothing moves faster than 0.8 px/frame (nearest" in text
    assert text.endswith(
        "Unusual: place (nothing has ever moved faster than 0.8 px/frame here in training video)."
    )


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        (Attributes(classes("car")), "a car"),
        (Attributes(classes(None)), "nothing of a known class"),
        (Attributes(), "something without a name"),
    ],
)
def test_words_for_versions_without_motion(attributes: Attributes, words: str) -> None:
    assert volume_to_words(VolumeAttributes(attributes).record(0), floor_px_per_frame=0) == words


def test_words_for_still_things() -> None:
    still = moving((RIGHT, 0.0, 0.0))
    seen = VolumeAttributes(Attributes(classes("car"), *list(vars(still).values())[1:])).record(0)
    assert volume_to_words(seen, floor_px_per_frame=0) == "a car that does not move"
    assert volume_to_words(seen, floor_px_per_frame=0.8) == "a car that hardly moves"


def test_normal_where_something_seldom_moves() -> None:
    seen = VolumeAttributes(moving((RIGHT, 0.0, 0.0), (RIGHT, 1.0, 0.2)))
    normal = ranges_of(seen, [980, 20]).record()
    words = normal_to_words(normal, floor_px_per_frame=0)
    assert words == "nothing moves, or seldom things moving right at 1.0 px/frame"


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ([0, 0, 32, 32], "upper left"),
        ([160, 100, 200, 140], "centre"),
        ([320, 200, 360, 240], "lower right"),
        ([0, 0, 360, 240], "centre"),
        ([150, 220, 210, 240], "bottom"),
    ],
)
def test_places(box: list[int], place: str) -> None:
    assert box_to_place(box, RegionGrid(240, 360, 32, 16)) == place


def test_small_words() -> None:
    assert joined(["a"], "or") == "a"
    assert joined(["a", "b", "c"], "or") == "a, b or c"
    assert [percent(x) for x in (0.0, 0.001, 0.5, 0.999, 1.0)] == [
        "0 %",
        "under 1 %",
        "50 %",
        "over 99 %",
        "100 %",
    ]


@pytest.mark.parametrize(
    ("score", "threshold", "words"),
    [
        (0.482, 0.301, "score 0.482, 1.6 times the threshold of 0.301"),
        (0.301, 0.3, "score 0.301, just above the threshold of 0.300"),
        (0.5, 0.0, "score 0.500, where the threshold is 0.000"),
    ],
)
def test_words_of_a_score_without_another_reason(
    score: float, threshold: float, words: str
) -> None:
    assert score_to_words(score, threshold) == words
