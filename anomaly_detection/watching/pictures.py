"""What a source gives, in the order of time: frames, and what happened between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """One frame.

    Attributes:
        grey: ``(height, width)`` uint8.
        rgb: ``(height, width, 3)`` uint8.
        number: 0-based number of the frame in the source; frames that are dropped count, too.
        seconds: Since the source began: by the times of a file, by the clock for a camera. It does
            not jump when the clock of the machine is set.
        taken_s: When it was decoded, by the monotonic clock.
        time: When it was seen, in seconds since 1970 (UTC), by the clock of the machine; for a file
            the start of the watch plus ``seconds``.
    """

    grey: NDArray[np.uint8]
    rgb: NDArray[np.uint8]
    number: int
    seconds: float
    taken_s: float
    time: float

    @property
    def byte_count(self) -> int:
        """Memory that the frame takes."""
        return self.grey.nbytes + self.rgb.nbytes


@dataclass(frozen=True)
class Dropped:
    """Frames were thrown away, since scoring could not keep up."""

    count: int


@dataclass(frozen=True)
class Lost:
    """The camera is gone.

    Attributes:
        reason: Why, without credentials.
        seconds: Since the source began.
        time: In seconds since 1970 (UTC).
    """

    reason: str
    seconds: float
    time: float


@dataclass(frozen=True)
class Restarted:
    """The next frame does not follow the last one: a camera is back, or a file begins again."""


@dataclass(frozen=True)
class Ended:
    """Nothing follows.

    Attributes:
        error: What broke a file, if something did.
    """

    error: Exception | None = None


Event = Picture | Dropped | Lost | Restarted | Ended
