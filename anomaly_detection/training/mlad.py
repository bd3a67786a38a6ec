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
from anomaly_detection.training.mined import read_mined, read_start
from anomaly_detection.training.tasks import Example, NetworkTask, TrainingData
from anomaly_detection.training.video import read_video
from feature_extraction.checkpoints import mixed_precision
from feature_extraction.footage import FLOW_CHANNELS, flow_to_input, frames_to_input
from feature_extraction.pseudo_anomalies.clips import ClipSource, Place
from feature_extraction.translation import PatchDiscriminator, UNet
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import Mlad
from vadloc.errors import VadlocError, one_line
from vadloc.weights import NetworkWeights

logger = logging.getLogger(__name__)
Pictures = dict[str, NDArray[np.float32]]
NETWORKS = "flow", "frame"
"""What each generator makes; the other one is its input."""
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
        start = read_start(artifacts.at_round(artifacts.round - 1), NETWORKS)
    return replace(found, trained=[*found.trained, *mined], start=start)


def make_tasks(data: TrainingData, settings: Mlad, *, device: str) -> list[NetworkTask]:
    """The generator of flow from frames, then that of frames from flow."""
    return [TranslationTask(name, data, settings, device=device) for name in NETWORKS]


def describe(data: TrainingData, settings: Mlad) -> dict[str, Any]:
    """What the detector needs beside the weights."""
    return {"flow_limit_px": data.flow_limit_px, "layers": settings.layers}


class TranslationTask(HeldOutTask):
    """The training of one generator.

    Args:
        name: What it makes: ``flow`` or ``frame``.
        data: The training video.
        settings: The settings.
        device: ``cpu`` or ``cuda``.
    """

    network: UNet

    def __init__(self, name: str, data: TrainingData, settings: Mlad, *, device: str) -> None:
        start = data.start.get(name)
        self.name, self.step = name, 0
        self.steps = settings.mined_steps if start else settings.steps
        self.device, self._settings, self._data = device, settings, data
        number = NETWORKS.index(name)
        self.seed = settings.seed, number
        torch.manual_seed(settings.seed * len(NETWORKS) + number)
        channels = {"frame": settings.frame_channels, "flow": FLOW_CHANNELS}
        given, made = channels[_other(name)], channels[name]
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
        self._sources = [
            ClipSource(footage, 1, settings.crop_px, settings.side_multiple)
            for footage in (data.trained, data.held_out)
        ]
        self._dead_steps = 0

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        seed, number = self.seed
        torch.manual_seed((seed * len(NETWORKS) + number) * self.steps + self.step)  # dropout
        rng = self._source(0, self.step)
        given, target, learnt = self._batch(self._sources[0], rng)
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
        given, target, _ = self._batch(self._sources[1], rng)
        return float((self.network(given).float() - target).abs().mean())

    def _batch(
        self, source: ClipSource, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Inputs, targets, and the pixels ``(n, 1, height, width)`` that are learnt, if not all."""
        places = [source.draw(rng) for _ in range(self._settings.batch_size)]
        pictures = [self._pictures(source, place) for place in places]
        names = _other(self.name), self.name
        given, target = (
            torch.from_numpy(np.stack([p[name] for p in pictures])).to(self.device)
            for name in names
        )
        return given, target, self._learnt(pictures)

    def _learnt(self, pictures: list[Pictures]) -> torch.Tensor | None:
        """The pixels of pictures that are learnt; ``None`` if all are."""
        if all("learnt" not in of for of in pictures):
            return None
        whole = np.ones((1, *pictures[0]["frame"].shape[1:]), np.float32)
        return torch.from_numpy(np.stack([of.get("learnt", whole) for of in pictures])).to(
            self.device
        )

    def _pictures(self, source: ClipSource, place: Place) -> Pictures:
        """Frame and flow, ``(channels, height, width)``; and ``learnt``, if not all pixels are."""
        clip = source.cut(place)
        flow = flow_to_input(clip.flow[0], self._data.flow_limit_px)
        found = {"frame": frames_to_input(clip.frames)[:, 0], "flow": flow}
        if clip.learnt is not None:
            found["learnt"] = clip.learnt.astype(np.float32)
        return found

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
        source = self._sources[1]
        pictures = self._pictures(source, source.draw(rng))
        given, target = pictures[_other(self.name)], pictures[self.name]
        output = self.network(torch.from_numpy(given[None]).to(self.device))[0]
        made = output.float().cpu().numpy()
        return Example(target[-1], made[-1], np.abs(made - target).mean(axis=0))


def masked_mean(errors: torch.Tensor, learnt: torch.Tensor | None) -> torch.Tensor:
    """The mean error of the pixels that are learnt: Eq. 5 of the mining paper.

    Args:
        errors: ``(n, channels, height, width)``.
        learnt: ``(n, 1, height, width)``, 1 where a pixel is learnt, else 0; ``None`` for all.
    """
    if learnt is None:
        return errors.mean()
    weights = learnt.expand_as(errors)
    return (errors * weights).sum() / weights.sum().clamp(min=1)


def load_start(modules: torch.nn.Module, start: NetworkWeights) -> None:
    """Begin with the tensors of an earlier training.

    Raises:
        VadlocError: They are those of other networks.
    """
    tensors = {name: torch.from_numpy(array) for name, array in start.tensors.items()}
    try:
        missing, _ = modules.load_state_dict(tensors, strict=False)
        lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    except RuntimeError as error:
        lacking = [one_line(error, limit=200)]
    if lacking:
        raise VadlocError(
            f"{start.source}: not of the networks that the config describes ({lacking[0]}); give "
            'the config of the round before, or mined_start = "scratch"'
        )


def _other(name: str) -> str:
    return {"frame": "flow", "flow": "frame"}[name]


def _first_weights(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
        torch.nn.init.normal_(module.weight, 0, WEIGHT_SPREAD)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
