"""The discriminator of the pseudo-anomaly paper in PyTorch, for training.

Table 1 of its supplement: a hidden layer of 128 units with rectifiers, and one logit. The paper
feeds it 512 features of ViFi-CLIP; here they are the 128 of vadloc's appearance network. Applied it
runs as ``feature_extraction.discriminator_function``.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

HIDDEN = 128


class Discriminator(nn.Module):
    """Says of features whether they are of a pseudo-anomaly.

    Args:
        center: ``(width,)``: mean of the features of training video.
        spread: ``(width,)``: their standard deviation.
    """

    def __init__(self, center: NDArray[np.float32], spread: NDArray[np.float32]) -> None:
        super().__init__()
        self.center: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("center", torch.from_numpy(center))
        self.register_buffer("spread", torch.from_numpy(spread))
        self.hidden = nn.Linear(len(center), HIDDEN)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits ``(n,)`` of features ``(n, width)``, above 0 for a pseudo-anomaly."""
        standard = (features - self.center) / self.spread
        logits: torch.Tensor = self.output(torch.relu(self.hidden(standard)))[:, 0]
        return logits

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Weights and biases, with the units of the features folded in."""
        weight = self.hidden.weight / self.spread
        bias = self.hidden.bias - weight @ self.center
        named = {
            "hidden.weight": weight,
            "hidden.bias": bias,
            "output.weight": self.output.weight,
            "output.bias": self.output.bias,
        }
        return {name: tensor.detach().cpu().clone().numpy() for name, tensor in named.items()}
