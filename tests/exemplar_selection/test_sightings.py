"""Counting what training video shows: the table against a plain count, and its stages."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exemplar_selection.sightings import (
    SHARE_STEPS,
    SPEED_STEP,
    SceneSightings,
    keys_to_sightings,
    sightings_to_keys,
)
from exemplar_selection.volume_attributes import DIRECTIONS, Sightings
from feature_extraction.attributes import CLASSES

VOLUMES = st.tuples(
    st.integers(0, 3),
    st.integers(-1, len(CLASSES) - 1),
    st.integers(-1, len(DIRECTIONS) - 1),
    st.one_of(st.none(), st.floats(0.05, 90)),
    st.floats(0.05, 1),
)


def sightings_of(volumes: list[tuple[int, int, int, float | None, float]]) -> Sightings:
    _, classes, directions, speeds, shares = zip(*volumes, strict=True)
    still = [speed is None for speed in speeds]
    return Sightings(
        np.array(classes),
        np.where(still, -1, directions),
        np.array([np.nan if speed is None else speed for speed in speeds]),
        np.where(still, 0.0, shares),
    )


@given(st.lists(VOLUMES, min_size=1, max_size=30))
def test_keys_keep_what_is_seen_but_for_the_steps(
    volumes: list[tuple[int, int, int, float | None, float]],
) -> None:
    seen = sightings_of(volumes)
    regions = np.array([volume[0] for volume in volumes])
    found, of_region = keys_to_sightings(sightings_to_keys(seen, regions))
    assert of_region.tolist() == regions.tolist()
    for name in ("class_index", "direction", "is_moving"):
        assert getattr(found, name).tolist() == getattr(seen, name).tolist()
    speed, expected = found.speed_px_per_frame, seen.speed_px_per_frame
    assert speed is not None
    assert speed == pytest.approx(expected, rel=SPEED_STEP**0.5 - 1 + 1e-9, nan_ok=True)
    assert found.moving_share == pytest.approx(seen.moving_share, abs=0.5 / SHARE_STEPS + 1e-9)


@pytest.mark.parametrize("known", ["class", "motion", "nothing"])
def test_what_no_part_knows_stays_unknown(known: str) -> None:
    seen = sightings_of([(0, 1, 2, 3.0, 0.5), (0, -1, -1, None, 0.1)])
    given_ = {
        "class": Sightings(seen.class_index),
        "motion": Sightings(None, seen.direction, seen.speed_px_per_frame, seen.moving_share),
        "nothing": Sightings(),
    }[known]
    found, _ = keys_to_sightings(sightings_to_keys(given_, np.zeros(2, int)))
    assert (found.class_index is None) == (known != "class")
    assert (found.moving_share is None) == (found.is_moving is None) == (known != "motion")


def test_regions_have_what_was_counted_in_them() -> None:
    volumes = [(2, 0, 4, 1.0, 0.5), (0, 1, 0, 4.0, 0.5), (2, 0, 4, 1.0, 0.5), (2, 3, 0, 1.0, 0.5)]
    regions = np.array([volume[0] for volume in volumes])
    keys, counts = np.unique(sightings_to_keys(sightings_of(volumes), regions), return_counts=True)
    scene = SceneSightings.from_content({"regions": 4, "keys": keys, "counts": counts})
    expected = [Counter({1: 1}), Counter(), Counter({0: 2, 3: 1}), Counter()]
    for region, classes in enumerate(expected):
        of_region = scene.of(region, exemplars=1)
        assert of_region.seen.class_index is not None
        pairs = zip(of_region.seen.class_index.tolist(), of_region.counts.tolist(), strict=True)
        assert Counter(dict(pairs)) == classes
    assert scene.of(2, exemplars=5).ranges.volumes == 3
