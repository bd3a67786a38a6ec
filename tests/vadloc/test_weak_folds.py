"""Data with labels of whole videos: folds of a dataset, and rendered scenes."""

from pathlib import Path

import pytest
import tomli
from tiny_scene import copy_scene

from vadloc import weak_folds
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.sample_scene import render_scene
from vadloc.sample_scene.options import Options, checked, usual_options
from vadloc.sample_scene.routes import Clock, Script
from vadloc.sample_scene.weak import weak_counts, write_weak_scripts
from vadloc.weak_folds import other_tables, split_folds
from vadloc.weak_labels import read_labels


def test_folds_share_nothing_and_leave_nothing_out() -> None:
    names = list("abcdefg")
    folds = split_folds(names, 3)
    assert folds == [["a", "d", "g"], ["b", "e"], ["c", "f"]]
    assert sorted(name for fold in folds for name in fold) == names
    for folds_wanted in (1, 0):
        with pytest.raises(UsageError, match=f"--folds {folds_wanted}: expected 2 or more"):
            split_folds(names, folds_wanted)
    with pytest.raises(UsageError, match="at least 2 of the 3 test sequences"):
        split_folds(names[:3], 2)


def test_other_tables_stay_as_they_are() -> None:
    """Also where a bracket begins a line within a list, or stands in a text."""
    text = 'version = "x"\n[dataset]\nname = "a"\n[regions]\nsize_px = 8\n[[ground_truth]]\n'
    text += 'path = "b"\n[pseudo_anomalies]\nkinds = [\n["ground_truth"]\n]\nword = "[dataset]"\n'
    assert other_tables(tomli.loads(text)) == {
        "regions": {"size_px": 8},
        "pseudo_anomalies": {"kinds": [["ground_truth"]], "word": "[dataset]"},
    }


def test_folds_of_a_dataset(scene: Path, tmp_path: Path) -> None:
    copy = copy_scene(scene, tmp_path / "scene")
    for name in ("Test2", "Test3"):
        (copy / "Test" / name).mkdir()
        for file in (copy / "Test" / "Test0").iterdir():
            (copy / "Test" / name / file.name.replace("Test0", name)).hardlink_to(file)
    words = ["--config", str(copy / "tiny.toml"), "--datasets", str(copy)]
    weak_folds.main(words)
    for number, tested in ((1, ["Test0", "Test2"]), (2, ["Test1", "Test3"])):
        folder = copy / f"tiny_fold{number}"
        config = load_config(folder / f"tiny_fold{number}.toml")
        assert config.regions == load_config(copy / "tiny.toml").regions
        assert config.version == "weak_regions"
        fold = Artifacts(config, copy / "results", copy)
        assert [s.name for s in fold.sequences("test")] == tested
        assert len(fold.sequences("train")) == 3
        anomalous = [s.name for s in fold.sequences("anomalous")]
        assert sorted(anomalous + tested) == ["Test0", "Test1", "Test2", "Test3"]
        [source] = fold.ground_truths
        assert [s.name for s in fold.covered(source)] == tested
    with pytest.raises(SystemExit):
        weak_folds.main(words)


def test_test_video_without_an_anomaly_is_normal_video(scene: Path, tmp_path: Path) -> None:
    """Test3 has the frames of Test0, and an annotation without a row."""
    copy = copy_scene(scene, tmp_path / "scene")
    for name in ("Test2", "Test3"):
        (copy / "Test" / name).mkdir()
        for file in (copy / "Test" / "Test0").iterdir():
            (copy / "Test" / name / file.name.replace("Test0", name)).hardlink_to(file)
    rows = copy / "Test" / "Test3" / "Test3_gt.txt"
    rows.unlink()
    rows.touch()
    weak_folds.main(["--config", str(copy / "tiny.toml"), "--datasets", str(copy)])
    config = load_config(copy / "tiny_fold1" / "tiny_fold1.toml")
    fold = Artifacts(config, copy / "results", copy)
    assert [s.name for s in fold.sequences("anomalous")] == ["Test1"]
    names = [s.name for s in fold.sequences("train")]
    assert "Test3" in names
    assert len(names) == 4


def scripts(seed: int) -> list[Script]:
    """Two normal sequences and three with anomalies."""
    clock = Clock(10, 10)
    names = ["Train001", "Train002", "Test001", "Test002", "Test003"]
    return [Script(f"{name}", 1000 * seed + i, (), clock) for i, name in enumerate(names)]


def test_weak_scripts_hold_each_sequence_once() -> None:
    found = write_weak_scripts(scripts, seed=5, each_class=7, tests=3)
    assert weak_counts(7, 3) == {"Train": 7, "Anomalous": 7, "Test": 4}
    splits = [script.name.rstrip("0123456789") for script in found]
    assert {split: splits.count(split) for split in splits} == weak_counts(7, 3)
    numbers = [script.number for script in found]
    assert len(set(numbers)) == len(numbers)
    assert len({script.name for script in found}) == len(found)
    is_normal = [number % 1000 % 100 < 2 for number in numbers]
    assert is_normal == [True] * 7 + [False] * 7 + [False] * 3 + [True]


def test_a_rendered_weak_scene(tmp_path: Path) -> None:
    usual = usual_options("walkway")
    options = Options(
        "walkway", "weak", (96, 64), usual.frames_per_second, 1.0, grey=True, noise=2.0, weak=2
    )
    folder = render_scene(options, tmp_path, jobs=1)
    assert {p.name for p in folder.iterdir() if p.is_dir()} == {"Train", "Anomalous", "Test"}
    assert len(list((folder / "Anomalous").iterdir())) == 2
    assert not list((folder / "Anomalous").rglob("*_gt.txt"))
    assert len(list((folder / "Test").rglob("*_gt.txt"))) == 7
    assert load_config(folder / "weak.toml").dataset.anomalous == "weak/Anomalous"
    classes = load_config(folder / "weak.toml").dataset.classes
    assert classes == "weak/classes.txt"
    labels = {video.name: video.is_anomalous for video in read_labels(tmp_path / classes)}
    truths = (folder / "Test").rglob("*_gt.txt")
    assert labels == {path.stem.removesuffix("_gt"): path.stat().st_size > 0 for path in truths}
    before = (folder / "sample.json").stat().st_mtime_ns
    assert render_scene(options, tmp_path, jobs=1) == folder
    assert (folder / "sample.json").stat().st_mtime_ns == before


def test_options_of_usual_scenes_keep_their_stamp() -> None:
    assert "weak" not in usual_options("hall").stamp()


def test_one_video_of_each_class_is_too_few() -> None:
    with pytest.raises(UsageError, match="--weak 1: expected 2 to 500"):
        checked(Options("hall", "other", weak=1))
