"""Trainings whose error is measured on held-out batches that are always the same."""

from abc import abstractmethod

import numpy as np
import torch

from anomaly_detection.training.tasks import PICTURES, Example, NetworkTask
from feature_extraction.checkpoints import mixed_precision

HELD_OUT_BATCHES = 8
"""Batches of held-out video on which the error is measured."""


class HeldOutTask(NetworkTask):
    """The training of a network that sees batches drawn from video.

    Attributes:
        network: The network.
        device: ``cpu`` or ``cuda``.
        seed: Seed of the training, and number of the network. What is drawn in a step begins with
            it and 0, held-out batches with it and 1, examples with it and 2.
    """

    network: torch.nn.Module
    device: str
    seed: tuple[int, int]

    def measure(self) -> float:
        """See `NetworkTask.measure`."""
        self.network.eval()
        with torch.inference_mode(), mixed_precision(self.device):
            losses = [self._loss(self._source(1, number)) for number in range(HELD_OUT_BATCHES)]
        self.network.train()
        return float(np.mean(losses))

    def examples(self) -> list[Example]:
        """See `NetworkTask.examples`."""
        self.network.eval()
        with torch.inference_mode():
            found = [self._example(self._source(2, number), number) for number in range(PICTURES)]
        self.network.train()
        return found

    def _source(self, use: int, number: int) -> np.random.Generator:
        return np.random.default_rng((*self.seed, use, number))

    @abstractmethod
    def _loss(self, rng: np.random.Generator) -> float:
        """The error on a held-out batch."""

    @abstractmethod
    def _example(self, rng: np.random.Generator, number: int) -> Example:
        """An example of held-out video; ``number`` is its place on the sheet."""
