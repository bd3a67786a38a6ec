"""Several ground truths, other ground truths and parts of the sequences, each in its place."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_evaluation_stage import COLUMNS, perfect_scores, save_scores
from tiny_scene import (
    ANOMALY,
    FRAMES,
    HEIGHT_PX,
    SQUARE_PX,
    WIDTH_PX,
    anomaly,
    artifact_bytes,
    copy_scene,
)

from anomaly_detection import visualize_anomalies, write_report
from evaluation import evaluate_scores
from evaluation.criteria.options import CriteriaOptions
from evaluation.each_sequence import evaluate_each, summarize
from evaluation.results import (
    basis_lines,
    summary_to_csv,
    summary_to_latex,
    summary_to_markdown,
    summary_to_text,
)
from vadloc import doctor
from vadloc.artifacts import Artifacts
from vadloc.checks.annotation import check_ground_truth
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError

TWO = """
[[ground_truth]]
path = "Test"
format = "frame_labels"
criteria = ["frame"]

[[ground_truth]]
path = "Test"
format = "masks"
criteria = ["pixel", "region", "track"]
sequences = ["Test1"]
"""


def save_labels(scene: Path) -> None:
    """Frame labels of both test sequences."""
    rows = [f"{name},{ANOMALY[0] + 1},{ANOMALY[-1] + 1}" for name in COLUMNS]
    (scene / "Test" / "frame_labels.csv").write_text("\n".join([*rows, ""]))


def save_masks(scene: Path, *names: str) -> None:
    """Pixel masks of the anomalous square."""
    half = SQUARE_PX // 2
    for name in names:
        masks = np.zeros((FRAMES, HEIGHT_PX, WIDTH_PX), np.uint8)
        for frame, x, y in anomaly(COLUMNS[name]):
            masks[frame, y - half : y + half, x - half : x + half] = 255
        folder = scene / "Test" / f"{name}_gt"
        folder.mkdir()
        for number, mask in enumerate(masks, start=1):
            Image.fromarray(mask).save(folder / f"{number:03d}.png")


def with_tables(scene: Path, tables: str, *, name: str = "two.toml") -> Path:
    """The scene's config with ``[[ground_truth]]`` in place of its own."""
    text = (scene / "tiny.toml").read_text().replace('ground_truth = "Test"\n', "")
    (scene / name).write_text(text + tables)
    return scene / name


def artifacts_at(config: Path, results: Path, *part: str) -> Artifacts:
    return Artifacts(load_config(config), results, config.parent, part=part)


def evaluated(artifacts: Artifacts) -> tuple[Path, dict[str, Any]]:
    path = evaluate_scores.STAGE.run(artifacts, "tiny")
    return path, json.loads(path.read_text())


@pytest.fixture
def own(scene: Path, tmp_path: Path) -> Path:
    """A scene with rows, labels and (of Test1) masks; a detector that is blind in Test0."""
    folder = copy_scene(scene, tmp_path / "scene")
    save_labels(folder)
    save_masks(folder, "Test1")
    with_tables(folder, TWO)
    maps = {name: perfect_scores(column) for name, column in COLUMNS.items()}
    maps["Test0"][:] = 0
    save_scores(folder, tmp_path / "r", maps)
    return folder


def test_each_number_stands_on_its_own_ground_truth(own: Path, tmp_path: Path) -> None:
    path, summary = evaluated(artifacts_at(own / "two.toml", tmp_path / "r"))
    assert path == tmp_path / "r" / "tiny" / "evaluation" / "momentum" / "summary.json"
    # Half of the anomalous frames are found, the others tie with all that is normal.
    assert summary["frame_roc_auc"] == 0.75
    assert summary["frame_roc_auc_by_sequence"] == {"Test0": 0.5, "Test1": 1.0}
    for name in ("region_roc_auc", "track_roc_auc", "pixel_roc_auc", "dual_pixel_roc_auc"):
        assert summary[name] == 1.0
    masks = {
        "ground_truth": "Test",
        "format": "masks",
        "derived": True,
        "mask_thresholds": [],
        "sequences": ["Test1"],
        "frames": FRAMES,
    }
    labels = {"format": "frame_labels", "derived": False, "sequences": list(COLUMNS)}
    assert summary["stands_on"] == {
        "frame": {**masks, **labels, "frames": 2 * FRAMES},
        **dict.fromkeys(("pixel", "region", "track"), masks),
    }
    assert (summary["counts"]["frames"], summary["counts"]["sequences"]) == (2 * FRAMES, 2)
    assert (summary["counts"]["regions"], summary["counts"]["tracks"]) == (len(ANOMALY), 1)
    assert summary["part_of"] is None


def test_every_table_says_what_the_numbers_stand_on(own: Path, tmp_path: Path) -> None:
    _, summary = evaluated(artifacts_at(own / "two.toml", tmp_path / "r"))
    lines = [
        "frame: 48 frames in 2 sequences, from Test (frame_labels)",
        "pixel, region, track: 24 frames in 1 sequence, from Test (masks, derived)",
    ]
    assert basis_lines(summary) == lines
    assert summary_to_text(summary).splitlines()[-2:] == lines
    for text in (summary_to_markdown(summary), summary_to_latex(summary)):
        assert all(line in text for line in lines)
    rows = {row["name"]: row for row in csv.DictReader(summary_to_csv(summary).splitlines())}
    assert rows["false_alarm_rate"] == {
        "name": "false_alarm_rate",
        "value": "0.0",
        "sequences": "2",
        "frames": "48",
    }
    for name in ("dual_pixel_eer", "region_roc_auc", "track_roc_auc"):
        assert (rows[name]["sequences"], rows[name]["frames"]) == ("1", "24")


def test_labels_and_regions_that_are_shown_come_from_where_they_are(
    own: Path, tmp_path: Path
) -> None:
    artifacts = artifacts_at(own / "two.toml", tmp_path / "r")
    evaluated(artifacts)
    labels = artifacts.evaluation("frame_labels.json").load()
    assert labels["anomalous_frames"] == {n: [[ANOMALY[0], ANOMALY[-1]]] for n in COLUMNS}
    assert labels["regions"]["Test0"]["frame"] == []
    assert labels["regions"]["Test1"]["frame"] == list(ANOMALY)


def test_what_no_ground_truth_serves_is_undefined(own: Path, tmp_path: Path) -> None:
    config = with_tables(own, TWO.split("\n\n")[0] + "\n", name="labels.toml")
    _, summary = evaluated(artifacts_at(config, tmp_path / "r"))
    assert summary["frame_roc_auc"] == 0.75
    assert summary["region_roc_auc"] is summary["pixel_eer"] is None
    reason = "no ground truth of the evaluated sequences serves it"
    assert summary["undefined"]["track_roc_auc"] == reason
    assert summary["stands_on"]["region"] is None
    assert "region_roc_auc,,,\n" in summary_to_csv(summary)
    only = with_tables(own, TWO.split("\n\n")[1], name="masks.toml")
    _, summary = evaluated(artifacts_at(only, tmp_path / "r"))
    assert summary["undefined"]["frame_average_precision"] == reason
    assert summary["region_roc_auc"] == 1
    assert (summary["counts"]["sequences"], summary["counts"]["anomalous_frames"]) == (1, 0)


def test_each_ground_truth_has_its_own_mask_threshold(own: Path, tmp_path: Path) -> None:
    save_masks(own, "Test0")
    levels = (
        TWO.replace("frame_labels", "masks")
        .replace('["frame"]', '["frame"]\n{}')
        .format("mask_threshold = 100")
        + "mask_threshold = 200\n"
    )
    _, summary = evaluated(artifacts_at(with_tables(own, levels), tmp_path / "r"))
    found = {name: basis["mask_thresholds"] for name, basis in summary["stands_on"].items()}
    assert found == {"frame": [100], "pixel": [200], "region": [200], "track": [200]}
    assert "mask_threshold" not in summary["options"]


@pytest.mark.parametrize("second", ["two.toml", "tiny.toml"])
def test_sequences_of_two_scenes_may_have_one_name(own: Path, tmp_path: Path, second: str) -> None:
    other = copy_scene(own, tmp_path / "other")
    for name in ("tiny.toml", "two.toml"):
        text = (own / name).read_text().replace('"tiny"', '"other"')
        (other / name).unlink()  # a link to the file of the first scene
        (other / name).write_text(text)
    save_scores(other, tmp_path / "r", {name: perfect_scores(x) for name, x in COLUMNS.items()})
    scenes = [artifacts_at(f, tmp_path / "r") for f in (own / "tiny.toml", other / second)]
    options = CriteriaOptions()
    parts = [
        (source, evaluate_each(loads, options=options))
        for source, loads in evaluate_scores.loads_by_source(scenes)
    ]
    summary = summarize(parts, options=options)
    assert (summary["counts"]["frames"], summary["counts"]["sequences"]) == (4 * FRAMES, 4)


def test_another_ground_truth_is_evaluated_beside_the_first(own: Path, tmp_path: Path) -> None:
    rows = artifacts_at(own / "tiny.toml", tmp_path / "r")
    both = artifacts_at(own / "two.toml", tmp_path / "r")
    first, _ = evaluated(rows)
    before = artifact_bytes(tmp_path / "r")
    second, summary = evaluated(both)
    after = artifact_bytes(tmp_path / "r")
    assert {name: after[name] for name in before} == before
    assert first.parent.name == "momentum"
    assert second.parent.name.startswith("momentum.frame_labels+masks-")
    assert summary["stands_on"]["region"]["format"] == "masks"
    assert evaluated(rows)[0] == first
    assert evaluated(both)[0] == second
    assert artifact_bytes(tmp_path / "r") == after
    folders = tmp_path / "r" / "tiny" / "reports" / "evaluation.evaluate_scores"
    assert {f.name for f in folders.iterdir()} == {first.parent.name, second.parent.name}
    [page] = write_report.outputs(both, "tiny", single_file=True)
    [view] = visualize_anomalies.outputs(both, "Test0")
    assert page.path.name == f"{second.parent.name}.html"
    assert view.path.parent.name == second.parent.name
    assert write_report.outputs(rows, "tiny")[0].path.parent.name == "momentum"


def test_the_first_ground_truth_keeps_its_place_whichever_it_is(own: Path, tmp_path: Path) -> None:
    both, _ = evaluated(artifacts_at(own / "two.toml", tmp_path / "r"))
    rows, _ = evaluated(artifacts_at(own / "tiny.toml", tmp_path / "r"))
    assert both.parent.name == "momentum"
    assert rows.parent.name.startswith("momentum.street_scene-")


def test_a_part_is_said_so_and_has_a_place_of_its_own(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", own / "tiny.toml", "--datasets", own, "--results", tmp_path / "r"]
    evaluate_scores.main([str(w) for w in [*words, "--sequences", "Test1"]])
    path, *_, line = capsys.readouterr().out.splitlines()
    assert Path(path).parent.name.startswith("momentum.part-")
    assert line == "a part of the test set: 1 of 2 sequences (Test1)"
    summary = json.loads(Path(path).read_text())
    assert (summary["part_of"], summary["region_roc_auc"]) == (2, 1.0)
    assert summary["stands_on"]["frame"]["sequences"] == ["Test1"]
    whole, summary = evaluated(artifacts_at(own / "tiny.toml", tmp_path / "r"))
    assert whole.parent.name == "momentum"
    assert (summary["part_of"], summary["region_roc_auc"]) == (None, 0.5)
    every = artifacts_at(own / "tiny.toml", tmp_path / "r", "Test1", "Test0")
    assert evaluated(every)[0] == whole


def test_a_part_needs_no_other_scores(own: Path, tmp_path: Path) -> None:
    (tmp_path / "r" / "tiny" / "scores" / "momentum" / "Test0.npy").unlink()
    _, summary = evaluated(artifacts_at(own / "tiny.toml", tmp_path / "r", "Test1"))
    assert summary["counts"]["frames"] == FRAMES
    missing = artifacts_at(own / "tiny.toml", tmp_path / "r")
    with pytest.raises(VadlocError, match=r"Test0\.npy: missing"):
        evaluated(missing)
    assert missing.evaluation("summary.json").state()[0] == "missing"


def test_sequences_that_are_not_there_or_not_covered(own: Path, tmp_path: Path) -> None:
    two = artifacts_at(own / "two.toml", tmp_path / "r", "Test0")
    _, summary = evaluated(two)  # its frame labels
    assert summary["undefined"]["region_roc_auc"].startswith("no ground truth of the evaluated")
    with pytest.raises(UsageError, match="--sequences: no test sequence 'Test7'; there are Test0,"):
        evaluated(artifacts_at(own / "tiny.toml", tmp_path / "r", "Test7"))
    only = with_tables(own, TWO.split("\n\n")[1], name="masks.toml")
    with pytest.raises(VadlocError, match=r"no ground truth covers Test0; .* sequences says which"):
        evaluated(artifacts_at(only, tmp_path / "r", "Test0"))
    slip = with_tables(own, TWO.replace("Test1", "Test9"), name="slip.toml")
    with pytest.raises(UsageError, match=r"slip\.toml: \[\[ground_truth\]\] sequences: no test"):
        evaluated(artifacts_at(slip, tmp_path / "r"))


def test_doctor_reads_every_ground_truth_where_it_covers(own: Path, tmp_path: Path) -> None:
    artifacts = artifacts_at(own / "two.toml", tmp_path / "r")
    examined = doctor.examine_all(artifacts, jobs=1, device=None)
    assert list(check_ground_truth(artifacts, examined)) == []
    (own / "Test" / "Test1_gt" / "001.png").unlink()
    (own / "Test" / "frame_labels.csv").write_text("Test1,,\n")
    labels, masks = check_ground_truth(artifacts, examined)
    assert labels.startswith("test Test0: ")
    assert "frame_labels.csv: no row for Test0" in labels
    assert masks.startswith("test Test1: ")
    assert "23 masks" in masks


def test_doctor_of_some_sequences(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", own / "tiny.toml", "--datasets", own, "--results", tmp_path / "r"]
    (own / "Test" / "Test0" / "Test0_gt.txt").unlink()
    doctor.main([str(w) for w in [*words, "--jobs", 1, "--sequences", "Train0", "Test1"]])
    overview, finding = capsys.readouterr().out.splitlines()
    assert "train 1 of 3 sequences, 24 frames; test 1 of 2 sequences, 24 frames" in overview
    assert finding == "nothing wrong was found"
    artifacts = artifacts_at(own / "tiny.toml", tmp_path / "r")
    with pytest.raises(UsageError, match=r"no sequence 'Test7'; there are Train0, .*, Test1"):
        doctor.examine_all(artifacts, jobs=1, device=None, names=["Test7"])
