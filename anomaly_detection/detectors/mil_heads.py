"""The heads that score the instances of a bag, applied without PyTorch.

A bag is a video. Its instances ``(series, steps, width)`` are what its time steps show, in one
series for each region, or in a single one for snippets. A head gives each instance a score between
0 and 1. ``anomaly_detection.training.mil_networks`` has the same heads for the training.

* ``sultani``: three linear layers, each instance on its own (Sultani et al., *Real-world anomaly
  detection in surveillance videos*, CVPR 2018). As in the released code, the second layer has no
  activation.
* ``conv1d``: the first layer is a convolution over three time steps.
* ``causal``: the first layer is a convolution over a time step and the four before it, so that no
  score depends on the future.
* ``graph``: after the first layer, each instance takes in those of the same series that resemble
  it, and those that are near in time (after Wu et al., *Not only look, but also listen*, ECCV
  2020).
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Tensors = Mapping[str, Array]

SIMILAR_FROM: Final = 0.7
"""Cosine from which an instance counts as similar."""
CONVOLUTIONS: Final = {"conv1d": (3, 1), "causal": (5, 4)}
"""Head to the number of time steps of its convolution, and how many of them lie before."""


def score_instances(head: str, tensors: Tensors, instances: Array) -> Array:
    """The scores of instances.

    Args:
        head: A key of ``BODIES``.
        tensors: The parameters.
        instances: ``(series, steps, width)``.

    Returns:
        ``(series, steps)``, between 0 and 1.
    """
    given = (instances - tensors["center"]) / tensors["spread"]
    hidden = BODIES[head](tensors, np.asarray(given, np.float32))
    logits = _linear(tensors, "last", _linear(tensors, "second", hidden))[..., 0]
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)


def smooth(scores: Array, steps: int) -> Array:
    """The mean of the scores of so many time steps around each one.

    At the ends of a series the mean is over those that there are, so that a constant series stays
    constant.

    Args:
        scores: ``(series, steps)``.
        steps: Number of time steps, odd.
    """
    if steps == 1:
        return scores
    reach = steps // 2
    sums = np.cumsum(np.pad(scores.astype(np.float64), ((0, 0), (1, 0))), axis=1)
    count = scores.shape[1]
    first = np.maximum(np.arange(count) - reach, 0)
    end = np.minimum(np.arange(count) + reach + 1, count)
    return np.asarray((sums[:, end] - sums[:, first]) / (end - first), np.float32)


def _linear(tensors: Tensors, name: str, given: Array) -> Array:
    return np.asarray(given @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"], np.float32)


def _relu(values: Array) -> Array:
    return np.maximum(values, 0)


def _each_alone(tensors: Tensors, given: Array) -> Array:
    return _relu(_linear(tensors, "first", given))


def _convolved(tensors: Tensors, given: Array, *, before: int) -> Array:
    weight = tensors["first.weight"]
    taps = weight.shape[2]
    padded = np.pad(given, ((0, 0), (before, taps - 1 - before), (0, 0)))
    count = given.shape[1]
    parts = (padded[:, k : k + count] @ weight[:, :, k].T for k in range(taps))
    return _relu(np.asarray(sum(parts) + tensors["first.bias"], np.float32))


def _over_graph(tensors: Tensors, given: Array) -> Array:
    hidden = _each_alone(tensors, given)
    found = hidden
    for name, weights in (("similar", similarity(hidden)), ("near", proximity(given.shape[1]))):
        found = found + _relu(_linear(tensors, name, np.asarray(weights @ hidden, np.float32)))
    return found


def similarity(hidden: Array) -> Array:
    """How much each instance takes in of the similar ones of its series.

    Args:
        hidden: ``(series, steps, channels)``.

    Returns:
        ``(series, steps, steps)``; each row sums to 1, and is 0 where the cosine is too low.
    """
    norms = np.linalg.norm(hidden, axis=2, keepdims=True)
    unit = hidden / np.maximum(norms, 1e-6)
    cosine = unit @ unit.transpose(0, 2, 1)
    itself = np.eye(hidden.shape[1], dtype=bool)
    weights = np.where((cosine >= SIMILAR_FROM) | itself, np.exp(cosine), 0)
    return np.asarray(weights / weights.sum(axis=2, keepdims=True), np.float32)


def proximity(steps: int) -> Array:
    """How much each instance takes in of the near ones, ``(steps, steps)``; rows sum to 1."""
    times = np.arange(steps)
    weights = np.exp(-np.abs(times[:, None] - times[None, :]).astype(np.float64))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _conv1d(tensors: Tensors, given: Array) -> Array:
    return _convolved(tensors, given, before=CONVOLUTIONS["conv1d"][1])


def _causal(tensors: Tensors, given: Array) -> Array:
    return _convolved(tensors, given, before=CONVOLUTIONS["causal"][1])


BODIES: Final[dict[str, Callable[[Tensors, Array], Array]]] = {
    "sultani": _each_alone,
    "conv1d": _conv1d,
    "causal": _causal,
    "graph": _over_graph,
}
"""The first layers of each head."""
