"""Further levels of MLAD, on codes of denoising autoencoders: by the commands of users."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tiny_scene import CONFIG, copy_scene, film, scene_options

pytest.importorskip("torch")
pytest.importorskip("openvino")

import vadloc.run
from anomaly_detection import train_detector
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.detectors.frame_stream import FrameStream
from anomaly_detection.detectors.mlad import MladDetector
from anomaly_detection.detectors.network_reason import shares_to_words
from anomaly_detection.training import loop
from anomaly_detection.training.mlad_codes import DenoisingTask
from anomaly_detection.training.tasks import TrainingData
from feature_extraction.footage import Footage, reduce_frames
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.detector_settings import Mlad
from vadloc.mining import MinedModel
from vadloc.weights import read_weights

TABLES = """
[alarms]
threshold = 0.1

[mining]
least_run = 2
most_kept = 1.0

[detectors.mlad]
channels = 4
layers = 3
discriminator_channels = 2
steps = 20
batch_size = 4
crop_px = 32
held_out = 1
checks = 2
mined_steps = 6
smoothing_frames = 1
least_lifespan = 1
"""
LEVELS = "levels = [0, 1, 2]\nautoencoder = [8, 4]\n"
MINED = ["--mine-from", "transductive"]
NETWORKS = {"flow", "frame", "flow_codes", "frame_codes", "flow_1", "frame_1", "flow_2", "frame_2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, scene: Path) -> Path:
    """Scene and results after a round of mining."""
    folder = tmp_path_factory.mktemp("levels")
    config = copy_scene(scene, folder / "scene") / "tiny.toml"
    config.write_text(CONFIG + TABLES + LEVELS)
    with pytest.MonkeyPatch.context() as patch:  # noise cannot be learnt in a few steps
        patch.setattr(loop, "LEAST_VARIANCE", 0.0)
        vadloc.run.main([*options(folder), "--rounds", "1", "--jobs", "1"])
    return folder


def options(folder: Path) -> list[str]:
    where = scene_options(folder / "scene", folder / "results")
    return [*map(str, where), "--version", "mlad", *MINED]


def artifacts(folder: Path, round_: int = 0) -> Artifacts:
    scene = folder / "scene"
    config = load_config(scene / "tiny.toml")
    mined = MinedModel("transductive", "", round_)
    return Artifacts(config, folder / "results", scene, "mlad", mined=mined)


def detector_of(found: Artifacts) -> MladDetector:
    detector = load_detector(found)
    assert isinstance(detector, MladDetector)
    return detector


def test_all_levels_are_trained_also_after_mining(folder: Path) -> None:
    for round_, steps in ((0, 20), (1, 6)):
        record = artifacts(folder, round_).model().load()
        assert {name: of["steps"] for name, of in record["networks"].items()} == dict.fromkeys(
            NETWORKS, steps
        )
        assert set(record["scales"]["maps"]) == {n for n in NETWORKS if "codes" not in n}
        assert all(scale > 0 for scale in record["scales"]["maps"].values())


def test_a_cell_has_the_score_of_its_highest_level(folder: Path) -> None:
    found = artifacts(folder)
    detector, given = detector_of(found), load_input(found, "test", "Test0")
    maps, _ = detector.explained_maps(given, given.grid(found.config.regions))
    assert detector.indicators == ("flow", "frame", "flow_1", "frame_1", "flow_2", "frame_2")
    sums = [(2 * maps[2 * k] + maps[2 * k + 1]) / 3 for k in range(3)]  # flow_weight is 2
    np.testing.assert_allclose(found.scores("Test0").load(), np.max(sums, axis=0), rtol=1e-4)
    assert all((sums[k] == np.max(sums, axis=0)).any() for k in range(3))


def test_a_camera_gets_the_stored_scores(folder: Path) -> None:
    found = artifacts(folder)
    frames = film(seed=10, anomaly_column=10)
    with FrameStream(found, 48, 64) as stream:
        parts = [stream.push(f, np.repeat(f[..., None], 3, axis=2)) for f in frames]
        scores = np.concatenate([*parts, stream.finish()])
    np.testing.assert_array_equal(scores, found.scores("Test0").load())


def test_the_level_that_made_the_score_explains_it(folder: Path) -> None:
    found = artifacts(folder)
    detector = detector_of(found)
    values = {"flow": 0.2, "frame": 0.3, "flow_1": 0.1, "frame_1": 0.5, "flow_2": 0, "frame_2": 0.5}
    assert detector.counted(values) == {"flow_1": 0.1, "frame_1": 0.5}
    assert shares_to_words({"flow_1": 0.25, "frame_1": 0.75}) == (
        "unusual appearance in codes of level 1 (75 %) and motion in codes of level 1 (25 %)"
    )
    detections = found.explanations("Test0").load()["detections"]
    assert detections
    for detection in detections:
        names = {name.partition("_")[2] for name in detection["peak"]["shares"]}
        assert len(names) == 1  # of one level
        assert sum(detection["peak"]["shares"].values()) == pytest.approx(1, abs=1e-3)


def test_codes_of_training_video_have_the_deviation_that_they_should(folder: Path) -> None:
    found = artifacts(folder)
    detector, given = detector_of(found), load_input(found, "train", "Train0")
    seen: dict[str, list[Any]] = {name: [] for name in ("frame_1", "frame_2")}
    for one in reduce_frames(given.steps(), given.grid(found.config.regions), detector.settings):
        target, _ = detector.predict(one)
        for name, codes in seen.items():
            codes.append(target[name])
    for codes in seen.values():
        values = np.stack(codes)
        assert values.min() >= -1
        assert values.max() <= 1
        assert abs(values.mean()) < 0.15
        assert 0.1 < values.std() < 0.5  # .3, less what enlarging smooths


def test_the_same_bytes_again_also_after_a_stop(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_scene(folder / "scene", tmp_path / "scene")
    shutil.copy(folder / "scene" / "tiny.toml", tmp_path / "scene")
    monkeypatch.setattr(loop, "LEAST_VARIANCE", 0.0)
    save, saved = loop.save_checkpoint, []

    def stop(path: Path, state: Any) -> None:
        save(path, state)
        saved.append(path.name)
        if saved.count("frame_1.checkpoint.pt") == 1 and saved[-1] == "frame_1.checkpoint.pt":
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    words = options(tmp_path)[: -len(MINED)]
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train_detector.main(words)
    assert saved[-1] == "frame_1.checkpoint.pt"
    saved.append("frame_1.checkpoint.pt")
    train_detector.main(words)
    again, before = (artifacts(place).model().load()["files"] for place in (tmp_path, folder))
    assert again == before


def test_a_round_goes_on_with_the_autoencoders_before_it(folder: Path) -> None:
    first, second = (artifacts(folder, k).model().path.parent for k in (0, 1))
    name = "encoder.0.weight"
    begun, later = (
        read_weights(place / "frame_codes.start.safetensors").tensors[name]
        for place in (first, second)
    )
    assert 0 < np.abs(begun - later).max() < 0.02  # six steps of Adam of at most 5e-4, and rounding


def test_keys_of_levels_do_not_count_without_them(folder: Path, tmp_path: Path) -> None:
    config = copy_scene(folder / "scene", tmp_path / "scene") / "tiny.toml"

    def stamps(lines: str) -> tuple[str, str]:
        config.write_text(CONFIG + TABLES + lines)
        found = artifacts(tmp_path)
        return found.model().stamp, found.scores("Test0").stamp

    plain = stamps("")
    assert stamps("levels = [0]\nautoencoder = [4]\nnoise = 0.1\n") == plain
    some = stamps("levels = [0, 1]\n")
    other = stamps("levels = [0, 1]\nnoise = 0.1\n")
    assert len({plain[0], some[0], other[0]}) == len({plain[1], some[1], other[1]}) == 3


@pytest.mark.parametrize("levels", [[1], [1, 0], [0, 0], [0, 4], []])
def test_levels_that_do_not_exist_are_refused(levels: list[int]) -> None:
    with pytest.raises(ValidationError, match="levels"):
        Mlad(levels=levels)


def test_noise_can_be_removed() -> None:
    """One bright picture, seen with noise: the reconstruction is nearer to it than its input."""
    import torch

    picture = np.zeros((1, 32, 32), np.uint8)
    picture[:, 8:24, 8:24] = 255
    part = Footage("A", picture, np.zeros((1, 2, 32, 32), np.float16))
    settings = Mlad(
        levels=[0, 1], autoencoder=[8], steps=60, batch_size=4, crop_px=32, learning_rate=0.01
    )
    task = DenoisingTask("frame", TrainingData([part], [part], 16, 1.0), settings, device="cpu")
    losses = [task.advance()["loss"] for _ in range(task.steps)]
    assert losses[-1] < losses[0] / 10
    clean = torch.from_numpy(picture[None].astype(np.float32) / 127.5 - 1)
    noisy = clean + 0.2 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    made = task.network.eval()(noisy).detach()
    assert ((made - clean) ** 2).mean() < ((noisy - clean) ** 2).mean() / 2
