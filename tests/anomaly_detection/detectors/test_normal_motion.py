"""What moves in training video, by region: hand-made flow, and a plain second implementation."""

import numpy as np
import pytest

from anomaly_detection.detectors import normal_motion
from anomaly_detection.detectors.detector import Reason
from anomaly_detection.detectors.network_reason import peak_to_reason
from anomaly_detection.detectors.normal_motion import NormalMotion, measure_motion, motion_of
from anomaly_detection.explanation.detections import Detection
from feature_extraction.footage import Footage
from vadloc.regions import RegionGrid

GRID = RegionGrid(16, 32, 16, 8)  # cells of 8 px, 1 x 3 regions of 2 x 2 cells


def footage(flow: np.ndarray, learnt: np.ndarray | None = None) -> Footage:
    frames = np.zeros((len(flow), *flow.shape[2:]), np.uint8)
    return Footage("A", frames, flow.astype(np.float16), learnt)


def one_way(count: int = 40) -> np.ndarray:
    """The left quarter moves right, at 1 px/frame; at 2 in every tenth frame. The rest is still."""
    flow = np.zeros((count, 2, 16, 32))
    flow[:, 0, :, :8] = 1
    flow[::10, 0, :, :8] = 2
    return flow


def test_a_region_has_what_moves_in_its_cells() -> None:
    record = measure_motion([footage(one_way())], GRID)
    assert record["samples"] == [160, 160, 160]  # four cells in 40 frames
    assert record["moving"] == [80, 0, 0]
    known = motion_of(record, 0)
    assert known.speed == (1, 2)
    assert known.directions == {"right": 1}
    assert known.words() == "things moving right at 1.0-2.0 px/frame"
    assert motion_of(record, 2).words() == "nothing moves faster than 0.2 px/frame"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ((1.5, 0), []),
        ((6, 0), ["speed (3.0 times the highest normal one)"]),
        ((0.5, 0), ["speed (0.5 times the lowest normal one)"]),
        ((-1.5, 0), ["direction"]),
        ((0, 6), ["speed (3.0 times the highest normal one)", "direction"]),
        ((0.1, 0), []),
    ],
)
def test_motion_is_compared_with_the_range(seen: tuple[float, float], words: list[str]) -> None:
    record = measure_motion([footage(one_way())], GRID)
    assert motion_of(record, 0).unusual(*seen) == words


def test_where_nothing_moves_all_motion_is_unusual() -> None:
    known = motion_of(measure_motion([footage(one_way())], GRID), 2)
    assert known.unusual(1, 0) == ["movement (nothing has ever moved here in training video)"]
    assert known.unusual(0, 0) == []


def test_what_moves_seldom_is_said_with_its_share() -> None:
    known = NormalMotion(10_000, 40, (1.0, 2.0), {"right": 1.0})
    assert known.unusual(1, 0) == ["movement (seen here in under 1 % of training video)"]


def test_the_same_as_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    flow = rng.normal(0, 1, (9, 2, 16, 32)).round(2) * (rng.random((9, 1, 16, 32)) < 0.3)
    parts = [footage(flow[:4]), footage(flow[4:])]
    record = measure_motion(parts, GRID)
    stored = np.concatenate([part.flow for part in parts]).astype(np.float64)
    for region in range(3):
        speeds, counts, samples = [], [0] * 8, 0
        for frame in stored:
            for row in (0, 8):
                for column in (8 * region, 8 * region + 8):
                    cell = frame[:, row : row + 8, column : column + 8].reshape(2, -1)
                    weights = np.hypot(*cell) + 1e-3
                    x, y = (cell * weights).sum(axis=1) / weights.sum()
                    samples += 1
                    if np.hypot(x, y) >= 0.2:
                        speeds.append(np.hypot(x, y))
                        counts[round(np.degrees(np.arctan2(y, x)) / 45) % 8] += 1
        assert record["samples"][region] == samples
        assert record["moving"][region] == len(speeds) > 0
        assert record["directions"][region] == counts
        ordered = np.sort(speeds)
        np.testing.assert_allclose(record["speed"][region], ordered[[0, -1]], atol=2e-3)


def test_what_was_mined_does_not_count() -> None:
    mined = footage(5 * one_way(), np.ones((40, 16, 32), np.bool_))
    assert measure_motion([footage(one_way()), mined], GRID) == measure_motion(
        [footage(one_way())], GRID
    )


def test_the_number_of_frames_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal_motion, "MOST_FRAMES", 10)
    record = measure_motion([footage(one_way())], GRID)
    assert 20 <= record["samples"][0] <= 40
    assert motion_of(record, 0).directions == {"right": 1}


def reason(normal: dict | None) -> Reason:
    detection = Detection(1.0, 0.5, (3, 0, 0), 3, np.zeros((1, 4), np.int64))
    return peak_to_reason(
        detection,
        GRID,
        indicators={"flow": 3.0, "frame": 1.0},
        motion=np.array([-3.0, 0, 1, 0], np.float32),
        frames_per_volume=4,
        frame_count=9,
        normal=normal,
    )


def test_a_reason_has_what_was_measured_and_what_is_normal() -> None:
    found = reason(measure_motion([footage(one_way())], GRID))
    assert found.words == (
        "unusual motion (75 %) and appearance (25 %); the network that knows normal motion here "
        "expects 1.0 px/frame to the right, seen: 3.0 px/frame to the left. Here normally: things "
        "moving right at 1.0-2.0 px/frame. Unusual: speed (1.5 times the highest normal one), "
        "then direction"
    )
    measured = found.peak["motion"]
    assert (measured["speed"], measured["direction"]) == (3, "left")
    assert measured["normal"] == {"speed": [1, 2], "directions": {"right": 1}}


def test_networks_of_earlier_trainings_have_no_range() -> None:
    found = reason(None)
    assert found.words.endswith("seen: 3.0 px/frame to the left")
    assert found.peak == {"shares": {"flow": 0.75, "frame": 0.25}}
