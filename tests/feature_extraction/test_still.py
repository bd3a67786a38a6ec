"""What is new and stands still, in frames of which we know what is new."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import copy_scene

from feature_extraction.frame import Frame
from feature_extraction.registry import kind_of
from feature_extraction.still import Still, evidence_to_features, lasting
from feature_extraction.workers import Workers
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.feature_settings import StillFeatures
from vadloc.regions import RegionGrid

GRID = RegionGrid(96, 128, 32, 16)
SETTINGS = StillFeatures()
RATE, LENGTH = 10, 10
WINDOW = round(SETTINGS.seconds * RATE)
"""Frames until the extractor says anything."""
NEW = slice(32, 64), slice(32, 64)
"""Exactly the region of row 2 and column 2."""
PLACE = 2 * GRID.regions[1] + 2


def scene() -> NDArray[np.uint8]:
    """A textured scene, without noise."""
    levels = np.random.default_rng(0).integers(70, 150, (12, 16)).astype(np.uint8)
    return np.asarray(cv2.resize(levels, (128, 96), interpolation=cv2.INTER_CUBIC), np.uint8)


def with_square(frame: NDArray[np.uint8], x: int = 32, level: int = 250) -> NDArray[np.uint8]:
    changed = frame.copy()
    changed[32:64, x : x + 32] = level
    return changed


def learnt(spread: float = 0.0) -> dict[str, Any]:
    from feature_extraction.background import frame_to_picture

    picture = frame_to_picture(scene(), GRID).astype(np.float64)
    return {
        "height_px": 96,
        "width_px": 128,
        "log_brightness": picture,
        "spread": np.full(picture.shape, spread),
    }


def strengths(
    frames: list[NDArray[np.uint8]], settings: StillFeatures = SETTINGS, rate: float = RATE
) -> NDArray[np.float64]:
    """The length of the feature after each frame, ``(frames, regions)``."""
    extractor = Still(settings, GRID, learnt(), frames_per_second=rate)
    for frame in frames:
        extractor.add_frame(Frame(frame, None, GRID))
        extractor.add_volumes([])
    steps = extractor.take()
    assert extractor.take() == []
    return np.array([np.linalg.norm(step.components["still"], axis=1) for step in steps])


def test_the_scene_itself_is_silent() -> None:
    assert strengths([scene()] * (WINDOW + 5)).max() == 0


def test_something_left_behind_is_seen_after_most_of_the_time_and_where_it_is() -> None:
    frames = [scene()] * WINDOW + [with_square(scene())] * WINDOW
    found = strengths(frames)
    early, late = WINDOW + WINDOW // 2, WINDOW + round(0.85 * WINDOW)
    assert found[:early].max() == 0
    assert found[late, PLACE] > 0.7
    far = np.ones(GRID.region_count, bool)
    far[GRID.neighbours(PLACE, 1)] = False
    assert found[late, far].max() == 0


def test_nothing_is_said_before_enough_has_been_seen() -> None:
    frames = [with_square(scene())] * WINDOW
    found = strengths(frames)
    assert found[: WINDOW - 2].max() == 0
    assert found[-1, PLACE] > 0.7


def test_a_frame_rate_changes_frames_and_not_seconds() -> None:
    frames = [scene()] * WINDOW + [with_square(scene())] * WINDOW
    slow, fast = strengths(frames), strengths(list(np.repeat(frames, 3, axis=0)), rate=30)
    assert fast[2::3] == pytest.approx(slow)


def test_what_passes_by_is_silent() -> None:
    """A square of 32 px at 2 px/frame covers a place for 1.6 of 4 seconds."""
    frames = [with_square(scene(), x) for x in range(-32, 128, 2) if x >= 0]
    assert strengths([scene()] * WINDOW + frames).max() == 0


def test_it_may_be_hidden_for_a_moment() -> None:
    left = [with_square(scene())] * WINDOW
    hidden = [with_square(scene(), level=20) for _ in range(WINDOW // 10)]
    found = strengths([*left, *hidden, *left[: WINDOW // 4]])
    assert found[WINDOW:, PLACE].min() > 0.7


@pytest.mark.parametrize("factor", [0.67, 1.3])
def test_more_or_less_light_is_silent(factor: float) -> None:
    lit = np.clip(np.round(scene() * factor), 0, 255).astype(np.uint8)
    assert strengths([scene()] * WINDOW + [lit] * 2 * WINDOW).max() < 0.1


def test_a_soft_shadow_over_half_of_the_picture_is_silent() -> None:
    ramp = np.interp(np.arange(128), (24, 104), (0.6, 1.0))
    shaded = np.round(scene() * ramp).astype(np.uint8)
    assert strengths([scene()] * WINDOW + [shaded] * 2 * WINDOW).max() < 0.15


def test_what_has_stood_long_enough_belongs_to_the_background() -> None:
    settings = StillFeatures(seconds=2.0, absorb_seconds=6.0)
    found = strengths([with_square(scene())] * 100, settings)[:, PLACE]
    assert found.max() > 0.5
    assert found[-1] == 0
    assert found[40:].tolist() == sorted(found[40:], reverse=True)


def test_where_training_video_changes_a_change_says_less() -> None:
    def last(spread: float) -> float:
        extractor = Still(SETTINGS, GRID, learnt(spread), frames_per_second=RATE)
        for _ in range(WINDOW):
            extractor.add_frame(Frame(with_square(scene()), None, GRID))
        extractor.add_volumes([])
        [step] = extractor.take()
        return float(np.linalg.norm(step.components["still"][PLACE]))

    assert last(0.0) > last(0.5) > last(2.0) > 0


def test_lasting_is_what_four_fifths_of_the_time_exceeds() -> None:
    evidence = np.array(
        [
            [0.9, 0.8, 0.5, 0.6, 0.7, -0.9],  # positive in 5 of 6
            [0.9, 0.8, 0.5, 0.6, -0.1, -0.9],  # in 4 of 6
            [-0.9, -0.8, -0.5, -0.6, -0.7, 0.9],
        ],
        np.float32,
    )
    assert lasting(evidence.T[:, None])[0].tolist() == pytest.approx([0.5, 0.0, -0.5])


def test_features_of_regions_are_those_of_their_quarters() -> None:
    grid = RegionGrid(16, 24, 16, 8)
    evidence = np.zeros((8, 12), np.float32)
    evidence[:4, 4:8] = -0.6
    found = evidence_to_features(evidence, grid)
    assert found == pytest.approx(np.array([[0, 0.3, 0, 0], [0.3, 0, 0, 0]]))


def test_a_frame_smaller_than_a_region_has_one_region() -> None:
    grid = RegionGrid(16, 16, 32, 8)
    found = evidence_to_features(np.ones((8, 8), np.float32), grid)
    assert found == pytest.approx(np.array([[0.5, 0, 0, 0]]))


def test_frames_of_another_size_than_training_are_refused(scene: Path) -> None:
    config = load_config(scene / "tiny.toml")
    with Workers(1) as workers, pytest.raises(VadlocError, match="those of training have 128 x 96"):
        kind_of("still").make(config, RegionGrid(48, 80, 16, 8), workers, "cpu", learnt())


def test_features_depend_on_the_frame_rate_and_the_background_does_not(
    scene: Path, tmp_path: Path
) -> None:
    made = []
    for rate in (10, 20):
        config = copy_scene(scene, tmp_path / str(rate)) / "tiny.toml"
        config.write_text(
            config.read_text().replace("frames_per_second = 10", f"frames_per_second = {rate}")
        )
        made.append(Artifacts(load_config(config), config.parent / "results", config.parent))
    assert len({a.learnt("still").stamp for a in made}) == 1
    assert len({a.features("still", "test", "Test0").stamp for a in made}) == 2
    assert len({a.features("momentum", "test", "Test0").stamp for a in made}) == 1
