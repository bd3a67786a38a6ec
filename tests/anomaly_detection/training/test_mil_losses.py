"""Losses of multiple-instance learning, by hand."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from anomaly_detection.training.mil_losses import (
    bag_losses,
    longest_features,
    magnitudes,
    mean_of_top,
    ranking,
    smoothness,
    sparsity,
    text_loss,
    weighted_feature,
)
from anomaly_detection.training.mil_networks import Seen
from vadloc.weak_settings import MultipleInstance


def bag(*scores: float, features: Any = None) -> Seen:
    """A bag of one series."""
    shown = torch.ones(1, len(scores), 2) if features is None else torch.tensor([features])
    return Seen(torch.tensor([scores]), shown)


ANOMALOUS = [bag(0.2, 0.9, 0.4), bag(0.5, 0.1, 0.1)]
NORMAL = [bag(0.3, 0.1, 0.0)]


def parts(loss: str, **changed: Any) -> dict[str, float]:
    settings = MultipleInstance.model_validate({"loss": loss, **changed})
    found = bag_losses(ANOMALOUS, NORMAL, settings)
    return {name: value.item() for name, value in found.items()}


def test_ranking_losses() -> None:
    # max: .9 and .5 against .3: (1 - .9 + .3) + (1 - .5 + .3)
    assert ranking(torch.tensor([0.9, 0.5]), torch.tensor([0.3])).item() == pytest.approx(1.2)
    assert sparsity(ANOMALOUS).item() == pytest.approx(2.2)
    assert smoothness(ANOMALOUS).item() == pytest.approx(0.49 + 0.25 + 0.16)
    weights = {"sparsity": 0.1, "smoothness": 0.01}
    assert parts("sultani", **weights) == pytest.approx(
        {"bags": 1.2, "sparsity": 0.22, "smoothness": 0.009}
    )
    topk = parts("topk", top=2, **weights)
    assert topk["bags"] == pytest.approx((1 - 0.65 + 0.3) + (1 - 0.3 + 0.3))
    assert topk.keys() == {"bags", "sparsity", "smoothness"}


def test_hinge_is_averaged_over_normal_bags_only() -> None:
    anomalous = torch.tensor([0.5, 0.5])
    one, two = (ranking(anomalous, torch.full((n,), 0.5)).item() for n in (1, 2))
    assert one == two == pytest.approx(2.0)


def test_cross_entropies() -> None:
    assert mean_of_top(ANOMALOUS[0].scores, 2).item() == pytest.approx(0.65)
    assert mean_of_top(ANOMALOUS[0].scores, 9).item() == pytest.approx(0.5)
    expected = -np.log([0.65, 0.3, 0.8]).mean()
    assert parts("bce", top=2) == pytest.approx({"bags": expected}, rel=1e-5)
    # a sixteenth of three, and one: the highest score
    highest = -np.log([0.9, 0.5, 0.7]).mean()
    assert parts("pel") == pytest.approx({"bags": highest}, rel=1e-5)


def test_pel_takes_a_sixteenth_of_anomalous_bags_and_the_highest_score_of_normal_ones() -> None:
    long = bag(*[0.9] + [0.5] * 31)  # 32 // 16 + 1 = 3 scores
    found = bag_losses([long], [bag(0.2, 0.0)], MultipleInstance(loss="pel"))
    expected = -np.log([(0.9 + 0.5 + 0.5) / 3, 0.8]).mean()
    assert found["bags"].item() == pytest.approx(expected, rel=1e-5)


def test_arnet_takes_a_quarter_and_centers_normal_scores() -> None:
    found = parts("arnet", center=2.0)
    # a quarter of three, rounded up: one score
    assert found["bags"] == pytest.approx(-np.log([0.9, 0.5, 0.7]).mean(), rel=1e-5)
    assert found["center"] == pytest.approx(2 * np.var([0.3, 0.1, 0.0]), rel=1e-5)
    wide = bag(*[0.9, 0.7] + [0.1] * 6)
    quarter = bag_losses([wide], NORMAL, MultipleInstance(loss="arnet"))
    expected = -np.log([0.8, 0.7]).mean()
    assert quarter["bags"].item() == pytest.approx(expected, rel=1e-5)


def test_rtfm_scores_the_instances_with_the_longest_features() -> None:
    shown = bag(0.9, 0.2, 0.4, features=[[1.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    score, length = longest_features(shown, 2)
    assert score.item() == pytest.approx(0.3)  # not the highest scores
    assert length.item() == pytest.approx(np.hypot(1.5, 2.0))
    normal = bag(0.1, 0.6, 0.1, features=[[0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    settings = MultipleInstance(loss="rtfm", top=2, margin=10.0, magnitude=0.5, sparsity=0.0)
    found = bag_losses([shown], [normal], settings)
    # of the normal bag: .6 and the first of the two with length 0
    assert found["bags"].item() == pytest.approx(-np.log([0.3, 0.65]).mean(), rel=1e-5)
    assert found["magnitude"].item() == pytest.approx(0.5 * (10 - 2.5 + 1.0) ** 2, rel=1e-5)


def test_magnitudes_are_of_all_pairs() -> None:
    found = magnitudes(torch.tensor([8.0, 13.0]), torch.tensor([1.0, 0.0]), 10.0)
    assert found.item() == pytest.approx(np.mean([3**2, 2**2, 4**2, 3**2]))


def test_features_are_weighted_by_scores() -> None:
    weights = torch.tensor([[0.0, 0.1, 0.2]])
    features = torch.tensor([[[9.0], [1.0], [2.0]]])
    low, high = np.expm1(1), np.expm1(2)
    found = weighted_feature(weights, features).item()
    assert found == pytest.approx((low * 1 + high * 2) / (low + high), rel=1e-5)


def test_text_loss_by_hand() -> None:
    """Scores of 0 and 1, so that what is anomalous is one instance and the rest another."""
    texts = torch.tensor([[2.0, 0.0], [0.0, 5.0]])
    right = Seen(torch.tensor([[1.0, 0.0]]), torch.tensor([[[0.0, 3.0], [1.0, 0.0]]]))
    normal = Seen(torch.tensor([[0.0, 0.0]]), torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]))
    found = text_loss([right], [normal], [1], texts, 0.5).item()
    # all three have cosine 1 with their text and 0 with the other
    target = np.exp(10) / (np.exp(10) + 1)
    shown = np.exp(2) / (np.exp(2) + 1)
    divergence = target * np.log(target / shown) + (1 - target) * np.log((1 - target) / (1 - shown))
    assert found == pytest.approx(divergence, rel=1e-4)
    wrong = Seen(right.scores, right.features.flip(1))
    assert text_loss([wrong], [normal], [1], texts, 0.5).item() > found + 1


def test_text_loss_draws_features_to_their_texts() -> None:
    texts, scores = torch.eye(3), torch.tensor([[0.9, 0.1]])
    features = torch.full((1, 2, 3), 0.5, requires_grad=True)
    optimiser = torch.optim.SGD([features], lr=1.0)
    for _ in range(50):
        optimiser.zero_grad()
        text_loss([Seen(scores, features)], [], [2], texts, 0.1).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert features[0].argmax(dim=1).tolist() == [2, 0]
