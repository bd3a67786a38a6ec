"""Relative momentum: units of the place, near and far, in small frames and in large ones."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tiny_scene import copy_scene

from feature_extraction import extract_features
from feature_extraction.extractor import Extracted
from feature_extraction.flow import FrameFlow
from feature_extraction.frame import Frame
from feature_extraction.momentum import DirectedFlow, Momentum
from feature_extraction.registry import kind_of
from feature_extraction.relative_momentum import RelativeMomentum, region_floors
from feature_extraction.speed_scale import pairs_to_sums, sums_to_scale
from feature_extraction.time_steps import CollectedSteps
from feature_extraction.workers import Workers
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config
from vadloc.errors import VadlocError
from vadloc.feature_settings import MomentumFeatures, RelativeMomentumFeatures
from vadloc.regions import RegionGrid

GRID = RegionGrid(128, 96, 32, 16)
SETTINGS = RelativeMomentumFeatures()
FRAMES = 5


def texture(height: int, width: int) -> NDArray[np.float64]:
    noise = np.random.default_rng(0).normal(size=(height, width))
    smooth = gaussian_filter(noise, 2, mode="wrap")
    return 127 + 100 * smooth / np.abs(smooth).max()


def bands(upper: int, lower: int) -> list[NDArray[np.uint8]]:
    """The upper and the lower half move to the right, each at its speed."""
    grey = texture(128, 96)
    halves = [
        np.concatenate((np.roll(grey[:64], upper * f, 1), np.roll(grey[64:], lower * f, 1)))
        for f in range(FRAMES)
    ]
    return [half.astype(np.uint8) for half in halves]


def enlarged(frames: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    size = frames[0].shape[1] * 2, frames[0].shape[0] * 2
    return [np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_CUBIC)) for f in frames]


def scale_of(
    frames: list[NDArray[np.uint8]], grid: RegionGrid, *, shrinkage: float = 0.02
) -> NDArray[np.float64]:
    sums = pairs_to_sums(itertools.pairwise(frames), FrameFlow(SETTINGS, grid), grid)
    return sums_to_scale(*sums, shrinkage=shrinkage)


def features(make: Any, frames: list[NDArray[np.uint8]], grid: RegionGrid) -> Extracted:
    """Features of the one volume of some frames."""
    collected = CollectedSteps()
    with Workers(1) as workers:
        extractor: DirectedFlow = make(workers)
        for frame in frames:
            extractor.add_frame(Frame(frame, None, grid))
        extractor.add_volumes([])
        extractor.flush()
        collected.add(extractor.take())
    return collected.extracted()


def relative(
    frames: list[NDArray[np.uint8]], grid: RegionGrid, scale: NDArray[np.float64]
) -> Extracted:
    return features(
        lambda workers: RelativeMomentum(
            SETTINGS, grid, scale, frames_per_volume=FRAMES, workers=workers
        ),
        frames,
        grid,
    )


def test_with_one_scale_everywhere_it_is_momentum_divided_by_it() -> None:
    frames, scale = bands(2, 3), np.full(GRID.cells, 1.5)
    found = relative(frames, GRID, scale)
    plain = MomentumFeatures(flow_floor_px_per_frame=1.4 * 1.5)
    expected = features(
        lambda workers: Momentum(plain, GRID, frames_per_volume=FRAMES, workers=workers),
        frames,
        GRID,
    )
    momentum = expected.components["momentum"]
    assert momentum.sum(axis=1).max() > 2.5
    assert found.components["relative_momentum"] == pytest.approx(momentum / 1.5, rel=1e-5)
    assert found.descriptors["fast_momentum"] == pytest.approx(momentum, rel=1e-6)
    assert found.descriptors["fast_share"] == pytest.approx(expected.descriptors["moving_share"])


def test_near_and_far_have_one_unit() -> None:
    """Things move at 1 px/frame above and at 3 below; in the test video twice as fast."""
    scale = scale_of(bands(1, 3), GRID, shrinkage=1e-12)
    far, near = scale[1, 1:-1], scale[-2, 1:-1]
    assert far == pytest.approx(np.full(4, 1.0), abs=0.15)
    assert near == pytest.approx(np.full(4, 3.0), abs=0.15)
    normal = relative(bands(1, 3), GRID, scale).components["relative_momentum"]
    fast = relative(bands(2, 6), GRID, scale).components["relative_momentum"]
    normal, fast = (values.sum(axis=1).reshape(GRID.regions) for values in (normal, fast))
    inner = [0, -1]  # away from the border of the halves
    assert fast[inner, 1:-1] == pytest.approx(np.full((2, 3), 2.0), rel=0.15)
    assert normal[inner, 1:-1].max() < 0.1  # below the floor


def test_enlarged_frames_have_the_same_features() -> None:
    train, test = bands(1, 3), bands(3, 6)
    large = RegionGrid(256, 192, 64, 32)
    found = [
        relative(frames, grid, scale_of(known, grid)).components["relative_momentum"].sum(axis=1)
        for known, frames, grid in (
            (train, test, GRID),
            (enlarged(train), enlarged(test), large),
        )
    ]
    assert np.median(found[0]) > 1.5
    assert found[1] == pytest.approx(found[0], abs=0.1, rel=0.1)


def artifacts_of(scene: Path, folder: Path, extra: str = "") -> Artifacts:
    config = copy_scene(scene, folder) / "tiny.toml"
    config.write_text(config.read_text() + extra)
    return Artifacts(load_config(config), folder / "results", folder, version="relative_momentum")


def test_the_stage_makes_the_scale_first_and_features_depend_on_it(
    scene: Path, tmp_path: Path
) -> None:
    artifacts = artifacts_of(scene, tmp_path / "plain")
    extract_features.stage("test").run(artifacts, "Test0")
    learnt = artifacts.learnt("relative_momentum")
    assert (
        learnt.path == tmp_path / "plain/results/tiny/features/relative_momentum/speed_scale.joblib"
    )
    assert learnt.load()["speed_scale_px_per_frame"].shape == (6, 8)
    fewer = artifacts_of(
        scene, tmp_path / "fewer", "[features.relative_momentum]\nscale_pairs = 9\n"
    )
    higher = artifacts_of(
        scene, tmp_path / "higher", "[features.relative_momentum]\nflow_floor = 2.0\n"
    )
    stamps = [a.learnt("relative_momentum").stamp for a in (artifacts, fewer, higher)]
    assert stamps[0] == stamps[2] != stamps[1]
    of_features = {
        a.features("relative_momentum", "test", "Test0").stamp for a in (artifacts, fewer, higher)
    }
    assert len(of_features) == 3


def test_another_training_frame_is_another_scale(scene: Path, tmp_path: Path) -> None:
    artifacts = artifacts_of(scene, tmp_path / "plain")
    other = artifacts_of(scene, tmp_path / "other")
    frames = sorted((tmp_path / "other/Train/Train0").iterdir())
    frames[3].unlink()
    shutil.copy(frames[5], frames[3])
    for extractor, is_same in (("momentum", True), ("relative_momentum", False)):
        found = [a.features(extractor, "test", "Test0").stamp for a in (artifacts, other)]
        assert (found[0] == found[1]) is is_same


def test_frames_of_another_size_than_training_are_refused(scene: Path) -> None:
    config: Config = load_config(scene / "tiny.toml")
    learnt = {"height_px": 48, "width_px": 64, "speed_scale_px_per_frame": np.ones((6, 8))}
    with Workers(1) as workers, pytest.raises(VadlocError, match="48 px, those of training have"):
        kind_of("relative_momentum").make(config, RegionGrid(48, 80, 16, 8), workers, "cpu", learnt)


def test_the_floor_of_a_region_is_that_of_its_cells(scene: Path) -> None:
    config: Config = load_config(scene / "tiny.toml")
    grid = RegionGrid(16, 24, 16, 8)
    learnt = {"speed_scale_px_per_frame": np.array([[1.0, 1, 3], [1, 1, 3]])}
    assert region_floors(config, grid, learnt) == pytest.approx([1.4, 2.8])
