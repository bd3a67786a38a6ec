"""Passes frames, one by one, to extractors, and groups them into time steps."""

from collections import deque
from collections.abc import Collection

from feature_extraction.extractor import Extractor
from feature_extraction.frame import Frame


class VolumeStream:
    """Passes the frames and volumes of a sequence or a live stream to extractors.

    The caller takes the finished time steps from the extractors.

    Args:
        extractors: The extractors.
        frames_per_volume: T.
        frame_stride: Number of frames from one time step to the next.
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
        """Pass the next frame to all extractors, and the time step that ends with it, if any.

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
        """End a sequence: add a time step that ends with the last frame, and finish all.

        Returns:
            The first frame, 0-based, of the added time step; ``None`` if a time step ended with
            the last frame already, or if there are fewer than T frames.
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
