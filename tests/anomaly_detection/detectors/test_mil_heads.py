"""Heads that score instances: with and without PyTorch, in streams, and by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")

import torch

from anomaly_detection.detectors.mil_heads import (
    GLOBAL_HEADS,
    LOCAL_HEADS,
    score_instances,
    smooth,
)
from anomaly_detection.detectors.mil_layers import over_time, proximity, signed_root, similarity
from anomaly_detection.detectors.mil_stream import HeadStream
from anomaly_detection.training.mil_networks import Head, make_head
from vadloc.weak_settings import MultipleInstance

HEADS = [*LOCAL_HEADS, *GLOBAL_HEADS]
WIDTH = 6


def head_of(name: str) -> Head:
    torch.manual_seed(3)
    rng = np.random.default_rng(4)
    center = rng.normal(size=WIDTH).astype(np.float32)
    spread = rng.uniform(0.5, 2, WIDTH).astype(np.float32)
    settings = MultipleInstance.model_validate(
        {"head": name, "channels": (5, 4), "dropout": 0.5, "window": 3}
    )
    head = make_head(settings, center, spread).eval()
    torch.nn.init.normal_(head.last.weight)
    for parameter in head.parameters():  # biases, scales and shifts are 0 or 1 at first
        if parameter.ndim < 2:
            torch.nn.init.uniform_(parameter, 0.2, 1.0)
    return head


def tensors_of(head: Head) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.numpy() for name, tensor in head.state_dict().items()}


def instances(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_the_same_with_and_without_torch(name: str) -> None:
    head, given = head_of(name), instances(3, 14, WIDTH)
    with torch.no_grad():
        expected = head(torch.from_numpy(given)).scores.numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(score_instances(name, tensors_of(head), given), expected, atol=2e-6)


@pytest.mark.parametrize("name", HEADS)
def test_no_series_affects_another(name: str) -> None:
    tensors, given = tensors_of(head_of(name)), instances(3, 9, WIDTH)
    alone = [score_instances(name, tensors, given[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(score_instances(name, tensors, given), alone, atol=1e-6)


@pytest.mark.parametrize("name", ["sultani", "arnet", "causal"])
def test_no_score_depends_on_the_future(name: str) -> None:
    tensors, given = tensors_of(head_of(name)), instances(2, 9, WIDTH)
    whole = score_instances(name, tensors, given)
    np.testing.assert_array_equal(score_instances(name, tensors, given[:, :6]), whole[:, :6])


@pytest.mark.parametrize("name", ["conv1d", *GLOBAL_HEADS])
def test_other_heads_see_the_future(name: str) -> None:
    tensors, given = tensors_of(head_of(name)), instances(2, 9, WIDTH)
    whole = score_instances(name, tensors, given)
    cut = score_instances(name, tensors, given[:, :6])
    assert np.abs(cut[:, 5] - whole[:, 5]).max() > 1e-5


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("smoothing", [1, 3, 7])
@pytest.mark.parametrize("steps", [1, 2, 12])
def test_streams_give_the_same_bytes(name: str, smoothing: int, steps: int) -> None:
    tensors, given = tensors_of(head_of(name)), instances(4, steps, WIDTH)
    whole = smooth(score_instances(name, tensors, given), smoothing)
    stream = HeadStream(name, tensors, smoothing)
    found = [scores for t in range(steps) for scores in stream.push(given[:, t])]
    delay = (1 if name == "conv1d" else 0) + smoothing // 2
    assert len(found) == (max(0, steps - delay) if name in LOCAL_HEADS else 0)
    found += stream.finish()
    np.testing.assert_array_equal(np.stack(found, axis=1), whole)


@pytest.mark.parametrize("name", LOCAL_HEADS)
def test_a_stream_keeps_few_time_steps(name: str) -> None:
    tensors = tensors_of(head_of(name))
    stream = HeadStream(name, tensors, 5)
    for step in instances(100, 4, WIDTH):
        stream.push(step)
    assert len(stream._steps) <= 5
    assert len(stream._means._scores) == 5


def test_graphs_by_hand() -> None:
    opposite = np.array([[[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]], np.float32)
    expected = [[[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]]
    np.testing.assert_allclose(similarity(opposite), expected, atol=1e-6)
    near = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(proximity(2), [[near, 1 - near], [1 - near, near]], atol=1e-6)


@pytest.mark.parametrize("most", [1, 7, 40, 10_000])
def test_sums_over_time_do_not_depend_on_their_parts(most: int) -> None:
    values = instances(3, 11, 2)
    found = over_time(lambda chosen, times: similarity(values[chosen], times), values, most=most)
    np.testing.assert_allclose(found, similarity(values) @ values, atol=1e-6)
    near = over_time(lambda _chosen, times: proximity(11, times), values, most=most)
    np.testing.assert_allclose(near, proximity(11) @ values, atol=1e-6)


def test_signed_root() -> None:
    np.testing.assert_allclose(signed_root(np.array([4.0, -9.0, 0.0])), [2, -3, 0], atol=2e-3)


def test_smoothing_keeps_constants_and_shrinks_at_the_ends() -> None:
    constant = np.full((2, 7), 0.3, np.float32)
    np.testing.assert_array_equal(smooth(constant, 5), constant)
    ramp = np.array([[0, 1, 2, 3]], np.float32)
    np.testing.assert_allclose(smooth(ramp, 3), [[0.5, 1, 2, 2.5]])
    assert smooth(ramp, 1) is ramp


def attention_weights(head: Head, given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Attention of one series, written out for each pair of time steps."""
    tensors = {name: tensor.double().numpy() for name, tensor in head.state_dict().items()}
    query, key = (
        given @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"] for name in ("query", "key")
    )
    steps = len(given)
    every, within = np.zeros((steps, steps)), np.zeros((steps, steps))
    for i in range(steps):
        for j in range(steps):
            near = np.exp(-abs(tensors["decay"] * (i - j) ** 2 - tensors["offset"]))
            every[i, j] = np.exp(query[i] @ key[j] / np.sqrt(128) + near)
            within[i, j] = every[i, j] if abs(i - j) <= 1 else 0  # window = 3
    share = 1 / (1 + np.exp(-tensors["mixing"]))
    return np.asarray(
        share * every / every.sum(axis=1, keepdims=True)
        + (1 - share) * within / within.sum(axis=1, keepdims=True)
    )


def test_attention_by_a_plain_second_implementation() -> None:
    head, given = head_of("attention"), instances(1, 7, WIDTH)
    with torch.no_grad():
        found = head._weights(torch.from_numpy(given))[0].numpy()  # type: ignore[operator]
    np.testing.assert_allclose(found, attention_weights(head, given[0].astype(float)), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_convolutions_over_several_scales_see_as_far_as_they_should() -> None:
    """Without the non-local layer, dilation 4 and the joining layer reach 5 time steps."""
    head = head_of("rtfm")
    with torch.no_grad():
        head.taken.weight.zero_()  # type: ignore[union-attr, operator]
    tensors, given = tensors_of(head), instances(1, 21, WIDTH)
    other = given.copy()
    other[0, 10] += 1
    changed = np.flatnonzero(
        score_instances("rtfm", tensors, other) != score_instances("rtfm", tensors, given)
    )
    assert (changed.min(), changed.max()) == (5, 15)
    assert set(changed) <= {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
