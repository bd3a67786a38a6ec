"""The detector that learns from labels of whole videos: multiple-instance learning.

Of each training video it is only known whether it holds an anomaly, not when or where. A head
(``mil_heads``) scores the instances of a video (``bags``). A score is between 0 and 1: how much a
volume resembles what videos with anomalies have and normal ones lack. With region bags, each volume
has a score of its own, and cells get the mean or the maximum over the volumes that cover them, as
distances do. With snippet bags, all cells of a frame have the same score.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.bags import check_width, split_bags, to_instances
from anomaly_detection.detectors.detector import Detector, Reason, Scores
from anomaly_detection.detectors.exemplars import FrameScores, distances_to_scores
from anomaly_detection.detectors.mil_heads import LOCAL_HEADS, score_instances, smooth
from anomaly_detection.detectors.mil_stream import HeadStream
from anomaly_detection.detectors.snippet_input import (
    frames_of_a_snippet,
    over_frames,
    read_snippet_instances,
)
from anomaly_detection.detectors.trained import Model, load_model
from anomaly_detection.explanation.detections import Detection
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError
from vadloc.features import SequenceFeatures, VolumeFeatures
from vadloc.inputs import Split
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceFrames, SequenceInput
from vadloc.weak_settings import RegionBags

NETWORK = "head"
SPLITS: Final[tuple[Split, ...]] = ("train", "anomalous", "test")


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
        folder = getattr(self.settings, "features", "")
        self._snippets = Path(folder) if folder else None

    @property
    def localizes(self) -> bool:
        """Whether regions have scores of their own."""
        return isinstance(self.settings, RegionBags)

    @property
    def waits_for_end(self) -> bool:
        """Whether the head sees a whole sequence at once, so that a camera has no scores."""
        return self.settings.head not in LOCAL_HEADS

    def start_stream(self, grid: RegionGrid) -> "BagStream":
        """See `Detector.start_stream`.

        Raises:
            UsageError: The features of snippets lie in a folder; there are none of live video.
        """
        if self._snippets:
            raise UsageError(
                f"features = {str(self._snippets)!r}: holds snippets of stored video only; live "
                "video needs a version without [detectors.snippet_bags] features"
            )
        return BagStream(self, grid)

    def score_volumes(self, features: SequenceFeatures) -> NDArray[np.float32]:
        """The scores of all volumes, ``(v, regions)``.

        Raises:
            VadlocError: The features are not those that the head was trained on.
        """
        grid = features.grid(self.artifacts.config.regions)
        instances = to_instances(features.values, grid, self.settings)
        check_width(features.sequence, instances, len(self._tensors["center"]))
        scores = self.score_series(instances)
        return np.broadcast_to(scores.T, features.values.shape[:2])

    def score_series(self, instances: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores ``(series, steps)`` of instances ``(series, steps, width)``."""
        found = score_instances(self.settings.head, self._tensors, instances)
        return smooth(found, self.settings.smoothing)

    def start_series(self) -> HeadStream:
        """Begin to score series step by step."""
        return HeadStream(self.settings.head, self._tensors, self.settings.smoothing)

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The scores of a whole sequence, the same as those of a stream.

        Raises:
            VadlocError: See `score_volumes`; or the snippets of a folder do not fit the sequence.
        """
        if self._snippets:
            return self._score_snippets(self._snippets, sequence, grid)
        features = _features(sequence)
        return distances_to_scores(
            self.score_volumes(features).astype(np.float64),
            features.first_frame,
            grid,
            frames_per_volume=self.artifacts.config.regions.frames_per_volume,
            combine=self.artifacts.config.scoring.combine,
        )

    def _score_snippets(self, folder: Path, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The scores of the snippets of a folder, the same in all cells of a frame."""
        assert isinstance(sequence, SequenceFrames), "Inputs.reads says that it reads frames"
        name, path = sequence.sequence, sequence.source.path
        split = next(
            split
            for split in SPLITS
            if any(known.path == path for known in self.artifacts.every_sequence(split))
        )
        instances = read_snippet_instances(folder, split, name)
        check_width(name, instances, len(self._tensors["center"]))
        scores = self.score_series(instances).mean(axis=0)
        frames = over_frames(scores, frames_of_a_snippet(folder), sequence.frame_count, name)
        return np.repeat(frames, np.prod(grid.cells)).reshape(-1, *grid.cells)

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
    """Scores frames as volumes come in, as soon as the head has seen what their scores depend on.

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
        self._series = detector.start_series()
        self._first_frames: deque[int] = deque()

    def push(self, step: VolumeFeatures) -> Scores:
        """Take the volumes of the next time step; see `ScoreStream.push`."""
        self._first_frames.append(step.first_frame)
        instances = to_instances(step.values[None], self._grid, self._detector.settings)
        return self._to_frames(self._series.push(instances[:, 0]))

    def finish(self) -> Scores:
        """See `ScoreStream.finish`."""
        return np.concatenate([self._to_frames(self._series.finish()), self._frames.finish()])

    def _to_frames(self, finished: list[NDArray[np.float32]]) -> Scores:
        regions = self._grid.region_count
        found = [np.zeros((0, *self._grid.cells), np.float32)]
        for scores in finished:
            row = np.broadcast_to(scores, (regions,)).astype(np.float64)
            found.append(self._frames.push(self._first_frames.popleft(), row))
        return np.concatenate(found)
