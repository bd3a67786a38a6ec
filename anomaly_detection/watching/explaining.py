"""The sentence of an alarm, in the words that ``explain_anomalies`` has for it."""

from dataclasses import dataclass

from anomaly_detection.detectors.detector import Detector, Reason
from anomaly_detection.explanation.records import default_reason
from anomaly_detection.explanation.sentences import box_to_place, timed_sentence
from anomaly_detection.watching.segment import Segment
from anomaly_detection.watching.tracker import Alarm
from vadloc.features import FusedFeatures, SequenceFeatures
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput


@dataclass(frozen=True)
class Evidence:
    """What explains the peak of an alarm.

    Attributes:
        peak: Frame, cell row and cell column, to which it belongs.
        features: The features around it; ``None`` if they are forgotten.
        offset: Number in the source of the first frame of the features.
    """

    peak: tuple[int, int, int]
    features: SequenceInput | None
    offset: int


class Explainer:
    """Explains alarms by the features around their peaks.

    Args:
        detector: The detector of the version.
        grid: Regions and cells of the frames.
        frames_per_volume: T.
        reads_features: Whether the detector explains by features; else only the score is known.
    """

    def __init__(
        self,
        detector: Detector,
        grid: RegionGrid,
        *,
        frames_per_volume: int,
        reads_features: bool,
    ) -> None:
        self._detector, self._grid, self._length = detector, grid, frames_per_volume
        self._reads_features = reads_features
        self._evidence: dict[int, Evidence] = {}

    def gather(self, alarms: list[Alarm], segment: Segment, *, last: bool = False) -> None:
        """Keep the features around the peaks of open alarms, before the stream forgets them.

        Args:
            alarms: The alarms.
            segment: The segment in which the frames are.
            last: Whether the segment ends, so that no more features come.
        """
        for alarm in alarms:
            known = self._evidence.get(alarm.number)
            if known and known.peak == alarm.peak:
                continue
            features = segment.recent() if alarm.peak[0] >= segment.offset else None
            if features is None:
                continue
            after = features.frame_count + segment.offset - alarm.peak[0]
            if last or after > 2 * self._length:
                is_there = alarm.peak[0] >= segment.offset + _first_frame(features)
                kept = features if is_there else None
                self._evidence[alarm.number] = Evidence(alarm.peak, kept, segment.offset)

    def join(self, younger: Alarm, elder: Alarm) -> None:
        """An alarm has been taken over by an elder one, perhaps with its peak."""
        known = self._evidence.pop(younger.number, None)
        if known and known.peak == elder.peak:
            self._evidence[elder.number] = known

    def is_ready(self, alarm: Alarm) -> bool:
        """Whether the features around the peak are known, if there are any."""
        if not self._reads_features:
            return True
        known = self._evidence.get(alarm.number)
        return known is not None and known.peak == alarm.peak

    def forget(self, alarm: Alarm) -> None:
        """The alarm has ended."""
        self._evidence.pop(alarm.number, None)

    def reason(self, alarm: Alarm, threshold: float) -> Reason:
        """Why it is an alarm."""
        known = self._evidence.get(alarm.number)
        if known is not None and known.features is not None and known.peak == alarm.peak:
            detection = alarm.detection(threshold, offset=known.offset)
            reason = self._detector.explain(detection, known.features, self._grid)
            if reason is not None:
                return reason
        detection = alarm.detection(threshold, offset=0)
        return default_reason(
            detection, self._grid, threshold, self._length, alarm.last_frame + self._length
        )

    def sentence(self, alarm: Alarm, reason: Reason, start_s: float, end_s: float) -> str:
        """When and where it is, and why it is an alarm."""
        place = box_to_place(list(alarm.box_xyxy_px), self._grid)
        record = {"first_frame": alarm.first_frame, "last_frame": alarm.last_frame, "place": place}
        return timed_sentence(record, reason.words, start_s=start_s, end_s=end_s)


def _first_frame(features: SequenceInput) -> int:
    """The first frame of which there are features."""
    part = features.parts[0] if isinstance(features, FusedFeatures) else features
    assert isinstance(part, SequenceFeatures), "FrameStream gives nothing else"
    return int(part.first_frame[0])
