"""Detections against pictures and against a plain flood fill."""

from collections import deque
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from anomaly_detection.explanation.detections import Detection, scores_to_detections
from vadloc.regions import RegionGrid

GRID = RegionGrid(height_px=44, width_px=60, size_px=32, stride_px=16)
"""3 x 4 cells, those at the right and lower edge cut to 12 px."""


def film(*frames: str) -> NDArray[np.float32]:
    """Scores from pictures: a digit is so many tenths, a dot nothing."""
    digits = [[[0 if c == "." else int(c) for c in row] for row in f.split()] for f in frames]
    return np.array(digits, np.float32) / np.float32(10)


def detect(scores: NDArray[np.float32], *, connectivity: int = 8) -> list[Detection]:
    return scores_to_detections(scores, GRID, threshold=0.5, connectivity=connectivity)


def test_one_moving_thing() -> None:
    (only,) = detect(film(".... .... ....", "5... .... ....", ".96. .... ....", "..5. .... .4.."))
    assert only.score == pytest.approx(0.9)
    assert only.peak == (2, 0, 1)
    assert (only.first_frame, only.last_frame) == (1, 3)
    assert only.box_xyxy_px.tolist() == [[0, 0, 16, 16], [16, 0, 48, 16], [32, 0, 48, 16]]


def test_a_score_at_the_threshold_is_detected_as_in_the_evaluation() -> None:
    assert len(detect(film("5... .... ...."))) == 1


def test_boxes_end_at_the_edge_of_the_frame() -> None:
    (only,) = detect(film(".... .... ...9"))
    assert only.box_xyxy_px.tolist() == [[48, 32, 60, 44]]


def test_corners_join_in_8_and_not_in_4() -> None:
    scores = film("9... .7.. ....")
    assert len(detect(scores)) == 1
    assert [d.score for d in detect(scores, connectivity=4)] == pytest.approx([0.9, 0.7])


def test_a_step_aside_between_frames_joins_in_8_and_not_in_4() -> None:
    scores = film("9... .... ....", ".7.. .... ....")
    assert len(detect(scores)) == 1
    assert len(detect(scores, connectivity=4)) == 2


def test_two_things_that_meet_are_one() -> None:
    (only,) = detect(film("5..5 .... ....", ".55. .... ....", "6..9 .... ...."))
    assert only.box_xyxy_px[0].tolist() == [0, 0, 60, 16]
    assert only.peak == (2, 0, 3)


def test_nothing() -> None:
    assert detect(film(".4.. .... ....")) == []


def flood(
    scores: NDArray[np.float32], threshold: float, *, connectivity: int
) -> set[frozenset[tuple[int, ...]]]:
    """Components as sets of cells, by following neighbours one at a time."""
    left = {tuple(int(i) for i in at) for at in np.argwhere(scores >= threshold)}
    found = set()
    while left:
        queue = deque([left.pop()])
        component = set(queue)
        while queue:
            at = queue.popleft()
            for step in product((-1, 0, 1), repeat=3):
                near = (at[0] + step[0], at[1] + step[1], at[2] + step[2])
                if near in left and (connectivity == 8 or sum(map(abs, step)) == 1):
                    left.remove(near)
                    component.add(near)
                    queue.append(near)
        found.add(frozenset(component))
    return found


@given(
    arrays(np.float32, (4, 3, 4), elements=st.sampled_from([np.float32(k / 4) for k in range(5)])),
    st.sampled_from([4, 8]),
)
def test_equal_to_a_flood_fill(scores: NDArray[np.float32], connectivity: int) -> None:
    expected = flood(scores, 0.5, connectivity=connectivity)
    found = detect(scores, connectivity=connectivity)
    spans = sorted((min(f for f, _, _ in c), max(f for f, _, _ in c)) for c in expected)
    assert sorted((d.first_frame, d.last_frame) for d in found) == spans
    peaks: dict[tuple[int, ...], float] = {d.peak: d.score for d in found}
    for component in expected:
        best = max(component, key=lambda at: (scores[at], [-i for i in at]))
        assert peaks[best] == scores[best]
