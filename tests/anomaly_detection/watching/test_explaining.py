"""By which features an alarm is explained, if its peak came from an alarm that it took over."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.watching.explaining import Explainer
from anomaly_detection.watching.tracker import Alarm
from vadloc.features import SequenceFeatures
from vadloc.regions import RegionGrid

GRID = RegionGrid(48, 64, 16, 8)
LENGTH, STRIDE, KEPT = 4, 2, 6


@dataclass
class Stream:
    """A segment that keeps the features of the last time steps only."""

    last: int
    offset: int = 100

    def recent(self) -> SequenceFeatures:
        first = np.arange(self.last - (KEPT - 1) * STRIDE, self.last + 1, STRIDE)
        return SequenceFeatures(
            sequence="s",
            frame_count=self.last + LENGTH,
            height_px=48,
            width_px=64,
            first_frame=first,
            widths=(),
            values=np.zeros((KEPT, 1, 0), np.float32),
        )


class Sees:
    """A detector that explains by the features that it gets."""

    def explain(self, detection: Any, features: SequenceFeatures, _grid: RegionGrid) -> Reason:
        frame = detection.peak[0]
        covers = features.first_frame[0] <= frame <= features.frame_count
        return Reason(0, frame, f"covered: {covers}")


def explainer() -> Explainer:
    sees: Any = Sees()
    return Explainer(sees, GRID, frames_per_volume=LENGTH, reads_features=True)


def alarm(number: int, frame: int, score: float) -> Alarm:
    return Alarm(number, frame, frame, score, (frame, 1, 1), (0, 0, 8, 8))


def gathered(of: Explainer, alarms: list[Alarm], last: int) -> None:
    stream: Any = Stream(last)
    of.gather(alarms, stream)


def test_evidence_goes_with_the_peak() -> None:
    of, elder, younger = explainer(), alarm(1, 105, 1.0), alarm(2, 110, 2.0)
    gathered(of, [elder, younger], 20)
    gathered(of, [elder, younger], 60)
    elder.extend(younger)
    of.join(younger, elder)
    assert of.is_ready(elder)
    gathered(of, [elder], 60)
    assert of.reason(elder, 0.5).words == "covered: True"
    of.forget(elder)
    assert of._evidence == {}


def test_a_peak_whose_features_are_forgotten_has_no_reason_and_is_not_waited_for() -> None:
    of, late = explainer(), alarm(1, 105, 1.0)
    gathered(of, [late], 60)
    assert of.is_ready(late)
    assert "covered" not in of.reason(late, 0.5).words
