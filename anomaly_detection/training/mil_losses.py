"""Losses of multiple-instance learning: they see the scores of whole bags, and one label a bag.

Scores of a bag are ``(series, steps)``, between 0 and 1; its features ``(series, steps, channels)``
are what the layers that score are given.

* ``sultani``: the highest score of an anomalous bag is to exceed that of a normal one by 1 (Sultani
  et al., CVPR 2018, equations 4 to 7). As in the released code, the hinge is summed over anomalous
  bags and averaged over normal ones.
* ``topk``: the same, with the mean of the ``top`` highest scores of the anomalous bag.
* ``bce``: cross-entropy of the mean of the ``top`` highest scores of each bag.
* ``arnet``: cross-entropy of the mean of the highest quarter of the scores of each bag, and the
  variance of the scores of each normal bag (Wan et al., ICME 2020).
* ``rtfm``: cross-entropy of the mean score of the ``top`` instances whose features are longest; the
  mean of these features is to have the length ``margin`` in an anomalous bag and none in a normal
  one (Tian et al., ICCV 2021). Each anomalous bag is paired with each normal one.
* ``pel``: cross-entropy of the highest score of a normal bag, and of the mean of the highest
  sixteenth of those of an anomalous one (Pu et al., TIP 2024).

``sultani``, ``topk`` and ``rtfm`` add the sum of the scores of anomalous bags (few instances are
anomalous) and the sum of squared differences in time (scores change slowly), each by its weight.

`text_loss` may be added to each of them: the prompt-enhanced learning of Pu et al. What is
anomalous in a bag, and what is not, is drawn to the text of its class. Theirs compares the items of
a batch with each other; this one compares each with the texts of all classes.
"""

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch.nn import functional

from anomaly_detection.training.mil_networks import Seen
from vadloc.weak_settings import MultipleInstance

Bags = Sequence[Seen]
QUARTER, SIXTEENTH = 4, 16
SHARPNESS: Final = 10.0
"""Weights of instances are exp(10 s) - 1; targets of texts are the softmax of 10 and 0."""


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
    return torch.stack([bag.scores.sum() for bag in bags]).sum()


def smoothness(bags: Bags) -> torch.Tensor:
    """The sum of the squared differences between scores that follow each other."""
    return torch.stack([bag.scores.diff(dim=1).square().sum() for bag in bags]).sum()


def cross_entropy(
    anomalous: Sequence[torch.Tensor], normal: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Of the scores that stand for bags, 1 for anomalous ones."""
    values = torch.stack([*anomalous, *normal])
    labels = torch.tensor([1.0] * len(anomalous) + [0.0] * len(normal), device=values.device)
    return functional.binary_cross_entropy(values, labels)


def longest_features(bag: Seen, top: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the instances whose features are longest: the mean score, and the mean feature's length.

    Args:
        bag: Scores and features.
        top: Number of instances.
    """
    lengths = bag.features.flatten(0, 1).norm(dim=1)
    chosen = lengths.topk(min(top, len(lengths))).indices
    mean = bag.features.flatten(0, 1)[chosen].mean(dim=0)
    return bag.scores.flatten()[chosen].mean(), mean.norm()


def magnitudes(anomalous: torch.Tensor, normal: torch.Tensor, margin: float) -> torch.Tensor:
    """The mean over all pairs of bags of ``(|margin - length| + length of the normal one)^2``.

    Args:
        anomalous: ``(a,)``: the length of the features of each anomalous bag.
        normal: ``(n,)``: that of each normal bag.
        margin: The length that those of anomalous bags are to have.
    """
    short = (margin - anomalous).abs()
    return (short[:, None] + normal[None, :]).square().mean()


def _hinge(anomalous: Bags, normal: Bags, top: int) -> torch.Tensor:
    of_anomalous = torch.stack([mean_of_top(bag.scores, top) for bag in anomalous])
    return ranking(of_anomalous, torch.stack([bag.scores.max() for bag in normal]))


def _sultani(anomalous: Bags, normal: Bags, _settings: MultipleInstance) -> dict[str, torch.Tensor]:
    return {"bags": _hinge(anomalous, normal, 1)}


def _topk(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> dict[str, torch.Tensor]:
    return {"bags": _hinge(anomalous, normal, settings.top)}


def _bce(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> dict[str, torch.Tensor]:
    means = [[mean_of_top(bag.scores, settings.top) for bag in of] for of in (anomalous, normal)]
    return {"bags": cross_entropy(*means)}


def _arnet(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> dict[str, torch.Tensor]:
    means = [
        [mean_of_top(bag.scores, -(-bag.scores.numel() // QUARTER)) for bag in of]
        for of in (anomalous, normal)
    ]
    variances = torch.stack([bag.scores.var(correction=0) for bag in normal])
    return {"bags": cross_entropy(*means), "center": settings.center * variances.mean()}


def _rtfm(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> dict[str, torch.Tensor]:
    found = [[longest_features(bag, settings.top) for bag in of] for of in (anomalous, normal)]
    scores = [[score for score, _ in of] for of in found]
    long, short = (torch.stack([length for _, length in of]) for of in found)
    apart = settings.magnitude * magnitudes(long, short, settings.margin)
    return {"bags": cross_entropy(*scores), "magnitude": apart}


def _pel(anomalous: Bags, normal: Bags, _settings: MultipleInstance) -> dict[str, torch.Tensor]:
    means = [mean_of_top(bag.scores, bag.scores.numel() // SIXTEENTH + 1) for bag in anomalous]
    return {"bags": cross_entropy(means, [bag.scores.max() for bag in normal])}


Parts = dict[str, torch.Tensor]
LOSSES: Final[dict[str, Callable[[Bags, Bags, MultipleInstance], Parts]]] = {
    "sultani": _sultani,
    "topk": _topk,
    "bce": _bce,
    "arnet": _arnet,
    "rtfm": _rtfm,
    "pel": _pel,
}
"""What is particular to each loss; its part ``bags`` compares bags."""
REGULARISED: Final = frozenset({"sultani", "topk", "rtfm"})
"""The losses that add `sparsity` and `smoothness`."""


def bag_losses(anomalous: Bags, normal: Bags, settings: MultipleInstance) -> Parts:
    """The parts of the loss, each with its weight; their sum is what is minimised."""
    found = LOSSES[settings.loss](anomalous, normal, settings)
    if settings.loss in REGULARISED:
        found["sparsity"] = settings.sparsity * sparsity(anomalous)
        found["smoothness"] = settings.smoothness * smoothness(anomalous)
    return found


def weighted_feature(weights: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The mean feature of a bag, with instances weighted by ``exp(10 w) - 1``.

    Args:
        weights: ``(series, steps)``, between 0 and 1.
        features: ``(series, steps, channels)``.
    """
    shares = functional.normalize(torch.expm1(SHARPNESS * weights).flatten(), p=1, dim=0)
    return shares @ features.flatten(0, 1)


def text_loss(
    anomalous: Bags, normal: Bags, rows: Sequence[int], texts: torch.Tensor, temperature: float
) -> torch.Tensor:
    """How far what bags show is from the texts of their classes.

    Args:
        anomalous: Bags; what is anomalous in each belongs to its class, the rest is normal.
        normal: Bags; all of each is normal.
        rows: For each anomalous bag, the row of its class.
        texts: ``(classes, channels)``; the first is that of what is normal.
        temperature: Divides the cosines.

    Returns:
        The mean divergence of the softmax of the cosines from the softmax of 10 at the class and 0
        elsewhere.
    """
    shown = [weighted_feature(bag.scores, bag.features) for bag in anomalous]
    shown += [weighted_feature(1 - bag.scores, bag.features) for bag in (*anomalous, *normal)]
    is_of = torch.tensor([*rows, *[0] * (len(shown) - len(rows))], device=texts.device)
    unit = functional.normalize(torch.stack(shown), dim=1)
    cosines = unit @ functional.normalize(texts, dim=1).T
    targets = (SHARPNESS * functional.one_hot(is_of, len(texts)).to(texts)).softmax(dim=1)
    found = (cosines / temperature).log_softmax(dim=1)
    return functional.kl_div(found, targets, reduction="batchmean")
