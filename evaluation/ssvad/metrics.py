"""``evaluate`` and ``accumulated_evaluate`` with the arguments and numbers of py-ssvad-metrics."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq

from evaluation.api import evaluate_sequences
from evaluation.criteria.areas import SSVAD_THRESHOLDS
from evaluation.criteria.curves import (
    RateCurve,
    states_at,
)
from evaluation.criteria.options import CriteriaOptions
from evaluation.predictions.folders import Load, PathLike
from evaluation.predictions.json_pairs import json_folders_to_loads, json_to_load
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.ssvad_prediction import Prediction


def evaluate(
    gt_path: PathLike,
    pred_path: PathLike,
    gt_score_maps_root_dir: PathLike | None = None,
    pred_score_maps_root_dir: PathLike | None = None,
    alpha: float = 0.1,
    beta: float = 0.1,
) -> dict[str, float]:
    """Evaluate one sequence.

    Args:
        gt_path: JSON of the ground truth.
        pred_path: JSON of the prediction.
        gt_score_maps_root_dir: Folder that the paths of maps in the ground truth are relative to;
            by default the folder of the file.
        pred_score_maps_root_dir: The same for the prediction.
        alpha: Least share of a track's regions that must be found.
        beta: Least intersection over union of a match.

    Returns:
        The eight numbers, as from `result_to_eight`.

    Raises:
        VadlocError: A file or an option is unusable; the message says which and why.
    """
    load = json_to_load(gt_path, pred_path, gt_score_maps_root_dir, pred_score_maps_root_dir)
    return _evaluated([load], alpha=alpha, beta=beta, show_progress=False)


def accumulated_evaluate(
    gt_dir: PathLike,
    pred_dir: PathLike,
    gt_name_suffix: str = "",
    pred_name_suffix: str = "",
    gt_score_maps_root_dir: PathLike | None = None,
    pred_score_maps_root_dir: PathLike | None = None,
    alpha: float = 0.1,
    beta: float = 0.1,
    show_progress: bool = True,
) -> dict[str, float]:
    """Evaluate all sequences of a test set together.

    Args:
        gt_dir: Folder of ``<sequence><gt_name_suffix>.json``.
        pred_dir: Folder of ``<sequence><pred_name_suffix>.json``.
        gt_name_suffix: What follows the sequence's name in the names of ground-truth files, such
            as ``_gt``.
        pred_name_suffix: The same for the predictions.
        gt_score_maps_root_dir: As in `evaluate`.
        pred_score_maps_root_dir: As in `evaluate`.
        alpha: As in `evaluate`.
        beta: As in `evaluate`.
        show_progress: Whether to show a progress bar on stderr.

    Returns:
        The eight numbers, as from `result_to_eight`.

    Raises:
        VadlocError: A file or an option is unusable, or a sequence has only one of its two files.
    """
    suffixes = gt_name_suffix, pred_name_suffix
    maps = gt_score_maps_root_dir, pred_score_maps_root_dir
    loads = json_folders_to_loads(gt_dir, pred_dir, suffixes, maps)
    return _evaluated(loads, alpha=alpha, beta=beta, show_progress=show_progress)


def result_to_eight(result: dict[str, Any]) -> dict[str, float]:
    """The eight numbers of py-ssvad-metrics, in its order.

    They are computed from the curves at the 103 thresholds of py-ssvad-metrics, from 1.01 down to
    -0.01; scores must therefore be in 0..1. At frame and pixel level, straight lines join these
    points.

    Args:
        result: Result from `evaluation.evaluate` or a similar function, with any area rule.

    Returns:
        ``frame_roc_auc``, ``frame_eer``, ``frame_thresh_at_eer``, the same for ``pixel``,
        ``region_roc_auc`` and ``track_roc_auc``; undefined numbers are NaN.
    """
    eight: dict[str, float] = {}
    for level in ("frame", "pixel"):
        names = (f"{level}_roc_auc", f"{level}_eer", f"{level}_thresh_at_eer")
        eight |= zip(names, _roc_numbers(_curve_of(result, level)), strict=True)
    areas = result["areas_by_rule"]["ssvad"]
    for name in ("region_roc_auc", "track_roc_auc"):
        eight[name] = float("nan") if areas[name] is None else float(areas[name])
    return eight


def _evaluated(
    loads: Sequence[Load], *, alpha: float, beta: float, show_progress: bool
) -> dict[str, float]:
    options = CriteriaOptions(alpha=alpha, beta=beta, rule="ssvad")
    placed = [partial(_places_alone, load) for load in loads]
    result = evaluate_sequences(placed, options=options, boxes="map", show_progress=show_progress)
    return result_to_eight(result)


def _places_alone(load: Load) -> tuple[Prediction, GroundTruth]:
    """Open a pair and drop its frame scores if there are boxes or maps."""
    prediction, truth = load()
    frame_score = prediction.frame_score if prediction.scores is None else None
    return replace(prediction, frame_score=frame_score), truth


def _curve_of(result: dict[str, Any], level: str) -> RateCurve:
    thresholds, fpr, rate = (
        result["curves"][f"{level}_{axis}"] for axis in ("thresholds", "fpr", "tpr")
    )
    return RateCurve(thresholds, fpr, rate)


def _roc_numbers(curve: RateCurve) -> tuple[float, float, float]:
    """Area, equal error rate and its threshold, at the 103 thresholds."""
    state = states_at(curve.thresholds, SSVAD_THRESHOLDS)
    fpr, rate = curve.fpr[state], curve.rate[state]
    if np.isnan(fpr).any() or np.isnan(rate).any():
        return float("nan"), float("nan"), float("nan")

    def missed_more(x: float) -> float:
        return float(1 - x - np.interp(x, fpr, rate))

    area = float(np.trapezoid(rate, fpr))
    if missed_more(1.0) > 0:
        return area, float("nan"), float("nan")
    eer = float(brentq(missed_more, 0.0, 1.0))
    return area, eer, float(np.interp(eer, fpr, SSVAD_THRESHOLDS))
