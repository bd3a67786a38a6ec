"""The speed scale of made-up movement, whose value is known."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tiny_scene import CONFIG, film, save_frames, shaken

from feature_extraction.flow import FrameFlow
from feature_extraction.speed_scale import (
    LEAST_PX_PER_FRAME,
    WITHOUT_MOVEMENT_PX_PER_FRAME,
    learn_speed_scale,
    pairs_to_sums,
    sums_to_scale,
)
from feature_extraction.training_frames import spread
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.feature_settings import RelativeMomentumFeatures
from vadloc.regions import RegionGrid

TINY = 1e-12
"""A shrinkage that changes nothing."""


def scale_of(
    speeds: NDArray[np.floating], *, pixels: float = 64, w: float = TINY
) -> NDArray[np.float64]:
    """The scale where all pixels of a cell move at one speed."""
    return sums_to_scale(pixels * speeds**2, pixels * speeds**3, shrinkage=w)


def test_one_speed_everywhere_is_the_scale() -> None:
    for shrinkage in (TINY, 0.02, 1.0):
        assert scale_of(np.full((3, 4), 1.7), w=shrinkage) == pytest.approx(np.full((3, 4), 1.7))


def test_perspective_is_followed_row_by_row() -> None:
    """Speeds v = b r: three rows give (v^3 + 2 v b^2) / (v^2 + 2 b^2 / 3)."""
    b, rows = 0.5, np.arange(10.0)[:, None]
    v = b * rows
    found = scale_of(np.repeat(v, 4, axis=1))
    expected = (v**3 + 2 * v * b**2) / (v**2 + 2 * b**2 / 3)
    assert found[1:-1] == pytest.approx(np.repeat(expected[1:-1], 4, axis=1))
    assert found[4:-1] == pytest.approx(np.repeat(v[4:-1], 4, axis=1), rel=0.1)


def test_cells_without_movement_take_the_scale_of_the_scene() -> None:
    speeds = np.zeros((8, 8))
    speeds[0, 0], speeds[0, 1] = 1.0, 3.0
    scene = (1 + 27) / (1 + 9)
    found = scale_of(speeds, w=0.02)
    assert found[3:] == pytest.approx(np.full((5, 8), scene))
    assert found[0, 0] == pytest.approx(scene)  # both lie around it: nothing is left to shrink
    near_fast = (27 + 0.2 * scene) / (9 + 0.2)
    assert found[0, 2] == pytest.approx(near_fast)


def test_still_pixels_do_not_lower_the_scale() -> None:
    speeds = np.full((3, 3), 2.0)
    noise = 0.05
    squares, cubes = 10 * speeds**2 + 990 * noise**2, 10 * speeds**3 + 990 * noise**3
    found = sums_to_scale(squares, cubes, shrinkage=TINY)
    assert found.min() > 1.85  # a plain mean would be 0.07


def test_units_follow_the_size_of_frames() -> None:
    speeds = np.random.default_rng(0).uniform(0.3, 3, (5, 6))
    twice = scale_of(2 * speeds, pixels=4 * 64, w=0.02)
    assert twice == pytest.approx(2 * scale_of(speeds, w=0.02))


def test_the_scale_is_never_zero() -> None:
    still = scale_of(np.zeros((2, 3)))
    assert still.tolist() == [[WITHOUT_MOVEMENT_PX_PER_FRAME] * 3] * 2
    assert scale_of(np.full((2, 3), 0.01)).tolist() == [[LEAST_PX_PER_FRAME] * 3] * 2


def test_what_is_chosen_is_spread_evenly_over_sequences() -> None:
    assert [p.tolist() for p in spread([4, 2, 0], 100)] == [[0, 1, 2, 3], [0, 1], []]
    assert [p.tolist() for p in spread([4, 2, 0], 3)] == [[0, 2], [0], []]
    assert [p.tolist() for p in spread([0], 5)] == [[]]
    counts = [len(p) for p in spread([1000, 3000], 400)]
    assert counts == [100, 300]


def test_textures_that_move_have_their_speed_as_scale() -> None:
    grid = RegionGrid(96, 96, 32, 16)
    texture = gaussian_filter(np.random.default_rng(0).normal(size=(96, 96)), 2, mode="wrap")
    grey = (127 + 100 * texture / np.abs(texture).max()).astype(np.uint8)
    frames = [np.roll(grey, (f, 3 * f), (0, 1)) for f in range(3)]
    settings = RelativeMomentumFeatures()
    squares, cubes = pairs_to_sums(itertools.pairwise(frames), FrameFlow(settings, grid), grid)
    found = sums_to_scale(squares, cubes, shrinkage=TINY)
    assert found[2:4, 2:4] == pytest.approx(np.full((2, 2), np.hypot(1, 3)), rel=0.05)


def artifacts_of(folder: Path, films: list[NDArray[np.uint8]], *, settings: str = "") -> Artifacts:
    for index, frames in enumerate(films):
        save_frames(folder / "Train" / f"Train{index}", frames)
    (folder / "a.toml").write_text(CONFIG + settings)
    return Artifacts(load_config(folder / "a.toml"), folder / "results", folder)


def test_all_training_sequences_count_and_bytes_repeat(tmp_path: Path) -> None:
    one = artifacts_of(tmp_path / "one", [film(seed=0)])
    two = artifacts_of(tmp_path / "two", [film(seed=0), film(seed=1)])
    first, again = (learn_speed_scale(one.config, one.sequences("train")) for _ in range(2))
    both = learn_speed_scale(two.config, two.sequences("train"))
    assert (first["pairs"], both["pairs"]) == (23, 46)
    key = "speed_scale_px_per_frame"
    assert first[key].tobytes() == again[key].tobytes()
    assert first[key].shape == (6, 8)
    assert first[key].max() < 2.5  # the square moves at 2 px/frame
    begun = learn_speed_scale(one.config, one.sequences("train"), limit=5)
    assert begun["pairs"] == 4


def test_video_without_movement_has_a_scale_of_one(tmp_path: Path) -> None:
    still = np.repeat(film(seed=0)[:1], 6, axis=0)
    artifacts = artifacts_of(tmp_path, [still])
    found = learn_speed_scale(artifacts.config, artifacts.sequences("train"))
    assert (found["speed_scale_px_per_frame"] == WITHOUT_MOVEMENT_PX_PER_FRAME).all()


def test_the_shaking_of_the_camera_is_no_movement(tmp_path: Path) -> None:
    still = np.repeat(film(seed=0)[:1], 12, axis=0)
    found = {}
    for undo in ("true", "false"):
        artifacts = artifacts_of(
            tmp_path / undo, [shaken(still)], settings=f"[camera]\nundo_shake = {undo}\n"
        )
        learnt = learn_speed_scale(artifacts.config, artifacts.sequences("train"))
        found[undo] = learnt["speed_scale_px_per_frame"][2:4, 2:-2].max()
    assert found["true"] < 0.5 < found["false"]


def test_frames_of_two_sizes_and_too_small_ones_are_refused(tmp_path: Path) -> None:
    films = [film(seed=0), film(seed=1)[:, :40]]
    artifacts = artifacts_of(tmp_path / "sizes", films)
    with pytest.raises(VadlocError, match="Train1: frames of 64 x 40 px, those of Train0 have"):
        learn_speed_scale(artifacts.config, artifacts.sequences("train"))
    small = artifacts_of(tmp_path / "small", [film(seed=0)[:, :20]])
    with pytest.raises(VadlocError, match="Train0: frames of 64 x 20 px, but optical flow needs"):
        learn_speed_scale(small.config, small.sequences("train"))
