"""The detector of a version of parts: how far a volume is from normal in all parts together.

Each part is a version with exemplars of its own, and says how far a volume is from the nearest of
them. These distances d_p are divided by what normal video reaches in the row of the region, D_p
(see ``exemplar_selection.divisors``), and added as if they were at right angles:

    d = sqrt(sum over parts p of (d_p / D_p)^2)

Cells and frames take their scores from d as those of the detector ``exemplars`` do, but the mean
over n regions is multiplied by (n / N)^(1/4), where N regions cover a cell that is not at the edge
of the frame. The mean of fewer distances scatters more: by sqrt(N / n) if they had nothing to do
with each other, and by about the root of this if a third of what they see is the same. Otherwise
whoever enters the picture would be an anomaly. A part's share of the distance is
(d_p / D_p)^2 / d^2.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Detector, Reason, Scores
from anomaly_detection.detectors.exemplars import (
    ExemplarDetector,
    FrameScores,
    RegionExemplars,
    check_fits,
    checked_distances,
    distances_to_scores,
)
from anomaly_detection.explanation.detections import Detection
from vadloc.artifacts import Artifacts
from vadloc.features import FusedFeatures, VolumeFeatures
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

if TYPE_CHECKING:  # only explanations need them
    from anomaly_detection.explanation.scene import Scene
    from exemplar_selection.parts_reader import PartsReader


def load(artifacts: Artifacts) -> "FusionDetector":
    """The detector with the exemplars and divisors of all parts."""
    return FusionDetector(artifacts)


def fuse(
    distances: Sequence[NDArray[np.float64]], divisors: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The distance in all parts together.

    Args:
        distances: Those of each part, ``(..., regions)``.
        divisors: D of each part in each region, ``(regions,)``, above 0.

    Returns:
        ``(..., regions)``; 1 where a single part is as far as left-out normal video reaches, and no
        other part differs at all.
    """
    squares = [(d / divisor) ** 2 for d, divisor in zip(distances, divisors, strict=True)]
    return np.asarray(np.sqrt(np.sum(squares, axis=0)))


class FusionDetector(Detector):
    """Adds the distances of several exemplar detectors.

    Args:
        artifacts: Exemplars and divisors are read from it when they are first needed.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts
        self.parts = [ExemplarDetector(part) for part in artifacts.parts]

    @cached_property
    def divisors(self) -> list[NDArray[np.float64]]:
        """D of each part in each region, ``(regions,)``."""
        by_row: NDArray[np.float64] = self.artifacts.divisors().load()["by_row"]
        columns = self.parts[0].model.region_count // by_row.shape[1]
        return list(np.repeat(by_row, columns, axis=1))

    def start_stream(self, grid: RegionGrid) -> "FusionStream":
        """See `Detector.start_stream`."""
        config = self.artifacts.config
        compared = [
            RegionExemplars(part.model, grid, part.artifacts.config.scoring.neighbourhood)
            for part in self.parts
        ]
        frames = FrameScores(
            grid,
            frames_per_volume=config.regions.frames_per_volume,
            combine=config.scoring.combine,
            even_edges=True,
        )
        return FusionStream(compared, self.divisors, frames)

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The same as the stream, faster: distances of a region are computed all at once."""
        fused = _features(sequence)
        pairs = zip(self.parts, fused.parts, strict=True)
        distances = [part.distances(features, grid) for part, features in pairs]
        return self._scores(distances, fused, grid)

    def _scores(
        self, distances: list[NDArray[np.float64]], fused: FusedFeatures, grid: RegionGrid
    ) -> Scores:
        """The scores of a sequence from the distances of each part, ``(v, regions)``."""
        config = self.artifacts.config
        return distances_to_scores(
            fuse(distances, self.divisors),
            fused.parts[0].first_frame,
            grid,
            frames_per_volume=config.regions.frames_per_volume,
            combine=config.scoring.combine,
            even_edges=True,
        )

    def score_training(
        self, sequence: SequenceInput, grid: RegionGrid
    ) -> Iterator[tuple[SequenceInput, Scores]]:
        """By the exemplars of the other training sequences, in all parts.

        If it is the only one, each half of it is scored by the exemplars of the other half. Only
        the divisors, of components and of parts, are those of all training sequences.

        Raises:
            VadlocError: The only sequence is too short to be halved.
        """
        pairs = zip(self.parts, _features(sequence).parts, strict=True)
        left_out = (part.leave_out(features) for part, features in pairs)
        for of_parts in zip(*left_out, strict=True):
            distances = [
                checked_distances(features, model, grid, config=part.artifacts.config)
                for part, (features, model) in zip(self.parts, of_parts, strict=True)
            ]
            fused = FusedFeatures.of(tuple(features for features, _ in of_parts))
            yield fused, self._scores(distances, fused, grid)

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """By the nearest exemplar in the part with the largest share, and by what all parts see."""
        from anomaly_detection.explanation.reasons import detection_to_reason

        features = _features(sequence).parts
        for part, of_part in zip(self.parts, features, strict=True):
            check_fits(of_part, part.model, grid)
        names = [part.artifacts.version for part in self.parts]
        divisors = dict(zip(names, self.divisors, strict=True))
        return detection_to_reason(detection, features, self.scenes, self.reader, divisors)

    @cached_property
    def scenes(self) -> "list[Scene]":
        """The exemplars of each part, with what all of them have seen, for explanations."""
        from anomaly_detection.explanation.scene import Scene, read_sightings

        seen = read_sightings(self.artifacts)
        return [Scene.of(part.artifacts, part.model, seen) for part in self.parts]

    @cached_property
    def reader(self) -> "PartsReader":
        """Reads what volumes show from the features of all parts."""
        from exemplar_selection.parts_reader import PartsReader

        return PartsReader.of(self.artifacts, self.scenes[0].grid)


def _features(sequence: SequenceInput) -> FusedFeatures:
    assert isinstance(sequence, FusedFeatures), "a version of parts has the features of each part"
    return sequence


class FusionStream:
    """Scores frames from the features of volumes as they come in.

    Args:
        compared: The exemplars of each part.
        divisors: D of each part in each region.
        frames: Turns distances into scores.
    """

    def __init__(
        self,
        compared: list[RegionExemplars],
        divisors: list[NDArray[np.float64]],
        frames: FrameScores,
    ) -> None:
        self._compared, self._divisors, self._frames = compared, divisors, frames

    def push(self, step: tuple[VolumeFeatures, ...]) -> Scores:
        """Take the volumes of the next time step; see `ScoreStream.push`."""
        pairs = zip(self._compared, step, strict=True)
        distances = [exemplars.distances(of_part) for exemplars, of_part in pairs]
        return self._frames.push(step[0].first_frame, fuse(distances, self._divisors))

    def finish(self) -> Scores:
        """See `ScoreStream.finish`."""
        return self._frames.finish()
