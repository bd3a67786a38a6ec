"""The detector of the pseudo-anomaly paper: what autoencoders of normal video cannot reconstruct.

After Rai et al., *Video Anomaly Detection via Spatio-Temporal Pseudo-Anomaly Generation: A Unified
Approach*. One autoencoder reconstructs frames, another one optical flow; both were trained not to
reconstruct pseudo-anomalies. A discriminator says of the appearance features of regions whether
they have a pseudo-anomaly. The indicators are the squared errors of both autoencoders, and the
discriminator's probability.

The paper scores whole frames (equations 1 to 4 of its supplement, ``form = "published"``). By
default errors are averaged over blocks instead, so that cells have scores of their own.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Scores
from anomaly_detection.detectors.error_cells import (
    block_means,
    flows_to_cells,
    frames_to_cells,
    pixels_to_cells,
)
from anomaly_detection.detectors.trained import (
    MOTION,
    Finishing,
    Function,
    Maps,
    NetworkDetector,
    load_model,
)
from anomaly_detection.training.tasks import Example, to_examples
from feature_extraction.appearance.frame_features import FrameAppearance
from feature_extraction.autoencoder3d_graph import autoencoder
from feature_extraction.discriminator_function import probabilities
from feature_extraction.footage import (
    FLOW_CHANNELS,
    Reducer,
    Seen,
    extend,
    flow_to_input,
    frames_to_input,
    reduce_frames,
)
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import PUBLISHED_WEIGHTS, PseudoAnomalies
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

NETWORKS = "appearance", "motion"
SEMANTIC = "semantic"
"""The indicator of the discriminator."""
DISCRIMINATOR = "discriminator"
PEAK_SQUARED = 4.0
"""Square of the largest difference of pixels in [-1, 1]; M squared in equation 1."""


def load(artifacts: Artifacts) -> "PseudoAnomalyDetector":
    """The detector with its trained networks."""
    return PseudoAnomalyDetector(artifacts, load_model(artifacts))


class PseudoAnomalyDetector(NetworkDetector):
    """Scores by reconstruction errors, and by what the discriminator says of regions.

    Args:
        artifacts: The results.
        model: What was learnt.
    """

    forms = "maps", "published"
    networks = NETWORKS
    settings: PseudoAnomalies

    @property
    def indicators(self) -> tuple[str, ...]:
        """Errors of both autoencoders, and the discriminator's probability if there is one."""
        return (*NETWORKS, SEMANTIC) if self.settings.discriminator else NETWORKS

    @property
    def localizes(self) -> bool:
        """See `NetworkDetector.localizes`."""
        return self.settings.form == "maps"

    @property
    def form(self) -> str:
        """See `NetworkDetector.form`."""
        return self.settings.form

    @property
    def weights(self) -> dict[str, float]:
        """The eta of equation 4: those of a dataset, equal ones, or those of the errors."""
        named = self.settings.weights
        if named == "equal":
            return dict.fromkeys(self.indicators, 1 / len(self.indicators))
        errors = 1 / len(NETWORKS), 1 / len(NETWORKS), 0.0
        weights = errors if named == "errors" else PUBLISHED_WEIGHTS[named]
        return dict(zip(self.indicators, weights, strict=False))

    def start_indicators(
        self, grid: RegionGrid, form: str, *, motion: bool = False, every: bool = False
    ) -> "ClipStream":
        """See `NetworkDetector.start_indicators`."""
        semantics = None
        if self.settings.discriminator and (every or self.weights[SEMANTIC]):
            semantics = Semantics(self, grid, form)
        return ClipStream(self, grid, form, motion=motion, semantics=semantics)

    def combine(self, maps: Maps) -> Scores:
        """See `NetworkDetector.combine`; with min-max, `VideoMinMax` makes the scores later."""
        if self.settings.normalise == "train":
            return super().combine(maps)
        return np.asarray(np.moveaxis(maps[:, :, 0, 0], 0, -1)[:, None], np.float32)

    def finishing(self, grid: RegionGrid) -> Finishing:
        """See `NetworkDetector.finishing`."""
        if self.settings.normalise == "train":
            return Finishing()
        return VideoMinMax(grid, list(self.weights.values()))

    def build(self, name: str, height: int, width: int) -> Function:
        """See `NetworkDetector.build`."""
        channels = self.settings.frame_channels if name == "appearance" else FLOW_CHANNELS
        shape = 1, channels, self.settings.clip_frames, height, width
        return autoencoder(self.model.networks[name], shape, device=self.device)

    def pictures(
        self, sequence: SequenceInput, grid: RegionGrid, frames: list[int]
    ) -> dict[int, dict[str, Example]]:
        """See `NetworkDetector.pictures`: the middle of a clip, nearer to its ends at both ends."""
        length = self.settings.clip_frames
        firsts = {f: min(max(0, f - length // 2), sequence.frame_count - length) for f in frames}
        waiting = deque((frame, max(0, first)) for frame, first in firsts.items())
        clip: deque[Seen] = deque(maxlen=length)
        shown = {}
        for number, seen in enumerate(reduce_frames(sequence.steps(), grid, self.settings)):
            clip.append(seen)
            is_last = number + 1 == sequence.frame_count
            while waiting and (number + 1 >= waiting[0][1] + length or is_last):
                frame, first = waiting.popleft()
                index = extend(len(clip), length)
                pair = self.reconstruct([clip[i] for i in index])
                given, made = ({n: c[:, frame - first] for n, c in of.items()} for of in pair)
                shown[frame] = to_examples(given, made)
        return shown

    def reconstruct(
        self, seen: list[Seen]
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
        """Input and output of both networks for a clip.

        Args:
            seen: ``clip_frames`` frames.

        Returns:
            Both by network: ``(channels, t, height, width)`` in [-1, 1].
        """
        height, width = seen[0].frame.shape[:2]
        after = [(0, -side % self.settings.side_multiple) for side in (height, width)]
        flow = flow_to_input(
            np.stack([one.flow for one in seen]), self.model.described["flow_limit_px"]
        )
        given = {
            "appearance": frames_to_input(np.stack([one.frame for one in seen])),
            "motion": np.ascontiguousarray(flow.swapaxes(0, 1)),
        }
        padded = {n: np.pad(clip, [(0, 0), (0, 0), *after], "edge") for n, clip in given.items()}
        functions = self.functions(*padded["motion"].shape[2:])
        made = {n: functions[n](clip[None])[0, ..., :height, :width] for n, clip in padded.items()}
        return given, made


DETECTOR = PseudoAnomalyDetector


class ClipStream:
    """Indicators of frames: the mean of the errors in all clips that hold a frame.

    Clips begin every ``clip_stride`` frames; the last one ends with the sequence. A sequence that
    is shorter than a clip runs backwards at its end.

    Args:
        detector: With its networks.
        grid: Regions and cells of the frames.
        form: ``maps`` or ``published``.
        motion: As in `NetworkDetector.start_indicators`.
        semantics: The discriminator, where it counts.
    """

    def __init__(
        self,
        detector: PseudoAnomalyDetector,
        grid: RegionGrid,
        form: str,
        *,
        motion: bool,
        semantics: "Semantics | None",
    ) -> None:
        self._detector, self._grid, self._form = detector, grid, form
        self._reducer = Reducer(grid, detector.settings)
        self._length, self._stride = detector.settings.clip_frames, detector.settings.clip_stride
        self._seen: list[Seen] = []
        self._end = 0  # frames that have come
        self._next = 0  # first frame of the next clip
        self._final = 0  # frames whose maps were returned
        self._motion = motion
        self._semantics = semantics
        self._rows = len(NETWORKS) + (MOTION if motion else 0)
        self._sums = np.zeros((self._rows, 0, *grid.cells), np.float64)
        self._counts = np.zeros(0, np.int64)

    def push(self, rgb: NDArray[np.uint8]) -> Maps:
        """See `IndicatorStream.push`."""
        if self._semantics:
            self._semantics.push(rgb)
        self._take(self._reducer.push(rgb))
        while self._end >= self._next + self._length:
            self._add_clip(self._next)
            self._next += self._stride
        return self._finished(max(self._final, self._next))

    def finish(self) -> Maps:
        """See `IndicatorStream.finish`."""
        self._take(self._reducer.finish())
        covered = self._next - self._stride + self._length if self._next else 0
        if self._end > covered:
            self._add_clip(max(0, self._end - self._length))
        return self._finished(self._end)

    def _take(self, seen: list[Seen]) -> None:
        self._seen = (self._seen + seen)[-2 * self._length :]
        self._end += len(seen)
        more = np.zeros((self._rows, len(seen), *self._grid.cells))
        self._sums = np.concatenate([self._sums, more], axis=1)
        self._counts = np.concatenate([self._counts, np.zeros(len(seen), np.int64)])

    def _add_clip(self, first: int) -> None:
        """Add the errors of the clip that begins with a frame, where they are not final yet."""
        start = first - (self._end - len(self._seen))
        clip = self._seen[start : start + self._length]
        index = extend(len(clip), self._length)
        given, made = self._detector.reconstruct([clip[i] for i in index])
        new = slice(max(0, self._final - first), len(clip))
        rows = slice(max(first, self._final) - self._final, first + len(clip) - self._final)
        for number, name in enumerate(NETWORKS):
            errors = ((made[name] - given[name]) ** 2).mean(axis=0)
            self._sums[number, rows] += self._cells(errors[new])
        if self._motion:
            limit_px = self._detector.model.described["flow_limit_px"]
            flows = [clip["motion"][:2, new] * limit_px for clip in (given, made)]
            self._sums[len(NETWORKS) :, rows] += flows_to_cells(flows[0], flows[1], self._grid)
        self._counts[rows] += 1

    def _cells(self, errors: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._form == "published":
            return frames_to_cells(errors, self._grid)
        block_px = self._detector.settings.block_px
        return pixels_to_cells(block_means(errors, block_px), self._grid)

    def _finished(self, end: int) -> Maps:
        """The maps of the frames before ``end`` that were not returned yet."""
        count = end - self._final
        maps = self._sums[:, :count] / np.maximum(self._counts[:count], 1).reshape(1, -1, 1, 1)
        self._sums, self._counts = self._sums[:, count:], self._counts[count:]
        self._final = end
        if self._detector.settings.discriminator:
            of_frames = (count, *self._grid.cells)
            third = self._semantics.take(count) if self._semantics else np.zeros(of_frames)
            errors, motion = np.split(maps, [len(NETWORKS)])
            maps = np.concatenate([errors, third[None], motion])
        return maps.astype(np.float32)


class Semantics:
    """omega_3: the probability that a frame has a pseudo-anomaly, region by region.

    The paper asks the discriminator about the features of whole frames. Here the features are those
    of regions: a cell has the mean of the regions that cover it, and in the published form the
    frame has the highest of its regions.

    Args:
        detector: With the discriminator.
        grid: Regions and cells of the frames.
        form: ``maps`` or ``published``.
    """

    def __init__(self, detector: PseudoAnomalyDetector, grid: RegionGrid, form: str) -> None:
        config = detector.artifacts.config
        self._appearance = FrameAppearance(config, grid, device=detector.device)
        self._weights = detector.model.networks[DISCRIMINATOR]
        self._grid, self._form = grid, form
        self._stride = detector.settings.discriminator_stride
        self._seen = 0
        self._latest = np.zeros(grid.cells, np.float32)
        self._waiting: deque[NDArray[np.float32]] = deque()

    def push(self, rgb: NDArray[np.uint8]) -> None:
        """Take a frame; those between two that are looked at are like the one before them."""
        if self._seen % self._stride == 0:
            features = self._appearance.push(rgb).astype(np.float32)
            self._latest = self._to_cells(probabilities(self._weights, features))
        self._waiting.append(self._latest)
        self._seen += 1

    def _to_cells(self, of_regions: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._form == "published":
            return np.full(self._grid.cells, of_regions.max(), np.float32)
        over = self._grid.spread(of_regions.reshape(self._grid.regions))
        return np.asarray(np.nanmean(over, axis=0), np.float32)

    def take(self, count: int) -> NDArray[np.float32]:
        """The maps of the next frames, ``(count, cell rows, cell columns)``."""
        maps = [self._waiting.popleft() for _ in range(count)]
        return np.array(maps, np.float32).reshape(count, *self._grid.cells)


class VideoMinMax(Finishing):
    """Equations 2 and 4 with smallest and largest value of the test video, as published.

    It needs the end of the video, and the video then has a frame of the highest score, whatever
    happens in it. The flow error, which equation 3 calls normalised, is treated alike; the
    discriminator's probability is taken as it is.

    Args:
        grid: Cells of the frames.
        weights: Weights of appearance, motion and, if there is a discriminator, semantics.
    """

    def __init__(self, grid: RegionGrid, weights: list[float]) -> None:
        self._grid, self._weights = grid, weights
        self._errors: list[NDArray[np.float32]] = []

    def push(self, scores: Scores) -> Scores:
        """Take the errors of frames, ``(frames, 1, indicators)``."""
        self._errors.append(scores[:, 0])
        return np.zeros((0, *self._grid.cells), np.float32)

    def finish(self) -> Scores:
        """The scores of all frames."""
        scores = errors_to_published(np.concatenate(self._errors), self._weights)
        return np.broadcast_to(scores[:, None, None], (len(scores), *self._grid.cells)).copy()


def errors_to_published(errors: NDArray[np.float32], weights: list[float]) -> NDArray[np.float32]:
    """The aggregate of equation 4 of one video.

    Args:
        errors: ``(frames, 2)``: mean squared error of frame and of flow, in [-1, 1]; or
            ``(frames, 3)``, with the probability of the discriminator.
        weights: Weights of all.

    Returns:
        ``(frames,)``.
    """
    of_frame, of_flow, *semantic = errors.astype(np.float64).T
    psnr = 10 * np.log10(PEAK_SQUARED / np.maximum(of_frame, 1e-12))
    indicators = [_min_max(-psnr), _min_max(of_flow), *semantic]  # 1 - minmax(P) is minmax(-P)
    total = sum(weight * of for weight, of in zip(weights, indicators, strict=True))
    return np.asarray(total, np.float32)


def _min_max(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
