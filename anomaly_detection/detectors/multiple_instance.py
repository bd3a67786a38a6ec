"""The detector that learns from labels of whole videos: multiple-instance learning.

Of each training video it is only known whether it holds an anomaly, not when or where. A head
(``mil_heads``) scores the instances of a video (``bags``). A score is between 0 and 1: how much a
volume resembles what videos with anomalies have and normal ones lack. With region bags, each volume
has a score of its own, and cells get the mean or the maximum over the volumes that cover them, as
distances do. With snippet bags, all cells of a frame have the same score.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.bags import check_width, split_bags, to_instances
from anomaly_detection.detectors.detector import Detector, Reason, Scores
from anomaly_detection.detectors.exemplars import FrameScores, distances_to_scores
from anomaly_detection.detectors.mil_heads import score_instances, smooth
from anomaly_detection.detectors.trained import Model, load_model
from anomaly_detection.explanation.detections import Detection
from vadloc.artifacts import Artifacts
from vadloc.features import SequenceFeatures, VolumeFeatures
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput
from vadloc.weak_settings import RegionBags

NETWORK = "head"


def load(artifacts: Artifacts) -> "MultipleInstanceDetector":
    """The detector with its trained head."""
    return MultipleInstanceDetector(artifacts, load_model(artifacts))


class MultipleInstanceDetector(Detector):
    """Scores volumes by a head that was trained on labels of whole videos.

    Args:
        artifacts: The results.
        model: What was learnt.
    """

    def __init__(self, artifacts: Artifacts, model: Model) -> None:
        self.artifacts = artifacts
        self.settings = artifacts.detector_settings
        self._tensors = model.networks[NETWORK].tensors

    @property
    def localizes(self) -> bool:
        """Whether regions have scores of their own."""
        return isinstance(self.settings, RegionBags)

    def start_stream(self, grid: RegionGrid) -> "BagStream":
        """See `Detector.start_stream`."""
        return BagStream(self, grid)

    def score_volumes(self, features: SequenceFeatures) -> NDArray[np.float32]:
        """The scores of all volumes, ``(v, regions)``.

        Raises:
            VadlocError: The features are not those that the head was trained on.
        """
        grid = features.grid(self.artifacts.config.regions)
        instances = to_instances(features.values, grid, self.settings)
        check_width(features, instances, len(self._tensors["center"]))
        scores = self.score_series(instances)
        return np.broadcast_to(scores.T, features.values.shape[:2])

    def score_series(self, instances: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores ``(series, steps)`` of instances ``(series, steps, width)``."""
        if self.is_memoryless:  # as in a stream: the last bit depends on the number of steps
            steps = np.split(instances, instances.shape[1], axis=1)
            scores = [
                score_instances("sultani", self._tensors, np.ascontiguousarray(step))
                for step in steps
            ]
            return np.concatenate(scores, axis=1)
        found = score_instances(self.settings.head, self._tensors, instances)
        return smooth(found, self.settings.smoothing)

    @property
    def is_memoryless(self) -> bool:
        """Whether the score of a volume depends on no other time step."""
        return bool(self.settings.head == "sultani" and self.settings.smoothing == 1)

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The scores of a whole sequence, the same as those of a stream."""
        features = _features(sequence)
        return distances_to_scores(
            self.score_volumes(features).astype(np.float64),
            features.first_frame,
            grid,
            frames_per_volume=self.artifacts.config.regions.frames_per_volume,
            combine=self.artifacts.config.scoring.combine,
        )

    def score_training(
        self, sequence: SequenceInput, grid: RegionGrid
    ) -> Iterator[tuple[SequenceInput, Scores]]:
        """Scores of a normal training sequence that is held out; none for other sequences."""
        if sequence.sequence in split_bags(self.artifacts).held_out[0]:
            yield sequence, self.score_sequence(sequence, grid)

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """By the volume with the highest score over the peak; none with snippet bags."""
        if not self.localizes:
            return None
        features = _features(sequence)
        frame, row, column = detection.peak
        first = features.first_frame
        length = self.artifacts.config.regions.frames_per_volume
        steps = np.flatnonzero((first <= frame) & (frame < first + length))
        regions = np.array(grid.regions_over(row, column))
        scores = self.score_volumes(features)[np.ix_(steps, regions)]
        step, region = np.unravel_index(scores.argmax(), scores.shape)
        words = (
            "this resembles what the training videos with anomalies show and the normal ones do "
            f"not ({scores.max():.2f} of 1)"
        )
        return Reason(int(regions[region]), int(first[steps[step]]), words)


def _features(sequence: SequenceInput) -> SequenceFeatures:
    assert isinstance(sequence, SequenceFeatures), "DETECTORS says that it reads features"
    return sequence


class BagStream:
    """Scores frames as volumes come in; with a head that looks at other time steps, at the end.

    Args:
        detector: The detector.
        grid: Regions and cells of the frames.
    """

    def __init__(self, detector: MultipleInstanceDetector, grid: RegionGrid) -> None:
        self._detector, self._grid = detector, grid
        config = detector.artifacts.config
        self._frames = FrameScores(
            grid,
            frames_per_volume=config.regions.frames_per_volume,
            combine=config.scoring.combine,
        )
        self._waiting: list[VolumeFeatures] = []

    def push(self, step: VolumeFeatures) -> Scores:
        """Take the volumes of the next time step; see `ScoreStream.push`."""
        self._waiting.append(step)
        if self._detector.is_memoryless:
            return self._score_waiting()
        return np.zeros((0, *self._grid.cells), np.float32)

    def finish(self) -> Scores:
        """See `ScoreStream.finish`."""
        return np.concatenate([self._score_waiting(), self._frames.finish()])

    def _score_waiting(self) -> Scores:
        steps, self._waiting = self._waiting, []
        if not steps:
            return np.zeros((0, *self._grid.cells), np.float32)
        values = np.stack([step.values for step in steps])
        instances = to_instances(values, self._grid, self._detector.settings)
        scores = np.broadcast_to(self._detector.score_series(instances).T, values.shape[:2])
        rows = zip(steps, scores.astype(np.float64), strict=True)
        return np.concatenate([self._frames.push(s.first_frame, row) for s, row in rows])
