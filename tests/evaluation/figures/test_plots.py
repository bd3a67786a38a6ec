"""Figures: what is drawn is what was measured, and the same bytes come out every time."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from evaluated_maps import evaluate_maps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from evaluation.criteria.combination import CriteriaResult
from evaluation.criteria.curves import (
    RateCurve,
    Value,
)
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.ranking import RankedFrames, roc_result
from evaluation.figures.plots import (
    plot_detection,
    plot_roc,
    plot_scores,
    runs,
    save_evaluation_plots,
    save_figure,
    save_score_plots,
    thinned,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError
from vadloc.scores import ScoreMap

CURVE = RateCurve(
    thresholds=np.array([np.inf, 0.9, 0.8, 0.5, 0.2]),
    fpr=np.array([0.0, 0.1, 0.4, 0.3, 1.6]),
    rate=np.array([0.0, 0.5, 0.25, 0.75, 0.5]),
)


def axes_of() -> Axes:
    return Figure().add_subplot()


def ranked(normal: list[float], anomalous: list[float]) -> RankedFrames:
    found = np.array(anomalous)
    return RankedFrames(np.array(normal), found, np.ones(len(found), np.int64), len(found))


def legend(axes: Axes) -> list[str]:
    box = axes.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def line(axes: Axes, label: str) -> NDArray[np.float64]:
    """Points ``(k, 2)`` of the line whose label begins so."""
    (found,) = [ln for ln in axes.lines if str(ln.get_label()).startswith(label)]
    return np.asarray(found.get_xydata())


def result_of(scores: list[list[float]], truth: GroundTruth) -> CriteriaResult:
    """Criteria of frames of 1 x 4 cells of 2 px."""
    grid = np.array(scores, np.float32)[:, None]
    return evaluate_maps([ScoreMap("s", grid, 2, 2, 2, 8)], [truth])


def truth_of(frames: list[int], count: int) -> GroundTruth:
    """One region in the leftmost cell of each of some frames."""
    frame = np.array(frames, np.int64)
    boxes = np.tile([0.0, 0, 2, 2], (len(frames), 1))
    anomalous = np.isin(np.arange(count), frame)
    return GroundTruth("s", count, 2, 8, frame, np.zeros_like(frame), boxes, anomalous)


@pytest.fixture(scope="module")
def good() -> CriteriaResult:
    scores = [[0, 0, 0, 0.1], [0.9, 0, 0, 0], [0.3, 0, 0.2, 0.5]]
    return result_of(scores, truth_of([1, 2], 3))


def test_the_roc_curve_and_its_numbers_are_drawn() -> None:
    """Of 2 x 2 pairs 3 are in order; on the way is the point FPR = 1 - TPR = 1/2."""
    axes = axes_of()
    plot_roc(axes, roc_result(ranked([0.1, 0.4], [0.35, 0.8])), label="frame level")
    assert legend(axes) == ["frame level: AUC 0.750", "EER 0.500", "chance"]
    corners = [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]
    np.testing.assert_array_equal(line(axes, "frame level"), corners)
    np.testing.assert_array_equal(line(axes, "EER"), [[0.5, 0.5]])
    np.testing.assert_array_equal(line(axes, "chance"), [[0, 0], [1, 1]])


def test_two_roc_curves_share_the_line_of_chance() -> None:
    axes = axes_of()
    for name in ("a", "b"):
        plot_roc(axes, roc_result(ranked([0.1], [0.2])), label=name)
    assert legend(axes) == ["a: AUC 1.000", "EER 0.000", "b: AUC 1.000", "EER 0.000", "chance"]


def test_what_is_undefined_is_said_and_not_drawn() -> None:
    axes = axes_of()
    plot_roc(axes, roc_result(ranked([0.1, 0.4], [])), label="frame level")
    assert legend(axes) == ["frame level: AUC undefined\n(no anomalous frame)", "chance"]
    assert np.isnan(line(axes, "frame level")[:, 1]).all()


def test_the_detection_line_is_the_staircase_of_best_rates() -> None:
    axes = axes_of()
    plot_detection(axes, CURVE, Value(0.6), label="regions")
    corners = [[0, 0], [0, 0], [0.1, 0], [0.1, 0.5], [0.3, 0.5], [0.3, 0.75], [1, 0.75]]
    assert line(axes, "regions").tolist() == corners
    assert legend(axes) == ["regions: area 0.600", "single thresholds"]


def test_the_detection_line_goes_on_flat_to_one() -> None:
    axes = axes_of()
    short = RateCurve(CURVE.thresholds[:2], CURVE.fpr[:2], CURVE.rate[:2])
    plot_detection(axes, short, Value(0.5), label="regions")
    np.testing.assert_array_equal(line(axes, "regions")[-1], [1, 0.5])


def test_single_thresholds_are_drawn_up_to_one_false_positive() -> None:
    axes = axes_of()
    plot_detection(axes, CURVE, Value(0.6), label="regions")
    drawn = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(drawn, np.stack([CURVE.fpr, CURVE.rate], 1)[:4])


def test_a_rule_that_is_not_that_of_the_line_is_named() -> None:
    axes = axes_of()
    plot_detection(axes, CURVE, Value(0.6), label="regions", rule="ssvad")
    assert legend(axes)[0] == "regions: area 0.600 (ssvad)"


def test_scores_stand_over_numbers_that_begin_with_one() -> None:
    axes = axes_of()
    labels = np.array([0, 1, 1, 0, 1], np.bool_)
    plot_scores(axes, np.array([0.1, 0.5, -np.inf, 0.3, 0.2]), labels, threshold=0.4)
    points = line(axes, "frame score")
    np.testing.assert_array_equal(points[:, 0], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(points[:, 1], [0.1, 0.5, np.nan, 0.3, 0.2])
    bands = [(patch.get_x(), patch.get_width()) for patch in axes.patches]  # type: ignore[attr-defined]
    assert bands == [(1.5, 2.0), (4.5, 1.0)]
    np.testing.assert_array_equal(line(axes, "threshold 0.4")[:, 1], [0.4, 0.4])


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("", []), ("..", []), ("##", [(0, 2)]), ("#..##.#", [(0, 1), (3, 5), (6, 7)])],
)
def test_runs_are_read_off(flags: str, expected: list[tuple[int, int]]) -> None:
    assert runs(np.array([flag == "#" for flag in flags], np.bool_)) == expected


def test_thinning_keeps_corners_and_drops_what_cannot_be_seen() -> None:
    x = np.concatenate([np.zeros(1000), np.linspace(0, 1e-5, 1000), [0.5, 1.0]])
    y = np.concatenate([np.zeros(1000), np.ones(1000), [1.0, 1.0]])
    thin_x, thin_y = thinned(x, y)
    assert len(thin_x) < 10
    np.testing.assert_allclose(thin_x, [0, 0, 0, 1e-5, 0.5, 1], atol=1e-4)
    np.testing.assert_array_equal(thin_y, [0, 0, 1, 1, 1, 1])


def test_all_figures_of_an_evaluation_are_written(tmp_path: Path, good: CriteriaResult) -> None:
    paths = save_evaluation_plots(tmp_path / "plots", good)
    names = ["roc_frame", "roc_pixel", "detection"]
    assert [p.name for p in paths] == [f"{n}.{form}" for n in names for form in ("png", "svg")]
    assert sorted(paths) == sorted((tmp_path / "plots").iterdir())
    for path in paths[::2]:
        pixels = imread(path)
        assert pixels.shape[:2] == (660, 720)
        assert pixels.std() > 0.05
    for path in paths[1::2]:
        assert path.read_bytes().startswith(b"<?xml")


def test_an_evaluation_without_anomalies_is_drawn_too(tmp_path: Path) -> None:
    result = result_of([[0, 0.1, 0, 0]], truth_of([], 1))
    assert len(save_evaluation_plots(tmp_path, result)) == 6


def test_the_rule_of_the_evaluation_is_named(tmp_path: Path) -> None:
    options = CriteriaOptions(rule="hold")
    grid = np.array([[[0, 0, 0, 0.1]], [[0.9, 0, 0, 0]]], np.float32)
    result = evaluate_maps([ScoreMap("s", grid, 2, 2, 2, 8)], [truth_of([1], 2)], options=options)
    by_rule = save_evaluation_plots(tmp_path / "hold", result)
    by_default = save_evaluation_plots(
        tmp_path / "envelope", evaluate_maps([ScoreMap("s", grid, 2, 2, 2, 8)], [truth_of([1], 2)])
    )
    same = [a.read_bytes() == b.read_bytes() for a, b in zip(by_rule, by_default, strict=True)]
    assert same == [True, True, True, True, False, False]


def test_bytes_depend_on_the_result_alone(tmp_path: Path, good: CriteriaResult) -> None:
    """Neither on the time nor on the user's settings."""
    first = save_evaluation_plots(tmp_path / "a", good)
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.facecolor": "red"}):
        second = save_evaluation_plots(tmp_path / "b", good)
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name
        assert b"<dc:date>" not in a.read_bytes()


def test_settings_of_the_user_stay_as_they_were(tmp_path: Path, good: CriteriaResult) -> None:
    before = dict(matplotlib.rcParams)
    save_evaluation_plots(tmp_path, good)
    assert dict(matplotlib.rcParams) == before


def test_score_figures_share_one_axis(tmp_path: Path) -> None:
    """A score at the same height in two figures is the same score."""
    flags = np.zeros(4, np.bool_)
    low, high = np.full(4, 0.5), np.array([0.5, 0.5, 0.5, 2.0])
    paths = save_score_plots(tmp_path, {"low": (low, flags), "high": (high, flags)})
    assert [p.name for p in paths] == [
        f"scores_{n}.{form}" for n in ("low", "high") for form in ("png", "svg")
    ]
    dark = [np.asarray(imread(p))[:, :, :3].max(axis=2) < 0.2 for p in paths[::2]]
    row = [int(np.argmax(image[:, 300:400].sum(axis=1))) for image in dark]
    assert abs(row[0] - row[1]) <= 2  # titles differ in height
    alone = save_score_plots(tmp_path / "alone", {"low": (low, flags)})
    assert alone[0].read_bytes() != paths[0].read_bytes()


def test_sequences_without_detections_are_drawn_too(tmp_path: Path) -> None:
    nothing = np.full(3, -np.inf), np.array([True, False, True])
    assert len(save_score_plots(tmp_path, {"s": nothing}, threshold=0.5)) == 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VadlocError, match=r"plot\.png: cannot write"):
        save_figure(Figure(), tmp_path / "file" / "plot")


def test_no_window_system_is_involved() -> None:
    code = "import sys, evaluation.figures.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
