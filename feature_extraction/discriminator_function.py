"""The discriminator as a function of arrays; see ``feature_extraction.discriminator``."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from feature_extraction.openvino_graphs import built_from
from vadloc.weights import NetworkWeights


def probabilities(weights: NetworkWeights, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability that features are of a pseudo-anomaly, ``(n,)``.

    Args:
        weights: Tensors of `Discriminator`.
        features: ``(n, width)``.

    Raises:
        VadlocError: The tensors are those of another network.
    """
    tensors = weights.tensors
    with built_from(weights, "discriminator"):
        hidden = features @ tensors["hidden.weight"].T + tensors["hidden.bias"]
        logits = np.maximum(hidden, 0) @ tensors["output.weight"].T + tensors["output.bias"]
    return np.asarray(expit(logits[:, 0]), np.float32)
