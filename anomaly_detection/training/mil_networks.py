"""The heads of ``anomaly_detection.detectors.mil_heads`` as networks that can be trained."""

from abc import ABC, abstractmethod
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from anomaly_detection.detectors.mil_heads import DILATIONS, KEY_WIDTH, LAST_TAPS, LOCAL_HEADS
from anomaly_detection.detectors.mil_layers import (
    LEAST_NORM,
    ROOT_EPSILON,
    SIMILAR_FROM,
    proximity,
)
from vadloc.weak_settings import MultipleInstance

LAST_SPREAD: Final = 0.01
LAST_BIAS: Final = -2.0
"""First values of the last layer: few instances are anomalous, and no score is near 0 or 1, where
a sigmoid hardly learns. With Glorot's, the highest of the thousands of scores of a region bag is
near 1 before any training."""
DECAY, OFFSET = 0.6, 0.2
"""First values of the prior of nearness of ``attention``, as its authors' for UCF-Crime."""


class Seen(NamedTuple):
    """What a head says of instances.

    Attributes:
        scores: ``(series, steps)``, between 0 and 1.
        features: ``(series, steps, channels)``: what the layers that score are given.
    """

    scores: torch.Tensor
    features: torch.Tensor


class Head(nn.Module, ABC):
    """Scores the instances of a bag.

    Args:
        settings: With the name of the head, its widths and its dropout.
        center: ``(width,)``: what is subtracted from instances.
        spread: ``(width,)``: what they are divided by after that.
    """

    center: torch.Tensor
    spread: torch.Tensor
    last: nn.Linear | nn.Conv1d

    def __init__(
        self,
        settings: MultipleInstance,
        center: NDArray[np.float32],
        spread: NDArray[np.float32],
    ) -> None:
        super().__init__()
        self.head, self.width = settings.head, len(center)
        self.register_buffer("center", torch.from_numpy(center))
        self.register_buffer("spread", torch.from_numpy(spread))
        self.drop = nn.Dropout(settings.dropout)
        self.add_layers(settings)
        self.apply(_first_weights)
        nn.init.normal_(self.last.weight, std=LAST_SPREAD)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, LAST_BIAS)

    @abstractmethod
    def add_layers(self, settings: MultipleInstance) -> None:
        """Add the layers; ``last`` gives the logits."""

    @abstractmethod
    def features_of(self, given: torch.Tensor) -> torch.Tensor:
        """What the layers that score are given, ``(series, steps, channels)``.

        Args:
            given: Instances ``(series, steps, width)`` in units of their spread.
        """

    @abstractmethod
    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        """The logits ``(series, steps)`` of features."""

    def forward(self, instances: torch.Tensor) -> Seen:
        """What the head says of instances ``(series, steps, width)``."""
        features = self.features_of((instances - self.center) / self.spread)
        return Seen(torch.sigmoid(self.logits_of(features)), features)


class PlainHead(Head):
    """``sultani``, ``arnet``, and those whose first layer sees other time steps."""

    def add_layers(self, settings: MultipleInstance) -> None:
        """See `Head.add_layers`."""
        wide, narrow = settings.channels
        local = LOCAL_HEADS.get(self.head)
        self._before, self._after = (local.before, local.after) if local else (0, 0)
        taps = 1 + self._before + self._after
        if self.head == "arnet":
            self.first: nn.Module = nn.Linear(self.width, self.width)
            self.last = nn.Linear(self.width, 1)
            return
        self.first = nn.Conv1d(self.width, wide, taps) if taps > 1 else nn.Linear(self.width, wide)
        if self.head == "graph":
            self.similar, self.near = nn.Linear(wide, wide), nn.Linear(wide, wide)
        self.second, self.last = nn.Linear(wide, narrow), nn.Linear(narrow, 1)

    def features_of(self, given: torch.Tensor) -> torch.Tensor:
        """See `Head.features_of`."""
        if isinstance(self.first, nn.Conv1d):
            padded = functional.pad(given.transpose(1, 2), (self._before, self._after))
            return torch.relu(self.first(padded).transpose(1, 2))
        hidden = torch.relu(self.first(given))
        if self.head != "graph":
            return hidden
        near = torch.from_numpy(proximity(given.shape[1])).to(hidden)
        similar = torch.relu(self.similar(_similarity(hidden) @ hidden))
        return hidden + similar + torch.relu(self.near(near @ hidden))

    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        """See `Head.logits_of`."""
        hidden = self.drop(features)
        if self.head != "arnet":
            hidden = self.drop(self.second(hidden))
        found: torch.Tensor = self.last(hidden)
        return found.squeeze(-1)


class ScalesHead(Head):
    """``rtfm``."""

    def add_layers(self, settings: MultipleInstance) -> None:
        """See `Head.add_layers`."""
        wide, narrow = settings.channels
        half = max(1, wide // 2)
        for dilation in DILATIONS:
            layer = nn.Conv1d(self.width, wide, 3, padding=dilation, dilation=dilation)
            self.add_module(f"scale{dilation}", layer)
        self.reduce = nn.Linear(self.width, wide)
        self.query, self.key, self.value = (nn.Linear(wide, half) for _ in range(3))
        self.taken = nn.Linear(half, wide)
        self.join = nn.Conv1d((len(DILATIONS) + 1) * wide, self.width, 3, padding=1)
        self.first, self.second = nn.Linear(self.width, wide), nn.Linear(wide, narrow)
        self.last = nn.Linear(narrow, 1)

    def features_of(self, given: torch.Tensor) -> torch.Tensor:
        """See `Head.features_of`."""
        over_time = given.transpose(1, 2)
        layers = [self.get_submodule(f"scale{dilation}") for dilation in DILATIONS]
        scales = [torch.relu(layer(over_time)) for layer in layers]
        reduced = torch.relu(self.reduce(given))
        weights = self.query(reduced) @ self.key(reduced).transpose(1, 2) / given.shape[1]
        whole = reduced + self.taken(weights @ self.value(reduced))
        joined = torch.cat([*scales, whole.transpose(1, 2)], dim=1)
        return torch.relu(self.join(joined)).transpose(1, 2) + given

    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        """See `Head.logits_of`."""
        hidden = self.drop(torch.relu(self.first(features)))
        found: torch.Tensor = self.last(self.drop(torch.relu(self.second(hidden))))
        return found.squeeze(-1)


class AttentionHead(Head):
    """``attention``."""

    reach: torch.Tensor

    def add_layers(self, settings: MultipleInstance) -> None:
        """See `Head.add_layers`."""
        wide, narrow = settings.channels
        self.query, self.key, self.value = (nn.Linear(self.width, KEY_WIDTH) for _ in range(3))
        self.decay, self.offset = (
            nn.Parameter(torch.tensor(DECAY)),
            nn.Parameter(torch.tensor(OFFSET)),
        )
        self.mixing = nn.Parameter(torch.tensor(0.0))
        self.register_buffer("reach", torch.tensor(float(settings.window // 2)))
        self.taken, self.norm = nn.Linear(KEY_WIDTH, self.width), nn.LayerNorm(self.width)
        self.first, self.second = nn.Linear(self.width, wide), nn.Linear(wide, narrow)
        self.last = nn.Conv1d(narrow, 1, LAST_TAPS)

    def features_of(self, given: torch.Tensor) -> torch.Tensor:
        """See `Head.features_of`."""
        weights = self._weights(given)
        taken = weights @ self.value(given)
        above, below = torch.relu(taken) + ROOT_EPSILON, torch.relu(-taken) + ROOT_EPSILON
        rooted = torch.sqrt(above) - torch.sqrt(below)
        unit = rooted / rooted.norm(dim=2, keepdim=True).clamp(min=LEAST_NORM)
        context = self.norm(given + self.drop(self.taken(unit)))
        return functional.gelu(self.first(context))

    def _weights(self, given: torch.Tensor) -> torch.Tensor:
        products = self.query(given) @ self.key(given).transpose(1, 2) / KEY_WIDTH**0.5
        every = torch.arange(given.shape[1], device=given.device)
        apart = (every[:, None] - every[None, :]).abs().to(given)
        products = products + torch.exp(-(self.decay * apart**2 - self.offset).abs())
        within = products.masked_fill(apart > self.reach, -torch.inf)
        share = torch.sigmoid(self.mixing)
        mixed: torch.Tensor = share * products.softmax(dim=2) + (1 - share) * within.softmax(dim=2)
        return mixed

    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        """See `Head.logits_of`."""
        hidden = self.drop(functional.gelu(self.second(self.drop(features))))
        padded = functional.pad(hidden.transpose(1, 2), (LAST_TAPS - 1, 0))
        found: torch.Tensor = self.last(padded)
        return found.squeeze(1)


NETWORKS: Final[dict[str, type[Head]]] = {"rtfm": ScalesHead, "attention": AttentionHead}
"""The networks of heads that are no `PlainHead`."""


def make_head(
    settings: MultipleInstance, center: NDArray[np.float32], spread: NDArray[np.float32]
) -> Head:
    """The network of the head that the settings name; see `Head`."""
    return NETWORKS.get(settings.head, PlainHead)(settings, center, spread)


def _similarity(hidden: torch.Tensor) -> torch.Tensor:
    """The same as ``mil_layers.similarity``."""
    unit = hidden / hidden.norm(dim=2, keepdim=True).clamp(min=LEAST_NORM)
    cosine = unit @ unit.transpose(1, 2)
    itself = torch.eye(hidden.shape[1], dtype=torch.bool, device=hidden.device)
    weights = torch.where((cosine >= SIMILAR_FROM) | itself, cosine.exp(), 0.0)
    return weights / weights.sum(dim=2, keepdim=True)


def _first_weights(module: nn.Module) -> None:
    """Glorot normal, as Sultani et al.; the last layer gets others after that."""
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
