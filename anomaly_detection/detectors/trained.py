"""What detectors with trained networks have in common.

Such a detector has *indicators*: maps of what a network did not expect, such as its error in the
appearance and in the motion of a cell. An indicator is divided by the value that errors of held-out
training video stay below (``[detectors.<name>] threshold_quantile``): then 1 means the same for
all of them. The score of a cell is the weighted sum of its indicators.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Detector, Reason, Scores
from anomaly_detection.detectors.held_out import cut_input, training_video
from anomaly_detection.detectors.network_reason import peak_to_reason
from anomaly_detection.detectors.normal_motion import measure_motion
from anomaly_detection.explanation.detections import Detection
from anomaly_detection.training.tasks import Example
from feature_extraction.devices import device_of
from feature_extraction.footage import Footage
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError
from vadloc.files.storage import DamagedFileError, verify
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceFrames, SequenceInput, load_frames
from vadloc.weights import NetworkWeights, read_weights

Maps = NDArray[np.float32]
"""Indicators ``(indicators, frames, cell rows, cell columns)``."""

Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A network as a function of arrays; the first axis is that of the batch."""

LEAST_SCALE = 1e-9
SCALE_FRAMES = 2000
"""Frames of held-out video, at most, from each part of which the scales are measured."""


@dataclass(frozen=True)
class Model:
    """What was learnt.

    Attributes:
        described: What the module of the training says beside the weights.
        scales: For each form of scores and each indicator, the error that counts as 1.
        networks: The weights by name.
        motion: What moves in training video, see `measure_motion`; empty for networks that were
            trained before it was measured.
    """

    described: Mapping[str, Any]
    scales: Mapping[str, Mapping[str, float]]
    networks: Mapping[str, NetworkWeights]
    motion: Mapping[str, Any] = field(default_factory=dict)


MOTION = 4
"""Rows of motion that a stream may add: seen to the right and down, expected to the right and down,
each in px/frame of the video."""


class IndicatorStream(Protocol):
    """Gives the indicators of frames as they come in; as `ScoreStream`, but with maps."""

    def push(self, rgb: NDArray[np.uint8]) -> Maps:
        """Take a frame; the maps of the frames that have become final."""

    def finish(self) -> Maps:
        """The maps of all remaining frames."""


class NetworkDetector(Detector, ABC):
    """A detector with trained networks.

    Args:
        artifacts: The results.
        model: What was learnt.
    """

    forms: ClassVar[tuple[str, ...]] = ("maps",)
    """The forms of scores for which scales are measured."""

    def __init__(self, artifacts: Artifacts, model: Model) -> None:
        self.artifacts = artifacts
        self.settings = artifacts.detector_settings
        self.model = model
        self.device = device_of("auto")
        self._functions: dict[tuple[int, int], dict[str, Function]] = {}
        self._maps: tuple[str, Maps, Maps] | None = None

    @property
    @abstractmethod
    def indicators(self) -> tuple[str, ...]:
        """The names of the indicators."""

    @property
    @abstractmethod
    def networks(self) -> tuple[str, ...]:
        """The names of the networks that see pictures."""

    @property
    def applied(self) -> tuple[str, ...]:
        """The names of the networks that ``build`` makes; by default those that see pictures."""
        return self.networks

    @property
    def localizes(self) -> bool:
        """Whether cells of a frame may differ."""
        return True

    @property
    @abstractmethod
    def weights(self) -> dict[str, float]:
        """The weight of each indicator in the score."""

    @property
    def form(self) -> str:
        """The form of scores, a key of the model's scales."""
        return "maps"

    @abstractmethod
    def build(self, name: str, height: int, width: int) -> Function:
        """A network for reduced frames of a size, a multiple of ``side_multiple``."""

    def functions(self, height: int, width: int) -> dict[str, Function]:
        """The networks for reduced frames of a size; each is built once."""
        size = height, width
        if size not in self._functions:
            self._functions[size] = {name: self.build(name, *size) for name in self.applied}
        return self._functions[size]

    @abstractmethod
    def start_indicators(
        self, grid: RegionGrid, form: str, *, motion: bool = False, every: bool = False
    ) -> IndicatorStream:
        """Begin with the indicators of a sequence, not divided by any scale.

        Args:
            grid: Regions and cells of the frames.
            form: The form of scores.
            motion: Add the ``MOTION`` rows to the maps.
            every: Compute also indicators whose weight is 0; otherwise these may be 0.
        """

    @abstractmethod
    def pictures(
        self, sequence: SequenceInput, grid: RegionGrid, frames: list[int]
    ) -> dict[int, dict[str, Example]]:
        """What the networks saw and put out in some frames.

        Args:
            sequence: The frames of the sequence.
            grid: Regions and cells of the frames.
            frames: 0-based frames, ascending.

        Returns:
            For each frame and network an example of reduced pictures; of flow the speed.
        """

    def combine(self, maps: Maps) -> Scores:
        """The scores of cells: the weighted sum of the indicators, each in units of its scale."""
        divided = self.relative(maps)
        weights = np.array([self.weights[name] for name in self.indicators], np.float32)
        return np.tensordot(weights, divided, axes=1).astype(np.float32)

    def counted(self, indicators: dict[str, float]) -> dict[str, float]:
        """Which weighted indicators of a cell made its score; by default all of weight.

        Args:
            indicators: The weighted value of each indicator.
        """
        return {name: value for name, value in indicators.items() if self.weights[name]}

    def relative(self, maps: Maps) -> Maps:
        """The indicators in units of their scales."""
        scales = self.model.scales[self.form]
        divisors = [max(scales[name], LEAST_SCALE) for name in self.indicators]
        return np.asarray(maps / np.array(divisors, np.float32).reshape(-1, 1, 1, 1), np.float32)

    def finishing(self, grid: RegionGrid) -> "Finishing":
        """What is done with scores in the order of time; by default nothing."""
        del grid
        return Finishing()

    def start_stream(self, grid: RegionGrid) -> "NetworkStream":
        """See `Detector.start_stream`."""
        indicators = self.start_indicators(grid, self.form)
        return NetworkStream(self, indicators, self.finishing(grid))

    def score_training(
        self, sequence: SequenceInput, grid: RegionGrid
    ) -> Iterator[tuple[SequenceInput, Scores]]:
        """Scores of the part of a training sequence that is held out; none for other sequences."""
        assert isinstance(sequence, SequenceFrames), "DETECTORS says that it reads frames"
        for part in training_video(self.artifacts).held_out:
            if part.sequence == sequence.sequence:
                stream = self.start_stream(grid)
                frames = islice(sequence.steps(), part.first, part.end)
                finished = [stream.push(frame) for frame in frames]
                yield cut_input(sequence, part), np.concatenate([*finished, stream.finish()])

    def explained_maps(self, sequence: SequenceInput, grid: RegionGrid) -> tuple[Maps, Maps]:
        """What explains the scores of a whole sequence; the last sequence is kept.

        Returns:
            The indicators in units of their scales, and the ``MOTION`` rows.
        """
        if self._maps is None or self._maps[0] != sequence.sequence:
            stream = self.start_indicators(grid, self.form, motion=True)
            finished = [stream.push(frame) for frame in sequence.steps()]
            maps = np.concatenate([*finished, stream.finish()], axis=1)
            count = len(self.indicators)
            self._maps = sequence.sequence, self.relative(maps[:count]), maps[count:]
        return self._maps[1], self._maps[2]

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """By the shares of the indicators at the peak, and expected against seen motion."""
        maps, motion = self.explained_maps(sequence, grid)
        at_peak = (slice(None), *detection.peak)
        values = zip(self.indicators, maps[at_peak].tolist(), strict=True)
        weights = self.weights
        return peak_to_reason(
            detection,
            grid,
            indicators=self.counted({name: value * weights[name] for name, value in values}),
            motion=motion[at_peak],
            frames_per_volume=self.artifacts.config.regions.frames_per_volume,
            frame_count=sequence.frame_count,
            normal=self.model.motion or None,
        )


class Finishing:
    """Changes scores in the order of time; this one changes nothing."""

    def push(self, scores: Scores) -> Scores:
        """Take scores of the next frames; those that have become final."""
        return scores

    def finish(self) -> Scores | None:
        """The remaining scores, if any."""
        return None


class NetworkStream:
    """Scores frames as they come in.

    Args:
        detector: Combines the indicators.
        indicators: Their stream.
        finishing: Applied to the scores.
    """

    def __init__(
        self, detector: NetworkDetector, indicators: IndicatorStream, finishing: Finishing
    ) -> None:
        self._detector, self._indicators, self._finishing = detector, indicators, finishing

    def push(self, step: NDArray[np.uint8]) -> Scores:
        """See `ScoreStream.push`."""
        return self._finishing.push(self._detector.combine(self._indicators.push(step)))

    def finish(self) -> Scores:
        """See `ScoreStream.finish`."""
        scores = self._finishing.push(self._detector.combine(self._indicators.finish()))
        rest = self._finishing.finish()
        return scores if rest is None else np.concatenate([scores, rest])


def load_model(artifacts: Artifacts) -> Model:
    """What was learnt, from the files of the training.

    Raises:
        VadlocError: It is missing, damaged, or of other settings or video; or a file of weights is
            not the one that the training wrote.
    """
    file = artifacts.model()
    record = file.load()
    try:
        verify(file.path)
    except DamagedFileError as error:
        raise VadlocError(f"{error}; make it again: {file.command} --overwrite") from None
    return read_model(record, file.path.parent)


def read_model(record: Mapping[str, Any], folder: Path) -> Model:
    """The model that a record describes, from files of weights that were just written or checked.

    Raises:
        VadlocError: A file of weights is missing or damaged.
    """
    networks = {name: read_weights(folder / f"{name}.safetensors") for name in record["networks"]}
    more = record.get("scales", {}), networks, record.get("motion") or {}
    return Model(record["described"], *more)


def measure_normal_motion(artifacts: Artifacts, footage: Sequence[Footage]) -> dict[str, Any]:
    """What moves in all regions in training video, see `measure_motion`."""
    first = artifacts.sequences("train")[0].name
    grid = load_frames(artifacts, "train", first).grid(artifacts.config.regions)
    return measure_motion(footage, grid)


def measure_scales(
    artifacts: Artifacts, record: Mapping[str, Any], folder: Path
) -> dict[str, dict[str, float]]:
    """The error of each indicator that a share of the held-out cells stays below.

    Args:
        artifacts: The results.
        record: The record of the training, still without scales.
        folder: The folder of the weights.

    Returns:
        By form of scores and indicator.
    """
    from importlib import import_module

    module = import_module(artifacts.detector.module)
    detector: NetworkDetector = module.DETECTOR(artifacts, read_model(record, folder))
    parts = training_video(artifacts).held_out
    scales = {}
    for form in detector.forms:
        maps = []
        for part in parts:
            sequence = load_frames(artifacts, "train", part.sequence)
            grid = sequence.grid(artifacts.config.regions)
            stream = detector.start_indicators(grid, form, every=True)
            end = min(part.end, part.first + SCALE_FRAMES)
            finished = [stream.push(f) for f in islice(sequence.steps(), part.first, end)]
            joined = np.concatenate([*finished, stream.finish()], axis=1)
            maps.append(joined.reshape(len(joined), -1))
        quantile = artifacts.detector_settings.threshold_quantile
        values = np.quantile(np.concatenate(maps, axis=1), quantile, axis=1)
        scales[form] = dict(zip(detector.indicators, map(float, values), strict=True))
    return scales
