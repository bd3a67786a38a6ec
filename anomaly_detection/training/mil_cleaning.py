"""Labels of instances, made of the scores of a head, on which it is trained further.

After Zhong et al., *Graph convolutional label noise cleaner*, CVPR 2019: the noisy label of an
instance is its score; a graph of similar and of near instances cleans it; only sure ones are
learnt. Their graph is a network that is trained in turn with the classifier; this one takes the
mean over both graphs, and has nothing to train.

What is sure is measured on normal video. An instance of an anomalous video is anomalous if its
cleaned score is above the highest one of nearly every normal training video, and normal if it is
below the median of all instances of these.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.detectors.mil_layers import over_time, proximity, similarity

NORMAL_VIDEOS: Final = 0.9
"""Share of the normal training videos in which no cleaned score is as high as that of an instance
that counts as anomalous."""
UNSURE: Final = -1

Labels = NDArray[np.int8]
"""Of the instances of a bag, ``(series, steps)``: 1 anomalous, 0 normal, or ``UNSURE``."""


def clean(scores: NDArray[np.float32], instances: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the scores over similar instances of the series, and over near ones.

    Args:
        scores: ``(series, steps)``.
        instances: ``(series, steps, width)``, in units of their spread.
    """
    values, steps = np.asarray(scores, np.float32)[..., None], scores.shape[1]
    similar = over_time(lambda chosen, times: similarity(instances[chosen], times), values)
    near = over_time(lambda _chosen, times: proximity(steps, times), values)
    return np.asarray((similar + near)[..., 0] / 2, np.float32)


def sure_labels(
    anomalous: Sequence[NDArray[np.float32]], normal: Sequence[NDArray[np.float32]]
) -> list[Labels]:
    """Labels of the instances of anomalous bags.

    Args:
        anomalous: Cleaned scores of each bag, ``(series, steps)``.
        normal: Those of each normal bag.
    """
    high = np.quantile([scores.max() for scores in normal], NORMAL_VIDEOS)
    low = np.median(np.concatenate([scores.ravel() for scores in normal]))
    found = []
    for scores in anomalous:
        labels = np.full(scores.shape, UNSURE, np.int8)
        labels[scores <= low] = 0
        labels[scores > max(high, low)] = 1
        found.append(labels)
    return found


def labels_loss(scores: Sequence[torch.Tensor], labels: Sequence[torch.Tensor]) -> torch.Tensor:
    """Cross-entropy of labelled instances; both classes count the same.

    Args:
        scores: Of each bag, ``(series, steps)``.
        labels: Of each bag; what is unsure does not count. Normal bags have 0 everywhere.
    """
    every = torch.cat([of.flatten() for of in scores])
    known = torch.cat([of.flatten() for of in labels])
    losses = [
        torch.nn.functional.binary_cross_entropy(
            every[known == label], torch.full_like(every[known == label], label)
        )
        for label in (0, 1)
        if bool((known == label).any())
    ]
    return torch.stack(losses).mean()
