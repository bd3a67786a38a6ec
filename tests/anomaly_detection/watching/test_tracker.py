"""Alarms found frame by frame are the detections of the whole score map."""

import numpy as np
import pytest

from anomaly_detection.explanation.detections import scores_to_detections
from anomaly_detection.watching.tracker import Alarm, AlarmTracker
from vadloc.regions import RegionGrid

GRID = RegionGrid(height_px=55, width_px=72, size_px=16, stride_px=8)
THRESHOLD = 0.5


def tracked(scores: np.ndarray, connectivity: int) -> list[Alarm]:
    """The alarms in a score map, taken frame by frame."""
    tracker = AlarmTracker(GRID, threshold=THRESHOLD, connectivity=connectivity)
    ended = [alarm for frame, of in enumerate(scores) for alarm in tracker.push(of, frame).ended]
    return ended + tracker.end()


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("share", [0.05, 0.12, 0.2, 0.3])
def test_alarms_are_the_detections_of_the_whole_map(connectivity: int, share: float) -> None:
    random = np.random.default_rng(int(100 * share) + connectivity)
    for _ in range(10):
        scores = random.uniform(0, 0.4, (12, *GRID.cells)).astype(np.float32)
        above = random.random(scores.shape) < share
        scores[above] = random.integers(1, 5, above.sum()) / 4 + 0.3  # with ties
        found = tracked(scores, connectivity)
        expected = scores_to_detections(
            scores, GRID, threshold=THRESHOLD, connectivity=connectivity
        )
        assert sorted((a.first_frame, a.last_frame, a.score, a.peak) for a in found) == sorted(
            (d.first_frame, d.last_frame, d.score, d.peak) for d in expected
        )


def test_two_alarms_that_meet_become_the_elder_one() -> None:
    scores = np.zeros((4, *GRID.cells), np.float32)
    scores[0:, 1, 0:2] = 1
    scores[1:, 1, 6] = 2
    scores[2, 1, :] = 1.5
    tracker = AlarmTracker(GRID, threshold=THRESHOLD, connectivity=8)
    changes = [tracker.push(of, frame) for frame, of in enumerate(scores)]
    assert [[alarm.number for alarm in change.begun] for change in changes] == [[1], [2], [], []]
    [(younger, elder)] = changes[2].joined
    assert (younger.number, elder.number) == (2, 1)
    [alarm] = tracker.end()
    assert (alarm.first_frame, alarm.last_frame, alarm.score, alarm.peak) == (0, 3, 2, (1, 1, 6))
    assert alarm.box_xyxy_px == (48, 8, 56, 16)


def test_a_box_is_cut_at_the_edge_of_the_frame() -> None:
    scores = np.zeros((1, *GRID.cells), np.float32)
    scores[0, 5:, 7:] = 1
    [alarm] = tracked(scores, 8)
    assert alarm.box_xyxy_px == (56, 40, 72, 55)


def test_what_is_below_the_threshold_is_no_alarm() -> None:
    scores = np.full((3, *GRID.cells), np.nextafter(np.float32(0.5), np.float32(0)))
    assert tracked(scores, 8) == []
    scores[1, 2, 3] = 0.5
    assert len(tracked(scores, 8)) == 1
