"""Scores of a version frame by frame, from the frames alone: what a live camera needs.

Frames become features, features become time steps of volumes, and the detector's stream turns these
into scores. Joined in order, the scores are the same, to the byte, as those that the stages store
for the same frames.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors import load_detector
from anomaly_detection.detectors.combined import CombinedDetector, add_scores
from anomaly_detection.detectors.detector import Detector, Scores
from feature_extraction.extractor import TimeStep
from feature_extraction.frame import Frame
from feature_extraction.registry import kind_of, make_extractors
from feature_extraction.time_steps import LatestFeatures
from feature_extraction.volume_stream import VolumeStream
from feature_extraction.workers import Workers
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError
from vadloc.features import (
    FusedFeatures,
    SequenceFeatures,
    VolumeFeatures,
    join_components,
    moving_volumes,
)
from vadloc.process import thread_count
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput
from vadloc.versions import VERSIONS, extractors_of
from vadloc.video.camera_motion import STILL, CameraMotion, Shift


class FrameStream:
    """Scores the frames of one sequence or camera as they come in; a context manager.

    Args:
        artifacts: The results, with what was learnt from training sequences.
        height_px: Frame height.
        width_px: Frame width.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.
        detector: The detector of the version, if it was loaded already.
        kept_steps: Number of time steps whose features `recent` gives.

    Attributes:
        shift: The shift of the camera at the last frame.

    Raises:
        VadlocError: What was learnt is missing, or is of frames of another size.
    """

    def __init__(
        self,
        artifacts: Artifacts,
        height_px: int,
        width_px: int,
        *,
        device: str = "auto",
        detector: Detector | None = None,
        kept_steps: int = 0,
    ) -> None:
        regions = artifacts.config.regions
        self._grid = RegionGrid(height_px, width_px, regions.size_px, regions.stride_px)
        self._scores = (detector or load_detector(artifacts)).start_stream(self._grid)
        self._camera = CameraMotion(undo=artifacts.config.camera.undo_shake)
        self.shift = STILL
        self._kept: deque[Any] = deque(maxlen=kept_steps)
        self._open = ExitStack()
        self._features = None
        if artifacts.reads == "features":
            workers = self._open.enter_context(Workers(thread_count()))
            self._features = _FeatureStream(artifacts, self._grid, workers, device)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def push(
        self, grey: NDArray[np.uint8], rgb: NDArray[np.uint8], *, wait: bool = False
    ) -> Scores:
        """Take the next frame.

        Args:
            grey: ``(height, width)`` as `vadloc.video.frames` reads it. For a video it is the luma,
                which is not computed from ``rgb``.
            rgb: The same frame in colour, ``(height, width, 3)``.
            wait: Finish all features that can be finished, instead of waiting for a full batch.

        Returns:
            Scores ``(n, cell rows, cell columns)`` of the frames that have become final with this
            frame, in order; n is 0 at most calls.

        Raises:
            VadlocError: The frame is of another size.
        """
        if grey.shape != (self._grid.height_px, self._grid.width_px):
            raise VadlocError(
                f"a frame of {grey.shape[1]} x {grey.shape[0]} px came, the stream began with "
                f"{self._grid.width_px} x {self._grid.height_px}"
            )
        self.shift = self._camera.follow(grey)
        if self._features is None:
            return self._scores.push(self.shift.undo(rgb))
        frame = Frame.seen(grey, rgb, self._grid, self.shift)
        return self._push_steps(self._features.push(frame, wait=wait))

    def finish(self) -> Scores:
        """The scores of all remaining frames; the last call of a stream."""
        steps = [] if self._features is None else self._features.finish()
        return np.concatenate([self._push_steps(steps), self._scores.finish()])

    def recent(self, sequence: str) -> SequenceInput | None:
        """The features of the last time steps that were scored, for explanations.

        Args:
            sequence: The name that they get.

        Returns:
            As the detector reads them; ``None`` if it reads frames, or if none are kept yet. Frames
            are counted from the first one of the stream.
        """
        if self._features is None or not self._kept:
            return None
        return self._features.joined(list(self._kept), sequence)

    def _push_steps(self, steps: list[Any]) -> Scores:
        self._kept.extend(steps)
        finished = [self._scores.push(step) for step in steps]
        return np.concatenate([np.empty((0, *self._grid.cells), np.float32), *finished])


class CombinedStream:
    """Scores frames with a combined version: its members score them side by side.

    Args:
        detector: The detector of the version.
        streams: The stream of each member.
    """

    def __init__(self, detector: CombinedDetector, streams: Sequence[FrameStream]) -> None:
        self._divisors, self._streams = detector.divisors, streams
        self._waiting: list[Scores] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for stream in self._streams:
            self._open.enter_context(stream)
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.close()

    @property
    def shift(self) -> Shift:
        """The shift of the camera at the last frame."""
        return self._streams[0].shift

    def push(
        self, grey: NDArray[np.uint8], rgb: NDArray[np.uint8], *, wait: bool = False
    ) -> Scores:
        """See `FrameStream.push`."""
        return self._combine([stream.push(grey, rgb, wait=wait) for stream in self._streams])

    def finish(self) -> Scores:
        """See `FrameStream.finish`."""
        return self._combine([stream.finish() for stream in self._streams])

    def recent(self, sequence: str) -> SequenceInput | None:
        """``None``: explanations of a combined version need the scores of whole sequences."""
        del sequence
        return None

    def _combine(self, new: list[Scores]) -> Scores:
        """Scores of the frames that are final for all members."""
        if self._waiting:
            pairs = zip(self._waiting, new, strict=True)
            new = [np.concatenate(pair) for pair in pairs]
        count = min(len(scores) for scores in new)
        self._waiting = [scores[count:] for scores in new]
        return add_scores([scores[:count] for scores in new], self._divisors)


def start_frame_stream(
    artifacts: Artifacts,
    height_px: int,
    width_px: int,
    *,
    detector: Detector,
    device: str = "auto",
    kept_steps: int = 0,
) -> FrameStream | CombinedStream:
    """A stream of any version; see `FrameStream`."""
    if not isinstance(detector, CombinedDetector):
        return FrameStream(
            artifacts,
            height_px,
            width_px,
            device=device,
            detector=detector,
            kept_steps=kept_steps,
        )
    pairs = zip(artifacts.members, detector.detectors, strict=True)
    streams = [
        FrameStream(member, height_px, width_px, device=device, detector=of_member)
        for member, of_member in pairs
    ]
    return CombinedStream(detector, streams)


class _FeatureStream:
    """Makes the features of the volumes of each time step, as the version's detector reads them.

    Args:
        artifacts: The config, the version, and what its extractors have learnt.
        grid: The regions of the frames.
        workers: Threads that the extractors share.
        device: Where networks run.
    """

    def __init__(
        self, artifacts: Artifacts, grid: RegionGrid, workers: Workers, device: str
    ) -> None:
        regions = artifacts.config.regions
        names = extractors_of(artifacts.version)
        learnt = {name: artifacts.learnt(name).load() for name in names if kind_of(name).learn}
        self._artifacts, self._grid = artifacts, grid
        self._widths: tuple[dict[str, int], ...] = ()
        self._extractors = make_extractors(
            names, artifacts.config, grid, workers=workers, device=device, learnt=learnt
        )
        self._volumes = VolumeStream(
            self._extractors.values(),
            frames_per_volume=regions.frames_per_volume,
            frame_stride=regions.frame_stride,
        )
        self._latest = {name: LatestFeatures() for name in names}
        self._steps: dict[str, deque[TimeStep]] = {name: deque() for name in names}
        self._first_frames: deque[int] = deque()

    def push(self, frame: Frame, *, wait: bool) -> list[Any]:
        """Take a frame; the time steps that all extractors have finished since the last call."""
        self._expect(self._volumes.add_frame(frame))
        if wait:
            for extractor in self._extractors.values():
                extractor.flush()
        return self._finished()

    def finish(self) -> list[Any]:
        """All time steps that are left."""
        self._expect(self._volumes.end())
        return self._finished()

    def _expect(self, first_frame: int | None) -> None:
        if first_frame is not None:
            self._first_frames.append(first_frame)

    def _finished(self) -> list[Any]:
        for name, extractor in self._extractors.items():
            self._steps[name].extend(extractor.take())
        count = min(len(steps) for steps in self._steps.values())
        return [self._next() for _ in range(count)]

    def _next(self) -> Any:
        """The next time step: its volumes, or for a version of parts those of each part."""
        for name, latest in self._latest.items():
            latest.update(self._steps[name].popleft())
        first = self._first_frames.popleft()
        made = [_volumes(part, first, self._latest) for part in self._artifacts.parts]
        self._widths = tuple(widths for _, widths in made)
        parts = tuple(volumes for volumes, _ in made)
        return parts if self._has_parts else parts[0]

    @property
    def _has_parts(self) -> bool:
        return bool(VERSIONS[self._artifacts.version].parts)

    def joined(self, steps: list[Any], sequence: str) -> SequenceInput:
        """Time steps as the features of a sequence, for each part of the version."""
        by_part = list(zip(*steps, strict=True)) if self._has_parts else [steps]
        parts = tuple(
            self._joined(volumes, widths, sequence)
            for volumes, widths in zip(by_part, self._widths, strict=True)
        )
        return FusedFeatures.of(parts) if self._has_parts else parts[0]

    def _joined(
        self, steps: Sequence[VolumeFeatures], widths: dict[str, int], sequence: str
    ) -> SequenceFeatures:
        length = self._artifacts.config.regions.frames_per_volume
        names = steps[0].descriptors
        return SequenceFeatures(
            sequence=sequence,
            frame_count=steps[-1].first_frame + length,
            height_px=self._grid.height_px,
            width_px=self._grid.width_px,
            first_frame=np.array([step.first_frame for step in steps]),
            components=tuple(widths),
            widths=tuple(widths.values()),
            values=np.stack([step.values for step in steps]),
            descriptors={name: np.stack([s.descriptors[name] for s in steps]) for name in names},
        )


def _volumes(
    artifacts: Artifacts, first_frame: int, latest: Mapping[str, LatestFeatures]
) -> tuple[VolumeFeatures, dict[str, int]]:
    """The volumes of a time step with the components of one version, and their columns."""
    components: dict[str, NDArray[np.floating]] = {}
    descriptors: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name in extractors_of(artifacts.version):
        components.update(latest[name].components)
        descriptors[name] = {
            key: rows.astype(np.float32, copy=False)
            for key, rows in latest[name].descriptors.items()
        }
    widths = {name: components[name].shape[1] for name in artifacts.components}
    values, columns = join_components(
        widths,
        components.__getitem__,
        moving_volumes(descriptors),
        shape=(len(next(iter(components.values()))),),
        rule=artifacts.config.distance.stationary,
    )
    described = {key: rows for of in descriptors.values() for key, rows in of.items()}
    return VolumeFeatures(first_frame, values, described), columns
