"""Convert a result to the summary, to tables, and to the curves of every criterion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.areas import (
    AREA_RULES,
    area_under,
)
from evaluation.criteria.combination import CriteriaResult
from evaluation.criteria.criterion import CriterionModule, criterion_modules
from evaluation.criteria.curves import Value
from vadloc.config import CRITERIA, CURVES, Criterion
from vadloc.errors import counted

TABLE_ORDER: tuple[Criterion, ...] = ("frame", "region", "track", "pixel")
"""Order of criteria in tables; other criteria come last."""
SUMMARY_ORDER: tuple[Criterion, ...] = ("region", "track", "frame", "pixel")
"""Order of criteria in ``summary.json`` and ``summary.csv``; other criteria come last."""
NUMBER_ENDINGS = ("_auc", "_eer", "_precision", "_rate")
"""Possible ends of the names of numbers in a summary."""


def _in_order(order: Sequence[Criterion]) -> list[CriterionModule]:
    modules = criterion_modules()
    return [modules[name] for name in dict.fromkeys((*order, *CRITERIA))]


MAIN_NUMBERS = {
    label: number for module in _in_order(TABLE_ORDER) for label, number in module.LABELS.items()
}
"""The numbers of a table, by their names in papers."""
DEFINITIONS = {
    name: text for module in _in_order(SUMMARY_ORDER) for name, text in module.DEFINITIONS.items()
}


@dataclass(frozen=True)
class Basis:
    """The ground truth that the numbers of a criterion are computed from.

    Attributes:
        ground_truth: File or folder of the annotation.
        format: Format of the annotation.
        derived: Whether regions or tracks were computed and not annotated by people.
        frames: Number of frames of each evaluated sequence.
        region_count: Number of annotated regions.
        track_count: Number of tracks.
        mask_thresholds: Lowest anomalous levels of masks, ascending; empty if no threshold was
            given.
    """

    ground_truth: str
    format: str
    derived: bool
    frames: dict[str, int]
    region_count: int = 0
    track_count: int = 0
    mask_thresholds: tuple[float, ...] = ()

    def content(self) -> dict[str, Any]:
        """The entry of ``stands_on`` in ``summary.json``."""
        return {
            "ground_truth": self.ground_truth,
            "format": self.format,
            "derived": self.derived,
            "mask_thresholds": list(self.mask_thresholds),
            "sequences": list(self.frames),
            "frames": sum(self.frames.values()),
        }


def result_to_values(result: CriteriaResult) -> dict[str, Value]:
    """All numbers by name; eight of them have their names in py-ssvad-metrics."""
    values: dict[str, Value] = {}
    for criterion in dict.fromkeys((*SUMMARY_ORDER, *CRITERIA)):
        for name, curve in result.criteria[criterion].curves.items():
            values[f"{name}_roc_auc"] = curve.auc
            if curve.eer is not None and curve.eer_threshold is not None:
                values[f"{name}_eer"] = curve.eer
                values[f"{name}_thresh_at_eer"] = _finite_threshold(curve.eer_threshold)
    return values | result.numbers


def result_to_summary(
    result: CriteriaResult, stands_on: Mapping[Criterion, Basis]
) -> dict[str, Any]:
    """The content of ``summary.json``: numbers, counts, options and definitions.

    Undefined numbers are ``None``; their reasons are under ``undefined``.

    Args:
        result: Results of all criteria.
        stands_on: Ground truth of each criterion; criteria without one are undefined.
    """
    values = result_to_values(result)
    by_sequence = {
        f"{criterion}_roc_auc": part.auc_by_sequence
        for criterion, part in result.criteria.items()
        if part.auc_by_sequence is not None
    }
    named = values | {
        f"{number} of {name}": value
        for number, areas in by_sequence.items()
        for name, value in areas.items()
    }
    options = result.options
    frames = {name: count for basis in stands_on.values() for name, count in basis.frames.items()}
    return {
        **{name: _number(value) for name, value in values.items()},
        **{
            f"{number}_by_sequence": {name: _number(value) for name, value in areas.items()}
            for number, areas in by_sequence.items()
        },
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
            "sequences": len(frames),
            "frames": sum(frames.values()),
            **result.counts,
            "regions": stands_on["region"].region_count if "region" in stands_on else 0,
            "tracks": stands_on["track"].track_count if "track" in stands_on else 0,
        },
        "part_of": None,
        "stands_on": {c: stands_on[c].content() if c in stands_on else None for c in CRITERIA},
        "ground_truth_derived": any(basis.derived for basis in stands_on.values()),
        "definitions": DEFINITIONS,
        "versions": {name: package_version(name) for name in ("vadloc", "numpy", "numba")},
    }


def areas_by_rule(result: CriteriaResult) -> dict[str, dict[str, float | None]]:
    """Region and track area by every rule; ``None`` where undefined."""
    curves = {f"{name}_roc_auc": c.curve for name, c in result.curves.items() if c.eer is None}
    return {
        rule: {name: _number(area_under(curve, rule=rule)) for name, curve in curves.items()}
        for rule in AREA_RULES
    }


def result_to_curves(result: CriteriaResult) -> dict[str, NDArray[np.float64]]:
    """The arrays of all curves by the names of their files: ``<criterion>_{fpr,tpr,thresholds}``.

    Element i of the three arrays is one point: at threshold i, the false positive rate (false
    positives per frame for region and track) and the share found. Thresholds fall from ``inf``,
    where nothing is detected.
    """
    arrays = {}
    for name, part in result.curves.items():
        arrays[f"{name}_fpr"] = part.curve.fpr
        arrays[f"{name}_tpr"] = part.curve.rate
        arrays[f"{name}_thresholds"] = part.curve.thresholds
    return arrays


def summary_to_text(summary: dict[str, Any]) -> str:
    """The main numbers as a small table for the terminal."""
    lines = [f"{label:<20}{_shown(summary, name)}" for label, name in MAIN_NUMBERS.items()]
    counts, bases = summary["counts"], _bases(summary)
    things = [counted(counts[f"{noun}s"], noun) for noun in ("frame", "region", "track")]
    where = f", from {_place(bases[0][1])}" if _stands_on_one(summary) else ""
    lines.append(
        f"rule {summary['rule']}; {', '.join(things)} in "
        f"{counted(counts['sequences'], 'sequence')}{where}"
    )
    of_class = [
        f"frame AUC, {label}: {_text(auc, digits=3)}"
        for label, auc in summary.get("by_class", {}).items()
    ]
    return "\n".join([*lines, *of_class, *basis_lines(summary)])


def _shown(summary: dict[str, Any], name: str) -> str:
    """A main number; those of places say so if all cells of a frame have one score."""
    is_of_frames = name.startswith("frame")
    if not is_of_frames and not summary.get("localizes", True):
        return "does not localize"
    return _text(summary[name], digits=3)


def basis_lines(summary: dict[str, Any]) -> list[str]:
    """Lines about the ground truth of the numbers, unless one covers the whole test set."""
    lines, bases = [], _bases(summary)
    if summary["part_of"] is not None:
        names = list(dict.fromkeys(name for _, basis in bases for name in basis["sequences"]))
        lines.append(
            f"a part of the test set: {len(names)} of {summary['part_of']} sequences "
            f"({shorten(', '.join(names), 60, placeholder=' ...')})"
        )
    if not _stands_on_one(summary):
        lines += [
            f"{', '.join(criteria)}: {counted(basis['frames'], 'frame')} in "
            f"{counted(len(basis['sequences']), 'sequence')}, from {_place(basis)}"
            for criteria, basis in bases
        ]
    return lines


def _stands_on_one(summary: dict[str, Any]) -> bool:
    """Whether all criteria are computed from one ground truth."""
    return len(_bases(summary)) == 1 and None not in summary["stands_on"].values()


def _place(basis: dict[str, Any]) -> str:
    derived = ", derived" if basis["derived"] else ""
    return f"{basis['ground_truth']} ({basis['format']}{derived})"


def _bases(summary: dict[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    """Groups of criteria with the same ground truth, each with this ground truth."""
    found: list[tuple[list[str], dict[str, Any]]] = []
    for criterion, basis in summary["stands_on"].items():
        same = [criteria for criteria, other in found if other == basis]
        if same:
            same[0].append(criterion)
        elif basis is not None:
            found.append(([criterion], basis))
    return found


def summary_to_csv(summary: dict[str, Any]) -> str:
    """All numbers as rows ``name,value,sequences,frames``; undefined ones have no value."""
    names = [n for n in summary if n.endswith(NUMBER_ENDINGS)]
    return "\n".join(["name,value,sequences,frames", *(_csv_row(summary, n) for n in names)]) + "\n"


def _csv_row(summary: dict[str, Any], name: str) -> str:
    value = summary[name]
    basis = summary["stands_on"][criterion_of(name)]
    counts = ("", "") if basis is None else (len(basis["sequences"]), basis["frames"])
    return f"{name},{'' if value is None else repr(value)},{counts[0]},{counts[1]}"


def criterion_of(name: str) -> Criterion:
    """The criterion of a number in the summary."""
    curves = ((curve, criterion) for criterion, curves in CURVES.items() for curve in curves)
    found = (criterion for curve, criterion in curves if name.startswith(f"{curve}_"))
    return next(found, "frame")


def summary_to_markdown(summary: dict[str, Any]) -> str:
    """The main numbers as a Markdown table of one row."""
    numbers = [_text(summary[name]) for name in MAIN_NUMBERS.values()]
    rule = "|".join("---:" for _ in numbers)
    notes = "".join(f"\n{line}\n" for line in basis_lines(summary))
    return f"| {' | '.join(MAIN_NUMBERS)} |\n|{rule}|\n| {' | '.join(numbers)} |\n{notes}"


def summary_to_latex(summary: dict[str, Any]) -> str:
    """The main numbers as a LaTeX table of one row, in percent as in papers."""
    numbers = [summary[name] for name in MAIN_NUMBERS.values()]
    cells = ["--" if number is None else f"{100 * number:.2f}" for number in numbers]
    notes = "".join(f"% {line}\n" for line in basis_lines(summary))
    return (
        f"{notes}\\begin{{tabular}}{{{'r' * len(cells)}}}\n"
        f"{' & '.join(MAIN_NUMBERS)} \\\\\n\\hline\n{' & '.join(cells)} \\\\\n"
        "\\end{tabular}\n"
    )


def rules_to_text(summary: dict[str, Any]) -> str:
    """A table for the terminal of the region and track areas by every rule."""
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
"""The tables beside ``summary.json``: name of each file, and function that makes its text."""


def _finite_threshold(threshold: Value) -> Value:
    """A threshold; undefined if it is below every score, as boxes have no lowest threshold."""
    if threshold.reason is None and np.isinf(threshold.value):
        return Value.undefined("reached only where all pixels are detected")
    return threshold


def _number(value: Value) -> float | None:
    return None if value.reason or np.isnan(value.value) else float(value.value)


def _text(number: float | None, *, digits: int = 4) -> str:
    return "undefined" if number is None else f"{number:.{digits}f}"
