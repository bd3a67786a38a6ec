"""Targets of the motion network, on flows whose answer is written down."""

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_extraction.motion.targets import (
    MotionTargets,
    flow_to_maps,
)


def targets(*flows: NDArray[np.float32]) -> MotionTargets:
    maps = [flow_to_maps(flow) for flow in flows]
    return MotionTargets(np.stack([m[0] for m in maps]), np.stack([m[1] for m in maps]))


def uniform(u: float, v: float) -> NDArray[np.float32]:
    return np.tile(np.array([u, v], np.float32), (9, 64, 64, 1))


@pytest.mark.parametrize("k", range(12))
def test_bins_go_from_x_towards_y(k: int) -> None:
    angle = np.radians(30 * k + 15)
    seen = targets(uniform(3 * np.cos(angle), 3 * np.sin(angle)))
    assert seen.direction[0] == pytest.approx(np.eye(12)[k])
    assert seen.speed[0, k] == pytest.approx(3, rel=1e-5)
    assert seen.moving[0] == pytest.approx(1)
    assert not seen.background[0]


def test_what_moves_less_than_the_floor_is_stationary() -> None:
    seen = targets(uniform(0.4, 0.2), uniform(0.5, 0.3))
    assert seen.background.tolist() == [True, False]
    assert seen.direction[0].tolist() == [0] * 12
    assert seen.speed[0].tolist() == [0] * 12


def test_two_objects() -> None:
    """In one of nine pairs 16 x 8 pixels move right at 4, always 8 x 8 move up at 2 px/frame."""
    flow = uniform(0, 0)
    flow[3, 0:16, 8:16] = (4, 0.01)
    flow[:, 56:64, 0:8] = (0.01, -2)
    seen = targets(flow)
    right, up = 128 / 9 / 4096, 64 / 4096
    assert seen.moving[0] == pytest.approx(right + up, rel=1e-5)
    assert seen.direction[0, 0] == pytest.approx(right / (right + up), rel=1e-5)
    assert seen.direction[0, 9] == pytest.approx(up / (right + up), rel=1e-5)
    assert seen.speed[0, [0, 9]] == pytest.approx([4, 2], rel=1e-4)
    assert seen.share[0, 0, 1, 0] == pytest.approx(1 / 9)
    assert seen.share[0, 7, 0, 9] == pytest.approx(1)
    assert np.count_nonzero(seen.share[0]) == 3
    assert seen.momentum[0, 0, 1, 0] == pytest.approx(4 / 9, rel=1e-4)


def test_background_is_less_than_one_in_a_hundred() -> None:
    few, more = uniform(0, 0), uniform(0, 0)
    few[:, 0, :40] = (1, 1)
    more[:, 0, :41] = (1, 1)
    assert targets(few, more).background.tolist() == [True, False]
