"""Follows the anomalies of a source from frame to frame, and has them recorded and reported."""

from anomaly_detection.watching.clips import ClipRecorder
from anomaly_detection.watching.explaining import Explainer
from anomaly_detection.watching.meter import Meter
from anomaly_detection.watching.pictures import Picture
from anomaly_detection.watching.reporter import Reporter, Told
from anomaly_detection.watching.segment import Scored, Segment
from anomaly_detection.watching.tracker import Alarm, AlarmTracker, cells_to_box

PATIENCE_S = 1.0
"""An alarm whose score still rises has no explanation yet; it is not waited for any longer."""


class Anomalies:
    """The anomalies of a source.

    Args:
        tracker: Finds them.
        explainer: Explains them.
        reporter: Writes them.
        recorder: Records their clips; ``None`` for no clips.
        meter: Measures how soon they are reported.
        alarm_after_s: An alarm that goes on is reported after so many seconds; each is reported
            when it has ended.
        frame_s: The time that a frame lasts.
    """

    def __init__(
        self,
        tracker: AlarmTracker,
        explainer: Explainer,
        reporter: Reporter,
        recorder: ClipRecorder | None,
        meter: Meter,
        *,
        alarm_after_s: float,
        frame_s: float,
    ) -> None:
        self._tracker, self._explainer, self._reporter = tracker, explainer, reporter
        self._recorder, self._meter = recorder, meter
        self._alarm_after_s, self._frame_s = alarm_after_s, frame_s
        self._told: dict[int, Told] = {}
        self._ending: list[tuple[Alarm, tuple[float, float]]] = []
        self._last: tuple[float, float] = (0.0, 0.0)

    def take(self, scored: Scored, now_s: float) -> None:
        """Take the next frame with its scores; ``now_s`` is the monotonic time."""
        picture = scored.picture
        changes = self._tracker.push(scored.scores, picture.number)
        for alarm in changes.begun:
            id_ = self._reporter.new_id(picture.time)
            self._told[alarm.number] = Told(id_, picture.time, picture.seconds, picture.taken_s)
        for younger, elder in changes.joined:
            self._join(younger, elder)
        self._ending += [(alarm, self._last) for alarm in changes.ended]
        self._last = picture.seconds + self._frame_s, picture.time + self._frame_s
        self._record(picture)
        self._tell_lasting(picture.seconds, now_s)

    def after_push(self, segment: Segment, now_s: float, *, last: bool = False) -> None:
        """The stream has taken a frame: report the alarms whose explanation is known now.

        Args:
            segment: Gives the features.
            now_s: The monotonic time.
            last: Whether no more features come.
        """
        ended = [alarm for alarm, _ in self._ending]
        if ended or self._tracker.open:
            self._explainer.gather([*ended, *self._tracker.open.values()], segment, last=last)
        waiting, self._ending = self._ending, []
        for alarm, end in waiting:
            if last or self._explainer.is_ready(alarm):
                self._tell(alarm, end, now_s, is_over=True)
            else:
                self._ending.append((alarm, end))

    def end(self, now_s: float) -> None:
        """No frame follows the last one: all alarms end."""
        self._ending += [(alarm, self._last) for alarm in self._tracker.end()]
        for alarm, end in self._ending:
            self._tell(alarm, end, now_s, is_over=True)
        self._ending = []
        if self._recorder:
            self._recorder.end()

    @property
    def open_count(self) -> int:
        """Number of anomalies that go on."""
        return len(self._tracker.open)

    def _join(self, younger: Alarm, elder: Alarm) -> None:
        """An alarm has turned out to be a part of an elder one."""
        told = self._told[younger.number]
        if told.is_told:
            joined = self._told[elder.number].id
            self._write(younger, self._last, is_over=True, joined=joined)
        self._explainer.join(younger, elder)
        del self._told[younger.number]

    def _record(self, picture: Picture) -> None:
        """Give the frame to the recorder, with the boxes of the alarms in it."""
        if self._recorder is None:
            return
        labels = self._tracker.labels
        boxes = [cells_to_box(labels == n, self._tracker.grid) for n in self._tracker.open]
        first = next(iter(self._tracker.open), None)
        clip = self._recorder.add(
            picture.rgb, boxes, alarm=None if first is None else self._told[first].id
        )
        for number in self._tracker.open:
            self._told[number].clip = self._told[number].clip or clip

    def _tell_lasting(self, seconds: float, now_s: float) -> None:
        """Report alarms that have lasted long enough."""
        for alarm in self._tracker.open.values():
            told = self._told[alarm.number]
            late_s = seconds - told.start_s - self._alarm_after_s
            is_due = late_s >= PATIENCE_S or (late_s >= 0 and self._explainer.is_ready(alarm))
            if is_due and not told.is_told:
                self._tell(alarm, self._last, now_s, is_over=False)

    def _tell(self, alarm: Alarm, end: tuple[float, float], now_s: float, *, is_over: bool) -> None:
        told = self._told[alarm.number]
        if not told.is_told:
            self._meter.alarmed(now_s - told.taken_s)
        self._write(alarm, end, is_over=is_over)
        if is_over:
            self._explainer.forget(alarm)
            del self._told[alarm.number]

    def _write(
        self,
        alarm: Alarm,
        end: tuple[float, float],
        *,
        is_over: bool,
        joined: str | None = None,
    ) -> None:
        self._reporter.anomaly(
            alarm,
            self._told[alarm.number],
            self._explainer,
            threshold=self._tracker.threshold,
            end=end,
            is_over=is_over,
            joined=joined,
        )
