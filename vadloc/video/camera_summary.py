"""How far the camera of a sequence has moved: numbers for records, and words for people."""

from collections.abc import Mapping
from typing import Any

import numpy as np

MOVED_SHARE = 0.02
"""The camera has probably been moved if so large a share of the frames matches no earlier view."""
LARGE_SHIFT_SHARE = 0.05
"""The same for a shift of so large a share of the frame's shorter side."""


def camera_summary(content: Mapping[str, Any]) -> dict[str, float] | None:
    """The shifts of a sequence in a few numbers.

    Args:
        content: The content of a file of features.

    Returns:
        ``median_px``, ``high_px`` (99 %) and ``largest_px``: lengths of the shifts in pixels of the
        video; ``undone_share`` and ``lost_share``: shares of the frames whose shift was undone, and
        that match no earlier view. ``None`` if shifts were not looked for.
    """
    shifts = content.get("camera_shift_px")
    if shifts is None:
        return None
    lengths_px = np.hypot(*shifts.T.astype(np.float64))
    numbers = {
        "median_px": np.median(lengths_px),
        "high_px": np.quantile(lengths_px, 0.99),
        "largest_px": lengths_px.max(),
        "undone_share": content["camera_is_undone"].mean(),
        "lost_share": 1 - content["camera_is_found"].mean(),
    }
    return {name: round(float(number), 4) for name, number in numbers.items()}


def camera_to_words(summary: Mapping[str, float]) -> str:
    """The numbers of `camera_summary` in one line."""
    undone = f"{100 * summary['undone_share']:.0f} %"
    words = (
        f"camera shifts: median {summary['median_px']:.2f} px, 99 % up to "
        f"{summary['high_px']:.2f} px, undone in {undone} of the frames"
    )
    if summary["lost_share"]:
        words += f"; {100 * summary['lost_share']:.1f} % match no earlier view"
    return words


def camera_warning(summary: Mapping[str, float], *, shorter_side_px: int) -> str | None:
    """What to tell a person whose camera has probably been moved; ``None`` if it has not."""
    if summary["lost_share"] > MOVED_SHARE:
        return (
            f"{100 * summary['lost_share']:.0f} % of the frames match no view before them: the "
            "camera has probably been moved, turned or covered; where it looks elsewhere than in "
            "the training video, scores mean nothing"
        )
    if summary["largest_px"] > LARGE_SHIFT_SHARE * shorter_side_px:
        return (
            f"the picture is shifted by up to {summary['largest_px']:.0f} px: the camera has "
            "probably been moved; if it stays so, record training video anew"
        )
    return None
