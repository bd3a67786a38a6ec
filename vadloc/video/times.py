"""The time of each frame.

A video stores the time of each of its frames. Pictures have no times; their rate is
``frames_per_second`` of the config.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.video.rates import describe_rate

SLOWEST, FASTEST = 0.001, 1000.0
"""Limits of the frames per second of a video."""


@dataclass(frozen=True)
class Clock:
    """Converts frame numbers to seconds.

    Attributes:
        frames_per_second: The rate; where it varies, the rate without the holes.
        times_s: ``(n,)`` start time of each frame, the first 0; ``None`` for a constant rate.
    """

    frames_per_second: float
    times_s: NDArray[np.float64] | None = None

    @classmethod
    def of_stream(cls, times_s: NDArray[np.float64] | None) -> "Clock | None":
        """The clock of a video.

        Args:
            times_s: ``(n,)`` times of the frames, rising; ``None`` for pictures.

        Returns:
            The clock; ``None`` if there are no times, or times that no video can have.
        """
        if times_s is None or len(times_s) < 2 or times_s[-1] <= times_s[0]:
            return None
        rate = describe_rate(times_s)
        if rate.frames_per_second is None or not SLOWEST <= rate.frames_per_second <= FASTEST:
            return None
        times = times_s - times_s[0]
        if rate.is_constant:
            return cls(round((len(times) - 1) / float(times[-1]), 6))
        return cls(round(rate.frames_per_second, 6), times)

    @classmethod
    def of(cls, times_s: NDArray[np.float64] | None, *, frames_per_second: float) -> "Clock":
        """The clock of a sequence.

        Args:
            times_s: ``(n,)`` times from the video, rising; ``None`` for a folder of pictures.
            frames_per_second: Rate of the config, for sequences without times.
        """
        return cls.of_stream(times_s) or cls(frames_per_second)

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> "Clock":
        """The clock that ``to_record`` stored."""
        times = record.get("times_s")
        rate = float(record["frames_per_second"])
        uneven = times is not None and len(times) > 1
        return cls(rate, np.array(times, np.float64) if uneven else None)

    def to_record(self) -> dict[str, Any]:
        """The clock for a JSON file: ``frames_per_second``, and ``times_s`` if the rate varies."""
        record: dict[str, Any] = {"frames_per_second": self.frames_per_second}
        if self.times_s is not None:
            record["times_s"] = [round(time, 4) for time in self.times_s.tolist()]
        return record

    def seconds(self, frame: int) -> float:
        """The time at which a frame (0-based) begins and the frame before it ends.

        The last frame is taken to last as long as the one before it.
        """
        if self.times_s is None:
            return frame / self.frames_per_second
        if frame < len(self.times_s):
            return float(self.times_s[frame])
        before, last = self.times_s[-2:].tolist()
        return float(last + (frame - len(self.times_s) + 1) * (last - before))
