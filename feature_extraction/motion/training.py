"""Optimisation of the motion network: batches, losses, state."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from feature_extraction.checkpoints import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
)
from feature_extraction.momentum import DIRECTIONS
from feature_extraction.motion.layers import MotionNetwork
from feature_extraction.motion.network import (
    HEADS,
    TRUNK,
    motion_network,
)
from feature_extraction.motion.pool import Pool
from feature_extraction.motion.targets import BACKGROUND_SHARE
from vadloc.errors import VadlocError

if TYPE_CHECKING:
    from feature_extraction.train_motion import Settings

_WARM_UP = 0.02
_CELL_OUTPUTS = 1 + DIRECTIONS + 1
_WEIGHT_DECAY = 1e-2
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
"""Distances between motions well below this count as none."""

_SLOW_PX_PER_FRAME: Final = 0.05
"""Momentum from which the metric of ``angle`` is more like logarithmic than linear."""

_SLOW_SCALE: Final = 1 / 3
"""By which momentum of about a pixel a frame counts about as much in it as in that of ``speed``."""

_BINS: Final = np.arange(DIRECTIONS)
MIRRORED: Final = {"x": (5 - _BINS) % 12, "y": (11 - _BINS) % 12, "transposed": (2 - _BINS) % 12}
"""Which direction bin of the original each bin of a mirrored volume has: mirroring x turns an angle
a into 180 - a degrees, mirroring y into -a, exchanging x and y into 90 - a."""


class MotionTraining:
    """A training in progress.

    Beside its outputs the network is asked, by a layer that is thrown away afterwards, what each
    8 x 8 cell does: that tells it where in the volume its answer comes from.

    Args:
        pool: What it is trained on.
        settings: Of the training.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, pool: Pool, settings: "Settings", *, device: str) -> None:
        torch.manual_seed(settings.seed)
        self.step = 0
        self._pool = pool
        self._settings = settings
        self._device = device
        self.network: MotionNetwork = motion_network(
            separate_trunks=settings.separate_trunks, normalised=True
        )
        count = len(self.network.trunks)
        self._cells = nn.ModuleList(
            nn.Conv2d(TRUNK["conv4"].outputs, _CELL_OUTPUTS, 1) for _ in range(count)
        )
        self._modules = nn.ModuleList([self.network, self._cells])
        self._modules.to(device).train()
        self._optimiser = torch.optim.AdamW(
            self._modules.parameters(), lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            max_lr=settings.learning_rate,
            total_steps=settings.steps,
            pct_start=_WARM_UP,
            cycle_momentum=False,
        )

    def start_from(self, checkpoint: Path) -> None:
        """Take over the network of another training; the schedule begins anew.

        Raises:
            VadlocError: The file holds no checkpoint of this network.
        """
        state = load_checkpoint(checkpoint)
        try:
            self._modules.load_state_dict((state or {})["modules"])
        except (KeyError, RuntimeError):
            raise VadlocError(
                f"{checkpoint}: no checkpoint of this motion network; expected the checkpoint.pt "
                "of a training with the same --separate-trunks and version of vadloc"
            ) from None

    def resume(self, checkpoint: Path) -> None:
        """Continue where a checkpoint was made, if there is one."""
        state = load_checkpoint(checkpoint)
        if state is None:
            return
        self.step = state["step"]
        self._modules.load_state_dict(state["modules"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])

    def save(self, checkpoint: Path) -> None:
        """Write all that ``resume`` needs."""
        state = {
            "step": self.step,
            "modules": self._modules.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        save_checkpoint(checkpoint, state)

    def advance(self) -> float:
        """One step; its loss. What is drawn depends on the seed and the step alone."""
        rng = np.random.default_rng((self._settings.seed, self.step))
        index = np.sort(rng.choice(len(self._pool), self._settings.batch_size))
        arrays = random_view(
            rng,
            self._pool.frames[index],
            self._pool.targets.share[index],
            self._pool.targets.momentum[index],
        )
        frames, share, momentum = (torch.from_numpy(a).to(self._device) for a in arrays)
        gain = np.exp(rng.normal(0, 0.3, len(index))) * rng.choice([-1, 1], len(index))
        lit = torch.from_numpy(gain.astype(np.float32)).to(self._device)
        self._optimiser.zero_grad(set_to_none=True)
        with mixed_precision(self._device):
            maps = self.network.maps(frames.float() / 255 * lit[:, None, None, None])
            features = self.network.features(self.network.pooled(maps))
            outputs = self.network.read(features)
            cells = [layer(seen) for layer, seen in zip(self._cells, maps, strict=True)]
        loss = total_loss(features, outputs, cells, share, momentum)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._modules.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        self.step += 1
        return loss.item()


def random_view(
    rng: np.random.Generator,
    frames: NDArray[np.uint8],
    share: NDArray[np.float32],
    momentum: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """The same volumes mirrored or turned with their motion, each in one of eight ways.

    Args:
        rng: Draws the ways.
        frames: ``(n, T, 64, 64)``.
        share: ``(n, 8, 8, 12)``, see ``MotionTargets``.
        momentum: ``(n, 8, 8, 12)``.
    """
    frames, share, momentum = frames.copy(), share.copy(), momentum.copy()
    across, down, turned = rng.random((3, len(frames))) < 0.5
    frames[across] = frames[across, ..., ::-1]
    frames[down] = frames[down, ..., ::-1, :]
    frames[turned] = frames[turned].swapaxes(2, 3)
    for maps in (share, momentum):
        maps[across] = maps[across, :, ::-1][..., MIRRORED["x"]]
        maps[down] = maps[down, ::-1][..., MIRRORED["y"]]
        maps[turned] = maps[turned].swapaxes(1, 2)[..., MIRRORED["transposed"]]
    return frames, share, momentum


def total_loss(
    features: list[Tensor],
    outputs: dict[str, Tensor],
    cells: list[Tensor],
    share: Tensor,
    momentum: Tensor,
) -> Tensor:
    """Loss of the heads and of the cells.

    Args:
        features: Of each head, ``(n, 128)``.
        outputs: Of the network.
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

    A volume's direction counts as the square root of the share of its pixels that moves, a speed
    as that of the share that moves into its direction: between each pixel and each volume the same.

    Args:
        features: Of each head, ``(n, 128)``.
        outputs: Of the network.
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
    """How far the features of two volumes are apart, against how far their motions are.

    Volumes are compared by the distances of their features, and outputs that are right leave those
    open. Each head gets a metric of what it is asked: ``speed`` momentum, which is what tells most
    where it is measured; ``angle`` its logarithm, in which slow motion into a direction in which
    nothing moves else is as far from it as fast motion; ``background`` how much moves at all.

    Args:
        features: Of each head, ``(n, 128)``; their distance is the root of the mean square.
        share: ``(n, 12)`` of all pixels, by direction.
        momentum: ``(n, 12)``, px/frame.
    """
    motions = {
        "angle": torch.log1p(momentum / _SLOW_PX_PER_FRAME) * _SLOW_SCALE,
        "speed": momentum,
        "background": share.sum(dim=1, keepdim=True).clamp(max=1),
    }
    losses = []
    for name, own in zip(HEADS, features, strict=True):
        seen = torch.pdist(own.float()) / own.shape[1] ** 0.5
        true = torch.pdist(motions[name])
        losses.append((torch.log(seen + _NEAR) - torch.log(true + _NEAR)).square().mean())
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
