"""Losses of multiple-instance learning: they see the scores of whole bags, and one label a bag.

Scores of a bag are ``(series, steps)``, between 0 and 1.

* ``sultani``: the highest score of an anomalous bag is to exceed that of a normal one by 1 (Sultani
  et al., CVPR 2018, equations 4 to 7). As in the released code, the hinge is summed over anomalous
  bags and averaged over normal ones.
* ``topk``: the same, with the mean of the ``top`` highest scores of the anomalous bag.
* ``bce``: cross-entropy of the mean of the ``top`` highest scores of each bag.

The first two add the sum of the scores of anomalous bags (few instances are anomalous) and the sum
of squared differences in time (scores change slowly), each by its weight.
"""

from collections.abc import Callable, Sequence
from typing import Final

import torch

from vadloc.weak_settings import MultipleInstance

Bags = Sequence[torch.Tensor]


def mean_of_top(scores: torch.Tensor, top: int) -> torch.Tensor:
    """The mean of the highest scores of a bag."""
    return scores.flatten().topk(min(top, scores.numel())).values.mean()


def ranking(anomalous: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """The hinge between bags.

    Args:
        anomalous: ``(a,)``: the score that stands for each anomalous bag.
        normal: ``(n,)``: that of each normal bag.
    """
    gaps = torch.relu(1 - anomalous[None, :] + normal[:, None])
    return gaps.sum(dim=1).mean()


def sparsity(bags: Bags) -> torch.Tensor:
    """The sum of the scores of anomalous bags."""
    return torch.stack([scores.sum() for scores in bags]).sum()


def smoothness(bags: Bags) -> torch.Tensor:
    """The sum of the squared differences between scores that follow each other."""
    return torch.stack([scores.diff(dim=1).square().sum() for scores in bags]).sum()


def _hinge(anomalous: Bags, normal: Bags, top: int) -> torch.Tensor:
    of_anomalous = torch.stack([mean_of_top(scores, top) for scores in anomalous])
    return ranking(of_anomalous, torch.stack([scores.max() for scores in normal]))


def _sultani(anomalous: Bags, normal: Bags, _settings: MultipleInstance) -> torch.Tensor:
    return _hinge(anomalous, normal, 1)


def _topk(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> torch.Tensor:
    return _hinge(anomalous, normal, settings.top)


def _bce(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> torch.Tensor:
    means = torch.stack([mean_of_top(scores, settings.top) for scores in (*anomalous, *normal)])
    labels = torch.tensor([1.0] * len(anomalous) + [0.0] * len(normal), device=means.device)
    return torch.nn.functional.binary_cross_entropy(means, labels)


LOSSES: Final[dict[str, Callable[[Bags, Bags, MultipleInstance], torch.Tensor]]] = {
    "sultani": _sultani,
    "topk": _topk,
    "bce": _bce,
}
"""The part of each loss that compares bags."""


def bag_losses(
    anomalous: Bags, normal: Bags, settings: MultipleInstance
) -> dict[str, torch.Tensor]:
    """The parts of the loss, each with its weight; their sum is what is minimised."""
    found = {"bags": LOSSES[settings.loss](anomalous, normal, settings)}
    if settings.loss != "bce":
        found["sparsity"] = settings.sparsity * sparsity(anomalous)
        found["smoothness"] = settings.smoothness * smoothness(anomalous)
    return found
