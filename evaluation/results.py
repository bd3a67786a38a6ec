"""What an evaluation leaves behind: a summary and the curves behind every number."""

from collections.abc import Callable
from importlib.metadata import version as package_version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria import CriteriaResult
from evaluation.curves import AREA_RULES, RateCurve, Value, area_under
from vadloc.errors import counted

MAIN_NUMBERS = {
    "frame AUC (micro)": "frame_roc_auc",
    "frame AUC (macro)": "frame_macro_roc_auc",
    "frame EER": "frame_eer",
    "RBDC": "region_roc_auc",
    "TBDC": "track_roc_auc",
    "pixel AUC": "pixel_roc_auc",
    "dual pixel AUC": "dual_pixel_roc_auc",
}
"""The numbers of a table, by what papers call them."""
DEFINITIONS = {
    "detected region": "component of {score >= t} in one frame",
    "found region": "annotated region with IoU >= beta to some detected region of its frame",
    "found track": "track of which at least the share alpha of its regions is found",
    "false positive": "detected region with IoU < beta to every annotated region of its frame",
    "region_roc_auc": "RBDC: found regions / all regions over false positives / all frames, 0 to 1",
    "track_roc_auc": "TBDC: found tracks / all tracks over false positives / all frames, 0 to 1",
    "frame_roc_auc": "micro: all frames of all sequences ranked together by their highest score",
    "pixel_roc_auc": "an anomalous frame is found if the pixel share of its anomaly is detected",
    "dual_pixel_roc_auc": "in addition the dual share of what is detected is anomalous",
    "eer": "the point of the curve where FPR = 1 - TPR",
}


def result_to_values(result: CriteriaResult) -> dict[str, Value]:
    """All numbers by name; eight of the names are those of py-ssvad-metrics."""
    values = {"region_roc_auc": result.region_auc, "track_roc_auc": result.track_auc}
    levels = {"frame": result.frame, "pixel": result.pixel, "dual_pixel": result.dual_pixel}
    for level, roc in levels.items():
        values[f"{level}_roc_auc"] = roc.auc
        values[f"{level}_eer"] = roc.eer
        values[f"{level}_thresh_at_eer"] = _finite_threshold(roc.eer_threshold)
    return values | {
        "frame_macro_roc_auc": result.frame_macro_auc,
        "frame_macro_eer": result.frame_macro_eer,
        "frame_average_precision": result.average_precision,
        "false_alarm_rate": result.false_alarm_rate,
    }


def result_to_summary(result: CriteriaResult, *, derived: bool) -> dict[str, Any]:
    """The content of ``summary.json``: numbers, counts, options and definitions.

    What is undefined is ``None`` and has its reason under ``undefined``.

    Args:
        result: All criteria.
        derived: Whether regions or tracks of any ground truth were computed, not annotated.
    """
    values = result_to_values(result)
    by_sequence = result.frame_auc_by_sequence
    named = values | {f"frame_roc_auc of {name}": value for name, value in by_sequence.items()}
    options = result.options
    return {
        **{name: _number(value) for name, value in values.items()},
        "frame_roc_auc_by_sequence": {n: _number(value) for n, value in by_sequence.items()},
        "undefined": {name: value.reason for name, value in named.items() if value.reason},
        "rule": options.rule,
        "areas_by_rule": areas_by_rule(result),
        "options": {
            "alpha": options.alpha,
            "beta": options.beta,
            "connectivity": options.connectivity,
            "pixel_share": options.pixel_share,
            "dual_share": options.dual_share,
            "alarm_threshold": options.alarm_threshold,
        },
        "counts": {
            "sequences": len(by_sequence),
            "frames": result.detection.frame_count,
            "normal_frames": result.normal_frame_count,
            "anomalous_frames": result.anomalous_frame_count,
            "anomalous_frames_without_pixels": result.frames_without_pixels,
            "regions": result.detection.region_count,
            "tracks": result.detection.track_count,
        },
        "ground_truth_derived": derived,
        "definitions": DEFINITIONS,
        "versions": {name: package_version(name) for name in ("vadloc", "numpy", "numba")},
    }


def areas_by_rule(result: CriteriaResult) -> dict[str, dict[str, float | None]]:
    """Region and track area under every rule, ``None`` where undefined."""
    curves = {"region_roc_auc": result.detection.region, "track_roc_auc": result.detection.track}
    return {
        rule: {name: _number(area_under(curve, rule=rule)) for name, curve in curves.items()}
        for rule in AREA_RULES
    }


def result_to_curves(result: CriteriaResult) -> dict[str, NDArray[np.float64]]:
    """Curves by the name of their file: ``<criterion>_{fpr,tpr,thresholds}``.

    Element i of the three arrays is one point: at threshold i, the false positive rate (per frame
    for region and track) and the share found. Thresholds fall from ``inf``, where nothing is
    detected.
    """
    curves: dict[str, RateCurve] = {
        "region": result.detection.region,
        "track": result.detection.track,
        "frame": result.frame.curve,
        "pixel": result.pixel.curve,
        "dual_pixel": result.dual_pixel.curve,
    }
    arrays = {}
    for name, curve in curves.items():
        arrays[f"{name}_fpr"] = curve.fpr
        arrays[f"{name}_tpr"] = curve.rate
        arrays[f"{name}_thresholds"] = curve.thresholds
    return arrays


def summary_to_text(summary: dict[str, Any]) -> str:
    """The main numbers as a small table for the terminal."""
    lines = [f"{label:<20}{_text(summary[name], digits=3)}" for label, name in MAIN_NUMBERS.items()]
    counts = summary["counts"]
    things = [counted(counts[f"{noun}s"], noun) for noun in ("frame", "region", "track")]
    where = counted(counts["sequences"], "sequence")
    lines.append(f"rule {summary['rule']}; {', '.join(things)} in {where}")
    return "\n".join(lines)


def summary_to_csv(summary: dict[str, Any]) -> str:
    """All numbers as rows ``name,value``; undefined ones have no value."""
    names = [name for name, value in summary.items() if isinstance(value, float) or value is None]
    rows = (f"{name},{'' if summary[name] is None else repr(summary[name])}" for name in names)
    return "\n".join(["name,value", *rows]) + "\n"


def summary_to_markdown(summary: dict[str, Any]) -> str:
    """The main numbers as a Markdown table of one row."""
    numbers = [_text(summary[name]) for name in MAIN_NUMBERS.values()]
    rule = "|".join("---:" for _ in numbers)
    return f"| {' | '.join(MAIN_NUMBERS)} |\n|{rule}|\n| {' | '.join(numbers)} |\n"


def summary_to_latex(summary: dict[str, Any]) -> str:
    """The main numbers as a LaTeX table of one row, in percent as papers print them."""
    numbers = [summary[name] for name in MAIN_NUMBERS.values()]
    cells = ["--" if number is None else f"{100 * number:.2f}" for number in numbers]
    return (
        f"\\begin{{tabular}}{{{'r' * len(cells)}}}\n"
        f"{' & '.join(MAIN_NUMBERS)} \\\\\n\\hline\n{' & '.join(cells)} \\\\\n"
        "\\end{tabular}\n"
    )


def rules_to_text(summary: dict[str, Any]) -> str:
    """Region and track area under every rule, side by side, for the terminal."""
    areas = summary["areas_by_rule"]
    lines = [f"{'rule':<12}{'RBDC':>12}{'TBDC':>12}"]
    for rule, area in areas.items():
        values = (_text(area[name], digits=3) for name in ("region_roc_auc", "track_roc_auc"))
        lines.append(f"{rule:<12}" + "".join(f"{value:>12}" for value in values))
    return "\n".join(lines)


TABLE_WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "summary.csv": summary_to_csv,
    "summary.md": summary_to_markdown,
    "summary.tex": summary_to_latex,
}
"""Files of the main numbers beside ``summary.json``."""


def _finite_threshold(threshold: Value) -> Value:
    """A threshold, undefined where only one below every score would do (boxes have no lowest)."""
    if threshold.reason is None and np.isinf(threshold.value):
        return Value.undefined("reached only where all pixels are detected")
    return threshold


def _number(value: Value) -> float | None:
    return None if value.reason or np.isnan(value.value) else float(value.value)


def _text(number: float | None, *, digits: int = 4) -> str:
    return "undefined" if number is None else f"{number:.{digits}f}"
