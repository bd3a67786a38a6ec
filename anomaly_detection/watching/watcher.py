"""The loop of a watch: takes what the source gives, scores it, and reports what is to be reported.

Scores are computed for *segments*: frames without a gap. After a gap, a fault of the picture or the
begin of a file that is read again, a new segment begins, so that no motion is measured across it.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from anomaly_detection.detectors.detector import Detector
from anomaly_detection.watching.anomalies import Anomalies
from anomaly_detection.watching.feed import Feed
from anomaly_detection.watching.health import Fault, Health
from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.meter import Meter
from anomaly_detection.watching.pictures import (
    Dropped,
    Ended,
    Event,
    Lost,
    Picture,
    Restarted,
)
from anomaly_detection.watching.reporter import Reporter
from anomaly_detection.watching.segment import Scored, Segment
from vadloc.artifacts import Artifacts
from vadloc.console import duration
from vadloc.process import return_free_memory

logger = logging.getLogger(__name__)
POLL_S = 0.5
GOOD_AGAIN_S = 1.0
"""A fault is over when the picture has been good for so long."""
JUMP_S = 2.0
"""The clock of the machine has jumped if it moves by so much against the monotonic clock."""


@dataclass(frozen=True)
class Model:
    """What scores frames.

    Attributes:
        artifacts: The results.
        detector: The detector of the version.
        device: Where networks run.
    """

    artifacts: Artifacts
    detector: Detector
    device: str

    def segment(self, first: Picture) -> Segment:
        """A new segment."""
        return Segment(self.artifacts, first, detector=self.detector, device=self.device)


@dataclass
class _Absence:
    """An alarm about the picture or the camera that goes on."""

    kind: str
    id: str
    words: str
    began: float
    since_s: float
    frame: int
    last: Picture | None = None  # the last picture with the fault


class Watcher:
    """Watches one source.

    Args:
        model: What scores frames.
        feed: What the source gives.
        health: Finds faults of the picture.
        anomalies: Follows and reports anomalies.
        reporter: Reports all else.
        state: What the page shows.
        meter: Measures the watch.
        on_scored: Called for each frame whose scores count, in order.
    """

    def __init__(
        self,
        model: Model,
        feed: Feed,
        health: Health,
        anomalies: Anomalies,
        reporter: Reporter,
        state: LiveState,
        meter: Meter,
        on_scored: Callable[[Scored], None] | None = None,
    ) -> None:
        self._model, self._feed, self._health = model, feed, health
        self._anomalies, self._reporter = anomalies, reporter
        self._state, self._meter, self._on_scored = state, meter, on_scored
        self._open = ExitStack()
        self._segment: Segment | None = None
        self._held: deque[Scored] = deque()
        self._fault: _Absence | None = None
        self._gone: _Absence | None = None
        self._frame = -1
        self._is_suspect = False
        self._offset_s = time.time() - time.monotonic()
        self._length = model.artifacts.config.regions.frames_per_volume

    def run(self, *, until: Callable[[], bool]) -> None:
        """Watch until the source ends, or until a condition is true.

        Raises:
            VadlocError: A file cannot be read.
        """
        try:
            while not until():
                event = self._feed.get(POLL_S)
                if isinstance(event, Ended):
                    self._leave()
                    if event.error:
                        raise event.error
                    return
                if event is not None:
                    self._take(event)
                self._check_clock()
                if self._meter.tell(waiting=self._feed.waiting, is_up=self._gone is None):
                    return_free_memory()
                    self._reporter.flush()
            self._leave()
        finally:
            self._close_segment()

    def _leave(self) -> None:
        """Score and report all that is left."""
        self._end_segment()
        self._anomalies.end(time.monotonic())
        if self._fault:
            self._recover()
        if self._gone:
            sentence = f"The camera was gone until the watch ended ({self._gone.words})."
            self._report(self._gone, sentence, ended=time.time(), last_frame=self._gone.frame)
        self._meter.tell(waiting=0, is_up=self._gone is None, force=True)

    def _take(self, event: Event) -> None:
        match event:
            case Picture():
                self._see(event)
            case Dropped(count):
                self._meter.count("frames_dropped", count)
                self._meter.count("frames_read", count)
                self._end_segment()
            case Lost():
                self._lose(event)
            case Restarted():
                self._end_segment()
                self._anomalies.end(time.monotonic())
                self._health.forget()

    def _see(self, picture: Picture) -> None:
        self._meter.count("frames_read")
        if self._gone:
            self._return(picture)
        self._frame = picture.number
        fault = self._health.look(picture)
        self._is_suspect = fault is not None
        if fault and fault.is_certain:
            self._suffer(fault, picture)
        elif self._fault and fault:
            self._fault.last = picture
        elif self._fault and self._is_over(self._fault, picture):
            self._recover()
        if self._fault:
            self._meter.count("frames_not_scored")
            self._show(picture, None)
            return
        if self._segment is None:
            self._segment = self._open.enter_context(self._model.segment(picture))
        self._hold(self._segment.push(picture))

    @staticmethod
    def _is_over(fault: _Absence, picture: Picture) -> bool:
        """Whether the picture has been good for long enough."""
        return fault.last is None or picture.seconds - fault.last.seconds >= GOOD_AGAIN_S

    def _hold(self, scored: Iterable[Scored], *, last: bool = False) -> None:
        """Keep scores until it is known that the pictures from which they come are good."""
        self._held.extend(scored)
        good_until = self._health.good_until
        now_s = time.monotonic()
        while self._held and (
            last or self._held[0].picture.number + self._length - 1 <= good_until
        ):
            one = self._held.popleft()
            self._anomalies.take(one, now_s)
            self._meter.scored(now_s - one.picture.taken_s)
            self._show(one.picture, one)
            if self._on_scored:
                self._on_scored(one)
        if self._segment is not None:
            self._anomalies.after_push(self._segment, now_s, last=last)

    def _show(self, picture: Picture, scored: Scored | None) -> None:
        self._state.show(
            picture.rgb,
            None if scored is None else scored.scores,
            frame=picture.number,
            seconds=picture.seconds,
            time=picture.time,
        )

    def _end_segment(self) -> None:
        """The next frame does not follow: score what is left of this segment."""
        if self._segment is not None:
            self._hold(self._segment.finish(), last=not self._is_suspect)
            self._anomalies.after_push(self._segment, time.monotonic(), last=True)
        self._close_segment()

    def _close_segment(self) -> None:
        """Forget what is left of the segment."""
        self._held.clear()
        self._segment = None
        self._open.close()

    def _suffer(self, fault: Fault, picture: Picture) -> None:
        """The picture has a fault that lasts."""
        if self._fault and self._fault.kind == fault.kind:
            self._fault.last = picture
            return
        if self._fault:
            self._recover()
        self._close_segment()
        self._anomalies.end(time.monotonic())
        began = picture.time - (picture.seconds - fault.since_s)
        self._fault = _Absence(
            fault.kind,
            self._reporter.new_id(began),
            fault.words,
            began,
            fault.since_s,
            fault.frame,
            picture,
        )
        sentence = f"From frame {fault.frame} on ({fault.since_s:.1f} s): {fault.words}."
        self._report(self._fault, sentence, ended=None, last_frame=None)

    def _recover(self) -> None:
        """The fault is gone, or the watch ends: it has lasted until its last picture."""
        fault = self._fault
        assert fault is not None
        assert fault.last is not None
        last = fault.last
        sentence = (
            f"Frames {fault.frame} to {last.number} ({fault.since_s:.1f}-{last.seconds:.1f} s): "
            f"{fault.words}; it was so for {duration(last.seconds - fault.since_s)}."
        )
        self._report(fault, sentence, ended=last.time, last_frame=last.number)
        self._fault = None

    def _lose(self, lost: Lost) -> None:
        """The camera is gone."""
        self._end_segment()
        self._anomalies.end(time.monotonic())
        if self._gone is None:
            id_ = self._reporter.new_id(lost.time)
            self._gone = _Absence(
                "gone", id_, lost.reason, lost.time, lost.seconds, self._frame + 1
            )
            sentence = f"The camera is gone after {duration(lost.seconds)}: {lost.reason}."
            self._report(self._gone, sentence, ended=None, last_frame=None)

    def _return(self, picture: Picture) -> None:
        """The camera is back."""
        gone = self._gone
        assert gone is not None
        self._gone = None
        self._meter.count("reconnects")
        lasted = duration(picture.seconds - gone.since_s)
        sentence = f"The camera was gone for {lasted} ({gone.words}); nothing was seen meanwhile."
        self._report(gone, sentence, ended=picture.time, last_frame=gone.frame)
        back = _Absence(
            "back", self._reporter.new_id(picture.time), "", gone.began, gone.since_s, gone.frame
        )
        sentence = f"The camera is back after {lasted}, at frame {picture.number}."
        self._report(back, sentence, ended=picture.time, last_frame=picture.number)

    def _report(
        self, about: _Absence, sentence: str, *, ended: float | None, last_frame: int | None
    ) -> None:
        self._reporter.picture(
            about.kind,
            about.id,
            sentence,
            began=about.began,
            ended=ended,
            frames=(about.frame, last_frame),
        )

    def _check_clock(self) -> None:
        """Say when the clock of the machine was set; only the times of records depend on it."""
        offset_s = time.time() - time.monotonic()
        if abs(offset_s - self._offset_s) > JUMP_S:
            jump_s = offset_s - self._offset_s
            logger.warning("the clock of the machine has jumped by %+.0f s", jump_s)
            self._meter.count("clock_jumps")
            self._offset_s = offset_s
