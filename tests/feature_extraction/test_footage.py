"""What networks of whole frames see: sizes, flow and values by closed forms."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import film

from feature_extraction.footage import (
    Footage,
    extend,
    flow_limit_px,
    flow_to_input,
    frames_to_input,
    reduce_frames,
    reduced_size,
)
from vadloc.detector_settings import TrainedDetector
from vadloc.regions import RegionGrid

SETTINGS = TrainedDetector()


@pytest.mark.parametrize(
    ("height", "width", "region_px", "settings", "expected"),
    [
        (240, 360, 32, {}, (120, 180)),
        (240, 360, 16, {}, (240, 360)),
        (240, 360, 8, {}, (240, 360)),  # never enlarged
        (64, 640, 64, {}, (32, 320)),  # the shorter side keeps 32 px
        (240, 360, 32, {"square_px": 64}, (64, 64)),
    ],
)
def test_reduced_frames_have_regions_of_one_size(
    height: int, width: int, region_px: int, settings: dict[str, int], expected: tuple[int, int]
) -> None:
    grid = RegionGrid(height, width, region_px, region_px)
    assert reduced_size(grid, TrainedDetector(**settings)) == expected


def colour(frames: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [np.repeat(frame[..., None], 3, axis=2) for frame in frames]


def test_frames_and_flow_are_those_of_the_video() -> None:
    frames = film(seed=0)
    seen = list(reduce_frames(colour(frames), RegionGrid(48, 64, 16, 8), SETTINGS))
    assert len(seen) == len(frames)
    for one, frame in zip(seen, frames, strict=True):
        np.testing.assert_array_equal(one.frame, frame)
    np.testing.assert_array_equal(seen[0].flow, seen[1].flow)
    left = 2 * 10 + 2  # where the square is in frame 10
    square = seen[10].flow[:, 9:13, left + 2 : left + 5].astype(float).mean(axis=(1, 2))
    np.testing.assert_allclose(square, [2, 0], atol=0.4)


def test_a_single_frame_has_no_flow() -> None:
    [seen] = reduce_frames(colour(film(seed=0)[:1]), RegionGrid(48, 64, 16, 8), SETTINGS)
    assert not seen.flow.any()


def test_inputs_of_networks() -> None:
    grey = np.array([0, 255], np.uint8).reshape(1, 1, 2)
    np.testing.assert_allclose(frames_to_input(grey), [[[[-1, 1]]]])
    colour = np.array([[0, 255, 51], [255, 0, 204]], np.uint8).reshape(1, 1, 2, 3)
    expected = np.array([[-1, 1], [1, -1], [-0.6, 0.6]]).reshape(3, 1, 1, 2)
    np.testing.assert_allclose(frames_to_input(colour), expected, atol=1e-6)
    flow = np.array([[3.0, 0, 20], [4.0, 0, 0]], np.float32).reshape(2, 1, 3)
    expected = [[0.3, 0, 1], [0.4, 0, 0], [0, -1, 1]]
    np.testing.assert_allclose(flow_to_input(flow, 10.0)[:, 0], expected, atol=1e-6)


def test_the_limit_is_three_times_what_nearly_all_moving_pixels_stay_below() -> None:
    flow = np.zeros((3, 2, 30, 30), np.float16)
    flow[:, 0, :15] = 2
    part = Footage("Train", np.zeros((3, 30, 30), np.uint8), flow)
    assert flow_limit_px([part]) == pytest.approx(6)
    still = Footage("Train", part.frames, np.zeros_like(flow))
    assert flow_limit_px([still]) == 1


def test_extending_runs_forwards_and_backwards() -> None:
    assert extend(3, 8).tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert extend(1, 3).tolist() == [0, 0, 0]
    assert extend(9, 4).tolist() == [0, 1, 2, 3]
