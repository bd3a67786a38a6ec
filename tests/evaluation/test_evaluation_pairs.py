"""What is annotated and what is predicted belong together one by one, in every format."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from formats_helpers import CLIP, MAKERS, marked, save, sequence_of
from prediction_files import save_array

from evaluation.api import accumulated_evaluate, evaluate_folder
from evaluation.convert_annotations import main as convert
from evaluation.predictions.readers import list_folder
from vadloc.annotations import (
    annotated,
    annotation_of,
    key_of,
)
from vadloc.errors import VadlocError

FRAMES = 3


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
def test_every_format_lists_what_is_annotated(
    tmp_path: Path, name: str, make: Callable[[Path], Path]
) -> None:
    make(tmp_path)
    sequence = sequence_of(name)
    assert key_of(name, sequence) in annotated(name, tmp_path)
    assert annotation_of(name, tmp_path, sequence).exists()
    (tmp_path / "readme.txt").write_text("no annotation")
    (tmp_path / "README_first.npy").write_bytes(b"none either")
    assert "readme" not in {key.lower()[:6] for key in annotated(name, tmp_path)}


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
def test_an_annotated_sequence_without_prediction_is_named(
    tmp_path: Path, name: str, make: Callable[[Path], Path]
) -> None:
    (tmp_path / "gt").mkdir()
    make(tmp_path / "gt")
    own = sequence_of(name)
    names = list(annotated(name, tmp_path / "gt"))
    other = f"{own}9" if name != "ubnormal" else "normal_scene_1_scenario_7"
    save_array(tmp_path / "pr" / f"{other}.npy", np.zeros(FRAMES))
    (tmp_path / "pr" / f"{own}.npz").write_bytes(b"PK")
    message = rf"ground truth of {', '.join(names)} .* has no prediction.*: {own}\.npz"
    with pytest.raises(VadlocError, match=message) as caught:
        evaluate_folder(tmp_path / "gt", tmp_path / "pr", gt_format=name, size_px=(6, 2))
    if name not in ("ubnormal", "frame_labels"):  # normal clips have none; a list is one for all
        assert f"prediction of {other} (1 of 1 sequences) has no ground truth" in str(caught.value)


def save_labels(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.txt").write_text("0\n1\n0\n")
    return folder


def evaluate(gt: Path, pr: Path, *, sequences: list[str] | None = None) -> list[str]:
    result = evaluate_folder(gt, pr, gt_format="frame_labels", sequences=sequences)
    return list(result["frame_roc_auc_by_sequence"])


@pytest.mark.parametrize(
    ("truth", "prediction"),
    [
        ("cafe\u0301 1", "caf\u00e9 1.npy"),
        ("caf\u00e9 1", "cafe\u0301 1.npy"),
        ("a", "a.NPY"),
    ],
)
def test_other_spellings_of_a_name_are_the_name(
    tmp_path: Path, truth: str, prediction: str
) -> None:
    gt, pr = save_labels(tmp_path / "gt", truth), tmp_path / "pr"
    pr.mkdir()
    with (pr / prediction).open("wb") as file:
        np.save(file, np.array([0.1, 0.9, 0.2]))
    assert len(evaluate(gt, pr)) == 1
    assert len(evaluate(gt, pr, sequences=[truth])) == 1
    (gt / f"{truth}.txt").rename(gt / f"{truth}.TXT")
    assert len(evaluate(gt, pr)) == 1


def test_another_case_of_a_name_is_another_name(tmp_path: Path) -> None:
    gt, pr = save_labels(tmp_path / "gt", "t1", "t2"), tmp_path / "pr"
    for name in ("t1", "T2"):
        save_array(pr / f"{name}.npy", np.zeros(FRAMES))
    with pytest.raises(VadlocError, match=r"truth of t2 .* prediction of T2 .* no ground truth"):
        evaluate(gt, pr)
    assert evaluate(gt, pr, sequences=["t1"]) == ["t1"]


def test_what_is_not_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gt, pr = save_labels(tmp_path / "gt", "t1"), tmp_path / "pr"
    save_array(pr / "t1.npy", np.array([0.1, 0.9, 0.2]))
    for name in ("t9.npz", "t8.mat", "readme.md", "run.log"):
        (pr / name).touch()
    (pr / "t7").mkdir()
    assert list_folder(pr).unread == ["t7/", "t8.mat", "t9.npz"]
    with caplog.at_level(logging.WARNING):
        assert evaluate(gt, pr) == ["t1"]
    assert "not read, since of no known kind" in caplog.text
    assert "t9.npz" in caplog.text


def test_a_folder_without_a_prediction_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "t1.npz").touch()
    (tmp_path / "t2").mkdir()
    with pytest.raises(VadlocError, match=r"no predictions \*; there is t1\.npz, t2/; expected"):
        list_folder(tmp_path)


def test_json_of_two_spellings_is_a_pair(tmp_path: Path) -> None:
    frame = {"frame_id": 1, "frame_level_score": 0.0}
    frames = [frame, {**frame, "frame_id": 2, "frame_level_score": 1.0}]
    content = {
        "frames_count": 2,
        "is_anomalous_regions_available": False,
        "is_anomaly_track_id_available": False,
        "frame_width": 4,
        "frame_height": 4,
        "frames": frames,
    }
    for path in (tmp_path / "gt/cafe\u0301_gt.json", tmp_path / "pr/caf\u00e9.JSON"):
        path.parent.mkdir()
        path.write_text(json.dumps(content))
    result = accumulated_evaluate(
        tmp_path / "gt", tmp_path / "pr", gt_name_suffix="_gt", show_progress=False
    )
    assert result["frame_roc_auc"] == 1


def test_converting_names_what_has_no_frames(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gt = save_labels(tmp_path / "gt", "a", "b")
    for number in range(FRAMES):
        save(tmp_path / f"frames/a/{number}.png", marked([".."]))
    options = ["--format", "frame_labels", "--ground-truth", str(gt), "--to", "json"]
    options += ["--frames", str(tmp_path / "frames"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        convert(options)
    assert "ground truth of b (1 of 2 sequences) has no frames" in caplog.text
    convert([*options, "--sequence", "a"])
    assert (tmp_path / "out/a_gt.json").exists()


def test_files_of_other_formats_beside_labels_are_no_sequences(tmp_path: Path) -> None:
    save_labels(tmp_path / "gt", "a", "a_gt")
    assert list(annotated("frame_labels", tmp_path / "gt")) == ["a"]
    assert list(annotated("shanghaitech", tmp_path / "gt")) == ["a"]
    assert list(annotated("street_scene", tmp_path / "gt")) == ["a"]
    for name in (f"{CLIP}_annotations", "Scene12/normal_scene_12_x_annotations", "x"):
        (tmp_path / "ub" / name).mkdir(parents=True)
    assert list(annotated("ubnormal", tmp_path / "ub")) == [CLIP, "normal_scene_12_x"]


# One array with the labels of all sequences (MNAD)


def save_all_labels(folder: Path, labels: list[int]) -> Path:
    save_array(folder / "frame_labels_ped2.npy", np.array([labels], np.int8))
    return folder


def test_labels_of_all_sequences_are_divided_in_natural_order(tmp_path: Path) -> None:
    gt = save_all_labels(tmp_path / "gt", [0, 1, 0, 1, 1, 0, 0])
    for name, scores in (("2", [1, 9, 1]), ("10", [9, 9, 1, 1])):
        save_array(tmp_path / f"pr/{name}.npy", np.array(scores, float))
    assert evaluate(gt, tmp_path / "pr") == ["2", "10"]
    result = evaluate_folder(gt, tmp_path / "pr", gt_format="frame_labels")
    assert result["frame_roc_auc"] == 1
    some = evaluate_folder(gt, tmp_path / "pr", gt_format="frame_labels", sequences=["10"])
    assert some["frame_roc_auc"] == 1
    assert some["counts"]["anomalous_frames"] == 2
    save_array(tmp_path / "pr/11.npy", np.zeros(2))
    with pytest.raises(VadlocError, match=r"7 labels of all .* have 9 frames \(2 3, 10 4, 11 2\)"):
        evaluate(gt, tmp_path / "pr")


def test_labels_of_all_sequences_by_their_frames(tmp_path: Path) -> None:
    gt = save_all_labels(tmp_path / "gt", [0, 1, 0, 1, 1])
    for name, count in (("a", 2), ("b", 3)):
        for number in range(count):
            save(tmp_path / f"frames/{name}/{number}.png", marked([".."]))
    save_array(tmp_path / "pr/b.npy", np.array([1.0, 2, 3]))
    result = evaluate_folder(
        gt, tmp_path / "pr", gt_format="frame_labels", frames=tmp_path / "frames"
    )
    assert result["counts"]["anomalous_frames"] == 2
    assert result["frame_roc_auc"] == 1
