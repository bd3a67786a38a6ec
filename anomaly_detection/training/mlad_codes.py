"""Trains the denoising autoencoders of ``mlad``, whose codes its further levels predict.

The loss is the squared error to the picture without noise. The paper trains with Adagrad and a
penalty of the weights; here it is Adam, without a penalty, as in the authors' program.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.training.held_out_task import HeldOutTask
from anomaly_detection.training.mined import load_start, masked_mean
from anomaly_detection.training.mlad_pictures import sources_of
from anomaly_detection.training.tasks import Example, TrainingData
from feature_extraction.checkpoints import mixed_precision
from feature_extraction.codes import statistics_names
from feature_extraction.denoising_autoencoder import DenoisingAutoencoder
from feature_extraction.mlad_networks import NETWORKS, autoencoder_name, channels_of
from vadloc.detector_settings import Mlad

STATISTICS_BATCHES = 8
"""Batches of training video of which the mean and the deviation of codes are measured."""
FIRST_NUMBER = 100
"""Number of the first autoencoder in seeds, above those of all generators."""


class DenoisingTask(HeldOutTask):
    """The training of one denoising autoencoder.

    Args:
        kind: Of what pictures: ``flow`` or ``frame``.
        data: The training video.
        settings: The settings.
        device: ``cpu`` or ``cuda``.
    """

    network: DenoisingAutoencoder

    def __init__(self, kind: str, data: TrainingData, settings: Mlad, *, device: str) -> None:
        self.name, self.step, self._kind = autoencoder_name(kind), 0, kind
        start = data.start.get(self.name)
        self.steps = settings.mined_steps if start else settings.steps
        self.device, self._settings = device, settings
        self.seed = settings.seed, FIRST_NUMBER + NETWORKS.index(kind)
        self._set_seed(0)
        channels = channels_of(kind, 0, settings)
        self.network = DenoisingAutoencoder(channels, settings.autoencoder)
        if start:
            load_start(self.network, start)
        self.network.to(device).train()
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._pictures = sources_of(data, settings)
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)

    def _set_seed(self, number: int) -> None:
        state = np.random.SeedSequence((*self.seed, 3, number)).generate_state(1)
        torch.manual_seed(int(state[0]))

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        self._set_seed(1 + self.step)  # noise
        drawn = self._pictures[0].draw(self._source(0, self.step), self._settings.batch_size)
        target = torch.from_numpy(drawn.of[self._kind])
        given = target + self._settings.noise * torch.randn(target.shape)
        learnt = None if drawn.learnt is None else torch.from_numpy(drawn.learnt).to(self.device)
        with mixed_precision(self.device):
            made = self.network(given.to(self.device))
        loss = masked_mean((made.float() - target.to(self.device)) ** 2, learnt)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        return {"loss": loss.item()}

    def _loss(self, rng: np.random.Generator) -> float:
        """See `HeldOutTask._loss`: the squared error, without noise."""
        pictures = self._pictures[1].draw(rng, self._settings.batch_size).of[self._kind]
        given = torch.from_numpy(pictures).to(self.device)
        return float(((self.network(given).float() - given) ** 2).mean())

    def state(self) -> dict[str, Any]:
        """See `NetworkTask.state`."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """See `NetworkTask.resume`."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.tensors`: the encoder, and what is usual for its outputs."""
        return self.network.tensors() | self._statistics()

    def _statistics(self) -> dict[str, NDArray[np.float32]]:
        """Mean and standard deviation of the channels of all layers, by the names of the codes."""
        self.network.eval()
        found = []
        with torch.inference_mode():
            for number in range(STATISTICS_BATCHES):
                drawn = self._pictures[0].draw(self._source(4, number), self._settings.batch_size)
                pictures = torch.from_numpy(drawn.of[self._kind]).to(self.device)
                found.append(self.network.activations(pictures))
        self.network.train()
        tensors = {}
        for level, batches in enumerate(zip(*found, strict=True), start=1):
            values = torch.cat(batches).double().transpose(0, 1).flatten(1)
            mean, deviation = statistics_names(level)
            tensors[mean] = values.mean(dim=1).float().cpu().numpy()
            tensors[deviation] = values.std(dim=1, correction=0).float().cpu().numpy()
        return tensors

    def start_tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.start_tensors`."""
        state = self.network.state_dict().items()
        return {n: t.cpu().clone().numpy() for n, t in state if t.is_floating_point()}

    def _example(self, rng: np.random.Generator, number: int) -> Example:
        """A held-out picture and its reconstruction."""
        del number
        picture = self._pictures[1].draw(rng, 1).of[self._kind]
        made = self.network(torch.from_numpy(picture).to(self.device))[0].float().cpu().numpy()
        return Example(picture[0, -1], made[-1], np.abs(made - picture[0]).mean(axis=0))
