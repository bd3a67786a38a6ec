"""Clips of alarms: H.264, with some seconds before and after.

The last seconds are kept in memory, reduced in size. While there is an alarm, frames go to a thread
that encodes them; several alarms at a time share a clip. If the thread cannot keep up with a
camera, or the disk is full, the clip ends, and scoring and alarms go on.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import one_line
from vadloc.video.writing import write_video

logger = logging.getLogger(__name__)
LONGEST_SIDE_PX = 640
WAITING_BYTES = 48 << 20
"""Room for frames that wait for the encoder, beside those before the alarm."""
MOST_ENCODED = 2
"""So many clips may be encoded at a time: those that follow each other overlap."""
POLL_S = 0.1
MARK_RGB = (255, 255, 255)


@dataclass(frozen=True)
class ClipSettings:
    """What clips are like.

    Attributes:
        folder: Where they are written.
        before_s: Seconds before the first frame of the alarm.
        after_s: Seconds after its last frame.
        longest_s: A clip is no longer, even if the alarm goes on.
        frames_per_second: Rate of the source.
        waits: Whether the encoder is waited for if it cannot keep up; for files.
    """

    folder: Path
    before_s: float
    after_s: float
    longest_s: float
    frames_per_second: float
    waits: bool

    def frames(self, seconds: float) -> int:
        """Number of frames in some seconds."""
        return max(0, round(seconds * self.frames_per_second))


class ClipRecorder:
    """Keeps the last seconds and records alarms.

    Args:
        settings: What clips are like.
        on_failure: Called, in any thread, for each clip that could not be written.
    """

    def __init__(self, settings: ClipSettings, on_failure: Callable[[], None]) -> None:
        self._settings, self._on_failure = settings, on_failure
        self._before: deque[NDArray[np.uint8]] = deque(maxlen=settings.frames(settings.before_s))
        self._clip: _Clip | None = None
        self._count = self._quiet = 0
        self._is_barred = False  # after a failure, until there is no alarm
        self._named: tuple[str, int] = ("", 0)
        self._closing: list[_Clip] = []
        self._failed = False
        self._ending = threading.Lock()
        settings.folder.mkdir(parents=True, exist_ok=True)

    def add(
        self, rgb: NDArray[np.uint8], boxes: list[tuple[int, int, int, int]], *, alarm: str | None
    ) -> str | None:
        """Take the next frame.

        Args:
            rgb: ``(height, width, 3)`` uint8.
            boxes: The boxes of alarms in the frame, which are drawn: x0, y0, x1, y1, exclusive.
            alarm: Id of the alarm whose clip this is; ``None`` if there is none.

        Returns:
            File name of the clip of the present alarms, if there is one.
        """
        frame = reduced(rgb, boxes)
        self._is_barred = self._is_barred and alarm is not None
        if alarm is not None and self._clip is None and not self._is_barred:
            self._begin(alarm, frame.nbytes)
        if self._clip is not None:
            self._record(frame, is_quiet=alarm is None)
        self._before.append(frame)
        return self._clip.path.name if self._clip else None

    def end(self) -> None:
        """No frame follows the last one: a clip ends here."""
        self._before.clear()
        self._finish()

    def close(self, timeout_s: float) -> None:
        """End the clip and wait until all are written, at most for a while."""
        self.end()
        end_s = time.monotonic() + timeout_s
        for clip in self._closing:
            clip.join(max(0.0, end_s - time.monotonic()))
            if clip.is_running:
                self._on_failure()
                logger.warning("%s: not finished before the end; it is lost", clip.path)

    def _begin(self, alarm: str, frame_bytes: int) -> None:
        if not self._has_encoder():
            self._is_barred = True
            return
        part = self._named[1] + 1 if self._named[0] == alarm else 1
        self._named = alarm, part
        path = self._settings.folder / (f"{alarm}.mp4" if part == 1 else f"{alarm}-{part}.mp4")
        room = max(1, WAITING_BYTES // frame_bytes) + (self._before.maxlen or 0)
        clip = _Clip(path, self._settings.frames_per_second, room, self._clip_ended)
        clip.start()
        for frame in self._before:
            clip.put(frame, waits=self._settings.waits)
        self._clip, self._count, self._quiet = clip, len(self._before), 0

    def _record(self, frame: NDArray[np.uint8], *, is_quiet: bool) -> None:
        assert self._clip is not None
        self._count += 1
        self._quiet = self._quiet + 1 if is_quiet else 0
        self._is_barred = not self._clip.put(frame, waits=self._settings.waits)
        if (
            self._is_barred
            or (is_quiet and self._quiet >= self._settings.frames(self._settings.after_s))
            or self._count >= self._settings.frames(self._settings.longest_s)
        ):
            self._finish()

    def _has_encoder(self) -> bool:
        """Whether another clip may be encoded; where encoders are waited for, it is."""
        while self._settings.waits and len(self._closing) >= MOST_ENCODED:
            self._closing.pop(0).join(None)
        self._closing = [clip for clip in self._closing if clip.is_running]
        return len(self._closing) < MOST_ENCODED

    def _finish(self) -> None:
        self._closing = [clip for clip in self._closing if clip.is_running]
        if self._clip is not None:
            self._clip.finish()
            self._closing.append(self._clip)
        self._clip = None

    def _clip_ended(self, path: Path, error: Exception | None) -> None:
        """Say the first failure of several in a row."""
        with self._ending:  # several clips may end at a time, each in its thread
            is_first = error is not None and not self._failed
            self._failed = error is not None
        if error:
            self._on_failure()
        if is_first:
            logger.error("%s: no clip (%s); alarms go on", path, one_line(error))


class _Clip:
    """One clip, encoded in a thread."""

    def __init__(
        self,
        path: Path,
        frames_per_second: float,
        room: int,
        on_end: Callable[[Path, Exception | None], None],
    ) -> None:
        self.path = path
        self._rate, self._on_end = frames_per_second, on_end
        self._frames: queue.Queue[NDArray[np.uint8]] = queue.Queue(room)
        self._broken, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._encode, name="clip", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def put(self, frame: NDArray[np.uint8], *, waits: bool) -> bool:
        """Add a frame; ``False`` if the encoder cannot keep up, or has failed."""
        while not self._broken.is_set():
            try:
                self._frames.put(frame, block=waits, timeout=POLL_S)
            except queue.Full:
                if not waits:
                    return False
            else:
                return True
        return False

    def finish(self) -> None:
        """No more frames come."""
        self._ended.set()

    def join(self, timeout_s: float | None) -> None:
        self._thread.join(timeout_s)

    def _encode(self) -> None:
        failure: Exception | None = None
        try:
            write_video(self.path, self._taken(), self._rate)
        except Exception as error:  # whatever it is, nobody must wait for this thread
            self._broken.set()
            failure = error
        self._on_end(self.path, failure)

    def _taken(self) -> Iterator[NDArray[np.uint8]]:
        while True:
            is_last = self._ended.is_set()  # asked first: nothing is added after it was set
            try:
                yield self._frames.get(timeout=POLL_S)
            except queue.Empty:
                if is_last:
                    return


def reduced(rgb: NDArray[np.uint8], boxes: list[tuple[int, int, int, int]]) -> NDArray[np.uint8]:
    """A frame as clips show it: at most 640 px long, with boxes of one pixel.

    Args:
        rgb: ``(height, width, 3)`` uint8.
        boxes: x0, y0, x1, y1, exclusive, in pixels of the frame.
    """
    import cv2

    height, width = rgb.shape[:2]
    factor = min(1.0, LONGEST_SIDE_PX / max(height, width))
    size = round(width * factor), round(height * factor)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if factor < 1 else rgb.copy()
    for box in boxes:
        x0, y0, x1, y1 = (round(side * factor) for side in box)
        cv2.rectangle(small, (x0, y0), (x1 - 1, y1 - 1), MARK_RGB, 1)
    return np.asarray(small, np.uint8)
