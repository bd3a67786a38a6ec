"""Frames without a gap, from the first one after a start, a gap or a fault, and their scores."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Detector
from anomaly_detection.detectors.frame_stream import start_frame_stream
from anomaly_detection.watching.pictures import Picture
from vadloc.artifacts import Artifacts
from vadloc.sequence_input import SequenceInput


class Scored(NamedTuple):
    """A frame with its scores ``(cell rows, cell columns)``."""

    picture: Picture
    scores: NDArray[np.float32]


class Segment:
    """Scores frames that follow each other without a gap; a context manager.

    Args:
        artifacts: The results.
        first: The first frame.
        detector: The detector of the version.
        device: Where networks run.

    Attributes:
        offset: Number in the source of the first frame.
    """

    def __init__(
        self, artifacts: Artifacts, first: Picture, *, detector: Detector, device: str
    ) -> None:
        regions = artifacts.config.regions
        self.length = regions.frames_per_volume
        self.offset = first.number
        self._name = artifacts.config.dataset.name
        self._waiting: deque[Picture] = deque()
        self._pushed = 0
        self._recent: tuple[int, SequenceInput | None] | None = None
        height, width = first.grey.shape
        kept = 5 * self.length // regions.frame_stride + 5
        self._stream = start_frame_stream(
            artifacts, height, width, device=device, detector=detector, kept_steps=kept
        )

    def __enter__(self) -> Self:
        self._stream.__enter__()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stream.__exit__(None, None, None)

    def push(self, picture: Picture) -> Iterator[Scored]:
        """Take the next frame; those whose scores have become final.

        Networks compute in batches. They are not waited for at each frame, but often enough that
        few frames wait for their scores.
        """
        self._waiting.append(picture)
        self._pushed += 1
        wait = self._pushed % self.length == 0
        return self._scored(self._stream.push(picture.grey, picture.rgb, wait=wait))

    def finish(self) -> Iterator[Scored]:
        """All remaining frames. Fewer than those of one volume have no scores."""
        scores = self._stream.finish()
        self._recent = None
        yield from self._scored(scores)
        self._waiting.clear()

    def recent(self) -> SequenceInput | None:
        """The features of the last time steps; frames are counted from ``offset``."""
        if self._recent is None or self._recent[0] != self._pushed:
            self._recent = self._pushed, self._stream.recent(self._name)
        return self._recent[1]

    def _scored(self, scores: NDArray[np.float32]) -> Iterator[Scored]:
        for of_frame in scores:
            yield Scored(self._waiting.popleft(), of_frame)
