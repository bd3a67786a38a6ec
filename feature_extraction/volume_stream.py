"""Frames that come one by one, handed to extractors as the volumes of time steps."""

from collections import deque
from collections.abc import Collection

from feature_extraction.extractor import Extractor
from feature_extraction.frame import Frame


class VolumeStream:
    """Frames as they come, in volumes for extractors: the same for a sequence and a live stream.

    Args:
        frames_per_volume: T.
        frame_stride: Frames from one time step to the next.
        extractors: The extractors.
    """

    def __init__(
        self, extractors: Collection[Extractor], *, frames_per_volume: int, frame_stride: int
    ) -> None:
        self._extractors = extractors
        self._length = frames_per_volume
        self._stride = frame_stride
        self._window: deque[Frame] = deque(maxlen=frames_per_volume)
        self._count = 0
        self.first_frames: list[int] = []

    def add_frame(self, frame: Frame) -> None:
        """Show the next frame to all extractors, and its volumes where a time step ends with it."""
        self._window.append(frame)
        self._count += 1
        for extractor in self._extractors:
            extractor.add_frame(frame)
        first = self._count - self._length
        if first >= 0 and first % self._stride == 0:
            self._add_volumes(first)

    def end(self) -> None:
        """After the last frame: show the volumes that end with it, and finish all."""
        first = self._count - self._length
        if first >= 0 and first % self._stride:
            self._add_volumes(first)
        for extractor in self._extractors:
            extractor.flush()

    def _add_volumes(self, first: int) -> None:
        self.first_frames.append(first)
        for extractor in self._extractors:
            extractor.add_volumes(self._window)
