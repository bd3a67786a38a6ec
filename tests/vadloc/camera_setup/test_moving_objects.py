"""The size of what moves is read off drawn scenes: rectangles of known heights."""

import numpy as np
import pytest
from moving_rectangles import rectangles
from numpy.typing import NDArray

from vadloc.camera_setup.moving_objects import (
    Blobs,
    are_objects,
    fragment_area_px,
    group_heights_px,
    heights_px,
    moving_blobs,
    moving_pixels,
    propose,
    round_down,
)


def blobs_of(frames: NDArray[np.uint8]) -> list[Blobs]:
    return [moving_blobs(moving) for moving in moving_pixels(frames)]


def objects_of(frames: NDArray[np.uint8]) -> Blobs:
    blobs = np.concatenate(blobs_of(frames))
    return blobs[are_objects(blobs)]


@pytest.mark.parametrize("height_px", [16, 24, 40])
def test_regions_are_as_high_as_the_objects(height_px: int) -> None:
    proposal = propose(objects_of(rectangles(height_px, objects=3)), height_px=180, width_px=320)
    assert proposal.object_px == pytest.approx(height_px, abs=3)
    assert proposal.size_px == round_down(proposal.object_px or 0)
    assert proposal.stride_px * 2 == proposal.size_px
    assert not proposal.limit


@pytest.mark.parametrize("scale", [0.5, 2])
def test_the_proposal_scales_with_the_video(scale: float) -> None:
    found = objects_of(rectangles(32, scale=scale, objects=3))
    assert np.quantile(heights_px(found), 0.25) == pytest.approx(32 * scale, abs=3)


@pytest.mark.parametrize("change", [{"noise": 10.0}, {"light": 25.0}])
def test_noise_and_changing_light_are_no_objects(change: dict[str, float]) -> None:
    found = objects_of(rectangles(24, objects=3, **change))
    assert np.quantile(heights_px(found), 0.25) == pytest.approx(24, abs=3)
    assert len(np.concatenate(blobs_of(rectangles(24, objects=0, **change)))) == 0


def test_a_lamp_that_is_switched_on_is_no_object() -> None:
    frames = rectangles(24, objects=0)
    frames[20, :, :200] //= 2
    assert [len(blobs) for blobs in blobs_of(frames)] == [0] * 24


def test_nothing_moves_gives_an_eighth_of_the_shorter_side() -> None:
    proposal = propose(np.empty((0, 5), np.int64), height_px=720, width_px=1280)
    assert (proposal.object_px, proposal.size_px, proposal.stride_px) == (None, 80, 40)


def test_blobs_at_the_edge_are_left_out() -> None:
    frames = rectangles(24, objects=0)
    frames[3, :30, 100:120] = 0
    frames[5, 60:90, 100:120] = 0
    found = blobs_of(frames)
    assert len(found[3]) == 0
    assert found[5][0, :4] == pytest.approx([100, 60, 120, 90], abs=2)


def test_fragments_hold_a_fifth_of_the_area() -> None:
    """20 of 100 pixels lie in the blobs of 10 pixels."""
    blobs = np.array([[0, 0, 1, 1, area] for area in (10, 10, 40, 40)])
    assert fragment_area_px(blobs) == 10
    blobs = np.array([[0, 0, 1, 1, area] for area in (9, 9, 41, 41)])
    assert fragment_area_px(blobs) == 41
    assert fragment_area_px(blobs[:0]) == 0


def deep_scene() -> Blobs:
    """Squares of 8 px in rows 0 to 99, five times as large and a fifth as many below.

    For each of them there is a fragment of 2 px.
    """
    random = np.random.default_rng(0)
    rows = [
        (0, foot - side, side, foot, side**2)
        for low, side, count in ((0, 8, 200), (0, 2, 200), (100, 40, 40), (100, 2, 40))
        for foot in random.uniform(low, low + 100, count).astype(int)
    ]
    return np.array(rows)


def test_what_is_far_away_is_no_fragment_of_what_is_near() -> None:
    blobs = deep_scene()
    sides = blobs[:, 2]
    assert sorted(set(sides[blobs[:, 4] >= fragment_area_px(blobs)])) == [40]
    assert sorted(set(sides[are_objects(blobs)])) == [8, 40]


def test_the_height_half_way_is_the_geometric_mean() -> None:
    """Half of the groups are of 8 px, half of 40: both have 1600 px side by side."""
    blobs = deep_scene()
    objects = blobs[are_objects(blobs)]
    assert group_heights_px(objects).tolist() == [8] * 4 + [40] * 4
    assert propose(objects, height_px=300, width_px=400).object_px == pytest.approx(320**0.5)


def test_few_blobs_are_one_group() -> None:
    blobs = deep_scene()
    assert len(group_heights_px(blobs[::25])) == 2
    assert len(group_heights_px(blobs[::50])) == 1
    assert not are_objects(blobs[:0]).size


def test_not_more_regions_than_can_be_handled() -> None:
    tiny = np.tile([10, 10, 14, 16, 20], (50, 1))
    proposal = propose(tiny, height_px=720, width_px=1280)
    assert proposal.object_px == 6
    assert proposal.regions <= 4000
    assert proposal.limit
    before = proposal.size_px - (4 if proposal.size_px <= 32 else 8)
    assert (720 / (before / 2) - 1) * (1280 / (before / 2) - 1) > 4000


@pytest.mark.parametrize(
    ("length_px", "size_px"),
    [
        (3, 16),
        (19.9, 16),
        (31, 28),
        (36, 32),
        (47, 40),
        (63.9, 56),
        (78, 64),
        (130, 128),
        (500, 448),
    ],
)
def test_sizes_are_even_halves(length_px: float, size_px: int) -> None:
    assert round_down(length_px) == size_px


def test_regions_are_not_larger_than_the_frame() -> None:
    huge = np.tile([10, 10, 14, 110, 400], (50, 1))
    assert propose(huge, height_px=120, width_px=60).size_px == 56
