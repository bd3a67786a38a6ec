"""The heads that score the instances of a bag, applied without PyTorch.

A bag is a video. Its instances ``(series, steps, width)`` are what its time steps show, in one
series for each region, or in a single one for snippets. A head gives each instance a score between
0 and 1. ``anomaly_detection.training.mil_networks`` has the same heads for the training.

* ``sultani``: three linear layers, each instance on its own (Sultani et al., *Real-world anomaly
  detection in surveillance videos*, CVPR 2018). As in the released code, the second layer has no
  activation.
* ``arnet``: one hidden layer as wide as the features (Wan et al., *Weakly supervised video anomaly
  detection via center-guided discriminative learning*, ICME 2020).
* ``conv1d``: the first layer is a convolution over three time steps.
* ``causal``: the first layer is a convolution over a time step and the four before it, so that no
  score depends on the future.
* ``graph``: after the first layer, each instance takes in those of the same series that resemble
  it, and those that are near in time (after Wu et al., *Not only look, but also listen*, ECCV
  2020).
* ``rtfm``: the network with several time scales of Tian et al., *Weakly-supervised video anomaly
  detection with robust temporal feature magnitude learning*, ICCV 2021: convolutions of dilation 1,
  2 and 4 and a non-local layer, whose joined output is added to the features. It has no batch
  normalisation, since bags differ in length.
* ``attention``: that of Pu et al., *Learning prompt-enhanced context features for weakly-supervised
  video anomaly detection*, TIP 2024: one similarity of instances is used over the whole series and
  over a window, with a prior of nearness in time; the last layer is a causal convolution.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from anomaly_detection.detectors.mil_layers import (
    LEAST_NORM,
    Array,
    Tensors,
    convolved,
    gelu,
    layer_norm,
    linear,
    over_time,
    proximity,
    relu,
    sigmoid,
    signed_root,
    similarity,
    softmax,
    tap,
)

DILATIONS: Final = (1, 2, 4)
"""Of the convolutions of ``rtfm``."""
KEY_WIDTH: Final = 128
"""Width of the keys, queries and values of ``attention``."""
LAST_TAPS: Final = 9
"""Time steps that the last layer of ``attention`` sees: a step and those before it."""


@dataclass(frozen=True)
class LocalHead:
    """A head whose score of an instance depends on a few time steps around it.

    Attributes:
        logits: From the parameters and the instances of these time steps, each ``(series, width)``
            in units of their spread, the logits ``(series,)`` of the instances in question.
        before: Number of time steps before them.
        after: Number of time steps after them.
    """

    logits: Callable[[Tensors, Sequence[Array]], Array]
    before: int = 0
    after: int = 0


def score_instances(head: str, tensors: Tensors, instances: Array) -> Array:
    """The scores of instances.

    Args:
        head: A key of ``LOCAL_HEADS`` or ``GLOBAL_HEADS``.
        tensors: The parameters.
        instances: ``(series, steps, width)``.

    Returns:
        ``(series, steps)``, between 0 and 1.
    """
    given = in_units(tensors, instances)
    if head in GLOBAL_HEADS:
        return sigmoid(GLOBAL_HEADS[head](tensors, given))
    local, count = LOCAL_HEADS[head], given.shape[1]
    padded = np.pad(given, ((0, 0), (local.before, local.after), (0, 0)))
    steps = list(np.ascontiguousarray(padded.transpose(1, 0, 2)))
    seen = 1 + local.before + local.after
    columns = [local.logits(tensors, steps[t : t + seen]) for t in range(count)]
    return sigmoid(np.stack(columns, axis=1))


def in_units(tensors: Tensors, instances: Array) -> Array:
    """Instances ``(..., width)`` less their mean in training, in units of their spread."""
    return np.ascontiguousarray((instances - tensors["center"]) / tensors["spread"], np.float32)


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
    reach, count = steps // 2, scores.shape[1]
    columns = [mean_of(scores[:, max(0, t - reach) : t + reach + 1].T) for t in range(count)]
    return np.stack(columns, axis=1)


def mean_of(scores: Sequence[Array] | Array) -> Array:
    """The mean over time steps, each ``(series,)``."""
    stacked = np.ascontiguousarray(scores, np.float64)  # in one order, so that all add up alike
    return np.asarray(stacked.sum(axis=0) / len(stacked), np.float32)


def _from_hidden(tensors: Tensors, hidden: Array) -> Array:
    return linear(tensors, "last", linear(tensors, "second", hidden))[..., 0]


def _each_alone(tensors: Tensors, steps: Sequence[Array]) -> Array:
    return _from_hidden(tensors, relu(linear(tensors, "first", steps[0])))


def _one_layer(tensors: Tensors, steps: Sequence[Array]) -> Array:
    return linear(tensors, "last", relu(linear(tensors, "first", steps[0])))[..., 0]


def _few_steps(tensors: Tensors, steps: Sequence[Array]) -> Array:
    parts = (tap(tensors, "first", k, given) for k, given in enumerate(steps))
    return _from_hidden(tensors, relu(np.asarray(sum(parts) + tensors["first.bias"], np.float32)))


def _over_graph(tensors: Tensors, given: Array) -> Array:
    hidden = relu(linear(tensors, "first", given))
    steps = hidden.shape[1]
    similar = over_time(lambda chosen, times: similarity(hidden[chosen], times), hidden)
    near = over_time(lambda _chosen, times: proximity(steps, times), hidden)
    found = hidden + relu(linear(tensors, "similar", similar)) + relu(linear(tensors, "near", near))
    return _from_hidden(tensors, found)


def _several_scales(tensors: Tensors, given: Array) -> Array:
    scales = [
        relu(convolved(tensors, f"scale{dilation}", given, before=dilation, dilation=dilation))
        for dilation in DILATIONS
    ]
    whole = _non_local(tensors, relu(linear(tensors, "reduce", given)))
    joined = np.concatenate([*scales, whole], axis=2)
    features = relu(convolved(tensors, "join", joined, before=1)) + given
    hidden = relu(linear(tensors, "second", relu(linear(tensors, "first", features))))
    return linear(tensors, "last", hidden)[..., 0]


def _non_local(tensors: Tensors, given: Array) -> Array:
    """Each instance takes in all of its series, by the product of two projections."""
    query, key, value = (linear(tensors, name, given) for name in ("query", "key", "value"))

    def weigh(chosen: slice, times: slice) -> Array:
        products = query[chosen, times] @ key[chosen].transpose(0, 2, 1)
        return np.asarray(products / given.shape[1], np.float32)

    return given + linear(tensors, "taken", over_time(weigh, value))


def _attending(tensors: Tensors, given: Array) -> Array:
    query, key, value = (linear(tensors, name, given) for name in ("query", "key", "value"))
    weigh = partial(_attention, tensors, query, key)
    taken = over_time(weigh, value)
    rooted = signed_root(taken)
    norms = np.linalg.norm(rooted, axis=2, keepdims=True)
    unit = np.asarray(rooted / np.maximum(norms, LEAST_NORM), np.float32)
    context = layer_norm(tensors, "norm", given + linear(tensors, "taken", unit))
    hidden = gelu(linear(tensors, "second", gelu(linear(tensors, "first", context))))
    return convolved(tensors, "last", hidden, before=LAST_TAPS - 1)[..., 0]


def _attention(tensors: Tensors, query: Array, key: Array, chosen: slice, times: slice) -> Array:
    """The weights of attention over the whole series and over the window, mixed."""
    products = query[chosen, times] @ key[chosen].transpose(0, 2, 1) / np.sqrt(KEY_WIDTH)
    every = np.arange(query.shape[1])
    apart = np.abs(every[times, None] - every[None, :]).astype(np.float32)
    near = np.exp(-np.abs(tensors["decay"] * apart**2 - tensors["offset"]))
    products = np.asarray(products + near, np.float32)
    within = np.where(apart <= tensors["reach"], products, -np.inf)
    share = sigmoid(tensors["mixing"])
    return np.asarray(share * softmax(products) + (1 - share) * softmax(within), np.float32)


LOCAL_HEADS: Final[dict[str, LocalHead]] = {
    "sultani": LocalHead(_each_alone),
    "arnet": LocalHead(_one_layer),
    "conv1d": LocalHead(_few_steps, before=1, after=1),
    "causal": LocalHead(_few_steps, before=4),
}
"""The heads that see a few time steps."""
GLOBAL_HEADS: Final[dict[str, Callable[[Tensors, Array], Array]]] = {
    "graph": _over_graph,
    "rtfm": _several_scales,
    "attention": _attending,
}
"""The heads that see a whole series: from instances in units of their spread to logits."""
