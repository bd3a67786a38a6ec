"""Reads a source in a thread, and hands its frames over through a short queue.

If frames come faster than they are scored, the queue fills. Then **all frames that come are dropped
until the queue is empty**, are counted, and scoring begins anew with the next one. To drop every
other frame instead would keep the picture fluent, but everything would move twice as fast, which is
an anomaly; with whole blocks dropped, all frames that are scored have the neighbours that they have
in training video, however slow scoring is.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from anomaly_detection.watching.pictures import (
    Dropped,
    Ended,
    Event,
    Lost,
    Picture,
    Restarted,
)
from anomaly_detection.watching.sources import Source
from vadloc.errors import VadlocError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Waits between two attempts to reach a camera: each is twice the one before it."""
QUEUE_BYTES = 192 << 20
"""Room for frames: two seconds of 1280 x 720 pixels at 25 frames/s."""


class EventQueue:
    """A queue of events with room for some frames.

    Args:
        room: Number of frames for which there is room.
        drops: Whether frames are dropped, once it is full, until it is empty; else ``put`` waits.
        most_bytes: Room for large frames, of which fewer may wait; ``least`` of any size may.
        least: See above.
    """

    def __init__(
        self, room: int, *, drops: bool, most_bytes: int = QUEUE_BYTES, least: int = 1
    ) -> None:
        self._room, self._drops = room, drops
        self._most_bytes, self._least = most_bytes, least
        self._events: deque[Event] = deque()
        self._frames = self._dropped = self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False

    def put(self, event: Event) -> bool:
        """Add an event; ``False`` if nobody reads any more."""
        with self._changed:
            if isinstance(event, Picture):
                if self._is_dropped():
                    self._dropped += 1
                    return not self._closed
                while self._is_full and not self._closed:
                    self._changed.wait()
                self._frames += 1
                self._bytes += event.byte_count
            if self._dropped:
                self._events.append(Dropped(self._dropped))
                self._dropped = 0
            self._events.append(event)
            self._changed.notify_all()
            return not self._closed

    def get(self, timeout_s: float) -> Event | None:
        """The next event; ``None`` if there is none within the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._events), timeout_s)
            if not self._events:
                return None
            event = self._events.popleft()
            if isinstance(event, Picture):
                self._frames -= 1
                self._bytes -= event.byte_count
            self._changed.notify_all()
            return event

    def close(self) -> None:
        """Nobody reads any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Number of frames in it."""
        return self._frames

    @property
    def _is_full(self) -> bool:
        is_heavy = self._bytes >= self._most_bytes and self._frames >= self._least
        return is_heavy or self._frames >= self._room

    def _is_dropped(self) -> bool:
        """Whether the next frame is dropped."""
        return self._drops and (self._is_full or (self._dropped > 0 and self._frames > 0))


class Feed:
    """Reads a source in a thread; a context manager.

    Args:
        source: The source.
        room: Number of frames that may wait, if they are not larger than `QUEUE_BYTES` together.
        least: So many may wait, however large they are.
        drops: Whether frames are dropped if too many wait.
        paced: Whether frames of a file come no earlier than their times say.
        loops: How often a file is read.
    """

    def __init__(
        self,
        source: Source,
        *,
        room: int,
        drops: bool,
        least: int = 1,
        paced: bool = False,
        loops: int = 1,
    ) -> None:
        self.source = source
        self._queue = EventQueue(room, drops=drops, least=least)
        self._paced, self._loops = paced, loops
        self._stop = threading.Event()
        self._started_s, self._started = time.monotonic(), time.time()
        self._number = 0
        self._heard_s, self._is_told = self._started_s, False
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        self._queue.close()
        self._thread.join(timeout=2.0)  # a read of a dead camera may last longer; it is a daemon

    def get(self, timeout_s: float) -> Event | None:
        """The next event; ``None`` if there is none within the timeout."""
        event = self._queue.get(timeout_s)
        if isinstance(event, Picture):
            self._heard_s, self._is_told = time.monotonic(), False
        elif isinstance(event, Lost):
            self._is_told = True
        return self._silence() if event is None else event

    def _silence(self) -> Lost | None:
        """A camera that says nothing is gone, even if the thread that reads it hangs in a driver.

        FFmpeg ends most reads in time, and the thread says so then; it cannot end all of them.
        """
        silent_s = time.monotonic() - self._heard_s
        if self._is_told or not self.source.is_live or silent_s < 2 * self.source.timeout_s:
            return None
        self._is_told = True
        return Lost(f"no picture for {silent_s:.0f} s", self.seconds, time.time())

    @property
    def waiting(self) -> int:
        """Number of frames that wait."""
        return self._queue.waiting

    @property
    def seconds(self) -> float:
        """Since the source began, by the monotonic clock."""
        return time.monotonic() - self._started_s

    def _run(self) -> None:
        read: Callable[[], Iterator[Event]] = self._camera if self.source.is_live else self._file
        try:
            for event in read():
                if not self._queue.put(event) or self._stop.is_set():
                    return
            self._queue.put(Ended())
        except Exception as error:  # handed to the thread that reads
            self._queue.put(Ended(error))

    def _file(self) -> Iterator[Event]:
        """The frames of a file or folder."""
        for loop in range(self._loops):
            if loop:
                yield Restarted()
            for grey, rgb in self.source.frames():
                seconds = self.source.seconds(self._number)
                if self._paced and self._stop.wait(max(0.0, seconds - self.seconds)):
                    return
                now = time.monotonic()
                yield Picture(grey, rgb, self._number, seconds, now, self._started + seconds)
                self._number += 1

    def _camera(self) -> Iterator[Event]:
        """The frames of a camera, again and again."""
        wait_s, is_up = FIRST_WAIT_S, True
        while not self._stop.is_set():
            reason = "the stream ended"
            try:
                for grey, rgb in self.source.frames():
                    if not is_up:
                        yield Restarted()
                    wait_s, is_up = FIRST_WAIT_S, True
                    now = time.monotonic()
                    yield Picture(grey, rgb, self._number, self.seconds, now, time.time())
                    self._number += 1
            except VadlocError as error:
                reason = self.source.name.redact(error)
            if is_up:
                yield Lost(reason, self.seconds, time.time())
            is_up = False
            self._stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
