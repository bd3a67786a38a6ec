"""When the frames of a sequence are: from the stream of a video, from the config for pictures.

A video says when each of its frames is shown. Folders of pictures say nothing, and theirs follow
each other at the config's ``frames_per_second``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.video.rates import describe_rate

SLOWEST, FASTEST = 0.001, 1000.0
"""Frames per second that a video can have."""


@dataclass(frozen=True)
class Clock:
    """From frames to seconds.

    Attributes:
        frames_per_second: The rate, where it varies that of ordinary steps.
        times_s: ``(n,)`` when each frame begins, the first at 0; ``None`` for even intervals.
    """

    frames_per_second: float
    times_s: NDArray[np.float64] | None = None

    @classmethod
    def of_stream(cls, times_s: NDArray[np.float64] | None) -> "Clock | None":
        """The clock of a video.

        Args:
            times_s: ``(n,)`` rising; ``None`` for pictures.

        Returns:
            ``None`` where the times are none, or those of no video.
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
            times_s: ``(n,)`` of its stream, rising; ``None`` for a folder of pictures.
            frames_per_second: Of the config, for sequences that do not tell time.
        """
        return cls.of_stream(times_s) or cls(frames_per_second)

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> "Clock":
        """As ``to_record`` has stored it."""
        times = record.get("times_s")
        rate = float(record["frames_per_second"])
        uneven = times is not None and len(times) > 1
        return cls(rate, np.array(times, np.float64) if uneven else None)

    def to_record(self) -> dict[str, Any]:
        """For a JSON file: ``frames_per_second``, and ``times_s`` where intervals are not even."""
        record: dict[str, Any] = {"frames_per_second": self.frames_per_second}
        if self.times_s is not None:
            record["times_s"] = [round(time, 4) for time in self.times_s.tolist()]
        return record

    def seconds(self, frame: int) -> float:
        """When a 0-based frame begins, which is when the one before it ends.

        The last one lasts as long as the one before it.
        """
        if self.times_s is None:
            return frame / self.frames_per_second
        if frame < len(self.times_s):
            return float(self.times_s[frame])
        before, last = self.times_s[-2:].tolist()
        return float(last + (frame - len(self.times_s) + 1) * (last - before))
