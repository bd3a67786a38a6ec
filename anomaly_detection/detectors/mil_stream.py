"""Scores the instances of a bag time step by time step, the same to the byte as all at once.

A head that sees a few time steps, and a mean over a few scores, need only what lies that near. A
head that sees the whole series has to wait for its end.
"""

from collections import deque

import numpy as np

from anomaly_detection.detectors.mil_heads import (
    LOCAL_HEADS,
    LocalHead,
    in_units,
    mean_of,
    score_instances,
    smooth,
)
from anomaly_detection.detectors.mil_layers import Array, Tensors, sigmoid


class HeadStream:
    """Scores instances as they come in.

    Args:
        head: A key of ``mil_heads.LOCAL_HEADS`` or ``GLOBAL_HEADS``.
        tensors: The parameters.
        smoothing: The score of a time step becomes the mean over so many around it; odd.
    """

    def __init__(self, head: str, tensors: Tensors, smoothing: int) -> None:
        self._head, self._tensors, self._smoothing = head, tensors, smoothing
        self._local = LOCAL_HEADS.get(head)
        self._means = MeanStream(smoothing // 2)
        self._steps: deque[Array] = deque(maxlen=_seen(self._local) if self._local else None)

    def push(self, instances: Array) -> list[Array]:
        """Take the instances ``(series, width)`` of the next time step.

        Returns:
            The scores ``(series,)`` of the time steps that have become final, in order.
        """
        if self._local is None:
            self._steps.append(instances)
            return []
        given = in_units(self._tensors, instances)
        if not self._steps:
            self._steps.extend([np.zeros_like(given)] * self._local.before)
        return self._score(self._local, given)

    def finish(self) -> list[Array]:
        """The scores of the remaining time steps."""
        if not self._steps:
            return []
        if self._local is None:
            whole = np.stack(list(self._steps), axis=1)
            scores = score_instances(self._head, self._tensors, whole)
            return list(np.ascontiguousarray(smooth(scores, self._smoothing).T))
        after = [np.zeros_like(self._steps[-1])] * self._local.after
        found = [scores for given in after for scores in self._score(self._local, given)]
        return [*found, *self._means.finish()]

    def _score(self, local: LocalHead, given: Array) -> list[Array]:
        self._steps.append(given)
        if len(self._steps) < _seen(local):
            return []
        return self._means.push(sigmoid(local.logits(self._tensors, list(self._steps))))


def _seen(local: LocalHead) -> int:
    return 1 + local.before + local.after


class MeanStream:
    """The mean of the scores of time steps around each one, as `mil_heads.smooth`.

    Args:
        reach: Time steps before and after each one.
    """

    def __init__(self, reach: int) -> None:
        self._reach, self._count = reach, 0
        self._scores: deque[Array] = deque(maxlen=2 * reach + 1)

    def push(self, scores: Array) -> list[Array]:
        """Take the scores of the next time step; those that have become final."""
        if not self._reach:
            return [scores]
        self._scores.append(scores)
        self._count += 1
        if self._count <= self._reach:
            return []
        return [mean_of(list(self._scores))]

    def finish(self) -> list[Array]:
        """The remaining scores."""
        kept = list(self._scores)
        waiting = min(self._reach, self._count)
        first = len(kept) - waiting
        return [mean_of(kept[max(0, t - self._reach) :]) for t in range(first, len(kept))]
