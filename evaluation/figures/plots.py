"""Figures of an evaluation, as PNG and SVG.

``plot_...`` functions draw on axes; ``save_...`` functions make and save figures. Pyplot is not
used, and Matplotlib settings of the user have no effect. The colours are those of Okabe and Ito
(*Color universal design*, 2008), which colour-blind people can tell apart. In grey prints, the line
styles tell the curves apart.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from evaluation.criteria.areas import (
    envelope_path,
    roc_path,
)
from evaluation.criteria.combination import CriteriaResult
from evaluation.criteria.criterion import CurveResult, criterion_modules
from evaluation.criteria.curves import (
    RateCurve,
    Value,
)
from vadloc.files.storage import replacing

STYLE: Any = [
    "default",
    {
        "font.size": 10,
        "axes.titlesize": 10,
        "legend.fontsize": 9,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "0.9",
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "figure.constrained_layout.use": True,
        "savefig.dpi": 150,
        "svg.hashsalt": "vadloc",
        "svg.fonttype": "path",
    },
]
CHANCE = "chance"
EVERY_THRESHOLD = "single thresholds"
SHARED = (CHANCE, EVERY_THRESHOLD)
RESOLUTION = 2000
"""Points of a curve that are closer than 1/2000 of the axis are drawn as one."""


class LineStyle(NamedTuple):
    """The style of a curve.

    Attributes:
        colour: Hexadecimal RGB.
        dashes: A Matplotlib line style.
        marker: A Matplotlib marker for single points of the curve.
    """

    colour: str
    dashes: Any
    marker: str


FIRST = LineStyle("#0072B2", "-", "o")
SECOND = LineStyle("#D55E00", (0, (5, 1.5)), "s")
ANOMALOUS_COLOUR = "#56B4E9"
THRESHOLD_COLOUR = "#D55E00"
REASON_LENGTH = 40
"""Most characters of a reason in a legend; the summary has the full text."""
CHANCE_COLOUR = "0.6"


def plot_roc(axes: Axes, roc: CurveResult, *, label: str, line: LineStyle = FIRST) -> None:
    """Plot the share of anomalous frames found over the share of normal frames that raise an alarm.

    The plot shows the best rate so far, under which the area is taken, the equal error rate as a
    point, and the line of chance.

    Args:
        axes: Axes to draw on.
        roc: Curve, area and equal error rate of a frame-wise criterion.
        label: Name of the curve in the legend; the area is added to it.
        line: Style of the curve.
    """
    path = roc_path(roc.curve)
    x, y = thinned(path.fpr, path.rate)
    name = f"{label}: {_words('AUC', roc.auc)}"
    axes.plot(x, y, color=line.colour, linestyle=line.dashes, label=name, zorder=3)
    if roc.eer is not None and roc.eer.reason is None:
        point: dict[str, Any] = {"color": line.colour, "marker": line.marker, "linestyle": "none"}
        name = f"EER {roc.eer.value:.3f}"
        axes.plot(roc.eer.value, 1 - roc.eer.value, label=name, zorder=4, **point)
    axes.plot([0, 1], [0, 1], color=CHANCE_COLOUR, linestyle=":", label=CHANCE)
    _frame_rates(axes)
    axes.set_xlabel("false positive rate (share of normal frames)")
    axes.set_ylabel("true positive rate (share of anomalous frames)")


def plot_detection(
    axes: Axes,
    curve: RateCurve,
    area: Value,
    *,
    label: str,
    rule: str = "envelope",
    line: LineStyle = FIRST,
) -> None:
    """Plot the share of regions or tracks found over false positives per frame, from 0 to 1.

    Each faint point is one threshold. The line is the staircase of rule ``envelope``: the best rate
    at this number of false positives or fewer.

    Args:
        axes: Axes to draw on.
        curve: Region or track curve.
        area: Area under the curve.
        label: Name of the curve in the legend; the area is added to it.
        rule: Area rule of ``area``; the legend names it unless it is ``envelope``.
        line: Style of the curve.
    """
    raw_x, raw_y = thinned(curve.fpr, curve.rate)
    inside = raw_x <= 1
    axes.scatter(
        raw_x[inside],
        raw_y[inside],
        s=5,
        c=line.colour,
        marker=line.marker,
        alpha=0.25,
        linewidths=0,
        rasterized=True,
    )
    axes.scatter([], [], s=16, c="0.7", linewidths=0, label=EVERY_THRESHOLD)
    x, y = thinned(*_staircase(curve))
    name = f"{label}: {_words('area', area)}" + (f" ({rule})" if rule != "envelope" else "")
    axes.plot(x, y, color=line.colour, linestyle=line.dashes, label=name, zorder=3)
    _frame_rates(axes)
    axes.set_xlabel("false positives per frame")
    axes.set_ylabel("detection rate")


def _staircase(curve: RateCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the envelope's staircase, from (0, 0) to the right edge."""
    if curve.reason is not None:
        return curve.fpr, curve.rate
    path = envelope_path(curve)
    x = np.concatenate([[0.0], path.fpr.repeat(2), [max(1.0, path.fpr[-1])]])
    return x, np.append([0.0, 0.0], path.rate.repeat(2))


def plot_scores(
    axes: Axes,
    frame_scores: NDArray[np.floating[Any]],
    anomalous: NDArray[np.bool_],
    *,
    threshold: float | None = None,
) -> None:
    """Plot the score of each frame, with bands where the ground truth is anomalous.

    Args:
        axes: Axes to draw on.
        frame_scores: ``(frames,)`` scores; ``-inf`` (no detection) leaves a gap.
        anomalous: ``(frames,)`` labels of the ground truth.
        threshold: Score of a dashed line; ``None`` for no line.
    """
    number = np.arange(1, len(frame_scores) + 1)
    for index, (first, last) in enumerate(runs(anomalous)):
        label = "annotated as anomalous" if index == 0 else None
        axes.axvspan(first + 0.5, last + 0.5, color=ANOMALOUS_COLOUR, alpha=0.35, lw=0, label=label)
    shown = np.where(np.isfinite(frame_scores), frame_scores, np.nan)
    axes.plot(number, shown, color="black", linewidth=1.2, label="frame score")
    if threshold is not None and np.isfinite(threshold):
        name = f"threshold {threshold:.3g}"
        axes.axhline(threshold, color=THRESHOLD_COLOUR, linestyle="--", lw=1.2, label=name)
    axes.set_xlim(0.5, len(frame_scores) + 0.5)
    axes.set_xlabel("frame number")
    axes.set_ylabel("score")


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open ranges ``[first, last)`` of 0-based indices where flags are True."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True))


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leave out points that equal the point before them at the resolution of a figure.

    Args:
        x: ``(k,)`` positions in units of the axis length.
        y: ``(k,)`` positions in units of the axis length.

    Returns:
        The remaining points, including the first and the last one.
    """
    pixels = np.rint(np.stack([x, y]) * RESOLUTION)
    moved = (np.diff(pixels) != 0).any(axis=0)
    keep = np.ones(len(x), np.bool_)
    keep[1:-1] = moved[:-1] | moved[1:]
    return x[keep], y[keep]


def _words(what: str, value: Value) -> str:
    if value.reason is None:
        return f"{what} {value.value:.3f}"
    reason = shorten(value.reason, REASON_LENGTH, placeholder=" ...")
    return f"{what} undefined\n({reason})"


def _frame_rates(axes: Axes) -> None:
    """Set both axes from 0 to 1, with space for a line on the border, and add a legend.

    Entries that curves share are at the end of the legend, once.
    """
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    entries = [(name, drawn) for drawn, name in zip(*axes.get_legend_handles_labels(), strict=True)]
    own = [entry for entry in entries if entry[0] not in SHARED]
    shared = [entry for entry in dict(entries).items() if entry[0] in SHARED]
    names, handles = zip(*own, *shared, strict=True)
    axes.legend(handles, names, loc="lower right")


def save_evaluation_plots(folder: Path, result: CriteriaResult) -> list[Path]:
    """Save the curves of all criteria, in the figures that the criteria name.

    Args:
        folder: Folder for ``roc_frame``, ``roc_pixel`` and ``detection``.
        result: Result of the evaluation.

    Returns:
        Paths of the files, a PNG and an SVG of each figure.
    """
    with style.context(STYLE):
        figures: dict[str, tuple[Figure, Axes]] = {}
        curves, rule = result.curves, result.options.rule
        for module in criterion_modules().values():
            for name, (figure, label) in module.FIGURES.items():
                line = SECOND if figure in figures else FIRST
                _, axes = figures.setdefault(figure, _square_figure())
                if curves[name].eer is not None:
                    plot_roc(axes, curves[name], label=label, line=line)
                else:
                    curve, area = curves[name].curve, curves[name].auc
                    plot_detection(axes, curve, area, label=label, rule=rule, line=line)
        return [
            path
            for name, (figure, _) in figures.items()
            for path in save_figure(figure, folder / name)
        ]


def save_score_plots(
    folder: Path,
    scores: Mapping[str, tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]],
    *,
    threshold: float | None = None,
) -> list[Path]:
    """Save one figure per sequence with the score of each frame; all have the same vertical axis.

    Args:
        folder: Folder for ``scores_<sequence>``.
        scores: For each sequence ``(frame_scores, anomalous)``, as for `plot_scores`.
        threshold: Score of a dashed line; ``None`` for no line.

    Returns:
        Paths of the files, a PNG and an SVG of each figure.
    """
    values = np.concatenate([np.zeros(1), *(frame_scores for frame_scores, _ in scores.values())])
    values = values[np.isfinite(values)]
    low, high = values.min(), (values.max() or 1.0) * 1.05
    paths = []
    for name, (frame_scores, anomalous) in scores.items():
        with style.context(STYLE):
            figure = Figure(figsize=(7.0, 2.4))
            axes = figure.add_subplot()
            plot_scores(axes, frame_scores, anomalous, threshold=threshold)
            axes.set_ylim(low, high)
            axes.set_title(name, loc="left", parse_math=False)  # "$" is no formula
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0)
            paths += save_figure(figure, folder / f"scores_{name}")
    return paths


def _square_figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.8, 4.4))
    return figure, figure.add_subplot()


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG; the same figure gives the same bytes.

    Args:
        figure: The figure.
        path: Path without suffix.

    Returns:
        The two paths; each file is written completely or not at all.

    Raises:
        VadlocError: A file cannot be written.
    """
    FigureCanvasAgg(figure)
    paths = [path.with_name(f"{path.name}.{form}") for form in ("png", "svg")]
    with style.context(STYLE):
        figure.draw_without_rendering()  # Computes the layout once for both files.
        figure.set_layout_engine("none")
        for target, metadata in zip(paths, ({"Software": None}, {"Date": None}), strict=True):
            content = BytesIO()
            figure.savefig(content, format=target.suffix[1:], metadata=metadata)
            with replacing(target) as file:
                file.write(content.getvalue())
    return paths
