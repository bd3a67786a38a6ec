"""The command for other people's detectors: forms of predictions, what is refused, what is left."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image
from prediction_files import (
    BOX,
    FRAMES,
    HEIGHT_PX,
    MAP_FORMS,
    OTHER_BOX,
    WIDTH_PX,
    box_frames,
    cell_maps,
    document,
    full_maps,
    same_result,
    save_array,
    save_as_array,
    save_as_cells,
    save_as_json,
    save_json,
    save_rows,
    save_truth,
)
from repository import ROOT

from evaluation.api import Boxes, evaluate_folder
from evaluation.compute_auc import run as compute_auc
from evaluation.evaluate_scores import main
from evaluation.rule_cases import all_cases, cases_to_markdown
from vadloc.annotations import READERS
from vadloc.errors import VadlocError

FRAME_SCORES = [0.1, 0.5, 0.2, 0.5, 0.4, 0.9]


@pytest.mark.parametrize("form", MAP_FORMS)
@pytest.mark.parametrize("gt_format", ["json", "street_scene"])
def test_all_forms_of_one_map_give_one_result(tmp_path: Path, form: str, gt_format: str) -> None:
    gt = (save_truth if gt_format == "json" else save_rows)(tmp_path / "gt", "a", "b")
    for seed, name in enumerate("ab"):
        save_as_array(tmp_path / "full", name, cell_maps(seed))
        MAP_FORMS[form](tmp_path / "pred", name, cell_maps(seed))
    expected = evaluate_folder(gt, tmp_path / "full", gt_format=gt_format)
    found = evaluate_folder(gt, tmp_path / "pred", gt_format=gt_format, jobs=2)
    assert same_result(found, expected)
    assert found["counts"]["frames"] == 2 * FRAMES
    assert 0 < found["frame_roc_auc"] < 1


def save_csv(path: Path, *rows: str, header: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "".join(f"{row}\n" for row in rows))


@pytest.mark.parametrize("header", ["", "frame,x_min,y_min,x_max,y_max,score\n"])
def test_rows_of_boxes_equal_the_same_boxes_in_json(tmp_path: Path, header: str) -> None:
    gt = save_truth(tmp_path / "gt", "a")
    frames = box_frames([[(OTHER_BOX, 0.6)], [], [], [(BOX, 0.9), (OTHER_BOX, 0.2)], [], []])
    save_json(tmp_path / "json/a.json", document(frames))
    rows = ("3,8,8,12,12,0.2", "0,8,8,12,12,0.6", "3,4,4,8,8,.9")
    save_csv(tmp_path / "csv/a.csv", *rows, header=header)
    ways: tuple[Boxes, ...] = ("regions", "map")
    for boxes in ways:
        results = [
            evaluate_folder(gt, tmp_path / form, gt_format="json", boxes=boxes)
            for form in ("json", "csv")
        ]
        assert same_result(*results)
        assert results[0]["areas_by_rule"]["hold"]["track_roc_auc"] > 0


def test_frame_scores_are_evaluated_at_frame_level(tmp_path: Path) -> None:
    save_array(tmp_path / "pred/a.npy", np.array(FRAME_SCORES) * 100 - 7)
    gt = save_truth(tmp_path / "gt", "a")
    result = evaluate_folder(gt, tmp_path / "pred", gt_format="json")
    assert result["frame_roc_auc"] == pytest.approx(7.5 / 9)
    assert result["region_roc_auc"] is None
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0\n0\n0\n1\n1\n1\n")
    labelled = evaluate_folder(tmp_path / "labels", tmp_path / "pred", gt_format="frame_labels")
    assert labelled["frame_roc_auc"] == pytest.approx(7.5 / 9)


def test_one_sequence_without_places_leaves_the_frame_level(tmp_path: Path) -> None:
    gt = save_truth(tmp_path / "gt", "a", "b")
    save_as_array(tmp_path / "pred", "a", cell_maps(0))
    save_array(tmp_path / "pred/b.npy", np.array(FRAME_SCORES))
    result = evaluate_folder(gt, tmp_path / "pred", gt_format="json")
    assert result["undefined"]["region_roc_auc"].startswith("b has frame scores only")
    assert result["frame_roc_auc_by_sequence"]["b"] == pytest.approx(7.5 / 9)
    assert result["counts"]["frames"] == 2 * FRAMES


def save_frames(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for i in range(1, count + 1):
        Image.fromarray(np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)).save(folder / f"{i:03d}.png")
    return folder.parent


def test_frames_give_the_size_that_rows_do_not_know(tmp_path: Path) -> None:
    gt = save_rows(tmp_path / "gt", "a")
    save_csv(tmp_path / "pred/a.csv", "3,4,4,8,8,0.9")
    with pytest.raises(VadlocError, match=r"a\.csv: frame_count, height_px, width_px unknown"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene")
    frames = save_frames(tmp_path / "frames/a", FRAMES)
    by_frames = evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene", frames=frames)
    size = {"frame_height_px": HEIGHT_PX, "frame_width_px": WIDTH_PX}
    save_json(tmp_path / "pred/a.json", {"frame_count": FRAMES, **size})
    beside = evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene")
    assert same_result(by_frames, beside)
    assert beside["curves"]["region_tpr"].tolist() == [0, pytest.approx(1 / 3)]


@pytest.mark.parametrize(
    "form", ["cells", "array", "npy folder", "tiff folder", "json", "frame scores"]
)
def test_a_frame_too_few_stops_with_both_counts(tmp_path: Path, form: str) -> None:
    if form == "frame scores":
        save_array(tmp_path / "pred/a.npy", np.array(FRAME_SCORES))
    else:
        MAP_FORMS[form](tmp_path / "pred", "a", cell_maps(0))
    frames = save_frames(tmp_path / "frames/a", FRAMES + 1)
    gt = save_rows(tmp_path / "gt", "a")
    counts = r"frame_count is 6, but 7 is expected|6 maps, but the sequence has 7 frames"
    with pytest.raises(VadlocError, match=counts):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene", frames=frames)
    save_json(tmp_path / "json/a.json", document([{}] * (FRAMES + 1)))
    with pytest.raises(VadlocError, match=r"frame_count is 6, but 7 is expected"):
        evaluate_folder(tmp_path / "json", tmp_path / "pred", gt_format="json")


def test_maps_belong_to_the_frames_of_their_names(tmp_path: Path) -> None:
    frames = save_frames(tmp_path / "frames/a", FRAMES)
    for number in reversed(range(1, FRAMES + 1)):
        picture = tmp_path / f"frames/a/{number:03d}.png"
        picture.rename(picture.with_stem(f"{5 * number:03d}"))
    for number, scores in enumerate(full_maps(cell_maps(0)), start=1):
        save_array(tmp_path / f"pred/a/{5 * number}.npy", scores)
    save_as_array(tmp_path / "whole", "a", cell_maps(0))
    gt = save_truth(tmp_path / "gt", "a")
    found, expected = (
        evaluate_folder(gt, tmp_path / name, gt_format="json", frames=frames)
        for name in ("pred", "whole")
    )
    assert same_result(found, expected)
    lost = tmp_path / "pred/a/15.npy"
    lost.rename(lost.with_stem("200"))  # as many maps as frames, but one of another frame
    with pytest.raises(VadlocError, match=r"maps 200\.npy are of no frame; the frames 015\.png"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="json", frames=frames)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1", "2", "4", "5", "6", "7"], r"2\.npy is followed by 4\.npy"),
        (["5", "10", "15", "20", "25", "30"], r"5\.npy is followed by 10\.npy.*--frames"),
        (["1", "01", "2", "3", "4", "5"], r"have the same number"),
    ],
)
def test_maps_that_leave_frames_out_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for name, scores in zip(names, full_maps(cell_maps(0)), strict=True):
        save_array(tmp_path / "pred/a" / f"{name}.npy", scores)
    gt = save_rows(tmp_path / "gt", "a")
    with pytest.raises(VadlocError, match=message):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene")


def test_an_array_with_frames_last_is_blamed_itself(tmp_path: Path) -> None:
    save_array(tmp_path / "pred/a.npy", np.moveaxis(full_maps(cell_maps(0)), 0, 2))
    gt = save_rows(tmp_path / "gt", "a")
    (gt / "a_gt.txt").write_text("004.jpg 7 14 6 2 2\n")
    with pytest.raises(VadlocError, match=r"size is that of .*a\.npy, read as \(frames, height"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene")


def test_missing_ground_truth_names_the_sequence(tmp_path: Path) -> None:
    for name in "ab":
        save_as_array(tmp_path / "pred", name, cell_maps(0))
    gt = save_rows(tmp_path / "gt", "a")
    with pytest.raises(VadlocError, match=r"no Street Scene annotation: looked for .*b_gt\.txt"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene")


def test_no_sequence_is_left_out_unless_asked(tmp_path: Path) -> None:
    gt = save_rows(tmp_path / "gt", "a", "b", "c")
    for name in "ac":
        save_as_array(tmp_path / "pred", name, cell_maps(0))
    with pytest.raises(VadlocError, match=r"ground truth of b \(1 of 3 sequences\) has no pred"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene")
    some = evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene", sequences=["c"])
    assert list(some["frame_roc_auc_by_sequence"]) == ["c"]
    with pytest.raises(VadlocError, match=r"no prediction of b; there are a, c"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="street_scene", sequences=["b"])


def test_a_suffix_of_the_names_is_cut_off(tmp_path: Path) -> None:
    gt = save_truth(tmp_path / "gt", "a")
    save_as_array(tmp_path / "pred", "a_scores", cell_maps(0))
    found = evaluate_folder(gt, tmp_path / "pred", gt_format="json", pred_name_suffix="_scores")
    assert list(found["frame_roc_auc_by_sequence"]) == ["a"]
    with pytest.raises(
        VadlocError, match=r"no predictions \*_x; there is a_scores\.npy; expected <sequence>\.json"
    ):
        evaluate_folder(gt, tmp_path / "pred", gt_format="json", pred_name_suffix="_x")


def test_two_predictions_of_one_sequence_are_refused(tmp_path: Path) -> None:
    save_as_array(tmp_path / "pred", "a", cell_maps(0))
    save_csv(tmp_path / "pred/a.csv", "3,4,4,8,8,0.9")
    with pytest.raises(VadlocError, match=r"a\.npy: a\.csv is a prediction of a already"):
        evaluate_folder(save_truth(tmp_path / "gt", "a"), tmp_path / "pred", gt_format="json")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((FRAMES, 12)), r"shape \(6, 12\), expected \(frames, rows, columns\)"),
        (np.zeros((0, 12, 16)), r"shape \(0, 12, 16\), expected"),
        (np.full(FRAMES, np.nan), r"the score of frame 0 \(0-based\) is not a finite number"),
        (np.zeros((FRAMES, 12, 16), complex), "an array of complex128, expected float16"),
        (np.zeros((FRAMES, 12, 8)), r"a\.npy: width_px is 8, but 16 is expected"),
        (np.full((FRAMES, 12, 16), np.inf), r"the scores of frame 0 \(0-based\) hold NaN or inf"),
    ],
)
def test_unusable_arrays_say_why(tmp_path: Path, array: NDArray[np.generic], message: str) -> None:
    save_array(tmp_path / "pred/a.npy", array)
    gt = save_truth(tmp_path / "gt", "a")
    with pytest.raises(VadlocError, match=message):
        evaluate_folder(gt, tmp_path / "pred", gt_format="json")


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"cell_height_px": 0}, "cell_height_px: Input should be greater than 0"),
        ({"frame_count": 7}, "frame_count is 7, but 6 is expected"),
        ({"cell_height_px": 4, "cell_width_px": 5}, r"scores have shape \(6, 12, 16\), expected"),
        ([], "the file: Input should be an object"),
    ],
)
def test_unusable_details_say_why(tmp_path: Path, details: object, message: str) -> None:
    save_as_array(tmp_path / "pred", "a", cell_maps(0))
    save_json(tmp_path / "pred/a.json", details)
    with pytest.raises(VadlocError, match=message):
        evaluate_folder(save_truth(tmp_path / "gt", "a"), tmp_path / "pred", gt_format="json")


def test_unusable_folders_of_maps_say_why(tmp_path: Path) -> None:
    gt = save_truth(tmp_path / "gt", "a")
    MAP_FORMS["npy folder"](tmp_path / "pred", "a", cell_maps(0))
    save_array(tmp_path / "pred/a/4.npy", np.zeros((12, 15)))
    with pytest.raises(VadlocError, match=r"4\.npy: a map of shape \(12, 15\), but the first one"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="json")
    (tmp_path / "pred/a/0.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(VadlocError, match=r"0\.npy: not a readable \.npy file"):
        evaluate_folder(gt, tmp_path / "pred", gt_format="json")
    MAP_FORMS["tiff folder"](tmp_path / "tiffs", "a", cell_maps(0))
    Image.new("RGB", (16, 12)).save(tmp_path / "tiffs/a/3.tiff")
    with pytest.raises(VadlocError, match=r"3\.tiff: pixels of mode RGB, expected one of F"):
        evaluate_folder(gt, tmp_path / "tiffs", gt_format="json")
    (tmp_path / "tiffs/a/2.tiff").write_bytes(b"II*\0")
    with pytest.raises(VadlocError, match=r"2\.tiff: not a readable TIFF picture"):
        evaluate_folder(gt, tmp_path / "tiffs", gt_format="json")


def test_numbers_of_any_width_are_read(tmp_path: Path) -> None:
    gt = save_truth(tmp_path / "gt", "a")
    levels = (full_maps(cell_maps(0)) * 8).astype(np.uint8)
    results = []
    for dtype in ("uint8", ">f4", "float64", "int64"):
        save_array(tmp_path / dtype / "a.npy", levels.astype(dtype))
        results.append(evaluate_folder(gt, tmp_path / dtype, gt_format="json"))
    assert all(same_result(results[0], result) for result in results)


def words(folder: Path, *more: str) -> list[str]:
    gt, pred = str(folder / "gt"), str(folder / "pred")
    return ["--ground-truth", gt, "--format", "json", "--predictions", pred, *more]


def make_folders(folder: Path) -> None:
    save_truth(folder / "gt", "a", "b")
    save_as_cells(folder / "pred", "a", cell_maps(0))
    save_as_cells(folder / "pred", "b", cell_maps(1))


def test_the_command_prints_and_leaves_what_the_function_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folders(tmp_path)
    output = tmp_path / "out"
    main(words(tmp_path, "--output", str(output), "--all-rules", "--jobs", "2"))
    printed = capsys.readouterr().out
    result = evaluate_folder(tmp_path / "gt", tmp_path / "pred", gt_format="json")
    curves = result.pop("curves")
    assert json.loads((output / "summary.json").read_text()) == result
    for name, curve in curves.items():
        assert_array_equal(np.load(output / f"{name}.npy"), curve)
    tables = ["summary.csv", "summary.json", "summary.md", "summary.tex"]
    files = [f"{name}.npy" for name in curves]
    assert sorted(path.name for path in output.iterdir()) == sorted([*files, *tables, "plots"])
    figures = ["detection", "roc_frame", "roc_pixel", "scores_a", "scores_b"]
    assert {path.stem for path in (output / "plots").glob("*.png")} == set(figures)
    assert {path.stem for path in (output / "plots").glob("*.svg")} == set(figures)
    area = compute_auc(output / "region_fpr.npy", output / "region_tpr.npy")
    assert area == pytest.approx(result["region_roc_auc"])
    assert re.search(rf"RBDC +{result['region_roc_auc']:.3f}\n", printed)
    for rule, areas in result["areas_by_rule"].items():
        row = rf"{rule} +{areas['region_roc_auc']:.3f} +{areas['track_roc_auc']:.3f}\n"
        assert re.search(row, printed)


def test_tables_hold_the_numbers_of_the_summary(tmp_path: Path) -> None:
    make_folders(tmp_path)
    main(words(tmp_path, "--output", str(tmp_path / "out")))
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    rows = (tmp_path / "out/summary.csv").read_text().splitlines()
    assert rows[0] == "name,value,sequences,frames"
    assert {tuple(row.split(",")[2:]) for row in rows[1:]} == {("2", "12")}
    table = dict(row.split(",")[:2] for row in rows[1:])
    assert {name: float(value) for name, value in table.items() if value} == {
        name: value for name, value in summary.items() if isinstance(value, float)
    }
    head, _, numbers = (tmp_path / "out/summary.md").read_text().splitlines()
    column = head.split(" | ").index("TBDC")
    assert numbers.split(" | ")[column] == f"{summary['track_roc_auc']:.4f}"
    latex = (tmp_path / "out/summary.tex").read_text()
    assert f"{100 * summary['region_roc_auc']:.2f} & " in latex
    assert latex.count(r"\\") == 2


def test_an_undefined_number_is_null_and_empty(tmp_path: Path) -> None:
    save_truth(tmp_path / "gt", "a")
    save_array(tmp_path / "pred/a.npy", np.array(FRAME_SCORES))
    main(words(tmp_path, "--output", str(tmp_path / "out")))
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["region_roc_auc"] is None
    assert "\nregion_roc_auc,,1,6\n" in (tmp_path / "out/summary.csv").read_text()
    assert " undefined " in (tmp_path / "out/summary.md").read_text()
    assert " -- " in (tmp_path / "out/summary.tex").read_text()


def test_an_output_is_replaced_only_when_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_folders(tmp_path)
    output = ("--output", str(tmp_path / "out"))
    main(words(tmp_path, *output))
    with pytest.raises(SystemExit) as stopped:
        main(words(tmp_path, *output))
    assert stopped.value.code == 1
    assert "summary.json: exists already; --overwrite replaces it" in caplog.text
    main(words(tmp_path, *output, "--overwrite", "--rule", "hold"))
    assert json.loads((tmp_path / "out/summary.json").read_text())["rule"] == "hold"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--alpha", "0"), "alpha is 0.0, expected a share above 0 and at most 1"),
        (("--rule", "best"), "unknown area rule 'best'; known rules: envelope, ssvad"),
        (("--jobs", "0"), "jobs is 0, expected 1 or more"),
    ],
)
def test_unusable_options_end_with_two(
    tmp_path: Path, more: tuple[str, ...], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_folders(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(words(tmp_path, *more))
    assert stopped.value.code == 2
    assert message in caplog.text


def test_options_of_the_command_reach_the_criteria(tmp_path: Path) -> None:
    make_folders(tmp_path)
    given = {
        "alpha": 0.5,
        "beta": 0.3,
        "connectivity": 4,
        "pixel_share": 0.6,
        "dual_share": 0.2,
        "alarm_threshold": 0.9,
    }
    flags = [w for k, v in given.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    main(words(tmp_path, *flags, "--output", str(tmp_path / "out")))
    assert json.loads((tmp_path / "out/summary.json").read_text())["options"] == given


def test_help_of_both_modes(capsys: pytest.CaptureFixture[str]) -> None:
    for flags, expected in (([], "--predictions DIR"), (["--predictions", "."], "--all-rules")):
        with pytest.raises(SystemExit) as stopped:
            main([*flags, "--help"])
        assert stopped.value.code == 0
        assert expected in capsys.readouterr().out


def test_json_predictions_may_keep_their_maps_beside_them(tmp_path: Path) -> None:
    gt = save_truth(tmp_path / "gt", "a")
    save_as_json(tmp_path / "pred", "a", cell_maps(0))
    save_array(tmp_path / "pred/unused/0.npy", np.zeros((3, 3)))
    found = evaluate_folder(gt, tmp_path / "pred", gt_format="json")
    assert list(found["frame_roc_auc_by_sequence"]) == ["a"]


PAGE = ROOT / "docs" / "evaluation.md"


def test_the_commands_of_the_page_run_as_printed(tmp_path: Path) -> None:
    blocks = re.findall(r"```(bash|python)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (first, commands), (second, program) = blocks[:2]
    assert (first, second) == ("bash", "python")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PAGE.parent.parent)}

    def output_of(*words: str) -> str:
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    printed = output_of("bash", "-euo", "pipefail", "-c", commands)
    assert re.search(r"RBDC +1\.000\nTBDC +1\.000\n", printed)
    assert re.search(r"ssvad +0\.500 +0\.500\n", printed)
    assert len(list((tmp_path / "mine/evaluation").glob("*.npy"))) == 15
    assert output_of(sys.executable, "-c", program) == "1.0 1.0 1.0\n"


def test_the_page_names_all_formats_and_prints_the_present_table() -> None:
    text = PAGE.read_text()
    assert cases_to_markdown(all_cases()) in text
    for name in READERS:
        assert f"\n| `{name}` | " in text
