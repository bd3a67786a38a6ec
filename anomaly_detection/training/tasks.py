"""What a training consists of: tasks, each of which trains one network of a detector.

The module that ``DetectorEntry.training`` names has three functions:

* ``read_data(artifacts, device=...)``: what the networks learn from, such as `TrainingData`; it
  lists its parts as ``trained`` and ``held_out``, each with the name of its ``sequence`` and a
  length in frames.
* ``make_tasks(data, settings, device=...) -> list[NetworkTask]``: the tasks in their order.
* ``describe(data, settings) -> dict``: what the detector needs beside weights, as JSON holds it.

What is drawn in a step depends on the seed and the step alone, so that a training that was stopped
goes on as if it had not been.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_extraction.footage import Footage
from vadloc.weights import NetworkWeights

PICTURES = 8
"""Rows of the sheet of examples."""


@dataclass(frozen=True)
class TrainingData:
    """What networks learn from.

    Attributes:
        trained: Footage to train on.
        held_out: Footage that is only measured.
        region_px: Side of a region in reduced frames.
        flow_limit_px: Speed that counts as 1; see ``feature_extraction.footage.flow_to_input``.
        start: By network, the tensors with which its training begins; none for new networks.
    """

    trained: list[Footage]
    held_out: list[Footage]
    region_px: int
    flow_limit_px: float
    start: dict[str, NetworkWeights] = field(default_factory=dict)


class Example(NamedTuple):
    """Input, output and absolute error of a network, pictures in [-1, 1], errors from 0 on."""

    given: NDArray[np.float32]
    output: NDArray[np.float32]
    error: NDArray[np.float32]


def to_examples(
    given: dict[str, NDArray[np.float32]], made: dict[str, NDArray[np.float32]]
) -> dict[str, Example]:
    """Examples of pictures ``(channels, height, width)``, by network.

    Of optical flow the last channel is shown, the speed; of frames in colour the mean.
    """
    return {name: to_example(given[name], made[name], is_flow=name in FLOWS) for name in given}


FLOWS = "flow", "motion"
"""Names of networks whose pictures are optical flow."""


def to_example(given: NDArray[np.float32], made: NDArray[np.float32], *, is_flow: bool) -> Example:
    """An example of pictures ``(channels, height, width)``."""
    shown, output = (of[-1] if is_flow else of.mean(axis=0) for of in (given, made))
    return Example(shown, output, np.abs(made - given).mean(axis=0))


class NetworkTask(ABC):
    """The training of one network.

    Attributes:
        name: Name of the network, and of its file of weights.
        steps: Number of steps.
        step: Number of steps that are done.
        parameters: Number of parameters of the network that is kept.
        keeps_last: Whether the network of the last step is kept, whatever its error on held-out
            video is.
        makes_pictures: Whether its output is a picture, which must not be the same for all inputs.
    """

    name: str
    steps: int
    step: int
    parameters: int
    keeps_last: bool = False
    makes_pictures: bool = True

    def begin(self, networks: dict[str, NetworkWeights]) -> None:
        """Take the networks that were trained before this one; by default they do not matter."""
        del networks

    @abstractmethod
    def advance(self) -> dict[str, float]:
        """Make one step; the losses by part."""

    @abstractmethod
    def measure(self) -> float:
        """The error on held-out video; the checkpoint with the lowest one is kept."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All that ``resume`` needs, as `feature_extraction.checkpoints` writes it."""

    @abstractmethod
    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a state."""

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The tensors of the network that is applied."""

    def start_tensors(self) -> dict[str, NDArray[np.float32]]:
        """The tensors with which a later training goes on; none if there is no such training."""
        return {}

    @abstractmethod
    def examples(self) -> list[Example]:
        """At most ``PICTURES`` examples of held-out video."""
