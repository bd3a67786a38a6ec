"""Features of snippets: pooled ones, and those of a video network with local weights."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import CONFIG, copy_scene, film, save_frames

pytest.importorskip("torch")
pytest.importorskip("torchvision")

import torch
from torchvision.models import get_model

import vadloc.run
from anomaly_detection.detectors import load_detector
from feature_extraction import extract_features, extract_snippets
from feature_extraction.snippet_files import read_snippets
from feature_extraction.video_backbone import MEAN, SPREAD, VideoBackbone, clip_to_input
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.features import load_features
from vadloc.regions import RegionGrid
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


def test_features_of_other_video_are_not_taken(
    weak: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = [*options(weak, tmp_path / "f"), "--backbone", NAME, "--random"]
    words = ["--extractor", "snippets", *words, "--side", "32", "--snippet-frames", "8"]
    extract_features.main(words)
    extract_features.main(words)
    save_frames(weak / "Anomalous" / "Weak0" / "new", film(seed=99)[:1])
    (weak / "Anomalous" / "Weak0" / "new" / "001.png").replace(
        weak / "Anomalous" / "Weak0" / "001.png"
    )
    (weak / "Anomalous" / "Weak0" / "new").rmdir()
    with pytest.raises(SystemExit):
        extract_features.main(words)
    assert "made otherwise, or of other video" in caplog.text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--sha256", "ab"], "of a --backbone"),
        (["--random"], "of a --backbone"),
        (["--backbone", NAME, "--random", "--sha256", "ab"], "random weights have none"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    weak: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, words: list[str], expected: str
) -> None:
    given = ["--extractor", "snippets", *options(weak, tmp_path / "f"), *words]
    with pytest.raises(SystemExit):
        extract_features.main(given)
    assert expected in caplog.text


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


SETTINGS = """
[detectors.snippet_bags]
features = "{folder}"
channels = [8, 4]
steps = 100
learning_rate = 0.01
bags = 2
dropout = 0.0
"""


@pytest.fixture
def imported(weak: Path) -> Path:
    """The weak scene with a folder of snippets in which one feature tells the classes apart."""
    folder, rng = weak / "f", np.random.default_rng(0)
    (weak / "tiny.toml").write_text(
        (weak / "tiny.toml").read_text() + SETTINGS.format(folder=folder)
    )
    artifacts = Artifacts(load_config(weak / "tiny.toml"), weak / "results", weak, "weak_snippets")
    for split in extract_snippets.SPLITS:
        (folder / split).mkdir(parents=True)
        for sequence in artifacts.sequences(split):
            values = rng.normal(size=(3, 5)).astype(np.float32)
            values[:, 0] = 0
            values[1, 0] = 4 * (split != "train")
            np.save(folder / split / f"{sequence.name}.npy", values)
    (folder / "snippets.json").write_text('{"snippet_frames": 8}')
    return weak


def run(scene: Path) -> Artifacts:
    """Train, score and evaluate ``weak_snippets``; no features of ours are extracted."""
    words = [*options(scene, scene)[:-2], "--version", "weak_snippets", "--jobs", "1"]
    vadloc.run.main(words)
    return Artifacts(load_config(scene / "tiny.toml"), scene / "results", scene, "weak_snippets")


def test_weak_snippets_takes_those_of_a_folder(imported: Path) -> None:
    artifacts = run(imported)
    assert not (artifacts.folder / "features").exists()
    scores = artifacts.scores("Test0").load()
    assert not artifacts.score_details("Test0").load()["localizes"]
    frames = scores[:, 0, 0]
    assert (scores == frames[:, None, None]).all()
    assert len({*frames[8:16].tolist()}) == 1  # a snippet has 8 frames
    assert frames[8:16].min() > max(frames[:8].max(), frames[16:].max())
    with pytest.raises(UsageError, match="live video needs a version without"):
        load_detector(artifacts).start_stream(RegionGrid(48, 64, 16, 8))


def test_the_content_of_the_folder_counts(imported: Path) -> None:
    def stamp() -> str:
        config = load_config(imported / "tiny.toml")
        return Artifacts(config, imported / "results", imported, "weak_snippets").model().stamp

    before = stamp()
    (imported / "f").rename(imported / "g")
    config = (imported / "tiny.toml").read_text().replace(f"{imported / 'f'}", f"{imported / 'g'}")
    (imported / "tiny.toml").write_text(config)
    assert stamp() == before
    np.save(imported / "g" / "test" / "Test0.npy", np.ones((3, 5), np.float32))
    assert stamp() != before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "train" / "Train0.npy").unlink(), "no features of Train0"),
        (lambda f: (f / "snippets.json").unlink(), "does not say how many frames a snippet has"),
        (
            lambda f: np.save(f / "anomalous" / "Weak0.npy", np.ones((3, 4), np.float32)),
            "Weak0: instances of 4 features, those of .* have 5",
        ),
        (
            lambda f: np.save(f / "test" / "Test0.npy", np.ones((3, 4), np.float32)),
            "Test0: instances of 4 features, the model was trained on 5",
        ),
        (
            lambda f: np.save(f / "test" / "Test0.npy", np.ones((30, 5), np.float32)),
            "Test0: 30 snippets of 8 frames cover 240 frames, the video has 24",
        ),
    ],
)
def test_folders_that_are_refused(
    damage: Callable[[Path], None],
    message: str,
    imported: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(imported / "f")
    with pytest.raises(SystemExit):
        run(imported)
    assert re.search(message, caplog.text)


def test_classes_in_the_summary(
    imported: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config = (imported / "tiny.toml").read_text()
    (imported / "tiny.toml").write_text(
        config.replace('test = "Test"', 'test = "Test"\nclasses = "c.txt"')
    )
    (imported / "c.txt").write_text("Test0 stands+falls\n")
    with pytest.raises(SystemExit):
        run(imported)
    assert "does not name Test1" in caplog.text
    (imported / "c.txt").write_text("Test0 stands+falls\nTest1 falls\n")
    summary = run(imported).evaluation("summary.json").load()
    assert summary["by_class"]["falls"] == summary["frame_roc_auc"]
    assert set(summary["by_class"]) == {"stands", "falls"}
    assert "frame AUC, stands" in capsys.readouterr().out
