"""Noise, spliced anomalies and cleaned labels of bags, by hand."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from anomaly_detection.training.mil_augmentation import (
    NOISES,
    add_noise,
    disturbed,
    draw_stretch,
    splice,
    spliced_loss,
)
from anomaly_detection.training.mil_cleaning import clean, labels_loss, sure_labels
from anomaly_detection.training.mil_networks import Seen

RAMP = np.arange(10, dtype=np.float32).reshape(1, 10, 1)


def test_stretches_lie_within_and_are_half_a_bag_at_most() -> None:
    rng = np.random.default_rng(0)
    found = [draw_stretch(10, rng) for _ in range(300)]
    assert {end - first for first, end in found} == {1, 2, 3, 4, 5}
    assert min(first for first, _ in found) == 0
    assert max(end for _, end in found) == 10
    assert draw_stretch(1, rng) == (0, 1)


def test_kinds_of_noise() -> None:
    rng = np.random.default_rng(0)
    stuck = disturbed(RAMP, "interruption", 3, 7, rng)
    assert stuck.ravel().tolist() == [3, 3, 3, 3]
    blurred = disturbed(RAMP, "blur", 0, 4, rng).ravel()
    assert blurred.tolist() == pytest.approx([0.6, 1.2, 2.0, 3.0])  # (0+0+0+1+2)/5, ...
    shuffled = disturbed(RAMP, "jitter", 0, 10, rng).ravel()
    assert np.abs(shuffled - RAMP.ravel()).max() == 2
    assert set(shuffled.tolist()) <= set(range(10))


def test_noise_leaves_the_rest_and_its_input() -> None:
    before = RAMP.copy()
    for seed in range(30):
        found = add_noise(RAMP, np.random.default_rng(seed))
        assert found.shape == RAMP.shape
        assert (found == RAMP).sum() >= 5
    np.testing.assert_array_equal(RAMP, before)
    constant = np.full((2, 6, 3), 0.5, np.float32)
    for kind in NOISES:
        changed = disturbed(constant, kind, 1, 4, np.random.default_rng(0))
        np.testing.assert_allclose(changed, constant[:, 1:4], rtol=1e-6)


def test_spliced_stretches() -> None:
    normal, anomalous = np.zeros((2, 8, 1), np.float32), np.arange(1, 6, dtype=np.float32)
    other = np.stack([anomalous, anomalous * 10])[..., None]
    for seed in range(30):
        found, spliced = splice(normal, other, np.random.default_rng(seed))
        assert 1 <= spliced.sum() <= 2  # half of the shorter one
        assert (found[:, ~spliced] == 0).all()
        put = found[0, spliced, 0]
        assert np.diff(put).tolist() == [1.0] * (len(put) - 1)  # as it was, in its order
        np.testing.assert_array_equal(found[1, spliced, 0], put * 10)


def test_spliced_loss_by_hand() -> None:
    scores = torch.tensor([[0.1, 0.2, 0.6], [0.1, 0.1, 0.9]])
    seen = Seen(scores, torch.zeros(2, 3, 1))
    found = spliced_loss(seen, torch.tensor([False, False, True])).item()
    expected = -np.log([0.9, 0.9, 0.8, 0.9, 0.9]).mean()
    assert found == pytest.approx(expected, rel=1e-5)


def test_cleaning_by_hand() -> None:
    """The first two instances are alike, the third is their opposite."""
    instances = np.array([[[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]], np.float32)
    scores = np.array([[0.0, 1.0, 0.2]], np.float32)
    similar = np.array([0.5, 0.5, 0.2])
    one, two = np.exp(-1), np.exp(-2)
    near = np.array([(one + 0.2 * two) / (1 + one + two), 0, 0])
    near[1] = (1 + 0.2 * one) / (1 + 2 * one)
    near[2] = (one + 0.2) / (1 + one + two)
    np.testing.assert_allclose(clean(scores, instances)[0], (similar + near) / 2, atol=1e-6)


def test_cleaning_keeps_constants() -> None:
    instances = np.random.default_rng(0).normal(size=(3, 20, 4)).astype(np.float32)
    scores = np.full((3, 20), 0.4, np.float32)
    np.testing.assert_allclose(clean(scores, instances), scores, atol=1e-6)


def test_only_sure_instances_are_labelled() -> None:
    normal = [np.full((1, 4), level, np.float32) for level in (0.1, 0.2, 0.3)]
    [labels] = sure_labels([np.array([[0.05, 0.2, 0.25, 0.31]], np.float32)], normal)
    # the median of normal instances is .2, nine tenths of the maxima .28
    assert labels.tolist() == [[0, 0, -1, 1]]


def test_labels_loss_by_hand() -> None:
    scores = [torch.tensor([[0.9, 0.4, 0.2]]), torch.tensor([[0.1, 0.3]])]
    labels = [torch.tensor([[1, -1, 0]]), torch.tensor([[0, 0]])]
    expected = (-np.log(0.9) - np.log([0.8, 0.9, 0.7]).mean()) / 2
    assert labels_loss(scores, labels).item() == pytest.approx(expected, rel=1e-5)
    unsure = [torch.tensor([[-1, -1, -1]]), torch.tensor([[0, 0]])]
    only_normal = -np.log([0.9, 0.7]).mean()
    assert labels_loss(scores, unsure).item() == pytest.approx(only_normal, rel=1e-5)
