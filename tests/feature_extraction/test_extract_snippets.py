"""Features of snippets: pooled ones, and those of a video network with local weights."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import CONFIG, copy_scene, film, save_frames

pytest.importorskip("torch")
pytest.importorskip("torchvision")

import torch
from torchvision.models import get_model

from feature_extraction import extract_features, extract_snippets
from feature_extraction.snippet_files import read_snippets
from feature_extraction.video_backbone import MEAN, SPREAD, VideoBackbone, clip_to_input
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.features import load_features
from vadloc.versions import VERSIONS, Version
from vadloc.weak_labels import read_labels

NAME = "r3d_18"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A state dict of the network with random values, and its SHA-256."""
    path = tmp_path_factory.mktemp("weights") / "r3d.pth"
    torch.manual_seed(1)
    torch.save(get_model(NAME, weights=None).state_dict(), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def frames(count: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return (rng.integers(0, 255, (40, 60, 3)).astype(np.uint8) for _ in range(count))


def test_input_is_in_units_of_kinetics() -> None:
    found = clip_to_input([np.full((8, 12, 3), 51, np.uint8)] * 2, 4)
    assert found.shape == (3, 2, 4, 4)
    for channel, mean, spread in zip(found, MEAN, SPREAD, strict=True):
        np.testing.assert_allclose(channel, (0.2 - mean) / spread, rtol=1e-5)


def test_features_are_those_before_the_classifier(weights: tuple[Path, str]) -> None:
    path, digest = weights
    backbone = VideoBackbone(NAME, path, sha256=digest, random=False, side_px=32)
    found = backbone.features(frames(9), 4)
    assert found.shape == (2, 512)  # the ninth frame makes no whole snippet
    whole = get_model(NAME, weights=None)
    whole.load_state_dict(torch.load(path, weights_only=True))
    whole.eval()
    given = torch.from_numpy(clip_to_input(list(frames(4)), 32))[None]
    with torch.no_grad():
        expected = whole(given)[0].numpy()
        shown = whole.fc(torch.from_numpy(found[:1]))[0].numpy()
    np.testing.assert_allclose(shown, expected, atol=1e-4)
    again = VideoBackbone(NAME, path, sha256=digest, random=False, side_px=32)
    np.testing.assert_array_equal(again.features(frames(9), 4), found)


def test_a_short_video_is_continued_by_its_last_frame(weights: tuple[Path, str]) -> None:
    path, digest = weights
    backbone = VideoBackbone(NAME, path, sha256=digest, random=False, side_px=32)
    [first, last] = list(frames(2))
    found = backbone.features(iter([first, last]), 4)
    np.testing.assert_array_equal(found, backbone.features(iter([first, last, last, last]), 4))


def refused(name: str, path: Path | None, sha256: str, *, random: bool = False) -> str:
    with pytest.raises(UsageError) as error:
        VideoBackbone(name, path, sha256=sha256, random=random, side_px=32)
    return str(error.value)


def test_weights_that_are_refused(weights: tuple[Path, str], tmp_path: Path) -> None:
    path, digest = weights
    assert "give its --weights; or --random" in refused(NAME, None, "")
    assert "give its --weights; or --random" in refused(NAME, path, digest, random=True)
    assert f"its SHA-256 is {digest}, --sha256 is not given" in refused(NAME, path, "")
    assert "--sha256 is 0123" in refused(NAME, path, "0123")
    assert "no such file" in refused(NAME, tmp_path / "absent.pth", "")
    assert "expected one of mc3_18" in refused("c3d", path, digest)
    assert "these are weights of another network" in refused("mc3_18", path, digest)
    text = tmp_path / "text.pth"
    text.write_text("no weights")
    found = refused(NAME, text, hashlib.sha256(text.read_bytes()).hexdigest())
    assert "not a readable state dict" in found


@pytest.fixture
def weak(scene: Path, tmp_path: Path) -> Path:
    """The tiny scene with two videos that hold an anomaly somewhere."""
    folder = copy_scene(scene, tmp_path / "scene")
    for number in range(2):
        shown = film(seed=30 + number, anomaly_column=8 * number)
        save_frames(folder / "Anomalous" / f"Weak{number}", shown)
    config = CONFIG.replace('test = "Test"', 'anomalous = "Anomalous"\ntest = "Test"')
    (folder / "tiny.toml").write_text(config)
    return folder


def options(folder: Path, output: Path) -> list[str]:
    given = {"config": folder / "tiny.toml", "results": folder / "results", "datasets": folder}
    return [str(w) for n, v in {**given, "output": output}.items() for w in (f"--{n}", v)]


def test_a_scene_through_a_network(weak: Path, tmp_path: Path, weights: tuple[Path, str]) -> None:
    path, digest = weights
    words = [*options(weak, tmp_path / "f"), "--backbone", NAME, "--weights", str(path)]
    words += ["--sha256", digest, "--side", "32", "--snippet-frames", "8"]
    extract_features.main(["--extractor", "snippets", *words])
    found = read_snippets(tmp_path / "f" / "anomalous" / "Weak0.npy")
    artifacts = Artifacts(load_config(weak / "tiny.toml"), weak / "results", weak)
    assert found.shape[2] == 512
    labels = {v.name: v.is_anomalous for v in read_labels(tmp_path / "f" / "train.txt")}
    assert labels == {s.name: False for s in artifacts.sequences("train")} | {
        "Weak0": True,
        "Weak1": True,
    }
    assert {v.name for v in read_labels(tmp_path / "f" / "test.txt")} == {
        s.name for s in artifacts.sequences("test")
    }
    described = json.loads((tmp_path / "f" / "snippets.json").read_text())
    assert described["sha256"] == digest
    with pytest.raises(SystemExit):  # other frames a snippet, the same folder
        extract_features.main(["--extractor", "snippets", *words[:-1], "4"])


def test_pooled_features_of_ours(
    weak: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VERSIONS, "pooled", Version(("momentum",), detector="snippet_bags"))
    artifacts = Artifacts(load_config(weak / "tiny.toml"), weak / "results", weak, "pooled")
    for split in extract_snippets.SPLITS:
        for sequence in artifacts.sequences(split):
            extract_features.stage(split).run(artifacts, sequence.name)
    extract_features.main(
        ["--extractor", "snippets", *options(weak, tmp_path / "f"), "--version", "pooled"]
    )
    values = load_features(artifacts, "test", "Test0").values
    [found] = read_snippets(tmp_path / "f" / "test" / "Test0.npy")
    width = values.shape[2]
    np.testing.assert_allclose(found[:, :width], values.mean(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(found[:, width:], values.max(axis=1))
