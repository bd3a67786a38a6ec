"""The detector of EVAL: how far a volume is from the nearest exemplar of its region.

All cells of a region, in all frames of a volume, get the distance of the volume. The score of a
cell in a frame is the mean or the maximum over the volumes that cover it.
"""

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Detector, Reason, Scores
from anomaly_detection.explanation.detections import Detection
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.left_out import leave_out
from exemplar_selection.merge_exemplars import merge_exemplars
from exemplar_selection.nearest import region_exemplars, volume_distances
from vadloc.artifacts import Artifacts
from vadloc.config import Config
from vadloc.features import SequenceFeatures, VolumeFeatures, check_frame_size
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

if TYPE_CHECKING:  # only explanations need it; see _scene
    from anomaly_detection.explanation.scene import Scene
    from exemplar_selection.parts_reader import PartsReader

COMBINE: dict[str, Callable[..., NDArray[np.floating]]] = {"mean": np.nanmean, "max": np.nanmax}


def load(artifacts: Artifacts) -> "ExemplarDetector":
    """The detector with the exemplars of all training sequences."""
    return ExemplarDetector(artifacts)


class ExemplarDetector(Detector):
    """Compares volumes with exemplars.

    Args:
        artifacts: The results; exemplars are read from them when they are first needed.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts

    @cached_property
    def model(self) -> Exemplars:
        """The exemplars of all training sequences."""
        return Exemplars.from_content(self.artifacts.merged().load())

    def start_stream(self, grid: RegionGrid) -> "ExemplarStream":
        """See `Detector.start_stream`."""
        return ExemplarStream(self.model, grid, self.artifacts.config)

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The same scores as the stream gives, but faster: all distances of a region at once."""
        return features_to_scores(
            _features(sequence), self.model, grid, config=self.artifacts.config
        )

    def distances(self, features: SequenceFeatures, grid: RegionGrid) -> NDArray[np.float64]:
        """Distance of each volume to the nearest exemplar, ``(v, regions)``.

        Raises:
            VadlocError: Its frames or features are not of the model's size.
        """
        return checked_distances(features, self.model, grid, config=self.artifacts.config)

    def score_training(
        self, sequence: SequenceInput, grid: RegionGrid
    ) -> Iterator[tuple[SequenceInput, Scores]]:
        """Scores by the exemplars of the other training sequences.

        If there is only one training sequence, each half of it is scored by the exemplars of the
        other half. The divisors Z_k of the distance still come from all training sequences.

        Raises:
            VadlocError: The only sequence is too short to be halved.
        """
        config = self.artifacts.config
        for features, model in self.leave_out(_features(sequence)):
            yield features, features_to_scores(features, model, grid, config=config)

    def leave_out(self, features: SequenceFeatures) -> Iterator[tuple[SequenceFeatures, Exemplars]]:
        """A training sequence with the model of the others; see `left_out.leave_out`."""
        threshold = self.artifacts.config.exemplars.threshold
        merge = partial(merge_exemplars, threshold=threshold)
        return leave_out(self.artifacts, features, join=merge)

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """Explain a detection by the nearest exemplar and by what is normal in the region."""
        from anomaly_detection.explanation.reasons import detection_to_reason

        features = _features(sequence)
        check_fits(features, self.model, grid)
        divisors = {self.artifacts.version: np.ones(grid.region_count)}
        return detection_to_reason(detection, [features], [self.scene], self.reader, divisors)

    @cached_property
    def scene(self) -> "Scene":
        """What is normal in each region, for explanations."""
        from anomaly_detection.explanation.scene import Scene

        return Scene.of(self.artifacts, self.model)

    @cached_property
    def reader(self) -> "PartsReader":
        """Reads what volumes show from their features."""
        from exemplar_selection.parts_reader import PartsReader

        return PartsReader.of(self.artifacts, self.scene.grid)


def _features(sequence: SequenceInput) -> SequenceFeatures:
    assert isinstance(sequence, SequenceFeatures), "DETECTORS says that exemplars read features"
    return sequence


class RegionExemplars:
    """The exemplars that the volumes of each region are compared with.

    Args:
        model: Exemplars of all regions.
        grid: Regions of the frames.
        neighbourhood: Regions up to so many rows and columns away lend their exemplars.

    Raises:
        VadlocError: The model is of frames of another size.
    """

    def __init__(self, model: Exemplars, grid: RegionGrid, neighbourhood: int) -> None:
        model.check_grid(grid)
        self._nearest = model.distance.nearest
        self._exemplars = list(region_exemplars(model, grid, neighbourhood))

    def distances(self, step: VolumeFeatures) -> NDArray[np.float64]:
        """Distance of each volume of a time step to the nearest exemplar, ``(regions,)``."""
        pairs = zip(step.values[:, None], self._exemplars, strict=True)
        return np.concatenate([self._nearest(volume, others)[1] for volume, others in pairs])


class ExemplarStream:
    """Scores frames from the features of volumes as they come in.

    Args:
        model: Exemplars of all regions.
        grid: Regions and cells of the frames.
        config: The config.

    Raises:
        VadlocError: The model was made from frames of another size.
    """

    def __init__(self, model: Exemplars, grid: RegionGrid, config: Config) -> None:
        self._exemplars = RegionExemplars(model, grid, config.scoring.neighbourhood)
        self._frames = FrameScores(
            grid,
            frames_per_volume=config.regions.frames_per_volume,
            combine=config.scoring.combine,
        )

    def push(self, step: VolumeFeatures) -> Scores:
        """Take the volumes of the next time step; see `ScoreStream.push`."""
        return self._frames.push(step.first_frame, self._exemplars.distances(step))

    def finish(self) -> Scores:
        """See `ScoreStream.finish`."""
        return self._frames.finish()


class FrameScores:
    """Turns distances of volumes, which come in the order of time, into scores of frames.

    The score of a cell is the mean or the maximum over the volumes that cover it: first over the
    regions, then over time. Only volumes that may cover later frames are kept.

    Args:
        grid: Regions and cells of the frames.
        frames_per_volume: T.
        combine: ``mean`` or ``max``.
        even_edges: Whether the mean over n regions is multiplied by (n / N)^(1/4), where N cover a
            cell that is not at the edge.
    """

    def __init__(
        self, grid: RegionGrid, *, frames_per_volume: int, combine: str, even_edges: bool = False
    ) -> None:
        self._grid, self._length = grid, frames_per_volume
        self._over = COMBINE[combine]
        evens = even_edges and combine == "mean"
        self._weights = grid.coverage**0.25 if evens else np.ones(grid.cells)
        self._volumes: list[tuple[int, NDArray[np.floating]]] = []
        self._next = 0

    def push(self, first_frame: int, distances: NDArray[np.float64]) -> Scores:
        """Take the volumes of a time step.

        Args:
            first_frame: 0-based first frame of these volumes; higher than at all earlier calls.
            distances: ``(regions,)``: the distance of each volume.

        Returns:
            Scores of the frames up to ``first_frame``, inclusive, that were not returned yet; no
            later volume covers them.
        """
        before = [self._score(frame) for frame in range(self._next, first_frame)]
        cells = self._over(self._grid.spread(distances.reshape(self._grid.regions)), axis=0)
        self._volumes.append((first_frame, cells * self._weights))
        self._next = first_frame + 1
        return self._stacked([*before, self._score(first_frame)])

    def finish(self) -> Scores:
        """The scores of the frames up to the end of the last volume."""
        end = self._volumes[-1][0] + self._length if self._volumes else 0
        return self._stacked([self._score(frame) for frame in range(self._next, end)])

    def _score(self, frame: int) -> NDArray[np.floating]:
        self._volumes = [v for v in self._volumes if v[0] > frame - self._length]
        return self._over(np.stack([cells for _, cells in self._volumes]), axis=0)

    def _stacked(self, frames: list[NDArray[np.floating]]) -> Scores:
        return np.array(frames, np.float32).reshape(-1, *self._grid.cells)


def features_to_scores(
    features: SequenceFeatures, model: Exemplars, grid: RegionGrid, *, config: Config
) -> Scores:
    """Score map ``(frames, cell rows, cell columns)`` of a sequence.

    Raises:
        VadlocError: The size of frames or features differs from the model's.
    """
    distances = checked_distances(features, model, grid, config=config)
    return distances_to_scores(
        distances,
        features.first_frame,
        grid,
        frames_per_volume=config.regions.frames_per_volume,
        combine=config.scoring.combine,
    )


def checked_distances(
    features: SequenceFeatures, model: Exemplars, grid: RegionGrid, *, config: Config
) -> NDArray[np.float64]:
    """Distance of each volume to the nearest exemplar, ``(v, regions)``.

    Raises:
        VadlocError: Its frames or features are not of the model's size.
    """
    check_fits(features, model, grid)
    return volume_distances(features, model, grid, neighbourhood=config.scoring.neighbourhood)


def check_fits(features: SequenceFeatures, model: Exemplars, grid: RegionGrid) -> None:
    """Refuse features that cannot be compared with the exemplars.

    Raises:
        VadlocError: The frame size, the columns or the regions differ.
    """
    check_frame_size(features, model.height_px, model.width_px, "training")
    model.check_widths(features)
    model.check_grid(grid)


def distances_to_scores(
    distances: NDArray[np.float64],
    first_frame: NDArray[np.int64],
    grid: RegionGrid,
    *,
    frames_per_volume: int,
    combine: str,
    even_edges: bool = False,
) -> Scores:
    """Scores of the frames that volumes cover, without a gap; see `FrameScores`.

    Args:
        distances: ``(v, regions)``: the distance of each volume.
        first_frame: ``(v,)``, rising: the first frame of each time step.
        grid: Regions and cells of the frames.
        frames_per_volume: T.
        combine: ``mean`` or ``max``.
        even_edges: As in `FrameScores`.

    Returns:
        ``(frames, cell rows, cell columns)`` float32.
    """
    frames = FrameScores(
        grid, frames_per_volume=frames_per_volume, combine=combine, even_edges=even_edges
    )
    steps = zip(first_frame.tolist(), distances, strict=True)
    finished = [frames.push(first, row) for first, row in steps]
    return np.concatenate([*finished, frames.finish()])
