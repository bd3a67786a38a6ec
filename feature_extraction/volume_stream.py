"""Frames that come one by one, handed to extractors as the volumes of time steps."""

from collections import deque
from collections.abc import Collection

from feature_extraction.extractor import Extractor
from feature_extraction.frame import Frame


class VolumeStream:
    """Hands frames and volumes to extractors, of a sequence as of a live stream.

    Whoever uses it takes the finished time steps from the extractors.

    Args:
        extractors: The extractors.
        frames_per_volume: T.
        frame_stride: Frames from one time step to the next.
    """

    def __init__(
        self, extractors: Collection[Extractor], *, frames_per_volume: int, frame_stride: int
    ) -> None:
        self._extractors = extractors
        self._length = frames_per_volume
        self._stride = frame_stride
        self._window: deque[Frame] = deque(maxlen=frames_per_volume)
        self._count = 0

    def add_frame(self, frame: Frame) -> int | None:
        """Show the next frame to all extractors, and the volumes of the time step that it ends.

        Returns:
            The first frame, 0-based, of that time step; ``None`` if the frame ends none.
        """
        self._window.append(frame)
        self._count += 1
        for extractor in self._extractors:
            extractor.add_frame(frame)
        first = self._count - self._length
        if first < 0 or first % self._stride:
            return None
        return self._add_volumes(first)

    def end(self) -> int | None:
        """After the last frame of a sequence: make it end a time step, and finish all time steps.

        Returns:
            The first frame, 0-based, of the added time step; ``None`` if the last frame ended one
            already, or if there are fewer than T frames.
        """
        first = self._count - self._length
        added = self._add_volumes(first) if first > 0 and first % self._stride else None
        for extractor in self._extractors:
            extractor.flush()
        return added

    def _add_volumes(self, first: int) -> int:
        for extractor in self._extractors:
            extractor.add_volumes(self._window)
        return first
