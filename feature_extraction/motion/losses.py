"""Losses of the motion network: of its outputs, of distances between its features, and of cells."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from feature_extraction.momentum import DIRECTIONS
from feature_extraction.motion.architecture import HEADS
from feature_extraction.motion.targets import BACKGROUND_SHARE

_SPEED_BETA = 0.3
"""Errors of log(1 + speed) below this count quadratically, others linearly."""

_LOSS_WEIGHTS: Final = {
    "direction": 2.0,
    "speed": 3.0,
    "stationary": 1.0,
    "background": 0.5,
    "cells": 2.0,
    "distances": 1.0,
}

_NEAR: Final = 0.1
"""Added to distances before their logarithm: differences well below it do not count."""

_SLOW_PX_PER_FRAME: Final = 0.05
"""Momentum above which the metric of ``angle`` is logarithmic rather than linear."""

_SLOW_SCALE: Final = 1 / 3
"""Factor of the metric of ``angle``: with it a momentum of about a pixel a frame counts about as
much as in the metric of ``speed``."""


def total_loss(
    features: list[Tensor],
    outputs: dict[str, Tensor],
    cells: list[Tensor],
    share: Tensor,
    momentum: Tensor,
) -> Tensor:
    """Loss of the heads and of the cells.

    Args:
        features: The features of each head, ``(n, 128)``.
        outputs: The outputs of the network.
        cells: ``(n, 14, 8, 8)`` of each trunk: logit of the moving share, logits of the direction,
            log(1 + speed).
        share: ``(n, 8, 8, 12)``, see ``MotionTargets``.
        momentum: ``(n, 8, 8, 12)``.
    """
    of_heads = heads_loss(features, outputs, share.mean(dim=(1, 2)), momentum.mean(dim=(1, 2)))
    of_cells = torch.stack([_cells_loss(each.float(), share, momentum) for each in cells]).mean()
    return of_heads + _LOSS_WEIGHTS["cells"] * of_cells


def heads_loss(
    features: list[Tensor], outputs: dict[str, Tensor], share: Tensor, momentum: Tensor
) -> Tensor:
    """Weighted sum of the losses of all outputs and of the features' distances.

    The loss of a volume's direction has as its weight the square root of the share of pixels that
    move; the loss of a speed the square root of the share that moves into its direction. That lies
    between equal weights for all pixels and equal weights for all volumes.

    Args:
        features: The features of each head, ``(n, 128)``.
        outputs: The outputs of the network.
        share: ``(n, 12)``: of all pixels, by direction.
        momentum: ``(n, 12)``: share times mean speed.
    """
    moving = share.sum(dim=1).clamp(max=1)
    moves = moving >= BACKGROUND_SHARE
    direction = share / share.sum(dim=1, keepdim=True).clamp(min=1e-6)
    speed = momentum / share.clamp(min=1e-6)
    entropy = functional.cross_entropy(outputs["angle"].float(), direction, reduction="none")
    misses = functional.smooth_l1_loss(
        outputs["speed"].float(), torch.log1p(speed), beta=_SPEED_BETA, reduction="none"
    )
    still, flag = outputs["background"].float().unbind(dim=1)
    losses = {
        "direction": _weighted_mean(entropy, moving.sqrt()),
        "speed": _weighted_mean(misses, share.sqrt()),
        "stationary": functional.binary_cross_entropy_with_logits(still, 1 - moving),
        "background": functional.binary_cross_entropy_with_logits(flag, (~moves).float()),
        "distances": distances_loss(features, share, momentum),
    }
    return torch.stack([_LOSS_WEIGHTS[name] * loss for name, loss in losses.items()]).sum()


def _weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)


def distances_loss(features: list[Tensor], share: Tensor, momentum: Tensor) -> Tensor:
    """Difference between the distances of features and the distances of motions, over all pairs.

    Volumes are compared by the distances of their features, which the losses of the outputs do not
    determine. So the distances of each head's features are trained to be those of a measured
    motion. ``speed``: momentum, which detects most where it is measured. ``angle``: its logarithm,
    in which slow motion into a direction in which otherwise nothing moves is about as far away as
    fast motion. ``background``: the share of pixels that moves.

    Args:
        features: The features of each head, ``(n, 128)``; their distance is the root of the mean
            square of their differences.
        share: ``(n, 12)`` of all pixels, by direction.
        momentum: ``(n, 12)``, px/frame.
    """
    motions = {
        "angle": torch.log1p(momentum / _SLOW_PX_PER_FRAME) * _SLOW_SCALE,
        "speed": momentum,
        "background": share.sum(dim=1, keepdim=True).clamp(max=1),
    }
    losses = []
    for name, rows in zip(HEADS, features, strict=True):
        found = torch.pdist(rows.float()) / rows.shape[1] ** 0.5
        true = torch.pdist(motions[name])
        losses.append((torch.log(found + _NEAR) - torch.log(true + _NEAR)).square().mean())
    return torch.stack(losses).sum()


def _cells_loss(cells: Tensor, share: Tensor, momentum: Tensor) -> Tensor:
    """Whether each cell moves, and where it does, into which direction and how fast."""
    seen_moving, seen_direction, seen_speed = torch.split(cells, [1, DIRECTIONS, 1], dim=1)
    moving = share.sum(dim=3).clamp(max=1)
    total = moving.sum().clamp(min=1)
    direction = (share / moving.clamp(min=1e-6)[..., None]).permute(0, 3, 1, 2)
    entropy = functional.cross_entropy(seen_direction, direction, reduction="none")
    speed = torch.log1p(momentum.sum(dim=3) / moving.clamp(min=1e-6))
    misses = functional.smooth_l1_loss(seen_speed[:, 0], speed, beta=0.1, reduction="none")
    found = functional.binary_cross_entropy_with_logits(seen_moving[:, 0], moving)
    return found + (moving * (entropy + misses)).sum() / total
