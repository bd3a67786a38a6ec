"""Dropping of short events: by hand, and the same in a stream as on the whole map."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anomaly_detection.detectors.event_filter import EventFilter, drop_short_events
from vadloc.regions import RegionGrid

GRID = RegionGrid(16, 24, 8, 8)
MAPS = arrays(np.float32, st.tuples(st.integers(1, 20), st.just(2), st.just(3)),
              elements=st.sampled_from([0.0, 0.5, 1.0, 2.0]))  # fmt: skip


def test_short_events_are_dropped_and_long_ones_stay() -> None:
    scores = np.full((6, 2, 3), 0.25, np.float32)
    scores[0:3, 0, 0] = 2  # three frames
    scores[3, 1, 1] = 1.5  # diagonal in time and space: the same event
    scores[1, 0, 2] = 3  # a frame
    kept = drop_short_events(scores, threshold=1, least_lifespan=4)
    expected = scores.copy()
    expected[1, 0, 2] = 0
    np.testing.assert_array_equal(kept, expected)
    kept = drop_short_events(scores, threshold=1, least_lifespan=5)
    expected[0:3, 0, 0] = expected[3, 1, 1] = 0
    np.testing.assert_array_equal(kept, expected)


def filtered(scores: np.ndarray, cuts: list[int], **settings: float) -> np.ndarray:
    chosen = {"smoothing_frames": 1, "threshold": 1.0, "least_lifespan": 3, "cap": None} | settings
    stream = EventFilter(GRID, **chosen)  # type: ignore[arg-type]
    parts = [stream.push(part) for part in np.split(scores, cuts)]
    return np.concatenate([*parts, stream.finish()])


@given(scores=MAPS, cuts=st.lists(st.integers(0, 20), max_size=5))
def test_a_stream_gives_what_the_whole_map_gives(scores: np.ndarray, cuts: list[int]) -> None:
    whole = drop_short_events(scores, threshold=1, least_lifespan=3)
    np.testing.assert_array_equal(filtered(scores, sorted(cuts)), whole)


@given(scores=MAPS, cuts=st.lists(st.integers(0, 20), max_size=5), half=st.integers(0, 4))
def test_smoothing_is_the_mean_of_the_frames_around(
    scores: np.ndarray, cuts: list[int], half: int
) -> None:
    found = filtered(scores, sorted(cuts), smoothing_frames=2 * half + 1, least_lifespan=1)
    for frame in range(len(scores)):
        around = scores[max(0, frame - half) : frame + half + 1]
        np.testing.assert_allclose(found[frame], around.mean(axis=0), rtol=1e-6)


def test_a_cap_is_the_largest_score() -> None:
    scores = np.array([0.5, 3.0], np.float32).reshape(2, 1, 1) * np.ones((1, 2, 3), np.float32)
    found = filtered(scores, [], cap=1.6, least_lifespan=1)
    assert found.max() == np.float32(1.6)
    assert found.min() == np.float32(0.5)
