"""The functions that users of py-ssvad-metrics know: drawn cases, plain counts, file names."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from plain_criteria import counts
from prediction_files import (
    BOX,
    FRAMES,
    HEIGHT_PX,
    OTHER_BOX,
    WIDTH_PX,
    Json,
    box_frames,
    cell_maps,
    document,
    full_maps,
    same_result,
    save_array,
    save_as_json,
    save_json,
    save_truth,
    truth_frames,
)

import evaluation
from evaluation import accumulated_evaluate, evaluate
from evaluation.api import Boxes
from evaluation.predictions.painting import boxes_to_map
from vadloc.annotations.ssvad_json import read_ground_truth
from vadloc.errors import UsageError, VadlocError
from vadloc.scores import (
    BoxScores,
    ScoreMap,
)

SSVAD_NAMES = {
    f"{level}_{number}"
    for level in ("frame", "pixel")
    for number in ("roc_auc", "eer", "thresh_at_eer")
} | {"region_roc_auc", "track_roc_auc"}


def pair(folder: Path, predicted: Json, truth: Json | None = None) -> tuple[Path, Path]:
    truth = truth or document(truth_frames())
    return save_json(folder / "gt.json", truth), save_json(folder / "pred.json", predicted)


def perfect_frames(score: float = 0.9) -> list[Json]:
    return box_frames([[]] * 3 + [[(BOX, score)]] * 3)


@pytest.mark.parametrize("boxes", ["regions", "map"])
def test_a_perfect_detector_scores_one(tmp_path: Path, boxes: Boxes) -> None:
    paths = pair(tmp_path, document(perfect_frames()))
    result = evaluate(*paths, boxes=boxes)
    assert {result[f"{level}_roc_auc"] for level in ("region", "track", "frame", "pixel")} == {1.0}
    assert result["frame_eer"] == 0
    assert result["frame_thresh_at_eer"] == pytest.approx(0.9)  # maps are float32
    assert set(result["undefined"]) == {"normal_video_false_alarm_rate"}
    assert result.keys() >= SSVAD_NAMES
    assert result["counts"]["regions"] == 3
    assert_array_equal(result["curves"]["region_tpr"][:2], [0, 1])


def test_paths_may_be_text(tmp_path: Path) -> None:
    gt, pred = pair(tmp_path, document(perfect_frames()))
    assert same_result(evaluate(str(gt), str(pred)), evaluate(gt, pred))


def test_the_rule_of_ssvad_gives_its_half_for_a_perfect_map(tmp_path: Path) -> None:
    paths = pair(tmp_path, document(perfect_frames()))
    result = evaluate(*paths, boxes="map", rule="ssvad")
    assert (result["region_roc_auc"], result["rule"]) == (0.5, "ssvad")
    assert result["areas_by_rule"]["envelope"] == {"region_roc_auc": 1.0, "track_roc_auc": 1.0}


def test_frame_level_scores_rank_the_frames_where_all_have_one(tmp_path: Path) -> None:
    # The boxes are perfect, the frame scores wrong for one of 3 x 3 pairs and tied for another.
    own = [0.1, 0.5, 0.2, 0.5, 0.4, 0.9]
    frames = [{**f, "frame_level_score": s} for f, s in zip(perfect_frames(), own, strict=True)]
    result = evaluate(*pair(tmp_path, document(frames)))
    assert result["frame_roc_auc"] == pytest.approx(7.5 / 9)
    assert result["region_roc_auc"] == result["pixel_roc_auc"] == 1.0
    frames[0]["frame_level_score"] = None
    assert evaluate(*pair(tmp_path, document(frames)))["frame_roc_auc"] == 1.0


def test_frame_scores_alone_leave_places_undefined(tmp_path: Path) -> None:
    frames = [{"frame_level_score": s} for s in (0.1, 0.5, 0.2, 0.5, 0.4, 0.9)]
    result = evaluate(*pair(tmp_path, document(frames, is_anomalous_regions_available=False)))
    assert result["frame_roc_auc"] == pytest.approx(7.5 / 9)
    reason = "pred has frame scores only, which do not say where"
    for level in ("region", "track", "pixel", "dual_pixel"):
        assert result[f"{level}_roc_auc"] is None
        assert result["undefined"][f"{level}_roc_auc"] == reason
        assert np.isnan(result["curves"][f"{level}_tpr"]).all()
    assert set(result["areas_by_rule"]["ssvad"].values()) == {None}
    assert (result["counts"]["regions"], result["counts"]["tracks"]) == (3, 1)


def test_one_class_is_undefined_with_its_reason(tmp_path: Path) -> None:
    truth = document(truth_frames()[3:] * 2)
    result = evaluate(*pair(tmp_path, document(box_frames([[(BOX, 0.9)]] * 6)), truth))
    assert result["frame_roc_auc"] is None
    assert result["undefined"]["frame_roc_auc"] == "no normal frame"
    assert result["region_roc_auc"] == 1.0


def test_painted_boxes_are_the_mean_of_those_that_cover_a_pixel() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(0, [4 * WIDTH_PX - 4, 4 * HEIGHT_PX - 4], (20, 2)) / 4
    high = np.minimum(low + rng.integers(1, 40, (20, 2)) / 4, [WIDTH_PX, HEIGHT_PX])
    boxes, frame = np.hstack([low, high]), rng.integers(0, 2, 20)
    score = rng.random(20)
    painted = boxes_to_map(BoxScores("s", frame, boxes, score, 2, HEIGHT_PX, WIDTH_PX))
    for f in range(2):
        for y in range(HEIGHT_PX):
            for x in range(WIDTH_PX):
                inside = [
                    score[i]
                    for i, (x0, y0, x1, y1) in enumerate(boxes)
                    if frame[i] == f and x0 <= x + 0.5 < x1 and y0 <= y + 0.5 < y1
                ]
                expected = sum(inside) / len(inside) if inside else 0.0
                assert painted.frame_scores(f)[y, x] == pytest.approx(expected, abs=1e-6)


def test_overlapping_boxes_stay_regions_unless_painted(tmp_path: Path) -> None:
    # The second box lowers the first in a map: at .6 only their overlap and the rest of it remain.
    frames = box_frames([[]] * 3 + [[(BOX, 0.9), ((0, 0, 16, 12), 0.3)]] * 3)
    paths = pair(tmp_path, document(frames))
    as_regions, as_map = evaluate(*paths), evaluate(*paths, boxes="map")
    assert as_regions["frame_thresh_at_eer"] == 0.9
    assert as_map["frame_thresh_at_eer"] == pytest.approx(0.6)


def test_the_rule_of_ssvad_equals_a_plain_count_at_its_thresholds(tmp_path: Path) -> None:
    cells = cell_maps(1)
    save_as_json(tmp_path, "pred", cells)
    gt = save_json(tmp_path / "gt.json", document(truth_frames()))
    result = evaluate(gt, tmp_path / "pred.json", rule="ssvad")
    scores = [ScoreMap("gt", full_maps(cells), 1, 1, HEIGHT_PX, WIDTH_PX)]
    truths = [read_ground_truth(gt)]
    points = []
    for threshold in np.linspace(1.01, -0.01, 103).tolist():
        plain = counts(scores, truths, threshold, alpha=0.1, beta=0.1)
        points.append((plain.false_positives / FRAMES, plain.found_regions / 3))
    kept = sorted((p for p in points if p[0] <= 1), key=lambda p: p[0])
    assert 0 < len(kept) < len(points)
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(kept))
    assert result["region_roc_auc"] == pytest.approx(area)


def test_maps_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    save_as_json(tmp_path, "pred", cell_maps(2))
    gt = save_json(tmp_path / "gt.json", document(truth_frames()))
    moved = save_json(tmp_path / "elsewhere/pred.json", document([{}] * FRAMES))
    moved.write_bytes((tmp_path / "pred.json").read_bytes())
    with pytest.raises(VadlocError, match="pixel_level_scores_map"):
        evaluate(gt, moved)
    found = evaluate(gt, moved, pred_score_maps_root_dir=tmp_path)
    assert same_result(found, evaluate(gt, tmp_path / "pred.json"))


def test_maps_of_the_ground_truth_may_lie_elsewhere(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    mask[4:8, 4:8] = 1
    save_array(tmp_path / "masks/a.npy", mask)
    frames: list[Json] = [{}] * 3 + [{"pixel_level_scores_map": "a.npy"}] * 3
    truth = document(frames, is_anomaly_track_id_available=False)
    gt, pred = pair(tmp_path, document(perfect_frames()), truth)
    result = evaluate(gt, pred, gt_score_maps_root_dir=tmp_path / "masks")
    assert result["region_roc_auc"] == 1.0
    assert result["ground_truth_derived"] is True


def make_set(folder: Path, count: int = 3) -> tuple[Path, Path]:
    for i in range(count):
        save_json(folder / "gt" / f"Test{i}_gt.json", document(truth_frames()))
        save_as_json(folder / "pred", f"Test{i}", cell_maps(i))
        (folder / "pred" / f"Test{i}.json").rename(folder / "pred" / f"Test{i}_mine.json")
    return folder / "gt", folder / "pred"


def test_processes_have_no_effect_on_the_result(tmp_path: Path) -> None:
    folders = make_set(tmp_path)
    one, two = (
        accumulated_evaluate(
            *folders,
            gt_name_suffix="_gt",
            pred_name_suffix="_mine",
            jobs=jobs,
            show_progress=False,
        )
        for jobs in (1, 2)
    )
    assert same_result(one, two)
    assert one["counts"]["frames"] == 3 * FRAMES
    assert list(one["frame_roc_auc_by_sequence"]) == ["Test0", "Test1", "Test2"]


def test_accumulated_counts_add_up_and_show_a_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gt, pred = make_set(tmp_path, 2)
    together = accumulated_evaluate(gt, pred, gt_name_suffix="_gt", pred_name_suffix="_mine")
    assert "2/2" in capsys.readouterr().err
    alone = [evaluate(gt / f"Test{i}_gt.json", pred / f"Test{i}_mine.json") for i in range(2)]
    assert together["counts"]["regions"] == sum(r["counts"]["regions"] for r in alone)
    # Everything is detected at the lowest score: all frames but those where the whole frame fits.
    ends = [r["curves"]["region_fpr"][-1] * FRAMES for r in alone]
    assert together["curves"]["region_fpr"][-1] * 2 * FRAMES == pytest.approx(sum(ends))


@pytest.mark.parametrize(("folder", "name"), [("gt", "Test1_gt"), ("pred", "Test1_mine")])
def test_a_sequence_with_one_file_only_stops(tmp_path: Path, folder: str, name: str) -> None:
    gt, pred = make_set(tmp_path)
    (tmp_path / folder / f"{name}.json").unlink()
    with pytest.raises(VadlocError, match=rf"{folder}: 1 of 3 sequences missing: Test1;"):
        accumulated_evaluate(gt, pred, gt_name_suffix="_gt", pred_name_suffix="_mine")


def test_frame_counts_that_differ_stop_with_both(tmp_path: Path) -> None:
    paths = pair(tmp_path, document(perfect_frames()[1:]))
    with pytest.raises(
        VadlocError, match=r"pred\.json: frame_count is 5, but 6 is expected from .*gt\.json"
    ):
        evaluate(*paths)
    frames: list[Json] = [{"frame_level_score": 0.5}] * 7
    paths = pair(tmp_path, document(frames, is_anomalous_regions_available=False))
    with pytest.raises(VadlocError, match=r"frame_count is 7, but 6 is expected from .*gt\.json"):
        evaluate(*paths)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_broken_sequence_is_named(tmp_path: Path, jobs: int) -> None:
    gt, pred = (save_truth(tmp_path / part, "a", "b", "c") for part in ("gt", "pred"))
    for name in "bc":
        (pred / f"{name}.json").write_text("{")
    with pytest.raises(VadlocError, match=r"b\.json: the file"):
        accumulated_evaluate(gt, pred, jobs=jobs, show_progress=False)


def test_unusable_options_say_so(tmp_path: Path) -> None:
    gt, pred = pair(tmp_path, document(perfect_frames()))
    with pytest.raises(VadlocError, match="alpha is 0, expected a share"):
        evaluate(gt, pred, alpha=0)
    with pytest.raises(VadlocError, match="unknown area rule 'ssvd'"):
        evaluate(gt, pred, rule="ssvd")
    with pytest.raises(UsageError, match="boxes is 'maps', expected one of regions, map"):
        evaluate(gt, pred, boxes="maps")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="jobs is 0, expected 1 or more"):
        accumulated_evaluate(tmp_path, tmp_path, jobs=0)
    with pytest.raises(VadlocError, match=r"nowhere: no such folder; expected <sequence>_gt\.json"):
        accumulated_evaluate(tmp_path / "nowhere", tmp_path, gt_name_suffix="_gt")
    with pytest.raises(VadlocError, match=r"no file \*_x\.json"):
        accumulated_evaluate(tmp_path, tmp_path, pred_name_suffix="_x")


def test_options_reach_the_criteria(tmp_path: Path) -> None:
    # A box half as wide as the region: IoU 1/2, half of the anomalous pixels.
    half = (BOX[0], BOX[1], BOX[0] + 2, BOX[3])
    paths = pair(tmp_path, document(box_frames([[]] * 3 + [[(half, 0.9)], [], []])))
    assert evaluate(*paths, beta=0.5, alpha=1 / 3)["track_roc_auc"] == 1.0
    assert evaluate(*paths, beta=0.51)["track_roc_auc"] == 0.0
    assert evaluate(*paths, alpha=0.34)["track_roc_auc"] == 0.0
    assert evaluate(*paths, pixel_share=0.5)["curves"]["pixel_tpr"][1] == pytest.approx(1 / 3)
    never = evaluate(*paths, pixel_share=0.51)
    assert never["curves"]["pixel_thresholds"].tolist() == [np.inf, -np.inf]
    assert never["undefined"]["pixel_thresh_at_eer"] == "reached only where all pixels are detected"
    assert evaluate(*paths, alarm_threshold=0.95)["false_alarm_rate"] == 0
    flood = pair(tmp_path, document(box_frames([[(OTHER_BOX, 0.9)]] * 6)))
    assert evaluate(*flood, alarm_threshold=0.9)["false_alarm_rate"] == 1


def test_the_package_imports_nothing_before_it_is_asked() -> None:
    program = "import sys, evaluation; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert set(evaluation.__all__) <= set(dir(evaluation))
    for name in evaluation.__all__:
        assert callable(getattr(evaluation, name))
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        evaluation.evaluat  # noqa: B018
