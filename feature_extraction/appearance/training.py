"""The optimisation of the appearance network: its steps, learning rates and state."""

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from feature_extraction.appearance.network import AppearanceNetwork, normalise
from feature_extraction.checkpoints import mixed_precision

TRUNK_RATE: Final = 2e-4
HEAD_RATE: Final = 1e-3
FIRST_LAYER_RATE: Final = 0.2
"""Learning rate of the trunk's first layer as a share of that of its last layer. The rates of the
layers between them rise evenly."""

WARM_UP: Final = 0.05
WEIGHT_DECAY: Final = 1e-2
LABEL_SMOOTHING: Final = 0.02
AVERAGE_DECAY: Final = 0.995
GRADIENT_NORM: Final = 5.0


def rate_share(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a linear rise, then half a cosine down to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


class Training:
    """A network, the running average of its weights, its optimiser and its learning rate.

    Args:
        network: The network to be trained, on its device.
        steps: Number of steps of the whole training.
    """

    def __init__(self, network: AppearanceNetwork, steps: int) -> None:
        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY),  # type: ignore[no-untyped-call]
            use_buffers=True,
        ).eval()
        self.optimiser = AdamW(_parameter_groups(network))
        self.schedule = LambdaLR(self.optimiser, lambda step: rate_share(step, steps))
        self.epochs = 0

    def step(self, crops: NDArray[np.uint8], targets: NDArray[np.float32]) -> float:
        """Take one step on a batch; return its loss."""
        device = next(self.network.parameters()).device
        wanted = torch.from_numpy(targets).to(device) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
        with mixed_precision(device.type):
            logits = self.network(normalise(torch.from_numpy(crops).to(device)))
        loss = binary_cross_entropy_with_logits(logits.float(), wanted)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimiser.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """The state from which ``restore`` continues."""
        return {name: part.state_dict() for name, part in self._parts()} | {"epochs": self.epochs}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` gave."""
        for name, part in self._parts():
            part.load_state_dict(state[name])
        self.epochs = state["epochs"]

    def _parts(self) -> list[tuple[str, Any]]:
        names = ("network", "average", "optimiser", "schedule")
        return [(name, getattr(self, name)) for name in names]


def _parameter_groups(network: AppearanceNetwork) -> list[dict[str, Any]]:
    """Learning rates from the first to the last layer of the trunk, and of the head."""
    groups = []
    trunk = list(network.trunk.parameters())
    rates = np.linspace(FIRST_LAYER_RATE, 1, len(trunk)) * TRUNK_RATE
    head = [p for name, p in network.named_parameters() if not name.startswith("trunk.")]
    for parameter, rate in zip([*trunk, *head], [*rates, *[HEAD_RATE] * len(head)], strict=True):
        decay = WEIGHT_DECAY if parameter.ndim > 1 else 0.0
        groups.append({"params": [parameter], "lr": float(rate), "weight_decay": decay})
    return groups
