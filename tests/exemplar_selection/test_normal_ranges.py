"""What is normal of each class, from made-up sightings."""

import numpy as np
import pytest

from exemplar_selection.normal_ranges import NormalSightings
from exemplar_selection.volume_attributes import DIRECTIONS, Sightings, VolumeAttributes
from feature_extraction.attributes import CLASSES, Attributes

PERSON, CAR, TREE = (CLASSES.index(name) for name in ("person", "car", "tree"))
RIGHT, LEFT = DIRECTIONS.index("right"), DIRECTIONS.index("left")
NONE = -1


def known() -> NormalSightings:
    """Persons walk both ways, and one stands; cars drive to the right; a tree."""
    rows = [
        (PERSON, RIGHT, 1.0, 0.2, 30),
        (PERSON, LEFT, 1.2, 0.2, 20),
        (PERSON, NONE, np.nan, 0.0, 5),
        (CAR, RIGHT, 4.0, 0.6, 25),
        (NONE, LEFT, 1.1, 0.1, 25),
        (TREE, NONE, np.nan, 0.0, 95),
    ]
    index, direction, speed, share, counts = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    seen = Sightings(index.astype(int), direction.astype(int), speed, share)
    return NormalSightings(seen, counts.astype(int), exemplars=6)


def test_each_class_has_its_own_directions_and_speeds() -> None:
    ranges = known().ranges
    assert (ranges.volumes, ranges.moving_volumes, ranges.speed) == (200, 100, (1.0, 4.0))
    assert ranges.directions == {"right": 0.55, "left": 0.45}
    assert set(ranges.by_class) == {"person", "car"}
    person, car = ranges.by_class["person"], ranges.by_class["car"]
    assert (person.volumes, person.moving_volumes, person.speed) == (55, 50, (1.0, 1.2))
    assert person.directions == {"right": 0.6, "left": 0.4}
    assert (car.volumes, car.moving_volumes, car.speed) == (25, 25, (4.0, 4.0))
    assert car.directions == {"right": 1.0}


def test_classes_are_shares_of_what_moves() -> None:
    classes = known().ranges.classes
    assert classes is not None
    assert {name: share for name, share in classes.items() if share} == {"person": 0.5, "car": 0.25}


def test_directions_of_what_is_about_as_fast() -> None:
    assert known().directions_as_fast(3.0) == {"right": 1.0}  # 4 is 1.33 times 3
    assert known().directions_as_fast(1.4) == {"left": 0.6, "right": 0.4}
    assert known().directions_as_fast(2.2) == {}


def test_what_is_not_known_is_none() -> None:
    counts = np.array([2, 3])
    still = NormalSightings(Sightings(np.array([TREE, NONE])), counts, 2).ranges
    assert (still.moving_volumes, still.speed, still.directions) == (None, None, None)
    assert still.classes is not None
    assert still.classes["tree"] == 0.4
    moving = Sightings(None, np.array([NONE, LEFT]), np.array([np.nan, 2.0]), np.array([0.0, 0.5]))
    ranges = NormalSightings(moving, counts, 2).ranges
    assert (ranges.classes, ranges.by_class) == (None, {})
    assert (ranges.moving_volumes, ranges.directions) == (3, {"left": 1.0})
    assert NormalSightings(Sightings(), counts, 2).ranges.record()["volumes"] == 5


@pytest.mark.parametrize(
    ("probable", "name"),
    [
        ({"person": 0.6, "tree": 0.9}, "person"),  # things that move come first
        ({"person": 0.4, "tree": 0.9}, "tree"),
        ({"person": 0.6, "car": 0.7}, "car"),
        ({"person": 0.4, "car": 0.4}, None),
    ],
)
def test_the_class_of_a_volume(probable: dict[str, float], name: str | None) -> None:
    row = np.array([[probable.get(c, 0.1) for c in CLASSES]], np.float32)
    assert VolumeAttributes(Attributes(row)).record(0)["class"] == name
