"""The evaluation as a stage: from score artifacts to summary, curves and areas."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import (
    ANOMALY,
    FRAMES,
    HEIGHT_PX,
    SQUARE_PX,
    WIDTH_PX,
    anomaly,
    copy_scene,
    one_line,
    run,
    run_scene,
    scene_options,
)

import vadloc.annotations
from evaluation import evaluate_scores
from evaluation.compute_auc import main as compute_auc_main
from evaluation.compute_auc import run as compute_auc
from evaluation.results import DEFINITIONS
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError

COLUMNS = {"Test0": 10, "Test1": 40}
MAIN_AREAS = ["frame_roc_auc", "region_roc_auc", "track_roc_auc", "pixel_roc_auc"]


def perfect_scores(column: int) -> NDArray[np.float32]:
    """1 in the cells of 8 px that the anomalous square touches, 0 elsewhere."""
    scores = np.zeros((FRAMES, HEIGHT_PX // 8, WIDTH_PX // 8), np.float32)
    half = SQUARE_PX // 2
    for frame, x, y in anomaly(column):
        rows = slice((y - half) // 8, math.ceil((y + half) / 8))
        scores[frame, rows, (x - half) // 8 : math.ceil((x + half) / 8)] = 1
    return scores


def save_scores(scene: Path, results: Path, maps: dict[str, NDArray[np.float32]]) -> None:
    """Score maps as the scoring stage would leave them."""
    artifacts = Artifacts(load_config(scene / "tiny.toml"), results, scene)
    for name, scores in maps.items():
        artifacts.score_details(name).save(
            {
                "schema": 1,
                "sequence": name,
                "frame_count": len(scores),
                "frame_height_px": HEIGHT_PX,
                "frame_width_px": WIDTH_PX,
                "cell_height_px": 8,
                "cell_width_px": 8,
            }
        )
        artifacts.scores(name).save(scores)


def evaluate(scene: Path, results: Path) -> dict[str, Any]:
    run_scene("evaluation.evaluate_scores", scene, results, "--jobs", 1)
    path = results / "tiny" / "evaluation" / "momentum" / "summary.json"
    summary: dict[str, Any] = json.loads(path.read_text())
    return summary


@pytest.fixture(scope="module")
def perfect(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a perfect detector."""
    results = tmp_path_factory.mktemp("perfect")
    save_scores(scene, results, {name: perfect_scores(x) for name, x in COLUMNS.items()})
    evaluate(scene, results)
    return results


def summary_of(results: Path) -> dict[str, Any]:
    path = results / "tiny" / "evaluation" / "momentum" / "summary.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_perfect_detector_has_area_one_everywhere(perfect: Path) -> None:
    summary = summary_of(perfect)
    areas = {name: value for name, value in summary.items() if name.endswith("_roc_auc")}
    assert set(MAIN_AREAS) <= set(areas)
    assert set(areas.values()) == {1.0}
    assert summary["frame_eer"] == 0.0
    assert set(summary["undefined"]) == {"normal_video_false_alarm_rate"}  # both hold anomalies
    assert summary["frame_roc_auc_by_sequence"] == {"Test0": 1.0, "Test1": 1.0}


def test_the_summary_says_what_was_counted_and_how(perfect: Path) -> None:
    summary = summary_of(perfect)
    expected = {
        "sequences": 2,
        "frames": 2 * FRAMES,
        "anomalous_frames": 2 * len(ANOMALY),
        "normal_frames": 2 * (FRAMES - len(ANOMALY)),
        "regions": 2 * len(ANOMALY),
        "tracks": 2,
    }
    assert expected.items() <= summary["counts"].items()
    assert summary["rule"] == "envelope"
    assert summary["options"]["alpha"] == summary["options"]["beta"] == 0.1
    assert summary["definitions"] == DEFINITIONS
    assert summary["ground_truth_derived"] is False


def test_each_annotation_is_read_once(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_scores(scene, tmp_path, {name: perfect_scores(x) for name, x in COLUMNS.items()})
    read: list[str] = []
    find_reader = vadloc.annotations.find_reader

    def counting(name: str) -> Any:
        reader = find_reader(name)

        def read_and_count(folder: Path, sequence: str, **size: int) -> Any:
            read.append(sequence)
            return reader(folder, sequence, **size)

        return read_and_count

    monkeypatch.setattr(vadloc.annotations, "find_reader", counting)
    config = load_config(scene / "tiny.toml")
    artifacts = Artifacts(config, tmp_path, scene)
    evaluate_scores.STAGE.run(artifacts, "tiny")
    assert read == list(COLUMNS)
    labels = artifacts.evaluation("frame_labels.json").load()
    assert labels["anomalous_frames"] == {n: [[ANOMALY[0], ANOMALY[-1]]] for n in COLUMNS}
    for name, column in COLUMNS.items():
        regions = labels["regions"][name]
        boxes = np.array(regions["box_xyxy_px"])
        found = np.column_stack((regions["frame"], (boxes[:, :2] + boxes[:, 2:]) / 2))
        assert found.tolist() == [list(place) for place in anomaly(column)]


def test_a_config_can_say_that_rows_were_derived(scene: Path, tmp_path: Path) -> None:
    own = copy_scene(scene, tmp_path / "scene")
    config = own / "tiny.toml"
    config.write_text(
        config.read_text().replace("[dataset]", "[dataset]\nground_truth_derived = true")
    )
    save_scores(own, tmp_path / "r", {name: perfect_scores(x) for name, x in COLUMNS.items()})
    assert evaluate(own, tmp_path / "r")["ground_truth_derived"] is True


def test_compute_auc_prints_the_area_of_the_summary(scene: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    maps = {n: perfect_scores(x) / 4 + random.random((24, 6, 8)) for n, x in COLUMNS.items()}
    save_scores(scene, tmp_path, {name: m.astype(np.float32) for name, m in maps.items()})
    summary = evaluate(scene, tmp_path)
    folder = tmp_path / "tiny" / "evaluation" / "momentum"
    rules = {"region": "envelope", "track": "envelope", "frame": "roc", "dual_pixel": "roc"}
    for curve, rule in rules.items():
        files = [folder / f"{curve}_{axis}.npy" for axis in ("fpr", "tpr")]
        expected = summary[f"{curve}_roc_auc"]
        assert compute_auc(*files, rule=rule) == pytest.approx(expected, abs=1e-12)
        assert 0 < expected < 1
    printed = run("evaluation.compute_auc", *files, "--rule", "roc")
    assert printed.stdout == f"{expected:.6f}\n", printed.stderr


def test_what_is_undefined_is_null_with_its_reason(scene: Path, tmp_path: Path) -> None:
    """Without any anomaly there is no rate of finding one."""
    normal = copy_scene(scene, tmp_path / "scene")
    for name in COLUMNS:
        path = normal / "Test" / name / f"{name}_gt.txt"
        path.unlink()
        path.write_text("")
    save_scores(normal, tmp_path / "r", {name: perfect_scores(x) for name, x in COLUMNS.items()})
    summary = evaluate(normal, tmp_path / "r")
    assert [summary[name] for name in MAIN_AREAS] == [None] * 4
    assert set(MAIN_AREAS) <= set(summary["undefined"])
    assert all(summary["undefined"].values())
    assert summary["counts"]["regions"] == 0


def test_scores_of_another_length_than_the_annotation(scene: Path, tmp_path: Path) -> None:
    save_scores(scene, tmp_path, {name: perfect_scores(x)[:10] for name, x in COLUMNS.items()})
    done = run("evaluation.evaluate_scores", *scene_options(scene, tmp_path))
    line = one_line(done, status=1)
    assert "Test0: scores or annotation of 10 frames, but there are 24, the files 001.png" in line


def test_annotation_without_video_is_named_before_any_work(scene: Path, tmp_path: Path) -> None:
    more = copy_scene(scene, tmp_path / "scene")
    (more / "Test" / "Test7_gt.txt").write_text("")
    for command in ("evaluation.evaluate_scores", "vadloc.run"):
        done = run(command, *scene_options(more, tmp_path / "r"))
        line = one_line(done, status=1)
        assert "ground truth of Test7 (1 of 3 sequences) has no test video" in line
    assert "ground truth of Test7" in run("vadloc.doctor", *scene_options(more, tmp_path)).stdout


def test_missing_scores_name_the_command_that_makes_them(scene: Path, tmp_path: Path) -> None:
    done = run("evaluation.evaluate_scores", *scene_options(scene, tmp_path), "--jobs", 2)
    line = one_line(done, status=1)
    assert "scores" in line
    assert "missing" in line
    assert "python -m anomaly_detection.score_anomalies" in line


def test_missing_annotation_is_named(scene: Path, tmp_path: Path) -> None:
    spoilt = copy_scene(scene, tmp_path / "scene")
    (spoilt / "Test" / "Test1" / "Test1_gt.txt").unlink()
    save_scores(spoilt, tmp_path / "r", {name: perfect_scores(x) for name, x in COLUMNS.items()})
    done = run("evaluation.evaluate_scores", *scene_options(spoilt, tmp_path / "r"))
    assert "Test1_gt.txt" in one_line(done, status=1)


@pytest.mark.parametrize(
    ("fpr", "tpr", "words"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), "shape"),
        (np.zeros(3), np.zeros(2), "shape"),
        (np.zeros(0), np.zeros(0), "shape"),
        (np.array([0.0, np.nan]), np.array([0.0, 1.0]), "not numbers"),
        (np.array(["a", "b"]), np.zeros(2), "fpr.npy: holds <U1"),
        (np.array([1j, 0]), np.zeros(2), "fpr.npy: holds complex128"),
    ],
)
def test_curves_that_are_none(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fpr: NDArray[Any],
    tpr: NDArray[Any],
    words: str,
) -> None:
    np.save(tmp_path / "fpr.npy", fpr)
    np.save(tmp_path / "tpr.npy", tpr)
    with pytest.raises(SystemExit) as caught:
        compute_auc_main([str(tmp_path / "fpr.npy"), str(tmp_path / "tpr.npy")])
    assert caught.value.code == 1
    assert len(caplog.messages) == 1
    assert words in caplog.messages[0]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content", [None, b"", b"hello", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x05\x00((((("]
)
def test_curves_that_are_no_arrays(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "fpr.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VadlocError) as caught:
        compute_auc(path, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_area_of_a_drawn_curve(tmp_path: Path) -> None:
    # (0, 0) (0, 0.5) (0.5, 0.5) (1, 1): a step of half height. The envelope holds the best rate so
    # far; the straight line of a ROC curve adds a triangle of 0.125.
    np.save(tmp_path / "fpr.npy", [0, 0, 0.5, 1])
    np.save(tmp_path / "tpr.npy", [0, 0.5, 0.5, 1])
    files = [tmp_path / "fpr.npy", tmp_path / "tpr.npy"]
    done = run("evaluation.compute_auc", *files)
    assert done.stdout == "0.500000\n", done.stderr
    assert compute_auc(*files, rule="roc") == 0.625
    np.save(tmp_path / "fpr.npy", [0, 0.5, 0.25, 1])
    with pytest.raises(VadlocError, match=r"tpr\.npy: false positive rates fall; rule roc is for"):
        compute_auc(*files, rule="roc")
