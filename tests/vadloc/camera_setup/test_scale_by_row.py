"""Heights and speeds by rows, against rectangles of known places."""

import numpy as np
import pytest
from moving_rectangles import rectangles

from vadloc.camera_setup.moving_objects import Blobs, moving_blobs, moving_pixels
from vadloc.camera_setup.scale_by_row import (
    frame_speeds,
    perspective_of,
    scale_by_band,
    speeds_of_blobs,
)


def test_heights_and_speeds_by_rows() -> None:
    blobs = np.array([[0, 0, 9, 30, 9], [0, 10, 9, 50, 9], [0, 40, 9, 60, 9]])
    bands = scale_by_band(blobs, np.array([1.0, 2.0, np.nan]), 90)
    assert [(band.rows, band.count) for band in bands] == [
        ((0, 30), 1),
        ((30, 60), 2),
        ((60, 90), 0),
    ]
    assert [band.heights_px[1] for band in bands[:2]] == [30, 30]
    assert [band.speeds_px_per_frame[1] for band in bands[:2]] == [1, 2]
    assert [band.foot_px for band in bands[:2]] == [30, 55]
    assert np.isnan([*bands[2].heights_px, *bands[2].speeds_px_per_frame, bands[2].foot_px]).all()


@pytest.mark.parametrize("step_px", [1, 2, 4])
def test_speeds_of_moving_rectangles(step_px: int) -> None:
    film = rectangles(24, frames=120, objects=2, step_px=step_px, noise=0)
    moving = moving_pixels(film)
    blobs = moving_blobs(moving[60])
    pixels = frame_speeds(film[60], film[61])
    assert pixels is not None
    assert len(blobs) == 2
    assert speeds_of_blobs(pixels, moving[60], blobs) == pytest.approx([step_px] * 2, rel=0.2)
    assert np.median(pixels[~moving[60]]) < 0.02


def test_frames_too_small_for_the_flow_have_no_speeds() -> None:
    assert frame_speeds(*np.zeros((2, 31, 90), np.uint8)) is None


def blobs_with(start_px: float, growth: float, *, count: int = 200) -> Blobs:
    """Blobs whose heights are a line of the row; every third is a group, up to twice as high."""
    random = np.random.default_rng(0)
    feet = random.integers(50, 200, count)
    heights = start_px + growth * feet
    heights[::3] *= random.uniform(1, 2, len(heights[::3]))
    zeros = np.zeros(count)
    return np.stack([zeros, feet - heights, zeros + 9, feet, zeros + 9], 1).round().astype(np.int64)


def test_perspective_is_the_line_of_objects_alone() -> None:
    found = perspective_of(blobs_with(2, 0.2))
    assert found is not None
    assert found.growth == pytest.approx(0.2, abs=0.02)
    assert found.height_px(150) == pytest.approx(32, abs=1.5)
    assert 50 <= found.rows[0] < 80 < 170 < found.rows[1] <= 200


def test_no_perspective_is_told_unless_it_is_clear() -> None:
    assert perspective_of(blobs_with(30, 0.0)) is None
    assert perspective_of(blobs_with(60, -0.2)) is None
    assert perspective_of(blobs_with(2, 0.2, count=20)) is None
