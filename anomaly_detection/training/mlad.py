"""Trains the generators of the detector ``mlad``, each against a discriminator of its own.

The discriminator minimises -(log D(x, y) + log(1 - D(x, G(x)))), the generator
-log D(x, G(x)) + ``l1_weight`` times the mean absolute error. Of mined video only the absolute
error is masked; the discriminator sees the whole picture.
"""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.training.held_out_task import HeldOutTask
from anomaly_detection.training.mined import load_start, masked_mean, read_mined, read_start
from anomaly_detection.training.mlad_codes import DenoisingTask
from anomaly_detection.training.mlad_pictures import Drawn, PictureSource, sources_of
from anomaly_detection.training.tasks import Example, NetworkTask, TrainingData, to_example
from anomaly_detection.training.video import read_video
from feature_extraction.checkpoints import mixed_precision
from feature_extraction.codes import Codes
from feature_extraction.mlad_networks import (
    NETWORKS,
    all_networks,
    autoencoder_name,
    channels_of,
    network_name,
    other_kind,
)
from feature_extraction.translation import PatchDiscriminator, UNet
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import Mlad
from vadloc.weights import NetworkWeights

logger = logging.getLogger(__name__)
BETAS = 0.5, 0.999
WEIGHT_SPREAD = 0.02
"""Standard deviation of the first weights, as in pix2pix."""
DEAD_LOSS = 1e-3
DEAD_STEPS = 200


def read_data(artifacts: Artifacts, *, device: str) -> TrainingData:
    """The training video; after a round of mining also what was mined, and where to begin.

    Raises:
        VadlocError: Video or what was mined cannot be read, or the networks of the round before
            are missing.
    """
    del device
    found = read_video(artifacts)
    if not artifacts.round:
        return found
    settings: Mlad = artifacts.detector_settings
    mined = list(read_mined(artifacts, most_frames=settings.training_frames))
    shares = [float(part.learnt.mean()) for part in mined if part.learnt is not None]
    logger.info(
        "%d mined frames beside them, of whose pixels %.1f %% are learnt",
        sum(map(len, mined)),
        100 * float(np.average(shares, weights=[len(part) for part in mined])),
    )
    start = {}
    if settings.mined_start == "continue":
        start = read_start(artifacts.at_round(artifacts.round - 1), all_networks(settings))
    return replace(found, trained=[*found.trained, *mined], start=start)


def make_tasks(data: TrainingData, settings: Mlad, *, device: str) -> list[NetworkTask]:
    """The generator of flow from frames, then that of frames from flow.

    With further levels also the autoencoders of both, then the same generators of each level.
    """
    tasks: list[NetworkTask] = []
    for level in settings.levels:
        if level and not any(isinstance(task, DenoisingTask) for task in tasks):
            tasks += [DenoisingTask(kind, data, settings, device=device) for kind in NETWORKS]
        tasks += [
            TranslationTask(kind, data, settings, device=device, level=level) for kind in NETWORKS
        ]
    return tasks


def describe(data: TrainingData, settings: Mlad) -> dict[str, Any]:
    """What the detector needs beside the weights."""
    return {"flow_limit_px": data.flow_limit_px, "layers": settings.layers}


class TranslationTask(HeldOutTask):
    """The training of one generator.

    Args:
        kind: What it makes: ``flow`` or ``frame``; above level 0, its codes.
        data: The training video.
        settings: The settings.
        device: ``cpu`` or ``cuda``.
        level: Its level.
    """

    network: UNet

    def __init__(
        self, kind: str, data: TrainingData, settings: Mlad, *, device: str, level: int = 0
    ) -> None:
        self.name, self.step = network_name(kind, level), 0
        self._kind, self._level = kind, level
        self._codes: Codes | None = None
        start = data.start.get(self.name)
        self.steps = settings.mined_steps if start else settings.steps
        self.device, self._settings = device, settings
        number = level * len(NETWORKS) + NETWORKS.index(kind)
        self.seed = settings.seed, number
        torch.manual_seed(settings.seed * len(NETWORKS) + number)
        given, made = (channels_of(k, level, settings) for k in (other_kind(kind), kind))
        shape = settings.channels, settings.layers
        self.network = UNet(given, made, *shape, dropout=settings.dropout)
        self._judge = PatchDiscriminator(given + made, settings.discriminator_channels)
        self._modules = torch.nn.ModuleList([self.network, self._judge])
        self._modules.apply(_first_weights)
        if start:
            load_start(self._modules, start)
        self._modules.to(device).train()
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._optimisers = [
            torch.optim.Adam(module.parameters(), lr=settings.learning_rate, betas=BETAS)
            for module in (self.network, self._judge)
        ]
        self._pictures = sources_of(data, settings)
        self._dead_steps = 0

    def begin(self, networks: dict[str, NetworkWeights]) -> None:
        """See `NetworkTask.begin`: above level 0, the autoencoders that make codes."""
        if self._level:
            of_kinds = {kind: networks[autoencoder_name(kind)] for kind in NETWORKS}
            self._codes = Codes(self._level, of_kinds, device=self.device)

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        seed, number = self.seed
        torch.manual_seed((seed * len(NETWORKS) + number) * self.steps + self.step)  # dropout
        rng = self._source(0, self.step)
        given, target, learnt = self._batch(self._pictures[0], rng)
        with mixed_precision(self.device):
            made = self.network(given)
        judged = self._advance_judge(given, target, made.float().detach())
        with mixed_precision(self.device):
            logits = self._judge(torch.cat([given, made.float()], dim=1))
        adversarial = torch.nn.functional.softplus(-logits.float()).mean()
        absolute = masked_mean((made.float() - target).abs(), learnt)
        self._step(0, adversarial + self._settings.l1_weight * absolute)
        self.step += 1
        losses = {"absolute": absolute.item(), "adversarial": adversarial.item()}
        return {**losses, "discriminator": judged}

    def _advance_judge(
        self, given: torch.Tensor, target: torch.Tensor, made: torch.Tensor
    ) -> float:
        """One step of the discriminator; its loss."""
        with mixed_precision(self.device):
            true = self._judge(torch.cat([given, target], dim=1)).float()
            false = self._judge(torch.cat([given, made], dim=1)).float()
        softplus = torch.nn.functional.softplus
        loss = softplus(-true).mean() + softplus(false).mean()
        self._step(1, loss)
        self._warn_if_dead(loss.item())
        return loss.item()

    def _step(self, number: int, loss: torch.Tensor) -> None:
        self._optimisers[number].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimisers[number].step()

    def _warn_if_dead(self, loss: float) -> None:
        self._dead_steps = self._dead_steps + 1 if loss < DEAD_LOSS else 0
        if self._dead_steps == DEAD_STEPS:
            logger.warning(
                "%s: the loss of the discriminator has been below %g for %d steps: it tells all "
                "pictures apart and teaches nothing any more; a lower learning_rate or fewer "
                "discriminator_channels may help",
                self.name,
                DEAD_LOSS,
                DEAD_STEPS,
            )

    def _loss(self, rng: np.random.Generator) -> float:
        """See `HeldOutTask._loss`: the mean absolute error."""
        given, target, _ = self._batch(self._pictures[1], rng)
        return float((self.network(given).float() - target).abs().mean())

    def _batch(
        self, pictures: PictureSource, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Inputs, targets, and the pixels ``(n, 1, height, width)`` that are learnt, if not all."""
        drawn = pictures.draw(rng, self._settings.batch_size)
        given, target = (self._coded(drawn, kind) for kind in (other_kind(self._kind), self._kind))
        learnt = None if drawn.learnt is None else torch.from_numpy(drawn.learnt).to(self.device)
        return given, target, learnt

    def _coded(self, drawn: Drawn, kind: str) -> torch.Tensor:
        """Pictures of a kind; above level 0 their codes."""
        pictures = drawn.of[kind]
        if self._level:
            assert self._codes is not None, "begin() comes first"
            pictures = self._codes.of(kind, pictures)
        return torch.from_numpy(pictures).to(self.device)

    def state(self) -> dict[str, Any]:
        """See `NetworkTask.state`."""
        return {
            "step": self.step,
            "modules": self._modules.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """See `NetworkTask.resume`."""
        self._modules.load_state_dict(state["modules"])
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = state["step"]

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.tensors`."""
        return self.network.tensors()

    def start_tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.start_tensors`: those of generator and discriminator."""
        state = self._modules.state_dict().items()
        return {
            name: tensor.cpu().clone().numpy()
            for name, tensor in state
            if tensor.is_floating_point()
        }

    def _example(self, rng: np.random.Generator, number: int) -> Example:
        """A held-out picture and its prediction."""
        del number
        drawn = self._pictures[1].draw(rng, 1)
        given, target = (self._coded(drawn, kind) for kind in (other_kind(self._kind), self._kind))
        made, seen = self.network(given)[0].float().cpu().numpy(), target[0].cpu().numpy()
        return to_example(seen, made, is_flow=self._kind == "flow")


def _first_weights(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
        torch.nn.init.normal_(module.weight, 0, WEIGHT_SPREAD)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
