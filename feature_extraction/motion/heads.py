"""The last step of a training of the motion network: its heads, fitted to the finished trunk.

While the trunk is trained, its activations for a volume also depend on the rest of the batch (batch
normalisation) and on changes of the light (augmentation). Outputs tolerate that. Distances between
features, by which volumes are compared, become more exact if the heads are fitted again without
both.
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
"""Columns of a smaller standard deviation are divided by this one: a column that is nearly constant
in training must not become large in use."""

_POOLED_BATCH = 250


def fit_heads(network: MotionNetwork, pool: Pool, *, steps: int, seed: int, device: str) -> None:
    """Fit heads and outputs from new random weights; the trunk stays as it is.

    Args:
        network: Without batch normalisation; its heads and outputs are replaced.
        pool: The volumes that it was trained on; each is mirrored or turned in one of eight ways.
        steps: Steps of the optimiser.
        seed: The seed of mirroring, of batches and of the first weights.
        device: ``cpu`` or ``cuda``.
    """
    inputs, share, momentum = _head_inputs(
        network.to(device).eval(), pool, seed=seed, device=device
    )
    scales = [(x.mean(dim=0), x.std(dim=0).clamp(min=LEAST_DEVIATION)) for x in inputs]
    inputs = [(each - mean) / scale for each, (mean, scale) in zip(inputs, scales, strict=True)]
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
        features = network.features([each[drawn] for each in inputs])
        loss = heads_loss(features, network.read(features), share[drawn], momentum[drawn])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    logger.info("heads fitted: loss of the last batch %.3f", loss.item())
    for head, (mean, deviation) in zip(network.heads.values(), scales, strict=True):
        _unstandardise(head, mean, deviation)


def _head_inputs(
    network: MotionNetwork, pool: Pool, *, seed: int, device: str
) -> tuple[list[Tensor], Tensor, Tensor]:
    """The input of each head for each volume, ``(n, 256)``; shares and momenta ``(n, 12)``."""
    rng = np.random.default_rng(seed)
    parts: list[list[Tensor]] = []
    motions = []
    for start in range(0, len(pool), _POOLED_BATCH):
        some = slice(start, start + _POOLED_BATCH)
        known = pool.targets.share[some], pool.targets.momentum[some]
        frames, *maps = random_view(rng, pool.frames[some], *known)
        volumes = torch.from_numpy(frames).to(device).float() / 255
        with torch.no_grad():
            parts.append(network.pooled(network.maps(network.cells(volumes))))
        motions.append([torch.from_numpy(each.mean(axis=(1, 2))) for each in maps])
    share, momentum = (torch.cat(each).to(device) for each in zip(*motions, strict=True))
    return [torch.cat(each) for each in zip(*parts, strict=True)], share, momentum


def _unstandardise(head: nn.Module, mean: Tensor, deviation: Tensor) -> None:
    """Turn a head for standardised columns into a head for the columns themselves."""
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_((head.weight / deviation).half())  # as files have it
        head.bias.sub_(head.weight @ mean)
