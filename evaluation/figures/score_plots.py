"""Scores of videos over time, with the anomalous frames shaded: one figure a video, and a grid."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from evaluation.figures.plots import ANOMALOUS_COLOUR, FIRST, STYLE, THRESHOLD_COLOUR, runs
from vadloc.files.storage import replacing

Shown = tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]
"""Scores and truth of the frames of a video, each ``(frames,)``."""

COLUMNS: Final = 4
MOST_IN_GRID: Final = 48


def draw_videos(folder: Path, videos: Mapping[str, Shown], *, threshold: float) -> None:
    """Draw ``<video>.png`` for each video, and ``grid.png`` with the first ``MOST_IN_GRID``.

    Args:
        folder: Made if missing.
        videos: By name.
        threshold: Drawn as a line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with style.context(STYLE):
        for name, shown in videos.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)  # pooled: <scene>/<sequence>
            figure = Figure(figsize=(6, 2.2))
            draw_scores(figure.add_subplot(), name, shown, threshold=threshold)
            _save(figure, folder / f"{name}.png")
        _save(draw_grid(videos, threshold=threshold), folder / "grid.png")


def draw_grid(videos: Mapping[str, Shown], *, threshold: float) -> Figure:
    """Many videos in one figure."""
    chosen = list(videos.items())[:MOST_IN_GRID]
    rows = -(-len(chosen) // COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 1.8 * rows))
    for place, (name, shown) in enumerate(chosen, start=1):
        axes = figure.add_subplot(rows, COLUMNS, place)
        draw_scores(axes, name, shown, threshold=threshold)
    return figure


def draw_scores(axes: Axes, name: str, shown: Shown, *, threshold: float) -> None:
    """Draw the scores of a video."""
    scores, anomalous = shown
    for first, end in runs(anomalous):
        axes.axvspan(first, end, color=ANOMALOUS_COLOUR, alpha=0.4, linewidth=0)
    axes.plot(scores, color=FIRST.colour, linewidth=1)
    axes.axhline(threshold, color=THRESHOLD_COLOUR, linestyle=":", linewidth=1)
    top = max(1.0, float(scores.max(initial=0, where=np.isfinite(scores))))
    axes.set(xlabel="frame", ylabel="score", ylim=(-0.02 * top, 1.02 * top))
    axes.set_title(name, parse_math=False)  # "$" is no formula
    axes.set_xlim(0, len(scores))


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
