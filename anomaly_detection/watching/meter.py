"""What a watch measures of itself: rates, drops and latency, in a line every half minute."""

import logging
import statistics
import threading
import time
from collections import Counter

from anomaly_detection.watching.live_state import LiveState

logger = logging.getLogger(__name__)
LINE_EVERY_S = 30.0
MOST_LATENCIES = 10_000


class Meter:
    """Counts and measures, for the status line and for what the page shows.

    Any thread may count; the loop does all else.

    Args:
        state: Gets all counts and measures.
        source: What the source is called.
    """

    def __init__(self, state: LiveState, source: str) -> None:
        self._state, self._source = state, source
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._since_s = time.monotonic()
        self._latencies_s: list[float] = []
        self._alarm_latencies_s: list[float] = []

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter; see `LiveState.count`."""
        with self._lock:
            self._totals[name] += by
        self._state.count(name, by)

    def scored(self, latency_s: float) -> None:
        """A frame was scored so long after it was decoded."""
        self.count("frames_scored")
        if len(self._latencies_s) < MOST_LATENCIES:
            self._latencies_s.append(latency_s)

    def alarmed(self, latency_s: float) -> None:
        """An alarm was written so long after its first frame was decoded."""
        self._alarm_latencies_s.append(latency_s)
        self._state.measure("alarm_latency_seconds", latency_s)

    def tell(self, *, waiting: int, is_up: bool, force: bool = False) -> bool:
        """Log the status line, if it is time for it.

        Args:
            waiting: Number of frames that wait.
            is_up: Whether the source gives frames.
            force: Log it in any case.

        Returns:
            Whether it was logged.
        """
        self._state.measure("queue_frames", waiting)
        self._state.measure("source_up", is_up)
        passed_s = time.monotonic() - self._since_s
        if passed_s < LINE_EVERY_S and not force:
            return False
        with self._lock:
            totals = self._totals.copy()
        new = totals - self._before
        rate = new["frames_scored"] / max(passed_s, 1e-6)
        self._state.measure("frames_per_second", rate)
        parts = [
            f"{rate:.1f} frames/s",
            f"{new['frames_dropped']} dropped ({totals['frames_dropped']} in all)",
            self._latency_words(),
            f"{waiting} waiting",
            f"{totals['alarms']} alarms",
        ]
        parts += [] if is_up else ["no picture"]
        logger.info("%s: %s", self._source, ", ".join(part for part in parts if part))
        self._before, self._since_s = totals, time.monotonic()
        self._latencies_s, self._alarm_latencies_s = [], []
        return True

    def _latency_words(self) -> str:
        if not self._latencies_s:
            return ""
        median_s, most_s = statistics.median(self._latencies_s), max(self._latencies_s)
        self._state.measure("latency_seconds", median_s)
        words = f"scores {median_s:.2f} s after the frame (at most {most_s:.2f} s)"
        if self._alarm_latencies_s:
            words += f", alarms at most {max(self._alarm_latencies_s):.2f} s after it"
        return words
