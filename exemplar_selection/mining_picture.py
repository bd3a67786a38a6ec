"""Picture of what was mined: FS over time with the threshold T, and the frames that were kept."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from exemplar_selection.mining import MinedSequence, Thresholds, kept_frames
from vadloc.files.storage import replacing
from vadloc.mining import Mining

FINE, NORMAL, ABNORMAL, LIMIT = "#000000", "#009E73", "#E69F00", "#D55E00"
"""Colours of Okabe and Ito, which colour-blind people can tell apart."""
INCHES_PER_1000_FRAMES, SHORTEST_IN, LONGEST_IN = 6.0, 7.0, 40.0


def save_mining_picture(
    path: Path, mined: Mapping[str, MinedSequence], thresholds: Thresholds, settings: Mining
) -> None:
    """Draw all sequences one after the other: above N(FS) with T, below S with eta_s."""
    lengths = [len(sequence.fate) for sequence in mined.values()]
    width = np.clip(INCHES_PER_1000_FRAMES * sum(lengths) / 1000, SHORTEST_IN, LONGEST_IN)
    figure = Figure(figsize=(float(width), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    fine, whole = figure.subplots(2, 1, sharex=True)
    sequences = list(mined.values())
    for axes, values, limit, words in (
        (fine, [thresholds.normalised(s.fine) for s in sequences], thresholds.threshold, "N(FS)"),
        (whole, [s.frame_error for s in sequences], settings.frame_threshold, "S"),
    ):
        axes.plot(np.concatenate(values), color=FINE, linewidth=0.8)
        axes.axhline(limit, color=LIMIT, linestyle="--", linewidth=1)
        axes.set_ylabel(words)
        for end in np.cumsum(lengths)[:-1]:
            axes.axvline(end - 0.5, color="0.8", linewidth=0.6)
        for abnormal, colour in ((False, NORMAL), (True, ABNORMAL)):
            kept = np.concatenate([kept_frames(s, abnormal=abnormal) for s in sequences])
            where = axes.get_xaxis_transform()
            axes.fill_between(
                np.arange(len(kept)), 0, 1, where=kept, step="mid", transform=where,
                color=colour, alpha=0.25, linewidth=0,
            )  # fmt: skip
    fine.set_title(
        f"kept: normal (green), abnormal (orange); T = {thresholds.threshold:.3f}, "
        f"eta_s = {settings.frame_threshold:g} (dashed)"
    )
    whole.set_xlabel("frames of all sequences, one after the other")
    whole.set_xlim(-0.5, sum(lengths) - 0.5)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    with replacing(path) as file:
        file.write(buffer.getvalue())
