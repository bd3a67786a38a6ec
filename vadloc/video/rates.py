"""Whether the frame rate of a video is constant, and where frames are missing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING_S = 0.0011
"""Largest rounding error of times in containers with millisecond times (Matroska, FLV)."""
JITTER_FRAMES = 0.25
"""A frame may be this fraction of a step before or after its time at a constant rate."""
HOLE_FRAMES = 1.5
"""A step of at least this many ordinary steps is a hole: one frame or more is missing."""


@dataclass(frozen=True)
class Rate:
    """The frame rate of a video and its holes.

    Attributes:
        frames_per_second: Rate of the ordinary steps, without the holes; None if there are fewer
            than two frames.
        is_constant: Whether the times are those of a constant rate, up to the rounding of
            containers or a quarter of a frame.
        longest_hole_s: Length of the longest hole; 0 if there is none.
        hole_after_frame: The frame (0-based) before the longest hole; None without a hole.
        hole_count: Number of holes.
    """

    frames_per_second: float | None
    is_constant: bool
    longest_hole_s: float
    hole_after_frame: int | None
    hole_count: int


def describe_rate(times_s: NDArray[np.float64]) -> Rate:
    """Find out whether the rate is constant, and find the holes.

    Args:
        times_s: ``(n,)`` seconds, strictly increasing, as ``frame_times_s`` gives them.
    """
    if len(times_s) < 2:
        return Rate(None, True, 0.0, None, 0)
    steps = np.diff(times_s)
    median = float(np.median(steps))
    ordinary = steps[np.abs(steps - median) <= median / 2]
    step = float(ordinary.mean())  # the median has the container's rounding error
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
