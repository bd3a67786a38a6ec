"""Sends alarm records elsewhere without holding up the loop: a queue, a thread, and retries."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from vadloc.errors import counted, one_line

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
LONGEST_ASKED_S = 300.0
"""Longest pause that a receiver may ask for."""
TELL_EACH_S = 60.0
"""Time between two lines in the log about records that found the queue full."""


class Sender(Protocol):
    """Takes alarm records."""

    def offer(self, record: Mapping[str, Any]) -> bool:
        """Take a record to send it later; never blocks.

        Returns:
            False if there are too many records that wait already; this one is lost.
        """

    def close(self, timeout_s: float) -> None:
        """Stop; records that wait are sent if that takes no longer than this."""


class NotSentError(Exception):
    """A record was not sent this time.

    Args:
        why: A line without credentials.
        again: Whether another try may help.
        pause_s: How long the receiver asks to wait, if it does.
    """

    def __init__(self, why: str, *, again: bool = True, pause_s: float | None = None) -> None:
        super().__init__(why)
        self.again, self.pause_s = again, pause_s


class QueueSender:
    """Sends records one after the other in a thread of its own.

    Args:
        send: Sends one record, or raises `NotSentError`.
        name: Where records go, without credentials.
        retries: Number of further tries if the first one fails.
        queue_size: Largest number of records that wait.
        on_failure: Called for each record that is lost, from any thread.
        first_pause_s: About how long to wait before the second try; each further pause is about
            twice as long.
    """

    def __init__(
        self,
        send: Callable[[Mapping[str, Any]], None],
        *,
        name: str,
        retries: int,
        queue_size: int,
        on_failure: Callable[[], None],
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._send, self.name, self._retries = send, name, retries
        self._on_failure, self._first_pause_s = on_failure, first_pause_s
        self._waiting: queue.Queue[Mapping[str, Any]] = queue.Queue(queue_size)
        self._closing = threading.Event()
        self._is_sending = False
        self._end_s = float("inf")
        self._refused, self._told_s = 0, float("-inf")
        self._thread = threading.Thread(target=self._work, name=f"send to {name}", daemon=True)
        self._thread.start()

    def offer(self, record: Mapping[str, Any]) -> bool:
        """See `Sender.offer`."""
        try:
            if self._closing.is_set():
                raise queue.Full
            self._waiting.put_nowait(dict(record))
        except queue.Full:
            self._on_failure()
            self._tell_full()
            return False
        return True

    def _tell_full(self) -> None:
        self._refused += 1
        if time.monotonic() - self._told_s < TELL_EACH_S:
            return
        logger.warning(
            "%s: %s lost, %s wait already",
            self.name,
            counted(self._refused, "message"),
            self._waiting.maxsize,
        )
        self._refused, self._told_s = 0, time.monotonic()

    def close(self, timeout_s: float) -> None:
        """See `Sender.close`."""
        self._end_s = time.monotonic() + timeout_s
        self._closing.set()
        self._thread.join(timeout_s)
        lost = self._waiting.qsize() + self._is_sending
        if lost:
            logger.warning("%s: %s not sent before the end", self.name, counted(lost, "message"))
        for _ in range(lost):
            self._on_failure()

    def _work(self) -> None:
        while time.monotonic() < self._end_s:
            try:
                record = self._waiting.get(timeout=0.1)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            self._is_sending = True
            self._deliver(record)
            self._is_sending = False

    def _deliver(self, record: Mapping[str, Any]) -> None:
        """Try to send a record, again and again as far as is allowed."""
        for failed in range(self._retries + 1):
            try:
                self._send(record)
                return
            except NotSentError as error:
                why, pause_s = error, self._pause_s(failed, error.pause_s)
            except Exception as error:  # a thread that ends would lose all later records
                why, pause_s = NotSentError(one_line(repr(error))), self._pause_s(failed, None)
            is_last = failed == self._retries or not why.again
            if is_last or not self._wait(pause_s):
                break
            logger.info("%s: %s; trying again", self.name, why)
        logger.warning("%s: message %s is lost: %s", self.name, record.get("id"), why)
        self._on_failure()

    def _pause_s(self, failed: int, asked_s: float | None) -> float:
        """How long to wait after so many failures: doubled each time, at random by a half.

        All watches of a site fail at the same moment; they must not come back at the same one.
        """
        usual = min(LONGEST_PAUSE_S, self._first_pause_s * 2.0 ** min(failed, 30))
        jittered = usual * random.uniform(0.5, 1.0)  # not for secrets
        return max(jittered, min(asked_s or 0.0, LONGEST_ASKED_S))

    def _wait(self, pause_s: float) -> bool:
        """Wait before another try; False if the end comes first."""
        until = time.monotonic() + pause_s
        self._closing.wait(pause_s)
        left = min(until, self._end_s) - time.monotonic()
        if left > 0:
            time.sleep(left)
        return time.monotonic() < self._end_s
