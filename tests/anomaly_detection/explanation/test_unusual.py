"""What is unusual about a volume, by the rule for each cause, from made-up sightings."""

from typing import Any

import numpy as np
import pytest

from anomaly_detection.explanation.sentences import comparison_to_words
from anomaly_detection.explanation.unusual import AS_FAST, Unusual
from exemplar_selection.normal_ranges import NormalSightings
from exemplar_selection.volume_attributes import DIRECTIONS, Sightings
from feature_extraction.attributes import CLASSES

SHARES = {"appearance": 0.3, "relative_momentum": 0.7}
Row = tuple[str | None, str | None, float, float, int]
"""Class, direction, speed, share of moving pixels, and number of volumes."""
STILL: Row = (None, None, np.nan, 0.0, 800)
ROAD: list[Row] = [
    STILL,
    ("person", "right", 1.0, 0.2, 60),
    ("person", "left", 1.2, 0.2, 40),
    ("car", "right", 4.0, 0.5, 50),
    ("car", "right", 5.0, 0.5, 50),
]


def known(rows: list[Row]) -> NormalSightings:
    names, directions, speeds, shares, counts = zip(*rows, strict=True)
    seen = Sightings(
        np.array([CLASSES.index(name) if name else -1 for name in names]),
        np.array([DIRECTIONS.index(name) if name else -1 for name in directions]),
        np.array(speeds),
        np.array(shares),
    )
    return NormalSightings(seen, np.array(counts), len(rows))


def shown(
    name: str | None, direction: str | None, speed: float | None, share: float = 0.3
) -> dict[str, Any]:
    record = {"class": name, "direction": direction, "speed": speed, "moving_share": share}
    return record | {"classes": dict.fromkeys(CLASSES, 0.1)}


def still(name: str | None) -> dict[str, Any]:
    return shown(name, None, None, 0.0)


def entries(
    record: dict[str, Any],
    rows: list[Row],
    *,
    scene: frozenset[str] = frozenset({"person", "car"}),
    shares: dict[str, float] = SHARES,
) -> list[dict[str, Any]]:
    return Unusual(record, known(rows), scene, shares).entries()


def causes(*args: Any, **options: Any) -> list[tuple[str, Any]]:
    found = entries(*args, **options)
    return sorted((entry["attribute"], entry["value"]) for entry in found)


NAMED = {"appearance": 0.1, "relative_momentum": 0.9}
"""Too small a share of looks to be unusual by themselves."""


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (shown("person", "left", 1.1), []),
        (shown("car", "right", 4.5), []),
        (shown("car", "left", 4.5), [("direction", "left")]),  # persons move left, cars do not
        (shown("person", "right", 4.5), [("speed", 4.5)]),  # cars are so fast, persons are not
        (shown("car", "right", 1.1), [("speed", 1.1)]),
        (shown(None, "left", 4.5), [("direction", "left")]),  # nothing as fast moves left
        (shown(None, "left", 1.1), []),
        (shown("person", "up", 1.1), [("direction", "up")]),
    ],
)
def test_speed_and_direction_are_compared_with_those_of_the_class(
    record: dict[str, Any], expected: list[tuple[str, Any]]
) -> None:
    assert causes(record, ROAD, shares=NAMED) == expected


def test_entries_say_what_they_were_compared_with() -> None:
    (wrong_way,) = entries(shown("car", "left", 4.5), ROAD, shares=NAMED)
    assert (wrong_way["of"], wrong_way["normally"], wrong_way["excess"]) == ("car", ["right"], 4)
    (fast,) = entries(shown("person", "right", 4.8), ROAD, shares=NAMED)
    assert (fast["of"], fast["low"], fast["high"]) == ("person", 1.0, 1.2)
    (unknown,) = entries(shown(None, "left", 4.5), ROAD, shares=NAMED)
    assert (unknown["of"], unknown["normally"]) == (AS_FAST, ["right"])
    (upwards,) = entries(shown("person", "up", 1.1), ROAD, shares=NAMED)
    assert (upwards["of"], upwards["normally"]) == (None, ["right", "left"])


def test_a_class_that_moved_seldom_has_no_range_of_its_own() -> None:
    rows = [*ROAD, ("dog", "right", 2.0, 0.1, 9)]
    (entry,) = entries(shown("dog", "right", 9.0), rows, scene=frozenset({"dog"}), shares=NAMED)[1:]
    assert entry["attribute"] == "place"
    first = entries(shown("dog", "right", 9.0), rows, shares=NAMED)[0]
    assert (first["attribute"], first["of"], first["high"]) == ("speed", None, 5.0)


def test_where_nothing_ever_moved_only_the_place_is_unusual() -> None:
    lawn: list[Row] = [STILL, ("person", "left", 1.0, 0.1, 4)]  # 4 of 804: an error of measurement
    assert causes(shown("person", "right", 9.0), lawn, shares=NAMED) == [("place", None)]
    path: list[Row] = [STILL, ("person", "left", 1.0, 0.4, 50)]
    assert causes(shown("person", "right", 1.0), path, shares=NAMED) == [("direction", "right")]


def test_a_class_is_unusual_here_or_in_the_whole_scene() -> None:
    assert causes(shown("dog", "right", 1.1), ROAD) == [("class", "dog")]
    everywhere = frozenset({"person", "car", "dog"})
    (entry,) = entries(shown("dog", "right", 1.1), ROAD, scene=everywhere)
    assert (entry["attribute"], entry["value"], entry["normal_share"]) == ("place", "dog", 0.0)
    assert (entry["component"], entry["share"]) == ("appearance", 0.3)


def test_what_stands_where_its_class_only_moves() -> None:
    assert causes(still("person"), ROAD) == [("standing", "person")]
    waiting: list[Row] = [*ROAD, ("person", None, np.nan, 0.0, 200)]
    assert causes(still("person"), waiting, shares=NAMED) == []
    assert causes(still(None), ROAD, shares=NAMED) == []


def test_what_is_new_and_stands_still_needs_no_class() -> None:
    shares = {"appearance": 0.3, "still": 0.7}
    for name in ("car", None):
        found = entries(still(name), ROAD, shares=shares)
        assert [(e["attribute"], e["value"], e["component"]) for e in found[:1]] == [
            ("new_still", None, "still")
        ]
        assert "standing" not in {entry["attribute"] for entry in found}
    assert causes(still("car"), ROAD, shares={"appearance": 0.9, "still": 0.1})[0][0] == "standing"


def test_looks_unlike_all_that_is_normal() -> None:
    assert causes(shown("person", "left", 1.1), ROAD) == [("looks", None)]
    assert causes(still(None), ROAD) == [("standing", None)]
    assert causes(still(None), ROAD, shares={"relative_momentum": 1.0}) == []


def test_what_carries_most_of_the_distance_comes_first() -> None:
    record = shown("dog", "left", 9.0)
    assert [entry["attribute"] for entry in entries(record, ROAD)] == ["speed", "class"]
    shares = {"appearance": 0.6, "relative_momentum": 0.4}
    found = entries(record, ROAD, shares=shares)
    assert [(e["attribute"], e["share"]) for e in found] == [("class", 0.6), ("speed", 0.4)]


def words(record: dict[str, Any], rows: list[Row], *, floor: float = 0.0, **options: Any) -> str:
    """The sentence from what is seen on, without the nearest exemplar."""
    near = {"sequence": "Train1", "first_frame": 0, "last_frame": 9, "count": 3}
    whole = {
        "peak": {"attributes": record, "shares": options.get("shares", SHARES)},
        "nearest": near | {"attributes": record},
        "normal": known(rows).ranges.record(),
        "unusual": entries(record, rows, **options),
    }
    text = comparison_to_words(whole, floor_px_per_frame=floor)
    return text.replace(" (nearest: Train1, frames 1-10, stands for 3 volumes)", "")


def test_the_sentence_of_a_car_that_drives_the_wrong_way() -> None:
    assert words(shown("car", "left", 4.5), ROAD, shares=NAMED) == (
        "a car moving left at 4.5 px/frame. Here normally: persons moving right or left at "
        "1.0-1.2 px/frame and cars moving right at 4.0-5.0 px/frame. Unusual: direction (cars here "
        "move right; 90 % of the distance)"
    )


@pytest.mark.parametrize(
    ("record", "rows", "ends"),
    [
        (
            shown("person", "right", 4.8),
            ROAD,
            "speed (4.0 times the highest normal one of persons; 90 % of the distance)",
        ),
        (
            shown(None, "left", 4.5),
            ROAD,
            "direction (what is as fast here moves right; 90 % of the distance)",
        ),
        (
            shown("person", "right", 1.0),
            [STILL],
            "place (nothing has ever moved here in training video; 100 % of the distance)",
        ),
    ],
)
def test_sentences_of_motion(record: dict[str, Any], rows: list[Row], ends: str) -> None:
    assert words(record, rows, shares=NAMED).partition("Unusual: ")[2].startswith(ends)


APPEARANCE = {"appearance": 1.0}


@pytest.mark.parametrize(
    ("record", "begins", "ends"),
    [
        (
            still("person"),
            "a person that does not move. ",
            "standing still (no person was ever seen standing here)",
        ),
        (
            still(None),
            "something that does not move. ",
            "standing still (unlike all that was seen here)",
        ),
        (
            shown("person", "left", 1.1),
            "something moving left at 1.1 px/frame. ",
            "appearance (unlike all that was seen here, most like a person)",
        ),
        (
            shown("dog", "right", 1.0),
            "a dog moving right at 1.0 px/frame. ",
            "class (no dog was ever seen in training video)",
        ),
    ],
)
def test_sentences_of_looks(record: dict[str, Any], begins: str, ends: str) -> None:
    text = words(record, ROAD, shares=APPEARANCE)
    assert text.startswith(begins)
    assert text.endswith(f"Unusual: {ends}")


NETWORK = {"angle": 0.4, "speed": 0.25, "background": 0.15, "appearance": 0.2}


def test_components_of_motion_belong_to_what_is_read_from_one_of_them() -> None:
    fast = shown("person", "right", 4.8)
    found = {e["attribute"]: e["share"] for e in entries(fast, ROAD, shares=NETWORK)}
    assert found == {"speed": pytest.approx(0.8), "looks": 0.2}
    wrong_way = shown("car", "left", 9.0)
    found = {e["attribute"]: e["share"] for e in entries(wrong_way, ROAD, shares=NETWORK)}
    assert found == {"direction": pytest.approx(0.55), "speed": 0.25, "looks": 0.2}


def test_where_things_only_graze_a_region_more_is_unusual_for_the_place() -> None:
    edge: list[Row] = [STILL, ("person", "right", 1.0, 0.1, 200)]
    person = shown("person", "right", 1.0, 0.4)
    assert causes(person, edge, shares=NAMED) == [("place", None)]
    assert "place (at most 10 % of it ever moved here in training video; 90 %" in words(
        person, edge, shares=NAMED
    )
    assert causes(shown("person", "right", 1.0, 0.25), edge, shares=NAMED) == [
        ("moving_share", 0.25)
    ]
