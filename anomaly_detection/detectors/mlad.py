"""The detector MLAD: what conditional GANs of normal video cannot predict.

After Vu et al., *Robust Anomaly Detection in Videos Using Multilevel Representations*, AAAI 2019;
level 0 has two generators on pixels. One predicts the optical flow from the frame, the other the
frame from the flow. The indicators are the absolute errors of both, in blocks, where something
moves. Every further level predicts codes instead of pictures (``feature_extraction.codes``), and
has two more indicators of the same kind. The score of a cell is that of the level with the highest
one. Scores are smoothed over time, and short events are dropped.

What differs from the paper: the flow is OpenCV's DIS and leads to the frame, not away from it;
errors are divided by what held-out training video reaches, not by the maximum of the test video.
The paper finds events in each level and joins those that share most of their frames; here cells
have the maximum of the levels before events are found.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Scores
from anomaly_detection.detectors.error_cells import block_means, flows_to_cells, pixels_to_cells
from anomaly_detection.detectors.event_filter import EventFilter
from anomaly_detection.detectors.trained import MOTION, Function, Maps, NetworkDetector, load_model
from anomaly_detection.training.tasks import Example, to_examples
from feature_extraction.codes import Codes
from feature_extraction.footage import (
    Reducer,
    Seen,
    flow_to_input,
    frames_to_input,
    reduce_frames,
)
from feature_extraction.mlad_networks import (
    NETWORKS,
    autoencoder_name,
    channels_of,
    generators,
    network_name,
    other_kind,
)
from feature_extraction.translation_graph import translation
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import Mlad
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

Pictures = dict[str, NDArray[np.float32]]


def load(artifacts: Artifacts) -> "MladDetector":
    """The detector with its trained networks."""
    return MladDetector(artifacts, load_model(artifacts))


class MladDetector(NetworkDetector):
    """Scores by the errors of predictions.

    Args:
        artifacts: The results.
        model: What was learnt.
    """

    settings: Mlad
    networks = NETWORKS

    @property
    def indicators(self) -> tuple[str, ...]:
        """Those of level 0, then those of each further one."""
        return generators(self.settings)

    @property
    def applied(self) -> tuple[str, ...]:
        """See `NetworkDetector.applied`."""
        return self.indicators

    @property
    def weights(self) -> dict[str, float]:
        """In each level the frame's error and alpha times that of the flow, as parts of 1."""
        total = 1 + self.settings.flow_weight
        pair = {"flow": self.settings.flow_weight / total, "frame": 1 / total}
        levels = self.settings.levels
        return {network_name(k, level): pair[k] for level in levels for k in NETWORKS}

    def combine(self, maps: Maps) -> Scores:
        """See `NetworkDetector.combine`: the largest of the weighted sums of the levels."""
        divided = self.relative(maps)
        weights = np.array([self.weights[kind] for kind in NETWORKS], np.float32)
        pairs = np.split(divided, len(self.settings.levels))
        sums = [np.tensordot(weights, pair, axes=1).astype(np.float32) for pair in pairs]
        return np.asarray(np.max(sums, axis=0))

    def counted(self, indicators: dict[str, float]) -> dict[str, float]:
        """See `NetworkDetector.counted`: those of the level with the largest sum."""
        levels = [
            {name: indicators[name] for name in (network_name(k, level) for k in NETWORKS)}
            for level in self.settings.levels
        ]
        return max(levels, key=lambda values: sum(values.values()))

    @cached_property
    def codes(self) -> dict[int, Codes]:
        """By further level, what makes its codes."""
        networks = self.model.networks
        levels = self.settings.levels[1:]
        found = {k: networks[autoencoder_name(k)] for k in NETWORKS if levels}
        return {level: Codes(level, found, device=self.device) for level in levels}

    def start_indicators(
        self, grid: RegionGrid, form: str, *, motion: bool = False, every: bool = False
    ) -> "PictureStream":
        """See `NetworkDetector.start_indicators`."""
        del form, every
        return PictureStream(self, grid, motion=motion)

    def finishing(self, grid: RegionGrid) -> EventFilter:
        """See `NetworkDetector.finishing`."""
        settings = self.settings
        return EventFilter(
            grid,
            smoothing_frames=settings.smoothing_frames,
            threshold=settings.event_threshold,
            least_lifespan=settings.least_lifespan,
            cap=2 * settings.event_threshold if settings.cap_events else None,
        )

    def pictures(
        self, sequence: SequenceInput, grid: RegionGrid, frames: list[int]
    ) -> dict[int, dict[str, Example]]:
        """See `NetworkDetector.pictures`."""
        wanted, shown = set(frames), {}
        for number, seen in enumerate(reduce_frames(sequence.steps(), grid, self.settings)):
            if number in wanted:
                shown[number] = to_examples(*self.predict(seen, levels=[0]))
        return shown

    def build(self, name: str, height: int, width: int) -> Function:
        """See `NetworkDetector.build`."""
        kind, _, level = name.partition("_")
        given = channels_of(other_kind(kind), int(level or 0), self.settings)
        shape = 1, given, height, width
        return translation(self.model.networks[name], shape, device=self.device)

    def predict(self, seen: Seen, levels: list[int] | None = None) -> tuple[Pictures, Pictures]:
        """What was seen, and what the networks predict.

        Args:
            seen: A reduced frame.
            levels: Which levels; by default all.

        Returns:
            Both by network: ``(channels, height, width)`` in [-1, 1]; above level 0, codes.
        """
        height, width = seen.frame.shape[:2]
        multiple = self.settings.side_multiple
        after = [(0, 0), *((0, -side % multiple) for side in (height, width))]
        limit_px = self.model.described["flow_limit_px"]
        target = {
            "frame": frames_to_input(seen.frame[None])[:, 0],
            "flow": flow_to_input(seen.flow, limit_px),
        }
        padded = {kind: np.pad(picture, after, "edge")[None] for kind, picture in target.items()}
        functions = self.functions(*padded["frame"].shape[2:])
        made: Pictures = {}
        for level in self.settings.levels if levels is None else levels:
            whole = padded
            if level:
                whole = {kind: self.codes[level].of(kind, padded[kind]) for kind in NETWORKS}
            for kind in NETWORKS:
                name = network_name(kind, level)
                made[name] = functions[name](whole[other_kind(kind)])[0, :, :height, :width]
                target[name] = whole[kind][0, :, :height, :width]
        return target, made


DETECTOR = MladDetector


class PictureStream:
    """Indicators of frames, one after the other.

    Args:
        detector: With its networks.
        grid: Regions and cells of the frames.
        motion: As in `NetworkDetector.start_indicators`.
    """

    def __init__(self, detector: MladDetector, grid: RegionGrid, *, motion: bool) -> None:
        self._detector, self._grid, self._motion = detector, grid, motion
        self._reducer = Reducer(grid, detector.settings)

    def push(self, rgb: NDArray[np.uint8]) -> Maps:
        """See `IndicatorStream.push`."""
        return self._maps(self._reducer.push(rgb))

    def finish(self) -> Maps:
        """See `IndicatorStream.finish`."""
        return self._maps(self._reducer.finish())

    def _maps(self, seen: list[Seen]) -> Maps:
        count = len(self._detector.indicators)
        rows = count + (MOTION if self._motion else 0)
        maps = np.zeros((rows, len(seen), *self._grid.cells), np.float32)
        for i, one in enumerate(seen):
            target, made = self._detector.predict(one)
            maps[:count, i] = self._errors(one, target, made)
            if self._motion:
                limit_px = self._detector.model.described["flow_limit_px"]
                flows = [of["flow"][:2, None] * limit_px for of in (target, made)]
                maps[count:, i] = flows_to_cells(flows[0], flows[1], self._grid)[:, 0]
        return maps

    def _errors(self, seen: Seen, target: Pictures, made: Pictures) -> NDArray[np.float32]:
        """Absolute errors of all predictions in cells; pixels where nothing moves have none."""
        settings = self._detector.settings
        names = self._detector.indicators
        errors = np.stack([np.abs(made[n] - target[n]).mean(axis=0) for n in names])
        speed = np.sqrt((seen.flow.astype(np.float32) ** 2).sum(axis=0))
        errors = np.where(speed > settings.still_px_per_frame, errors, np.float32(0))
        return pixels_to_cells(block_means(errors, settings.block_px), self._grid)
