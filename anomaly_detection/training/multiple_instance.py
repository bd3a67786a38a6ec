"""Trains the head of a detector that learns from labels of whole videos.

A step draws bags of both classes, and of each bag some regions. What is drawn depends on the seed
and the step alone. Regions in which nothing ever changes are drawn less often: they would fill most
of a bag.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.detectors.bags import Bag, load_bag, split_bags
from anomaly_detection.training.mil_losses import bag_losses
from anomaly_detection.training.mil_networks import Head
from anomaly_detection.training.tasks import PICTURES, Example, NetworkTask
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError
from vadloc.weak_settings import MultipleInstance

logger = logging.getLogger(__name__)
NETWORK: Final = "head"
STILL_SHARE: Final = 0.25
"""Share of the regions of a drawn bag that are taken from all regions, also from still ones."""
LONGEST: Final = 200
"""Time steps of a drawn bag; of longer ones, one of each of so many equal stretches is taken."""
LEAST_SPREAD: Final = 1e-3
SPREAD_ROWS: Final = 20_000
BAR_PX: Final = (16, 64)
"""Height and width of the bars in the sheet of examples."""


@dataclass(frozen=True)
class BagData:
    """What a head learns from.

    Attributes:
        trained: Bags to train on.
        held_out: Bags that are only measured.
    """

    trained: list[Bag]
    held_out: list[Bag]


def read_data(artifacts: Artifacts, *, device: str) -> BagData:
    """The bags of all training videos.

    Args:
        artifacts: The results.
        device: Not used.

    Raises:
        UsageError: The videos cannot be used; see `split_bags`. Or a bag is shorter than ``top``.
        VadlocError: Features are missing or damaged.
    """
    del device
    names = split_bags(artifacts)
    trained, held_out = (
        [
            load_bag(artifacts, name, is_anomalous=is_anomalous)
            for is_anomalous in (False, True)
            for name in of[is_anomalous]
        ]
        for of in (names.trained, names.held_out)
    )
    check_bags([*trained, *held_out], artifacts.detector_settings)
    for label, of in (("to train on", names.trained), ("held out", names.held_out)):
        logger.info("%s: %d normal, %d anomalous videos", label, len(of[0]), len(of[1]))
    return BagData(trained, held_out)


def check_bags(bags: list[Bag], settings: MultipleInstance) -> None:
    """Refuse bags that cannot be trained on together.

    Raises:
        UsageError: A bag has fewer instances than ``top``, or another width.
    """
    for bag in bags:
        series, steps, width = bag.instances.shape
        count = min(series, settings.regions) * min(steps, LONGEST)
        if settings.loss != "sultani" and count < settings.top:
            raise UsageError(
                f"{bag.sequence}: a bag of {count} instances, fewer than top = {settings.top}; "
                "lower it in the detector's table, or leave the video out"
            )
        if width != bags[0].instances.shape[2]:
            raise UsageError(
                f"{bag.sequence}: instances of {width} features, those of {bags[0].sequence} have "
                f"{bags[0].instances.shape[2]}; extract all with one config"
            )


def make_tasks(data: BagData, settings: MultipleInstance, *, device: str) -> list[NetworkTask]:
    """The training of the head."""
    return [HeadTask(data, settings, device=device)]


def describe(data: BagData, settings: MultipleInstance) -> dict[str, Any]:
    """Numbers of bags."""
    del settings
    classes = [
        [sum(bag.is_anomalous == kind for bag in bags) for bags in (data.trained, data.held_out)]
        for kind in (False, True)
    ]
    return {"normal_bags": classes[0], "anomalous_bags": classes[1]}


class HeadTask(NetworkTask):
    """The training of the head.

    Args:
        data: The bags.
        settings: The settings.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, data: BagData, settings: MultipleInstance, *, device: str) -> None:
        self.name, self.steps, self.step = NETWORK, settings.steps, 0
        self._data, self._settings, self._device = data, settings, device
        torch.manual_seed(settings.seed)
        center, spread = standard_units(data.trained)
        self.network = Head(
            settings.head,
            center,
            spread,
            channels=settings.channels,
            dropout=settings.dropout,
        ).to(device)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._changing = {id(bag): changing_series(bag.instances) for bag in data.trained}

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        settings = self._settings
        torch.manual_seed(settings.seed * self.steps + self.step)  # dropout
        rng = np.random.default_rng((settings.seed, self.step))
        self.network.train()
        anomalous, normal = (
            [self.network(self._draw(bag, rng)) for bag in self._choose(kind, rng)]
            for kind in (True, False)
        )
        losses = bag_losses(anomalous, normal, settings)
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        return {name: loss.item() for name, loss in losses.items()}

    def _choose(self, kind: bool, rng: np.random.Generator) -> list[Bag]:
        bags = [bag for bag in self._data.trained if bag.is_anomalous == kind]
        order = rng.permutation(len(bags))[: self._settings.bags]
        return [bags[i] for i in order]

    def _draw(self, bag: Bag, rng: np.random.Generator) -> torch.Tensor:
        instances = bag.instances
        series = draw_series(self._changing[id(bag)], self._settings.regions, rng)
        steps = draw_steps(instances.shape[1], rng)
        drawn = instances[series[:, None], steps].astype(np.float32)
        return torch.from_numpy(drawn).to(self._device)

    def measure(self) -> float:
        """See `NetworkTask.measure`: the part of the loss that compares whole held-out bags."""
        scores = [torch.from_numpy(self._score(bag)) for bag in self._data.held_out]
        kinds = [bag.is_anomalous for bag in self._data.held_out]
        anomalous, normal = (
            [found for found, of in zip(scores, kinds, strict=True) if of == kind]
            for kind in (True, False)
        )
        return bag_losses(anomalous, normal, self._settings)["bags"].item()

    def _score(self, bag: Bag) -> NDArray[np.float32]:
        self.network.eval()
        with torch.no_grad():
            given = torch.from_numpy(bag.instances.astype(np.float32)).to(self._device)
            scores: NDArray[np.float32] = self.network(given).cpu().numpy()
        return scores

    def state(self) -> dict[str, Any]:
        """See `NetworkTask.state`."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """See `NetworkTask.resume`."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.tensors`."""
        found = self.network.state_dict().items()
        return {name: tensor.cpu().numpy().astype(np.float32) for name, tensor in found}

    def examples(self) -> list[Example]:
        """For held-out videos: the label, and the highest score at each time step, as bars."""
        bags, half = self._data.held_out, PICTURES // 2
        classes = ([bag for bag in bags if bag.is_anomalous == kind] for kind in (True, False))
        return [self._example(bag) for of_class in classes for bag in of_class[:half]]

    def _example(self, bag: Bag) -> Example:
        highest = self._score(bag).max(axis=0)
        shown = highest[np.linspace(0, len(highest) - 1, BAR_PX[1]).round().astype(np.int64)]
        rows = np.broadcast_to(shown * 2 - 1, BAR_PX)
        label = np.full_like(rows, 1 if bag.is_anomalous else -1)
        return Example(label, rows, np.abs(rows - label))


def standard_units(bags: list[Bag]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each feature, over instances of all bags alike."""
    rows = []
    for bag in bags:
        flat = bag.instances.reshape(-1, bag.instances.shape[2])
        every = max(1, len(flat) * len(bags) // SPREAD_ROWS)
        rows.append(flat[::every].astype(np.float32))
    joined = np.concatenate(rows)
    return joined.mean(axis=0), np.maximum(joined.std(axis=0), LEAST_SPREAD)


def changing_series(instances: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Whether anything changes in each series, ``(series,)``."""
    return np.asarray((instances != instances[:, :1]).any(axis=(1, 2)))


def draw_series(
    changing: NDArray[np.bool_], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw series of a bag, most of them from those in which something changes.

    Args:
        changing: ``(series,)``.
        most: How many are drawn, at most.
        rng: Random numbers.
    """
    everything = rng.permutation(len(changing))
    if len(everything) <= most:
        return everything
    some = everything[: round(STILL_SHARE * most)]
    others = np.setdiff1d(np.flatnonzero(changing), some)
    return np.concatenate([some, rng.permutation(others)[: most - len(some)]])


def draw_steps(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Time steps of a bag: all, or one of each of ``LONGEST`` equal stretches."""
    if count <= LONGEST:
        return np.arange(count)
    edges = np.linspace(0, count, LONGEST + 1).astype(np.int64)
    return rng.integers(edges[:-1], edges[1:])
