"""Drops short events from score maps, as MLAD does.

An event is a connected component of cells whose score is at least a threshold: 26 neighbours in
time and space. Events that last fewer frames than a lifespan are set to 0.
"""

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Scores
from anomaly_detection.detectors.trained import Finishing
from anomaly_detection.explanation.detections import neighbour_structure
from vadloc.regions import RegionGrid


def drop_short_events(scores: Scores, *, threshold: float, least_lifespan: int) -> Scores:
    """Scores without the events that are too short.

    Args:
        scores: ``(frames, cell rows, cell columns)``.
        threshold: Least score of the cells of an event (beta).
        least_lifespan: Events of fewer frames are dropped.
    """
    from scipy import ndimage

    components, count = ndimage.label(scores >= threshold, neighbour_structure(8))
    if not count:
        return scores
    spans = [part[0].stop - part[0].start for part in ndimage.find_objects(components)]
    is_short = np.array([False, *(span < least_lifespan for span in spans)])
    return np.where(is_short[components], np.float32(0), scores)


class MovingMean:
    """The mean of scores over some frames around each, fewer at both ends of a sequence.

    Args:
        frames: Number of frames, odd; an even one counts as the next odd one.
    """

    def __init__(self, frames: int) -> None:
        self._half = frames // 2
        self._scores: list[NDArray[np.float32]] = []
        self._before = 0  # frames in front of the next one in _scores

    def push(self, scores: Scores) -> Scores:
        """Take the scores of the next frames; the means that are complete."""
        self._scores += list(scores)
        return self._means(max(0, len(self._scores) - self._before - self._half), scores.shape[1:])

    def finish(self, cells: tuple[int, ...]) -> Scores:
        """The remaining means."""
        return self._means(len(self._scores) - self._before, cells)

    def _means(self, count: int, cells: tuple[int, ...]) -> Scores:
        means = np.zeros((count, *cells), np.float32)
        for i in range(count):
            middle = self._before
            around = self._scores[max(0, middle - self._half) : middle + self._half + 1]
            means[i] = np.mean(around, axis=0, dtype=np.float64)
            self._before += 1
            if self._before > self._half:
                self._scores.pop(0)
                self._before -= 1
        return means


class EventFilter(Finishing):
    """Smooths scores over time, then drops short events.

    Scores are final as soon as a frame without any event has come, since no event goes on beyond
    it.

    Args:
        grid: Cells of the frames.
        smoothing_frames: Frames of the mean.
        threshold: As in ``drop_short_events``.
        least_lifespan: As in ``drop_short_events``.
        cap: Largest score; ``None`` for none.
    """

    def __init__(
        self,
        grid: RegionGrid,
        *,
        smoothing_frames: int,
        threshold: float,
        least_lifespan: int,
        cap: float | None = None,
    ) -> None:
        self._cells = grid.cells
        self._mean = MovingMean(smoothing_frames)
        self._threshold, self._lifespan, self._cap = threshold, least_lifespan, cap
        self._open = np.zeros((0, *grid.cells), np.float32)

    def push(self, scores: Scores) -> Scores:
        """See `Finishing.push`."""
        return self._take(self._mean.push(scores))

    def finish(self) -> Scores:
        """See `Finishing.finish`."""
        self._open = np.concatenate([self._open, self._mean.finish(self._cells)])
        rest, self._open = self._open, self._open[:0]
        return self._filtered(rest)

    def _take(self, scores: Scores) -> Scores:
        self._open = np.concatenate([self._open, scores])
        quiet = np.flatnonzero((self._open < self._threshold).all(axis=(1, 2)))
        end = int(quiet[-1]) + 1 if len(quiet) else 0
        final, self._open = self._open[:end], self._open[end:]
        return self._filtered(final)

    def _filtered(self, scores: Scores) -> Scores:
        if self._lifespan > 1:
            scores = drop_short_events(
                scores, threshold=self._threshold, least_lifespan=self._lifespan
            )
        return scores if self._cap is None else np.minimum(scores, np.float32(self._cap))
