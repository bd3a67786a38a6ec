"""The layers of the heads that score instances, without PyTorch.

Arrays are ``(series, steps, channels)``. Sums over all time steps are computed for some of them at
once, so that the memory of a long video stays bounded.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Tensors = Mapping[str, Array]

SIMILAR_FROM: Final = 0.7
"""Cosine from which an instance counts as similar."""
MOST_WEIGHTS: Final = 1 << 22
"""Weights between time steps that are held at once."""
LEAST_NORM: Final = 1e-6
ROOT_EPSILON: Final = 1e-6
NORM_EPSILON: Final = 1e-5
"""What layer normalisation adds to the variance, as PyTorch does."""


def linear(tensors: Tensors, name: str, given: Array) -> Array:
    """A linear layer."""
    return np.asarray(given @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"], np.float32)


def relu(values: Array) -> Array:
    """Values below 0 become 0."""
    return np.maximum(values, 0)


def gelu(values: Array) -> Array:
    """Each value times the share of a normal distribution below it."""
    from scipy.special import erf

    return np.asarray(values * 0.5 * (1 + erf(values / np.sqrt(2))), np.float32)


def sigmoid(values: Array) -> Array:
    """Between 0 and 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float32)


def tap(tensors: Tensors, name: str, k: int, given: Array) -> Array:
    """What one tap of a convolution over time adds; ``given (..., channels)`` is what it sees."""
    return np.asarray(given @ tensors[f"{name}.weight"][:, :, k].T, np.float32)


def convolved(
    tensors: Tensors, name: str, given: Array, *, before: int, dilation: int = 1
) -> Array:
    """A convolution over time.

    Args:
        tensors: The parameters.
        name: Of the layer.
        given: ``(series, steps, channels)``; zeros lie before and after.
        before: How far back the first tap looks, in time steps.
        dilation: Time steps between taps.
    """
    taps, count = tensors[f"{name}.weight"].shape[2], given.shape[1]
    after = (taps - 1) * dilation - before
    padded = np.pad(given, ((0, 0), (before, after), (0, 0)))
    parts = (
        tap(tensors, name, k, padded[:, k * dilation : k * dilation + count]) for k in range(taps)
    )
    return np.asarray(sum(parts) + tensors[f"{name}.bias"], np.float32)


def signed_root(values: Array) -> Array:
    """The root of the absolute value, with the sign of the value; smooth near 0."""
    above, below = relu(values) + ROOT_EPSILON, relu(-values) + ROOT_EPSILON
    return np.asarray(np.sqrt(above) - np.sqrt(below), np.float32)


def layer_norm(tensors: Tensors, name: str, given: Array) -> Array:
    """Each instance gets mean 0 and variance 1 over its channels, then a learnt scale and shift."""
    mean, variance = given.mean(axis=-1, keepdims=True), given.var(axis=-1, keepdims=True)
    unit = (given - mean) / np.sqrt(variance + NORM_EPSILON)
    return np.asarray(unit * tensors[f"{name}.weight"] + tensors[f"{name}.bias"], np.float32)


def softmax(values: Array) -> Array:
    """Along the last axis; entries of minus infinity get 0."""
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def over_time(
    weigh: Callable[[slice, slice], Array], values: Array, *, most: int = MOST_WEIGHTS
) -> Array:
    """Sums over all time steps of a series, with weights that depend on both time steps.

    Args:
        weigh: Gives, for a slice of the series and one of the time steps, the weights
            ``(series, chosen steps, steps)``.
        values: ``(series, steps, channels)``.
        most: Number of weights that are computed at once, at least those of one time step.
    """
    series, steps, _ = values.shape
    rows = min(steps, max(1, most // steps))
    several = max(1, most // (rows * steps))
    found = np.empty_like(values)
    for first in range(0, series, several):
        chosen = slice(first, first + several)
        for start in range(0, steps, rows):
            times = slice(start, start + rows)
            found[chosen, times] = weigh(chosen, times) @ values[chosen]
    return found


def similarity(hidden: Array, times: slice = slice(None)) -> Array:
    """How much each instance takes in of the similar ones of its series.

    Args:
        hidden: ``(series, steps, channels)``.
        times: The time steps that take in.

    Returns:
        ``(series, chosen steps, steps)``; each row sums to 1, and is 0 where the cosine is too low.
    """
    norms = np.linalg.norm(hidden, axis=2, keepdims=True)
    unit = hidden / np.maximum(norms, LEAST_NORM)
    cosine = unit[:, times] @ unit.transpose(0, 2, 1)
    every = np.arange(hidden.shape[1])
    itself = every[times, None] == every[None, :]
    weights = np.where((cosine >= SIMILAR_FROM) | itself, np.exp(cosine), 0)
    return np.asarray(weights / weights.sum(axis=2, keepdims=True), np.float32)


def proximity(steps: int, times: slice = slice(None)) -> Array:
    """How much each instance takes in of the near ones; rows sum to 1.

    Returns:
        ``(chosen steps, steps)``.
    """
    every = np.arange(steps)
    weights = np.exp(-np.abs(every[times, None] - every[None, :]).astype(np.float64))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
