"""The last step of a training of the motion network: regions in their surroundings.

The network is trained on regions alone, cut from rendered and real video. In use its first layers
run on the frame (``motion.cells``), and what they make of the border of a region is another thing
with its surroundings than without. So the last convolutions and the heads are trained on: from
cells with surroundings, they are to give the features that the network has for the region alone.
"""

import copy
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from more_itertools import chunked
from numpy.typing import NDArray
from torch import Tensor

from feature_extraction.motion.architecture import CELL_PX, HEADS, SEEN_AROUND_PX
from feature_extraction.motion.heads import LEAST_DEVIATION
from feature_extraction.motion.network import MotionNetwork
from feature_extraction.motion.real import split_sequences, surrounded_volumes
from vadloc.video.frames import Sequence
from vadloc.weights import FEATURE_WIDTH

logger = logging.getLogger(__name__)

BATCH: Final = 64
LEARNING_RATE: Final = 1e-3
WEIGHT_DECAY: Final = 1e-4
_FORWARD_BATCH = 64


@dataclass(frozen=True)
class Lesson:
    """What is learnt from volumes.

    Attributes:
        cells: float16 ``(n, width, 16, 16)``: of regions in their surroundings.
        features: ``(n, 384)``: of the regions alone.
    """

    cells: Tensor
    features: Tensor


def adapt(
    network: MotionNetwork, videos: list[Path], *, count: int, steps: int, seed: int, device: str
) -> dict[str, float]:
    """Train the last layers of a network to see regions in their surroundings.

    Args:
        network: Without batch normalisation; changed in place.
        videos: Folders of sequences; the last quarter of each measures and is not learnt from.
        count: Volumes to learn from.
        steps: Steps of the optimiser.
        seed: The seed of all random choices.
        device: ``cpu`` or ``cuda``.

    Returns:
        For each head the mean squared error on held-out volumes, over the variance of its
        features.

    Raises:
        VadlocError: Video cannot be used.
    """
    alone = copy.deepcopy(network).to(device).eval()
    halves = [split_sequences(video) for video in videos]
    lesson, test = (
        _lesson(alone, _volumes([s for half in halves for s in half[i]], share * count, seed, i))
        for i, share in enumerate((1, 0.1))
    )
    network.to(device)
    by_head = lesson.features.reshape(-1, len(HEADS), FEATURE_WIDTH)
    spread = by_head.std(dim=(0, 2)).clamp(min=LEAST_DEVIATION)
    logger.info("features in surroundings, error: %s", _by_head(_errors(network, test, spread)))
    _learn(network, lesson, spread, steps=steps, seed=seed, device=device)
    errors = _by_head(_errors(network, test, spread))
    logger.info("the same after %d steps: %s", steps, errors)
    return errors


def _learn(
    network: MotionNetwork, lesson: Lesson, spread: Tensor, *, steps: int, seed: int, device: str
) -> None:
    """Train the last convolutions and the heads."""
    trunks: Any = network.trunks
    layers = [*network.heads.values(), *(t[name] for t in trunks for name in ("conv3", "conv4"))]
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        drawn = torch.from_numpy(rng.integers(len(lesson.cells), size=BATCH))
        loss = _error(network, lesson, drawn, spread, device).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()


def _volumes(
    sequences: list[Sequence], count: float, seed: int, half: int
) -> Iterator[NDArray[np.uint8]]:
    """Volumes with surroundings, evenly from sequences."""
    each = max(1, round(count / len(sequences)))
    for number, sequence in enumerate(sequences):
        yield from surrounded_volumes(sequence, each, seed=(seed, half, number))


@torch.no_grad()
def _lesson(alone: MotionNetwork, volumes: Iterable[NDArray[np.uint8]]) -> Lesson:
    """Cells of the regions in the middle of volumes, and features of these regions alone."""
    device = next(alone.parameters()).device
    border, cells_of_border = SEEN_AROUND_PX, SEEN_AROUND_PX // CELL_PX
    cells, features = [], []
    for batch in chunked(volumes, _FORWARD_BATCH):
        some = torch.from_numpy(np.stack(batch)).to(device).float() / 255
        inner = slice(cells_of_border, -cells_of_border)
        cells.append(alone.cells(some)[..., inner, inner].half().cpu())
        middle = some[..., border:-border, border:-border]
        features.append(alone.embed(middle.contiguous()).float().cpu())
    return Lesson(torch.cat(cells), torch.cat(features))


def _error(
    network: MotionNetwork, lesson: Lesson, drawn: Tensor, spread: Tensor, device: str
) -> Tensor:
    """Mean squared error of some volumes over the variance of the features, ``(heads,)``."""
    cells = lesson.cells[drawn].to(device).float().contiguous(memory_format=torch.channels_last)
    difference = network.embed_cells(cells) - lesson.features[drawn].to(device)
    of_heads = difference.reshape(-1, len(HEADS), FEATURE_WIDTH) / spread[:, None].to(device)
    return of_heads.square().mean(dim=(0, 2))


@torch.no_grad()
def _errors(network: MotionNetwork, lesson: Lesson, spread: Tensor) -> Tensor:
    """The error of all volumes."""
    device = str(next(network.parameters()).device)
    batches = torch.split(torch.arange(len(lesson.cells)), _FORWARD_BATCH)
    found = torch.stack([_error(network, lesson, b, spread, device) * len(b) for b in batches])
    return found.sum(dim=0) / len(lesson.cells)


def _by_head(errors: Tensor) -> dict[str, float]:
    return {name: round(error, 4) for name, error in zip(HEADS, errors.tolist(), strict=True)}
