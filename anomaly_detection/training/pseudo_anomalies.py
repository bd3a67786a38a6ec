"""Trains the networks of the detector ``pseudo_anomalies``.

Each autoencoder reconstructs clips of normal video. Some clips have a pseudo-anomaly; the loss is
then the mean squared error to the clip without it, so that the autoencoder learns not to
reconstruct anomalies.
For the discriminator see ``anomaly_detection.training.discriminator``.
"""

import logging
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.detectors.held_out import training_video
from anomaly_detection.training.discriminator import DiscriminatorTask, Looks, read_looks
from anomaly_detection.training.held_out_task import HeldOutTask
from anomaly_detection.training.tasks import FLOWS, Example, NetworkTask, TrainingData, to_example
from anomaly_detection.training.video import read_video
from feature_extraction.autoencoder3d import Autoencoder3d
from feature_extraction.checkpoints import mixed_precision
from feature_extraction.footage import FLOW_CHANNELS, Footage, flow_to_input, frames_to_input
from feature_extraction.pseudo_anomalies.clips import Clip, ClipSource
from feature_extraction.pseudo_anomalies.generator import Generator, Kind
from feature_extraction.pseudo_anomalies.inpainting import inpainter
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import PseudoAnomalies
from vadloc.errors import some_of

logger = logging.getLogger(__name__)
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class ChangedData(TrainingData):
    """What the autoencoders and the discriminator learn from.

    Attributes:
        looks: Regions that the discriminator learns from, and held-out ones; ``None`` without it.
    """

    looks: tuple[Looks, Looks] | None = None


def read_data(artifacts: Artifacts, *, device: str) -> ChangedData:
    """The training video, and regions of it with a pseudo-anomaly if there is a discriminator.

    Raises:
        UsageError: The inpainter needs a package that is not installed.
        VadlocError: Frames cannot be read, or no sequence is long enough.
    """
    settings: PseudoAnomalies = artifacts.detector_settings
    looks = None
    if settings.discriminator:
        video, clips = training_video(artifacts), settings.discriminator_clips
        looks = (
            read_looks(artifacts, video.trained, clips, device=device),
            read_looks(artifacts, video.held_out, max(1, clips // 4), device=device),
        )
        logger.info(
            "discriminator: %d regions with a pseudo-anomaly to train on, %d held out",
            *(len(of.features) for of in looks),
        )
    found = read_video(artifacts)
    return ChangedData(**vars(found), looks=looks)


def make_tasks(data: ChangedData, settings: PseudoAnomalies, *, device: str) -> list[NetworkTask]:
    """The discriminator, which takes seconds, then the autoencoders of frames and of flow."""
    parts = [*data.trained, *data.held_out]
    short = dict.fromkeys(p.sequence for p in parts if len(p) < settings.clip_frames)
    if short:
        logger.warning(
            "%s: shorter than a clip of %d frames, and run backwards at the end; a smaller "
            "clip_frames avoids this",
            some_of(list(short)),
            settings.clip_frames,
        )
    tasks: list[NetworkTask] = []
    if data.looks:
        tasks.append(DiscriminatorTask(DISCRIMINATOR, *data.looks, settings, device=device))
    return [*tasks, *(AutoencoderTask(name, data, settings, device=device) for name in NETWORKS)]


def describe(data: TrainingData, settings: PseudoAnomalies) -> dict[str, Any]:
    """What the detector needs beside the weights."""
    return {"flow_limit_px": data.flow_limit_px, "channels": settings.channels}


class AutoencoderTask(HeldOutTask):
    """The training of one autoencoder.

    Args:
        name: ``appearance`` for frames, ``motion`` for optical flow.
        data: The training video.
        settings: The settings.
        device: ``cpu`` or ``cuda``.
    """

    network: Autoencoder3d

    def __init__(
        self, name: str, data: TrainingData, settings: PseudoAnomalies, *, device: str
    ) -> None:
        self.name, self.steps, self.step = name, settings.steps, 0
        self.device, self._settings, self._limit_px = device, settings, data.flow_limit_px
        number = NETWORKS.index(name)
        self.seed = settings.seed, number
        torch.manual_seed(settings.seed * len(NETWORKS) + number)
        pictures = settings.frame_channels if name == "appearance" else FLOW_CHANNELS
        self.network = Autoencoder3d(pictures, settings.channels)
        self.network.to(device).train()
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._generators = [
            self._generator(footage, data.region_px) for footage in (data.trained, data.held_out)
        ]
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            max_lr=settings.learning_rate,
            total_steps=settings.steps + 1,
            pct_start=WARM_UP,
            cycle_momentum=False,
        )

    def _generator(self, footage: list[Footage], region_px: int) -> Generator:
        settings = self._settings
        sides = settings.crop_px, settings.side_multiple
        source = ClipSource(footage, settings.clip_frames, *sides)
        return Generator(
            source, region_px, inpainter(settings.inpainter, settings.diffusion_folder)
        )

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        rng = self._source(0, self.step)
        given, target, changed = self._batch(self._generators[0], rng)
        self._optimiser.zero_grad(set_to_none=True)
        with mixed_precision(self.device):
            output = self.network(given)
        errors = ((output.float() - target) ** 2).flatten(1).mean(dim=1)
        loss = errors.mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self._optimiser.step()
        self._schedule.step()
        self.step += 1
        return {"loss": loss.item(), **_by_kind(errors.detach().cpu().numpy(), changed)}

    def _loss(self, rng: np.random.Generator) -> float:
        """See `HeldOutTask._loss`; with pseudo-anomalies as in training."""
        given, target, _ = self._batch(self._generators[1], rng)
        return float(((self.network(given).float() - target) ** 2).mean())

    def _batch(
        self, generator: Generator, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, NDArray[np.bool_]]:
        """Clips, clean clips, and which clips have a pseudo-anomaly."""
        pairs, changed = [], []
        for _ in range(self._settings.batch_size):
            is_changed = bool(rng.random() < self._probability)
            pairs.append(self._pair(generator, rng, is_changed=is_changed))
            changed.append(is_changed)
        given, target = (
            torch.from_numpy(np.stack([self._to_input(pair[i]) for pair in pairs])) for i in (0, 1)
        )
        return given.to(self.device), target.to(self.device), np.array(changed)

    def _pair(
        self, generator: Generator, rng: np.random.Generator, *, is_changed: bool
    ) -> tuple[Clip, Clip]:
        place = generator.source.draw(rng)
        if not is_changed:
            clip = generator.source.cut(place)
            return clip, clip
        kinds = self._kinds
        kind = kinds[int(rng.integers(len(kinds)))]
        instead: Kind = "patch" if self.name == "appearance" else "mix"
        made = generator.draw(rng, place, kind, instead=instead)
        return made.clip, made.clean

    @property
    def _probability(self) -> float:
        settings = self._settings
        if self.name == "appearance":
            return settings.appearance_probability
        return settings.motion_probability

    @property
    def _kinds(self) -> list[Kind]:
        settings = self._settings
        named = settings.appearance_kinds if self.name == "appearance" else settings.motion_kinds
        return cast("list[Kind]", named)

    def _to_input(self, clip: Clip) -> NDArray[np.float32]:
        """A clip as the network reads it, ``(channels, t, height, width)``."""
        if self.name == "appearance":
            return frames_to_input(clip.frames)
        return np.ascontiguousarray(flow_to_input(clip.flow, self._limit_px).swapaxes(0, 1))

    def state(self) -> dict[str, Any]:
        """See `NetworkTask.state`."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """See `NetworkTask.resume`."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        self.step = state["step"]

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.tensors`."""
        return self.network.tensors()

    def _example(self, rng: np.random.Generator, number: int) -> Example:
        """The middle frame of a held-out clip; every other one has a pseudo-anomaly."""
        clip, _ = self._pair(self._generators[1], rng, is_changed=number % 2 == 1)
        given = self._to_input(clip)
        output = self.network(torch.from_numpy(given[None]).to(self.device))[0]
        made = output.float().cpu().numpy()
        middle = given.shape[1] // 2
        return to_example(given[:, middle], made[:, middle], is_flow=self.name in FLOWS)


NETWORKS = "appearance", "motion"
DISCRIMINATOR = "discriminator"


def _by_kind(errors: NDArray[np.floating], changed: NDArray[np.bool_]) -> dict[str, float]:
    """The mean loss of clips without and with a pseudo-anomaly, where the batch has any."""
    named = {"normal": ~changed, "pseudo_anomalies": changed}
    return {name: float(errors[rows].mean()) for name, rows in named.items() if rows.any()}
