"""The heads of ``anomaly_detection.detectors.mil_heads`` as networks that can be trained."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from anomaly_detection.detectors.mil_heads import CONVOLUTIONS, SIMILAR_FROM, proximity

LAST_SPREAD: Final = 0.01
LAST_BIAS: Final = -2.0
"""First values of the last layer: few instances are anomalous, and no score is near 0 or 1, where
a sigmoid hardly learns. With Glorot's, the highest of the thousands of scores of a region bag is
near 1 before any training."""


class Head(nn.Module):
    """Scores the instances of a bag.

    Args:
        head: A key of ``mil_heads.BODIES``.
        center: ``(width,)``: what is subtracted from instances.
        spread: ``(width,)``: what they are divided by after that.
        channels: Width of the first and of the second layer.
        dropout: Share of values that each of them drops in training.
    """

    center: torch.Tensor
    spread: torch.Tensor

    def __init__(
        self,
        head: str,
        center: NDArray[np.float32],
        spread: NDArray[np.float32],
        *,
        channels: tuple[int, int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.head = head
        width, (wide, narrow) = len(center), channels
        self.register_buffer("center", torch.from_numpy(center))
        self.register_buffer("spread", torch.from_numpy(spread))
        if head in CONVOLUTIONS:
            self.first: nn.Module = nn.Conv1d(width, wide, CONVOLUTIONS[head][0])
        else:
            self.first = nn.Linear(width, wide)
        if head == "graph":
            self.similar, self.near = nn.Linear(wide, wide), nn.Linear(wide, wide)
        self.second, self.last = nn.Linear(wide, narrow), nn.Linear(narrow, 1)
        self.drop = nn.Dropout(dropout)
        self.apply(_first_weights)
        nn.init.normal_(self.last.weight, std=LAST_SPREAD)
        nn.init.constant_(self.last.bias, LAST_BIAS)

    def hidden(self, instances: torch.Tensor) -> torch.Tensor:
        """The values after the first layers.

        Args:
            instances: ``(series, steps, width)``.

        Returns:
            ``(series, steps, channels)``.
        """
        given = (instances - self.center) / self.spread
        if self.head in CONVOLUTIONS:
            taps, before = CONVOLUTIONS[self.head]
            padded = nn.functional.pad(given.transpose(1, 2), (before, taps - 1 - before))
            return torch.relu(self.first(padded).transpose(1, 2))
        hidden = torch.relu(self.first(given))
        if self.head != "graph":
            return hidden
        near = torch.from_numpy(proximity(given.shape[1])).to(hidden)
        similar = torch.relu(self.similar(_similarity(hidden) @ hidden))
        return hidden + similar + torch.relu(self.near(near @ hidden))

    def forward(self, instances: torch.Tensor) -> torch.Tensor:
        """The scores of instances, ``(series, steps)``."""
        hidden = self.drop(self.second(self.drop(self.hidden(instances))))
        return torch.sigmoid(self.last(hidden)).squeeze(-1)


def _similarity(hidden: torch.Tensor) -> torch.Tensor:
    """The same as ``mil_heads.similarity``."""
    unit = hidden / hidden.norm(dim=2, keepdim=True).clamp(min=1e-6)
    cosine = unit @ unit.transpose(1, 2)
    itself = torch.eye(hidden.shape[1], dtype=torch.bool, device=hidden.device)
    weights = torch.where((cosine >= SIMILAR_FROM) | itself, cosine.exp(), torch.zeros(()))
    return weights / weights.sum(dim=2, keepdim=True)


def _first_weights(module: nn.Module) -> None:
    """Glorot normal, as Sultani et al.; the last layer gets others after that."""
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
