"""Whether the frames of a video follow each other evenly, and where they do not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING_S = 0.0011
"""Containers that count in milliseconds (Matroska, FLV) are off by as much."""
JITTER_FRAMES = 0.25
"""A frame that is less than this off its even place is not off in any count of frames."""
HOLE_FRAMES = 1.5
"""From this many ordinary steps on, a step is a hole: at least one frame is missing."""


@dataclass(frozen=True)
class Rate:
    """How the frames of a video follow each other.

    Attributes:
        frames_per_second: Of the ordinary steps, so that holes do not change it; None where there
            are fewer than two frames.
        is_constant: Whether every frame stands where an even rate puts it, up to what containers
            round and a quarter of a frame.
        longest_hole_s: The longest step from one frame to the next, if it is at least 1.5 ordinary
            ones; 0 where there is no hole.
        hole_after_frame: The frame (0-based) before the longest hole; None without a hole.
        hole_count: Number of steps of at least 1.5 ordinary ones.
    """

    frames_per_second: float | None
    is_constant: bool
    longest_hole_s: float
    hole_after_frame: int | None
    hole_count: int


def describe_rate(times_s: NDArray[np.float64]) -> Rate:
    """Tell an even rate from a varying one and find the holes.

    Args:
        times_s: ``(n,)`` seconds, strictly increasing, as ``frame_times_s`` gives them.
    """
    if len(times_s) < 2:
        return Rate(None, True, 0.0, None, 0)
    steps = np.diff(times_s)
    median = float(np.median(steps))
    ordinary = steps[np.abs(steps - median) <= median / 2]
    step = float(ordinary.mean())  # the median alone is rounded as the container rounds
    holes = np.flatnonzero(steps >= HOLE_FRAMES * step + ROUNDING_S)
    longest = int(holes[np.argmax(steps[holes])]) if len(holes) else None
    return Rate(
        frames_per_second=1 / step,
        is_constant=_is_even(times_s),
        longest_hole_s=0.0 if longest is None else float(steps[longest]),
        hole_after_frame=longest,
        hole_count=len(holes),
    )


def _is_even(times_s: NDArray[np.float64]) -> bool:
    even = np.linspace(times_s[0], times_s[-1], len(times_s))
    allowed = max(ROUNDING_S, JITTER_FRAMES * (even[1] - even[0]))
    return bool(np.abs(times_s - even).max() <= allowed)
