"""Alarm records: what is written, shown and sent of each alarm."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from anomaly_detection.watching.alarm_log import SCHEMA


@dataclass(frozen=True)
class Watch:
    """What all records of a watch have in common.

    Attributes:
        source: Short name of the source.
        dataset: Name of the dataset of the config.
        version: Name of the version.
    """

    source: str
    dataset: str
    version: str


@dataclass(frozen=True)
class AlarmRecord:
    """One alarm; the names are those of the JSON line.

    Attributes:
        schema: Number of this form.
        id: Unique; a later record with the same id replaces the former.
        kind: ``anomaly``, or what is wrong with the picture.
        state: ``begun`` or ``ended``.
        source: Short name of the source.
        began: ISO 8601, UTC.
        ended: The same, ``None`` while it goes on.
        first_frame: 0-based in the source; dropped frames count.
        last_frame: ``None`` while it goes on.
        peak_frame: The frame of the highest score.
        region: The region that shows best why.
        box: Around the cells of the alarm in the peak frame: x0, y0, x1, y1, exclusive, px.
        score: The highest score.
        threshold: The least score of an alarm.
        sentence: What was seen, and why it is an alarm.
        clip: File name of the clip in the folder of clips.
        dataset: Name of the dataset of the config.
        version: Name of the version.
        joined: Id of an earlier alarm that this one has turned out to be a part of.
    """

    schema: int
    id: str
    kind: str
    state: str
    source: str
    began: str
    ended: str | None
    first_frame: int
    last_frame: int | None
    peak_frame: int | None
    region: int | None
    box: list[int] | None
    score: float | None
    threshold: float | None
    sentence: str
    clip: str | None
    dataset: str
    version: str
    joined: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a dict; ``joined`` only if there is one."""
        found = asdict(self)
        if self.joined is None:
            del found["joined"]
        return found


def timestamp(time: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    when = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    return when.replace("+00:00", "Z")


def alarm_id(source: str, time: float, number: int) -> str:
    """The id of an alarm: source, time of its begin, and its number in the watch.

    The number makes it unique, even if the clock is set back.
    """
    when = datetime.fromtimestamp(time, UTC)
    return f"{source}-{when:%Y%m%dT%H%M%S}{when.microsecond // 1000:03d}-{number}"


def picture_record(
    watch: Watch,
    *,
    id_: str,
    kind: str,
    began: float,
    ended: float | None,
    frames: tuple[int, int | None],
    sentence: str,
) -> AlarmRecord:
    """The record of an alarm that is not about the scene, but about the picture or the camera.

    Args:
        watch: What all records have in common.
        id_: Its id.
        kind: Its kind.
        began: In seconds since 1970.
        ended: The same, ``None`` while it goes on.
        frames: First and last frame.
        sentence: What has happened.
    """
    return AlarmRecord(
        schema=SCHEMA,
        id=id_,
        kind=kind,
        state="begun" if ended is None else "ended",
        source=watch.source,
        began=timestamp(began),
        ended=None if ended is None else timestamp(ended),
        first_frame=frames[0],
        last_frame=frames[1],
        peak_frame=None,
        region=None,
        box=None,
        score=None,
        threshold=None,
        sentence=sentence,
        clip=None,
        dataset=watch.dataset,
        version=watch.version,
    )
