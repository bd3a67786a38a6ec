"""Frames that come one by one have the scores that the stages store, to the byte."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_scene import HEIGHT_PX, WIDTH_PX, copy_scene, film, save_frames, shaken

import vadloc.run
from anomaly_detection import score_anomalies
from anomaly_detection.detectors.frame_stream import FrameStream
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.versions import VERSIONS
from vadloc.video.frames import read_frames_as

NETWORKS = pytest.mark.skipif(not find_spec("openvino"), reason="networks need OpenVINO")
CHOICES = [
    pytest.param(name, marks=() if name == "momentum" else NETWORKS)
    for name in ("momentum", "appearance_motion", "fused")
]


def scene_with(scene: Path, folder: Path, extra: str) -> Path:
    """A config of the scene with more settings; its path."""
    config = folder / "tiny.toml"
    config.write_text((scene / "tiny.toml").read_text() + extra)
    return config


def results_of(scene: Path, folder: Path, version: str, extra: str) -> Artifacts:
    """The results of the stages up to the scores."""
    config = load_config(scene_with(scene, folder, extra))
    artifacts = Artifacts(config, folder, scene, version=version)
    for stage in vadloc.run.stages(artifacts):
        for unit in stage.units(artifacts):
            stage.run(artifacts, unit)
        if stage is score_anomalies.STAGE:
            break
    return artifacts


@pytest.mark.parametrize("version", CHOICES)
@pytest.mark.parametrize("rule", ["zero", "gate"])
def test_frames_one_by_one_have_the_scores_of_the_stages(
    scene: Path, tmp_path: Path, version: str, rule: str
) -> None:
    artifacts = results_of(scene, tmp_path, version, f'[distance]\nstationary = "{rule}"\n')
    for sequence in artifacts.sequences("test"):
        stored = artifacts.scores(sequence.name).load()
        for wait in (False, True):
            with FrameStream(artifacts, HEIGHT_PX, WIDTH_PX, device="cpu") as stream:
                frames = read_frames_as(sequence, ("grey", "rgb"))
                parts = [stream.push(grey, rgb, wait=wait) for grey, rgb in frames]
                parts.append(stream.finish())
            assert np.concatenate(parts).tobytes() == stored.tobytes()


@pytest.mark.parametrize("version", CHOICES[:2])
def test_a_shaking_camera_has_the_scores_of_the_stages(
    scene: Path, tmp_path: Path, version: str
) -> None:
    copied = copy_scene(scene, tmp_path / "scene")
    folder = copied / "Test" / "Test0"
    shutil.rmtree(folder)
    save_frames(folder, shaken(film(seed=10, anomaly_column=10)))
    artifacts = results_of(copied, tmp_path, version, "")
    [sequence] = [s for s in artifacts.sequences("test") if s.name == "Test0"]
    with FrameStream(artifacts, HEIGHT_PX, WIDTH_PX, device="cpu") as stream:
        parts, undone = [], 0
        for grey, rgb in read_frames_as(sequence, ("grey", "rgb")):
            parts.append(stream.push(grey, rgb))
            undone += stream.shift.is_undone
        parts.append(stream.finish())
    assert undone > 10
    assert np.concatenate(parts).tobytes() == artifacts.scores("Test0").load().tobytes()


def test_scores_come_as_soon_as_no_later_frame_can_change_them(scene: Path, tmp_path: Path) -> None:
    artifacts = results_of(scene, tmp_path, "momentum", "")
    regions = artifacts.config.regions
    length, stride = regions.frames_per_volume, regions.frame_stride
    with FrameStream(artifacts, HEIGHT_PX, WIDTH_PX) as stream:
        counts = [
            len(stream.push(frame, np.repeat(frame[..., None], 3, axis=2), wait=True))
            for frame in film(seed=5)
        ]
    for count, done in enumerate(np.cumsum(counts), start=1):
        starts = range(0, count - length + 1, stride)
        # The volumes that follow begin one frame later or more.
        assert done == (starts[-1] + 1 if starts else 0)


def test_a_frame_of_another_size_is_refused(scene: Path, tmp_path: Path) -> None:
    artifacts = results_of(scene, tmp_path, "momentum", "")
    small = np.zeros((HEIGHT_PX, WIDTH_PX - 1), np.uint8)
    with (
        FrameStream(artifacts, HEIGHT_PX, WIDTH_PX) as stream,
        pytest.raises(VadlocError, match=r"a frame of 63 x 48 px came, .* 64 x 48"),
    ):
        stream.push(small, np.repeat(small[..., None], 3, axis=2))
    with pytest.raises(VadlocError, match="frames of 128 x 48 px, those of the exemplars"):
        FrameStream(artifacts, HEIGHT_PX, 2 * WIDTH_PX)


def test_all_versions_are_known() -> None:
    assert {choice.values[0] for choice in CHOICES} <= VERSIONS.keys()
