"""Turns alarms into records, and gives each record to all that want it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from anomaly_detection.watching.alarm_log import SCHEMA, AlarmLog, record_to_line
from anomaly_detection.watching.explaining import Explainer
from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.meter import Meter
from anomaly_detection.watching.records import (
    AlarmRecord,
    Watch,
    alarm_id,
    picture_record,
    timestamp,
)
from anomaly_detection.watching.senders import Sender
from anomaly_detection.watching.tracker import Alarm
from vadloc.errors import one_line
from vadloc.process import emit

logger = logging.getLogger(__name__)


@dataclass
class Told:
    """What is known of an alarm beside its scores.

    Attributes:
        id: Its id.
        began: When its first frame was seen, in seconds since 1970.
        start_s: The same, in seconds since the source began.
        taken_s: When its first frame was decoded, by the monotonic clock.
        clip: File name of its clip, once there is one.
        is_told: Whether a record of it was written.
    """

    id: str
    began: float
    start_s: float
    taken_s: float
    clip: str | None = None
    is_told: bool = False


@dataclass(frozen=True)
class Outlets:
    """Where records go, beside stdout.

    Attributes:
        log: The file of alarms.
        state: What the page shows.
        senders: Others.
    """

    log: AlarmLog
    state: LiveState
    senders: Sequence[Sender] = ()


class Reporter:
    """Writes the records of alarms.

    Args:
        watch: What all records have in common.
        outlets: Where they go.
        meter: Counts them.
    """

    def __init__(self, watch: Watch, outlets: Outlets, meter: Meter) -> None:
        self._watch, self._outlets, self._meter = watch, outlets, meter
        self._count = outlets.log.last_number
        self._is_mute = False

    def new_id(self, time: float) -> str:
        """An id for an alarm that began at a time."""
        self._count += 1
        return alarm_id(self._watch.source, time, self._count)

    def anomaly(
        self,
        alarm: Alarm,
        told: Told,
        explainer: Explainer,
        *,
        threshold: float,
        end: tuple[float, float],
        is_over: bool,
        joined: str | None = None,
    ) -> None:
        """Write the record of an anomaly.

        Args:
            alarm: The alarm.
            told: What else is known of it.
            explainer: Explains it.
            threshold: Least score of an alarm.
            end: When its last frame so far ended: seconds since the source began, and since 1970.
            is_over: Whether it has ended.
            joined: Id of the alarm that has taken it over.
        """
        reason = explainer.reason(alarm, threshold)
        record = AlarmRecord(
            schema=SCHEMA,
            id=told.id,
            kind="anomaly",
            state="ended" if is_over else "begun",
            source=self._watch.source,
            began=timestamp(told.began),
            ended=timestamp(end[1]) if is_over else None,
            first_frame=alarm.first_frame,
            last_frame=alarm.last_frame if is_over else None,
            peak_frame=alarm.peak[0],
            region=reason.region,
            box=list(alarm.box_xyxy_px),
            score=round(alarm.score, 6),
            threshold=round(threshold, 6),
            sentence=explainer.sentence(alarm, reason, told.start_s, end[0]),
            clip=told.clip,
            dataset=self._watch.dataset,
            version=self._watch.version,
            joined=joined,
        )
        self._write(record, is_new=not told.is_told)
        told.is_told = True

    def picture(
        self,
        kind: str,
        id_: str,
        sentence: str,
        *,
        began: float,
        ended: float | None,
        frames: tuple[int, int | None],
    ) -> None:
        """Write the record of what is wrong with picture or camera; see `picture_record`."""
        logger.warning("%s: %s", self._watch.source, sentence)
        record = picture_record(
            self._watch,
            id_=id_,
            kind=kind,
            began=began,
            ended=ended,
            frames=frames,
            sentence=sentence,
        )
        self._write(record, is_new=ended is None or kind == "back")

    def flush(self) -> None:
        """Write the lines that have waited for room on the disk, if there is room again."""
        self._outlets.log.flush()

    def close(self, timeout_s: float) -> None:
        """Write and send what waits, all within this time."""
        self._outlets.log.close()
        end_s = time.monotonic() + timeout_s
        for sender in self._outlets.senders:
            sender.close(max(0.0, end_s - time.monotonic()))

    def _print(self, line: str) -> None:
        """Print a record; if stdout is a file on a full disk, alarms go on elsewhere."""
        try:
            emit(line)
        except BrokenPipeError:
            raise
        except OSError as error:
            if not self._is_mute:
                logger.error("stdout: cannot be written (%s); alarms go on", one_line(error))
            self._is_mute = True
        else:
            self._is_mute = False

    def _write(self, record: AlarmRecord, *, is_new: bool) -> None:
        content = record.to_json()
        if is_new:
            self._meter.count("alarms")
        if not self._outlets.log.write(content):
            self._meter.count("log_lines_waiting")
        self._print(record_to_line(content))
        self._outlets.state.add_alarm(content)
        for sender in self._outlets.senders:
            sender.offer(content)  # it counts and logs what is lost
