"""The detector MLAD: what conditional GANs of normal video cannot predict.

After Vu et al., *Robust Anomaly Detection in Videos Using Multilevel Representations*, AAAI 2019;
level 0, its two generators on pixels. One predicts the optical flow from the frame, the other the
frame from the flow. The indicators are the absolute errors of both, in blocks, where something
moves. Scores are smoothed over time, and short events are dropped.

What differs from the paper: the flow is OpenCV's DIS and leads to the frame, not away from it;
errors are divided by what held-out training video reaches, not by the maximum of the test video.
"""

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.error_cells import block_means, flows_to_cells, pixels_to_cells
from anomaly_detection.detectors.event_filter import EventFilter
from anomaly_detection.detectors.trained import MOTION, Function, Maps, NetworkDetector, load_model
from anomaly_detection.training.tasks import Example, to_examples
from feature_extraction.footage import (
    FLOW_CHANNELS,
    Reducer,
    Seen,
    flow_to_input,
    frames_to_input,
    reduce_frames,
)
from feature_extraction.translation_graph import translation
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import Mlad
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

Pictures = dict[str, NDArray[np.float32]]
NETWORKS = "flow", "frame"
"""What each network predicts; the other one is its input."""


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
    indicators = networks = NETWORKS

    @property
    def weights(self) -> dict[str, float]:
        """The frame's error and alpha times that of the flow, as parts of 1."""
        total = 1 + self.settings.flow_weight
        return {"flow": self.settings.flow_weight / total, "frame": 1 / total}

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
                shown[number] = to_examples(*self.predict(seen))
        return shown

    def build(self, name: str, height: int, width: int) -> Function:
        """See `NetworkDetector.build`."""
        given = self.settings.frame_channels if name == "flow" else FLOW_CHANNELS
        shape = 1, given, height, width
        return translation(self.model.networks[name], shape, device=self.device)

    def predict(self, seen: Seen) -> tuple[Pictures, Pictures]:
        """What was seen, and what the networks predict.

        Returns:
            Both by network: ``(channels, height, width)`` in [-1, 1].
        """
        height, width = seen.frame.shape[:2]
        multiple = self.settings.side_multiple
        after = [(0, 0), *((0, -side % multiple) for side in (height, width))]
        limit_px = self.model.described["flow_limit_px"]
        target = {
            "frame": frames_to_input(seen.frame[None])[:, 0],
            "flow": flow_to_input(seen.flow, limit_px),
        }
        padded = {name: np.pad(picture, after, "edge") for name, picture in target.items()}
        functions = self.functions(*padded["frame"].shape[1:])
        other = {"frame": "flow", "flow": "frame"}
        made = {n: functions[n](padded[other[n]][None])[0, :, :height, :width] for n in NETWORKS}
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
        rows = len(NETWORKS) + (MOTION if self._motion else 0)
        maps = np.zeros((rows, len(seen), *self._grid.cells), np.float32)
        for i, one in enumerate(seen):
            target, made = self._detector.predict(one)
            maps[: len(NETWORKS), i] = self._errors(one, target, made)
            if self._motion:
                limit_px = self._detector.model.described["flow_limit_px"]
                flows = [of["flow"][:2, None] * limit_px for of in (target, made)]
                maps[len(NETWORKS) :, i] = flows_to_cells(flows[0], flows[1], self._grid)[:, 0]
        return maps

    def _errors(self, seen: Seen, target: Pictures, made: Pictures) -> NDArray[np.float32]:
        """Absolute errors of both predictions in cells; pixels where nothing moves have none."""
        settings = self._detector.settings
        errors = np.stack([np.abs(made[n] - target[n]).mean(axis=0) for n in NETWORKS])
        speed = np.sqrt((seen.flow.astype(np.float32) ** 2).sum(axis=0))
        errors = np.where(speed > settings.still_px_per_frame, errors, np.float32(0))
        return pixels_to_cells(block_means(errors, settings.block_px), self._grid)
