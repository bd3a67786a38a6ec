"""Versions with networks, end to end on the tiny scene with the weights that ship."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_scene import artifact_bytes, copy_scene, one_line, run, run_scene, scene_options

from feature_extraction.frames_to_features import frames_to_features
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config

pytest.importorskip("torch")
VERSION = "appearance_motion"


def content_of(scene: Path, extractor: str, **settings: float) -> dict[str, np.ndarray]:
    """Features of one sequence, as they would be stored."""
    config = load_config(scene / "tiny.toml")
    tables = config.model_dump() | {"path": config.path}
    tables["features"][extractor].update(settings)
    sequence = Artifacts(config, scene, scene).sequence("test", "Test0")
    found: dict[str, np.ndarray] = frames_to_features(
        Config(**tables), sequence, (extractor,), device="cpu"
    )[extractor]
    return found


@pytest.mark.parametrize("extractor", ["appearance", "motion"])
def test_threads_do_not_change_bytes(
    scene: Path, extractor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        contents.append(content_of(scene, extractor))
    one, three = contents
    assert np.array_equal(one["index"], three["index"])
    for name, rows in one["components"].items():
        assert rows.tobytes() == three["components"][name].tobytes()


@pytest.mark.parametrize("extractor", ["appearance", "motion"])
def test_reused_features_are_those_of_volumes_that_hardly_differ(
    scene: Path, extractor: str
) -> None:
    every = content_of(scene, extractor, reuse_below=0.0)
    reused = content_of(scene, extractor, reuse_below=0.5)
    assert len(np.unique(every["index"])) == every["index"].size
    computed = len(np.unique(reused["index"]))
    assert computed < every["index"].size
    for name, rows in every["components"].items():
        exact = rows[every["index"]].astype(float)
        kept = reused["components"][name][reused["index"]].astype(float)
        # The background does not change at all, so what was reused is what would be computed.
        assert kept == pytest.approx(exact, abs=0.05 * np.abs(exact).max())


def test_all_stages_give_the_same_bytes_again(scene: Path, tmp_path: Path) -> None:
    stdout = [
        run_scene("vadloc.run", scene, tmp_path / name, "--version", VERSION, "--jobs", jobs)
        for name, jobs in (("one", 1), ("two", 2))
    ]
    assert all("frame AUC" in text for text in stdout)
    one, two = (artifact_bytes(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    [summary] = (tmp_path / "one").glob("tiny/evaluation/*/summary.json")
    assert summary.parent.name == VERSION
    # Down is a direction that no square took in training.
    assert json.loads(summary.read_text())["frame_roc_auc"] > 0.7
    explained = json.loads((tmp_path / f"one/tiny/explanations/{VERSION}/Test0.json").read_text())
    assert explained["components"] == ["appearance", "angle", "speed", "background"]


def test_weights_that_are_not_there_stop_before_any_work(scene: Path, tmp_path: Path) -> None:
    copy = copy_scene(scene, tmp_path / "scene")
    with (copy / "tiny.toml").open("a") as config:
        config.write('\n[features.appearance]\nweights = "nowhere.safetensors"\n')
    words = [*scene_options(copy, tmp_path / "results"), "--version", "appearance"]
    message = one_line(run("vadloc.run", *words), status=2)
    assert "[features.appearance] weights = 'nowhere.safetensors'" in message
    assert not (tmp_path / "results").exists()
