"""The background of pictures of which we know what moves."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_scene import CONFIG, film, save_frames

from feature_extraction.background import (
    DARK,
    difference,
    frame_to_picture,
    learn_background,
    pictures_to_background,
)
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.regions import RegionGrid


def test_blocks_are_quarters_of_cells_and_light_is_a_sum() -> None:
    grid = RegionGrid(16, 16, 16, 8)
    grey = np.full((16, 16), 92, np.uint8)
    grey[:2, :4] = 42
    found = frame_to_picture(grey, grid)
    expected = np.zeros((8, 8))
    expected[0, :2] = np.log((42 + DARK) / (92 + DARK))
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_last_cells_reach_beyond_the_frame() -> None:
    grid = RegionGrid(12, 20, 16, 8)
    assert frame_to_picture(np.full((12, 20), 9, np.uint8), grid).tolist() == [[0.0] * 12] * 8


def test_what_moves_is_no_part_of_the_background() -> None:
    still = np.random.default_rng(0).normal(0, 0.2, (20, 30)).astype(np.float32)
    still -= np.median(still)
    pictures = []
    for t in range(10):
        picture = still.copy()
        picture[5:8, 3 * t : 3 * t + 3] += 1.0
        pictures.append(picture)
    background, spread = pictures_to_background(pictures)
    assert background == pytest.approx(still, abs=0.02)
    assert spread[12:].max() < 0.02


def test_what_is_often_there_has_a_large_spread() -> None:
    pictures = [np.zeros((20, 30), np.float32) for _ in range(10)]
    for picture in pictures[::3]:
        picture[10:12, 10:12] = 0.5
    background, spread = pictures_to_background(pictures)
    assert background.max() == 0
    assert spread[9:13, 9:13] == pytest.approx(np.full((4, 4), 0.5), abs=0.02)
    assert spread[:8].max() == spread[14:].max() == 0


def test_a_difference_is_free_of_light() -> None:
    background = np.random.default_rng(0).normal(0, 0.3, (40, 60)).astype(np.float32)
    slope = np.linspace(-0.3, 0.5, 60, dtype=np.float32)
    changed = background + 0.4 + slope
    assert np.abs(difference(background + 0.4, background)).max() < 1e-6
    assert np.abs(difference(changed, background))[:, 10:-10].max() < 0.02
    changed[20:24, 30:34] -= 0.7
    found = difference(changed, background)
    assert found[20:24, 30:34] == pytest.approx(np.full((4, 4), -0.7), abs=0.03)


def artifacts_of(folder: Path, films: int) -> Artifacts:
    for index in range(films):
        save_frames(folder / "Train" / f"Train{index}", film(seed=index))
    (folder / "a.toml").write_text(CONFIG)
    return Artifacts(load_config(folder / "a.toml"), folder / "results", folder)


def test_frames_of_all_training_sequences_count_and_bytes_repeat(tmp_path: Path) -> None:
    one, two = artifacts_of(tmp_path / "one", 1), artifacts_of(tmp_path / "two", 2)
    first, again = (learn_background(one.config, one.sequences("train")) for _ in range(2))
    both = learn_background(two.config, two.sequences("train"))
    assert (first["frames"], both["frames"]) == (24, 48)
    for key in ("log_brightness", "spread"):
        assert first[key].tobytes() == again[key].tobytes()
        assert first[key].shape == (24, 32)
    assert learn_background(two.config, two.sequences("train"), limit=5)["frames"] == 10


def test_shifts_of_the_camera_are_undone(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(40, 220, (40, 50)).astype(np.uint8)
    wide = cv2.resize(levels, (200, 160), interpolation=cv2.INTER_CUBIC)
    shifts = [0] * 10 + [3 * (f % 2) for f in range(30)]
    save_frames(tmp_path / "Train/Train0", np.stack([wide[:128, x : x + 160] for x in shifts]))
    spreads = []
    for undo in ("true", "false"):
        (tmp_path / "a.toml").write_text(f"{CONFIG}[camera]\nundo_shake = {undo}\n")
        artifacts = Artifacts(load_config(tmp_path / "a.toml"), tmp_path / "results", tmp_path)
        found = learn_background(artifacts.config, artifacts.sequences("train"))
        spreads.append(np.median(found["spread"][4:-4, 4:-4]))
    assert spreads[0] < spreads[1] / 3
