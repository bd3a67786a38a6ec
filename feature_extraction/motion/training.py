"""The optimisation of the motion network: its steps, its state and its checkpoints."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from feature_extraction.checkpoints import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
)
from feature_extraction.momentum import DIRECTIONS
from feature_extraction.motion.architecture import TRUNK
from feature_extraction.motion.augmentation import random_view
from feature_extraction.motion.losses import total_loss
from feature_extraction.motion.network import MotionNetwork
from feature_extraction.motion.pool import Pool
from feature_extraction.motion.settings import Settings
from vadloc.errors import VadlocError

_WARM_UP = 0.02
_CELL_OUTPUTS = 1 + DIRECTIONS + 1
_WEIGHT_DECAY = 1e-2


class MotionTraining:
    """A training in progress.

    A layer that is dropped after the training predicts the motion of each of the 8 x 8 cells from
    the map of the trunk. Its loss teaches the trunk where in the volume something moves.

    Args:
        pool: The training volumes.
        settings: The settings of the training.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, pool: Pool, settings: Settings, *, device: str) -> None:
        torch.manual_seed(settings.seed)
        self.step = 0
        self._pool = pool
        self._settings = settings
        self._device = device
        self.network = MotionNetwork(separate_trunks=settings.separate_trunks, normalised=True)
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
        """Take over the network of another training; the learning rate starts from the beginning.

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
            cells = self.network.cells(frames.float() / 255 * lit[:, None, None, None])
            maps = self.network.maps(cells)
            features = self.network.features(self.network.pooled(maps))
            outputs = self.network.read(features)
            motions = [layer(trunk_map) for layer, trunk_map in zip(self._cells, maps, strict=True)]
        loss = total_loss(features, outputs, motions, share, momentum)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._modules.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        self.step += 1
        return loss.item()
