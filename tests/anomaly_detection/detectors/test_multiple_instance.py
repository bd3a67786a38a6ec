"""Learning from labels of whole videos: losses, heads, bags, and the way from video to scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import CONFIG, copy_scene, film, save_frames, scene_options

pytest.importorskip("torch")

import vadloc.run
from anomaly_detection import train_detector
from anomaly_detection.calibration.calibrate_threshold import calibration_sequences
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.detectors.bags import Bag, hold_out, split_bags, to_instances
from anomaly_detection.detectors.mil_heads import score_instances
from anomaly_detection.training import loop
from anomaly_detection.training.loop import train
from anomaly_detection.training.multiple_instance import (
    LONGEST,
    BagData,
    HeadTask,
    changing_series,
    check_bags,
    draw_series,
    draw_steps,
)
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.regions import RegionGrid
from vadloc.versions import VERSIONS, Version
from vadloc.weak_settings import MultipleInstance, RegionBags, SnippetBags

SMALL = """
[detectors.region_bags]
channels = [16, 8]
steps = 150
bags = 4
dropout = 0.0
learning_rate = 0.01

[detectors.snippet_bags]
channels = [16, 8]
steps = 150
bags = 4
dropout = 0.0
learning_rate = 0.01
"""


def toy_bags() -> list[Bag]:
    """In anomalous bags, one of 40 instances has feature 0 at 4; the others are alike."""
    rng = np.random.default_rng(0)
    bags = []
    for number in range(20):
        values = rng.normal(size=(4, 10, 5)).astype(np.float16)
        values[..., 0] = 0
        if number % 2:
            values[rng.integers(4), rng.integers(10), 0] = 4
        bags.append(Bag(f"v{number}", bool(number % 2), values, 50))
    return bags


def learnt_of_toy(folder: Path, **changed: Any) -> dict[str, NDArray[np.float32]]:
    """What is learnt of the first 12 toy bags."""
    settings = MultipleInstance.model_validate(
        {"top": 1, "margin": 5.0, "steps": 150, "channels": (16, 8), "dropout": 0.0}
        | {"learning_rate": 0.01, "bags": 6}
        | changed
    )
    task = HeadTask(BagData(toy_bags()[:12], toy_bags()[12:]), settings, device="cpu")
    return train(task, folder / "c.pt", stamp="s", checks=4).tensors


@pytest.mark.parametrize(
    ("head", "loss"),
    [("sultani", "sultani"), ("sultani", "topk"), ("sultani", "bce"), ("arnet", "pel")],
)
def test_one_telling_feature_is_found(head: str, loss: str, tmp_path: Path) -> None:
    tensors = learnt_of_toy(tmp_path, head=head, loss=loss)
    for bag in toy_bags()[12:]:
        values = bag.instances.astype(np.float32)
        scores = score_instances(head, tensors, values)
        if bag.is_anomalous:
            assert scores.argmax() == values[..., 0].argmax()
            assert np.sort(scores, axis=None)[-1] > np.sort(scores, axis=None)[-2] + 0.2


@pytest.mark.parametrize(
    ("head", "loss", "more"),
    [
        ("rtfm", "rtfm", {}),
        ("attention", "pel", {"weight_decay": 0.02, "steps": 200}),
        ("conv1d", "bce", {}),
        ("causal", "arnet", {"center": 1.0, "steps": 300}),
        ("sultani", "bce", {"noise": 0.5, "splicing": 0.5, "rounds": 1}),
    ],
)
def test_new_videos_are_told_apart(
    head: str, loss: str, more: dict[str, Any], tmp_path: Path
) -> None:
    """Labels of videos do not say which of neighbouring time steps it was: only the bag counts."""
    tensors = learnt_of_toy(tmp_path, head=head, loss=loss, **more)
    highest: dict[bool, list[float]] = {True: [], False: []}
    for bag in toy_bags()[12:]:
        scores = score_instances(head, tensors, bag.instances.astype(np.float32))
        highest[bag.is_anomalous].append(float(scores.max()))
    assert min(highest[True]) > max(highest[False])


def test_training_goes_on_as_if_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LEAST_VARIANCE", 0.0)  # so few steps teach nothing
    settings = MultipleInstance.model_validate(
        {"steps": 10, "channels": (8, 4), "bags": 3, "rounds": 1, "noise": 0.5, "splicing": 0.1}
    )
    data = BagData(toy_bags()[:12], toy_bags()[12:])
    whole = train(HeadTask(data, settings, device="cpu"), tmp_path / "a", stamp="s", checks=4)
    task = HeadTask(data, settings, device="cpu")
    for _ in range(18):  # within the round, and within the steps that are averaged
        task.advance()
    other = HeadTask(data, settings, device="cpu")
    other.resume(task.state())
    ended = train(other, tmp_path / "b", stamp="s", checks=4)
    assert ended.curve[-1]["held_out"] == whole.curve[-1]["held_out"]


def test_weights_are_averaged_over_the_last_steps() -> None:
    settings = MultipleInstance(steps=10, channels=(8, 4), bags=3, rounds=1)
    data = BagData(toy_bags()[:12], toy_bags()[12:])
    task = HeadTask(data, settings, device="cpu")
    seen = []
    while task.step < task.steps:
        task.advance()
        seen.append(task.network.get_parameter("last.weight").detach().numpy().copy())
    assert np.ptp(seen[-3:], axis=0).max() > 1e-4
    averaged = task.tensors()["last.weight"]
    np.testing.assert_allclose(averaged, np.mean(seen[-3:], axis=0), atol=1e-6)  # 0.3 of 10 steps


@pytest.mark.parametrize("checkpoint", ["held_out", "last"])
def test_which_checkpoint_is_kept(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LEAST_VARIANCE", 0.0)
    errors = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(HeadTask, "measure", lambda _task: next(errors))
    settings = MultipleInstance.model_validate(
        {"steps": 6, "channels": (8, 4), "bags": 3, "checkpoint": checkpoint}
    )
    task = HeadTask(BagData(toy_bags()[:12], toy_bags()[12:]), settings, device="cpu")
    found = train(task, tmp_path / "c.pt", stamp="s", checks=3)
    assert found.best_step == (6 if checkpoint == "last" else 4)
    is_last = (found.tensors["first.weight"] == task.tensors()["first.weight"]).all()
    assert is_last == (checkpoint == "last")


def test_instances_of_both_bags() -> None:
    values = np.random.default_rng(5).normal(size=(4, 3, 2)).astype(np.float32)
    grid = RegionGrid(8, 32, 16, 8)  # one row of three regions
    regions = to_instances(values, grid, RegionBags())
    assert regions.shape == (3, 4, 4)
    np.testing.assert_array_equal(regions[1, :, :2], values[:, 1])
    assert regions[:, 3, 2:].tolist() == [[0, -1], [0, 0], [0, 1]]
    snippets = to_instances(values, grid, SnippetBags())
    np.testing.assert_allclose(snippets[0, 2, :2], values[2].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(snippets[0, 2, 2:], values[2].max(axis=0))


def test_series_and_steps_that_are_drawn() -> None:
    values = np.zeros((6, 3, 1), np.float16)
    values[2, 1] = 1
    assert changing_series(values).tolist() == [False, False, True, False, False, False]
    rng = np.random.default_rng(0)
    changing = np.arange(100) < 40
    drawn = draw_series(changing, 16, rng)
    assert len(set(drawn.tolist())) == len(drawn) == 16
    assert changing[drawn].sum() >= 12
    assert sorted(draw_series(changing, 200, rng).tolist()) == list(range(100))
    assert draw_steps(7, rng).tolist() == list(range(7))
    long = draw_steps(10 * LONGEST, rng)
    assert (long // 10).tolist() == list(range(LONGEST))


def test_held_out_bags_are_of_both_classes() -> None:
    normal, anomalous = [f"n{i}" for i in range(10)], ["a0", "a1"]
    found = hold_out(normal, anomalous, MultipleInstance(held_out=0.2))
    assert [len(names) for names in found.held_out] == [2, 1]
    for every, trained, held in zip(
        (normal, anomalous), found.trained, found.held_out, strict=True
    ):
        assert sorted(trained + held) == every


def test_bags_that_cannot_be_trained_on() -> None:
    short = Bag("short", True, np.zeros((1, 2, 4), np.float16), 20)
    with pytest.raises(UsageError, match=r"short: a bag of 2 instances, fewer than top = 3"):
        check_bags([short], SnippetBags(loss="topk", top=3))
    check_bags([short], SnippetBags(loss="sultani", top=3))
    wide = Bag("wide", True, np.zeros((1, 9, 5), np.float16), 20)
    with pytest.raises(UsageError, match="wide: instances of 5 features, those of short have 4"):
        check_bags([short, wide], SnippetBags())


def test_smoothing_lies_around_a_middle() -> None:
    with pytest.raises(ValueError, match="smoothing = 4 must be odd"):
        SnippetBags(smoothing=4)


@pytest.fixture(scope="module")
def weak_scene(tmp_path_factory: pytest.TempPathFactory, scene: Path) -> Path:
    """The tiny scene with four more normal videos, and six with an anomaly somewhere."""
    scene = copy_scene(scene, tmp_path_factory.mktemp("weak") / "scene")
    for number in range(4):
        save_frames(scene / "Train" / f"More{number}", film(seed=20 + number))
    for number in range(6):
        shown = film(seed=30 + number, anomaly_column=8 * number)
        save_frames(scene / "Anomalous" / f"Weak{number}", shown)
    config = CONFIG.replace('test = "Test"', 'anomalous = "Anomalous"\ntest = "Test"')
    (scene / "tiny.toml").write_text(config + SMALL)
    return scene


@pytest.fixture(scope="module", autouse=True)
def _versions() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VERSIONS, "regions", Version(("momentum",), detector="region_bags"))
        patch.setitem(VERSIONS, "snippets", Version(("momentum",), detector="snippet_bags"))
        yield


@pytest.fixture(scope="module", params=["regions", "snippets"])
def done(request: pytest.FixtureRequest, weak_scene: Path) -> Artifacts:
    """All stages were run."""
    vadloc.run.main([*options(weak_scene), "--version", request.param, "--jobs", "1"])
    return artifacts_of(weak_scene, request.param)


def options(scene: Path) -> list[str]:
    return [str(word) for word in scene_options(scene, scene / "results")]


def artifacts_of(scene: Path, version: str) -> Artifacts:
    config = load_config(scene / "tiny.toml")
    return Artifacts(config, scene / "results", scene, version)


def test_weak_labels_find_the_frames(done: Artifacts) -> None:
    summary = done.evaluation("summary.json").load()
    assert summary["frame_roc_auc"] > 0.8
    localizes = done.version == "regions"
    assert summary["localizes"] == localizes
    if localizes:
        assert summary["region_roc_auc"] > 0.2
    else:
        assert summary["region_roc_auc"] is None


def test_streams_give_the_same_scores(done: Artifacts) -> None:
    detector = load_detector(done)
    sequence = load_input(done, "test", "Test0")
    grid = sequence.grid(done.config.regions)
    whole = detector.score_sequence(sequence, grid)
    stream = detector.start_stream(grid)
    parts = [stream.push(step) for step in sequence.steps()]
    assert sum(map(len, parts)) > 0
    np.testing.assert_allclose(np.concatenate([*parts, stream.finish()]), whole, atol=1e-6)


def test_only_held_out_normal_videos_calibrate(done: Artifacts) -> None:
    names = split_bags(done)
    assert calibration_sequences(done) == names.held_out[0]
    assert not set(names.held_out[0]) & {f"Weak{i}" for i in range(6)}
    detector = load_detector(done)
    trained = load_input(done, "train", names.trained[0][0])
    assert list(detector.score_training(trained, trained.grid(done.config.regions))) == []


def test_training_again_gives_the_same_bytes(done: Artifacts, tmp_path: Path) -> None:
    weights = done.model().path.parent / "head.safetensors"
    before = weights.read_bytes()
    done.model().path.unlink()
    train_detector.main([*options(done.datasets), "--version", done.version])
    assert weights.read_bytes() == before


def test_new_anomalous_videos_make_the_model_stale(weak_scene: Path) -> None:
    before = artifacts_of(weak_scene, "regions").model().stamp
    (weak_scene / "Anomalous" / "Weak0").rename(weak_scene / "Anomalous" / "Other")
    try:
        assert artifacts_of(weak_scene, "regions").model().stamp != before
    finally:
        (weak_scene / "Anomalous" / "Other").rename(weak_scene / "Anomalous" / "Weak0")


def test_anomalous_videos_must_be_named(scene: Path) -> None:
    artifacts = artifacts_of(scene, "regions")
    with pytest.raises(UsageError, match=r"tiny.toml: \[dataset\] anomalous is not set"):
        split_bags(artifacts)


def test_a_video_of_both_classes_is_refused(weak_scene: Path, tmp_path: Path) -> None:
    scene = copy_scene(weak_scene, tmp_path / "scene")
    (scene / "tiny.toml").write_text((weak_scene / "tiny.toml").read_text())
    (scene / "Anomalous" / "Weak0").rename(scene / "Anomalous" / "Train0")
    with pytest.raises(UsageError, match="Train0 is also a video of"):
        split_bags(artifacts_of(scene, "regions"))


def test_an_anomalous_video_is_no_test_video(weak_scene: Path, tmp_path: Path) -> None:
    scene = copy_scene(weak_scene, tmp_path / "scene")
    config = (weak_scene / "tiny.toml").read_text()
    (scene / "tiny.toml").write_text(config)
    (scene / "Anomalous" / "Linked").symlink_to(scene / "Test" / "Test0")
    with pytest.raises(UsageError, match=r"Linked: expected videos that hold an anomaly .* test"):
        split_bags(artifacts_of(scene, "regions"))
    (scene / "tiny.toml").write_text(
        config.replace('anomalous = "Anomalous"', 'anomalous = "Test"')
    )
    with pytest.raises(UsageError, match="a video is in one of these folders only"):
        split_bags(artifacts_of(scene, "regions"))


def test_files_among_anomalous_videos_that_are_not_read(
    done: Artifacts, caplog: pytest.LogCaptureFixture
) -> None:
    stray = done.datasets / "Anomalous" / "notes.exe"
    stray.write_text("")
    try:
        train_detector.main([*options(done.datasets), "--version", done.version])
    finally:
        stray.unlink()
    assert "notes.exe is not read" in caplog.text


def test_one_video_of_a_class_is_too_few(weak_scene: Path, tmp_path: Path) -> None:
    scene = copy_scene(weak_scene, tmp_path / "scene")
    (scene / "tiny.toml").write_text((weak_scene / "tiny.toml").read_text())
    for number in range(1, 6):
        (scene / "Anomalous" / f"Weak{number}").rename(tmp_path / f"Weak{number}")
    with pytest.raises(UsageError, match="Anomalous: 1 video; expected 2 or more of each class"):
        split_bags(artifacts_of(scene, "regions"))


def test_features_of_another_width_are_refused(done: Artifacts) -> None:
    detector = load_detector(done)
    sequence: Any = load_input(done, "test", "Test0")
    other = replace(sequence, values=sequence.values[..., :-1])
    with pytest.raises(VadlocError, match=r"Test0: instances of .* the model was trained on"):
        detector.score_sequence(other, other.grid(done.config.regions))


def test_weak_labels_and_exemplars_together(weak_scene: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        pair = Version(detector="combined", members=("momentum", "regions"))
        patch.setitem(VERSIONS, "pair", pair)
        vadloc.run.main([*options(weak_scene), "--version", "pair", "--jobs", "1"])
        artifacts = artifacts_of(weak_scene, "pair")
        divisors = artifacts.member_divisors().load()
        assert divisors["members"] == ["momentum", "regions"]
        assert divisors["sequences"] == split_bags(artifacts.members[1]).held_out[0]
        assert artifacts.evaluation("summary.json").load()["frame_roc_auc"] > 0.9
