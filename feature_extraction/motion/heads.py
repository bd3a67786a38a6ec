"""The last step of a training of the motion network: its heads, fitted to the finished trunk.

While the trunk learns, what it sees of a volume also depends on the rest of the batch (by batch
normalisation) and on the light (by augmentation). Outputs bear that; distances between features,
by which volumes are compared, are more exact if the heads are fitted anew where neither disturbs.
"""

import logging
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from feature_extraction.motion.augmentation import random_view
from feature_extraction.motion.losses import heads_loss
from feature_extraction.motion.network import MotionNetwork
from feature_extraction.motion.pool import Pool

logger = logging.getLogger(__name__)

BATCH: Final = 128
LEARNING_RATE: Final = 3e-3
WEIGHT_DECAY: Final = 1e-3

LEAST_DEVIATION: Final = 0.01
"""By which columns are divided at least, lest what hardly varies in training be blown up later."""

_SEEN_BATCH = 250


def fit_heads(network: MotionNetwork, pool: Pool, *, steps: int, seed: int, device: str) -> None:
    """Fit heads and outputs, beginning anew; the trunk stays.

    Args:
        network: Without batch normalisation; its heads and outputs are replaced.
        pool: What it was trained on; each volume is seen in one of eight ways.
        steps: Of the optimiser.
        seed: Of the ways, of what is drawn and of the first weights.
        device: ``cpu`` or ``cuda``.
    """
    seen, share, momentum = _seen(network.to(device).eval(), pool, seed=seed, device=device)
    scales = [(each.mean(dim=0), each.std(dim=0).clamp(min=LEAST_DEVIATION)) for each in seen]
    seen = [(each - mean) / scale for each, (mean, scale) in zip(seen, scales, strict=True)]
    torch.manual_seed(seed)
    layers = [*network.heads.values(), *network.outputs.values()]
    for layer in layers:
        layer.reset_parameters()  # type: ignore[operator]
    parameters = [p for layer in layers for p in layer.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        drawn = torch.from_numpy(rng.integers(len(pool), size=BATCH)).to(device)
        features = network.features([each[drawn] for each in seen])
        loss = heads_loss(features, network.read(features), share[drawn], momentum[drawn])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    logger.info("heads fitted: loss of the last batch %.3f", loss.item())
    for head, (mean, deviation) in zip(network.heads.values(), scales, strict=True):
        _take_back(head, mean, deviation)


def _seen(
    network: MotionNetwork, pool: Pool, *, seed: int, device: str
) -> tuple[list[Tensor], Tensor, Tensor]:
    """What each head sees of each volume, ``(n, 256)``, and its share and momentum ``(n, 12)``."""
    rng = np.random.default_rng(seed)
    parts: list[list[Tensor]] = []
    motions = []
    for start in range(0, len(pool), _SEEN_BATCH):
        some = slice(start, start + _SEEN_BATCH)
        known = pool.targets.share[some], pool.targets.momentum[some]
        frames, *maps = random_view(rng, pool.frames[some], *known)
        volumes = torch.from_numpy(frames).to(device).float() / 255
        with torch.no_grad():
            parts.append(network.pooled(network.maps(volumes)))
        motions.append([torch.from_numpy(each.mean(axis=(1, 2))) for each in maps])
    share, momentum = (torch.cat(each).to(device) for each in zip(*motions, strict=True))
    return [torch.cat(each) for each in zip(*parts, strict=True)], share, momentum


def _take_back(head: nn.Module, mean: Tensor, deviation: Tensor) -> None:
    """Make a head of standardised columns one of the columns themselves."""
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_((head.weight / deviation).half())  # as files have it
        head.bias.sub_(head.weight @ mean)
