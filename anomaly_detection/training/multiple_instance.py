"""Trains the head of a detector that learns from labels of whole videos.

A step draws bags of both classes, and of each bag some regions. What is drawn depends on the seed
and the step alone. Regions in which nothing ever changes are drawn less often: they would fill most
of a bag.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel

from anomaly_detection.detectors.bags import Bag, load_bag, split_bags
from anomaly_detection.training.mil_augmentation import add_noise, splice, spliced_loss
from anomaly_detection.training.mil_cleaning import Labels, clean, labels_loss, sure_labels
from anomaly_detection.training.mil_losses import bag_losses, text_loss
from anomaly_detection.training.mil_networks import Seen, make_head
from anomaly_detection.training.mil_texts import class_row, read_texts
from anomaly_detection.training.tasks import PICTURES, Example, NetworkTask
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError
from vadloc.weak_settings import TOP_LOSSES, MultipleInstance

logger = logging.getLogger(__name__)
NETWORK: Final = "head"
STILL_SHARE: Final = 0.25
"""Share of the regions of a drawn bag that are taken from all regions, also from still ones."""
LONGEST: Final = 200
"""Time steps of a drawn bag; of longer ones, one of each of so many equal stretches is taken."""
MOST_PAIRS: Final = 1 << 22
"""Pairs of time steps, of all series together, that a head sees at once when it is applied."""
LEAST_SPREAD: Final = 1e-3
SPREAD_ROWS: Final = 20_000
AVERAGED_SHARE: Final = 0.3
"""Share of the steps of the last round over which ``checkpoint = "average"`` averages weights."""
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
        if settings.loss in TOP_LOSSES and count < settings.top:
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


class Drawn(NamedTuple):
    """A part of a bag.

    Attributes:
        bag: The bag.
        series: The series that were drawn.
        steps: The time steps that were drawn.
        instances: ``(series, steps, width)`` of them.
    """

    bag: Bag
    series: NDArray[np.int64]
    steps: NDArray[np.int64]
    instances: NDArray[np.float32]


class HeadTask(NetworkTask):
    """The training of the head.

    Args:
        data: The bags.
        settings: The settings.
        device: ``cpu`` or ``cuda``.

    Raises:
        UsageError: The features of texts cannot be used.
    """

    def __init__(self, data: BagData, settings: MultipleInstance, *, device: str) -> None:
        self.name, self.step = NETWORK, 0
        self.steps = settings.steps * (1 + settings.rounds)
        self.keeps_last = settings.checkpoint != "held_out"
        self._data, self._settings, self._device = data, settings, device
        torch.manual_seed(settings.seed)
        self.network = make_head(settings, *standard_units(data.trained)).to(device)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._average = AveragedModel(self.network) if settings.checkpoint == "average" else None
        self._optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._changing = {id(bag): changing_series(bag.instances) for bag in data.trained}
        self._labels: dict[str, Labels] = {}
        self._texts = self._read_texts()

    def _read_texts(self) -> torch.Tensor | None:
        width = self._see(self._data.trained[0].instances[:1, :1]).features.shape[2]
        texts = read_texts(self._settings, width)
        if texts is None:
            return None
        for bag in self._data.trained:  # before any step
            if bag.is_anomalous:
                class_row(bag, self._settings.classes)
        return torch.from_numpy(texts).to(self._device)

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        settings = self._settings
        if self.step and self.step % settings.steps == 0:
            self._label_instances()
        torch.manual_seed(settings.seed * self.steps + self.step)  # dropout
        rng = np.random.default_rng((settings.seed, self.step))
        self.network.train()
        anomalous, normal = (
            [self._draw(bag, rng) for bag in self._choose(kind, rng)] for kind in (True, False)
        )
        losses = self._losses(anomalous, normal)
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        if self._average and self.step > self.steps - AVERAGED_SHARE * settings.steps:
            self._average.update_parameters(self.network)
        return {name: loss.item() for name, loss in losses.items()}

    def _losses(self, anomalous: list[Drawn], normal: list[Drawn]) -> dict[str, torch.Tensor]:
        settings = self._settings
        rng = np.random.default_rng((settings.seed, self.step, 1))
        disturbed = [
            add_noise(drawn.instances, rng) if rng.random() < settings.noise else drawn.instances
            for drawn in normal
        ]
        of_anomalous = [self._through(drawn.instances) for drawn in anomalous]
        of_normal = [self._through(instances) for instances in disturbed]
        losses = bag_losses(of_anomalous, of_normal, settings)
        if self._texts is not None:
            rows = [class_row(drawn.bag, settings.classes) for drawn in anomalous]
            found = text_loss(of_anomalous, of_normal, rows, self._texts, settings.temperature)
            losses["text"] = settings.text_weight * found
        if settings.splicing:
            losses["splicing"] = settings.splicing * self._spliced_loss(anomalous, normal, rng)
        if self._labels:
            every = [*of_anomalous, *of_normal]
            labels = [self._labels_of(drawn) for drawn in (*anomalous, *normal)]
            losses["labels"] = labels_loss([seen.scores for seen in every], labels)
        return losses

    def _spliced_loss(
        self, anomalous: list[Drawn], normal: list[Drawn], rng: np.random.Generator
    ) -> torch.Tensor:
        """Of each normal bag with a stretch of an anomalous one, of the same series."""
        losses = []
        for drawn in normal:
            other = anomalous[rng.integers(len(anomalous))].bag
            series = drawn.series[drawn.series < len(other.instances)]
            instances = other.instances[series].astype(np.float32)
            mixed, spliced = splice(drawn.instances[: len(series)], instances, rng)
            if not spliced.all():
                where = torch.from_numpy(spliced).to(self._device)
                losses.append(spliced_loss(self._through(mixed), where))
        if not losses:
            return torch.zeros((), device=self._device)
        return torch.stack(losses).mean()

    def _label_instances(self) -> None:
        """Begin a round: label the instances of anomalous bags by the scores so far."""
        center, spread = (self.network.get_buffer(n).cpu().numpy() for n in ("center", "spread"))
        cleaned: dict[bool, dict[str, NDArray[np.float32]]] = {True: {}, False: {}}
        for bag in self._data.trained:
            given = (bag.instances.astype(np.float32) - center) / spread
            cleaned[bag.is_anomalous][bag.sequence] = clean(self._score(bag), given)
        found = sure_labels([*cleaned[True].values()], [*cleaned[False].values()])
        self._labels = dict(zip(cleaned[True], found, strict=True))
        counts = [sum(int((labels == of).sum()) for labels in found) for of in (1, 0)]
        logger.info(
            "round %d: %d instances of anomalous videos count as anomalous, %d as normal",
            self.step // self._settings.steps,
            *counts,
        )

    def _labels_of(self, drawn: Drawn) -> torch.Tensor:
        shape = len(drawn.series), len(drawn.steps)
        if not drawn.bag.is_anomalous:
            return torch.zeros(shape, dtype=torch.int8, device=self._device)
        labels = self._labels[drawn.bag.sequence][drawn.series[:, None], drawn.steps]
        return torch.from_numpy(labels).to(self._device)

    def _choose(self, kind: bool, rng: np.random.Generator) -> list[Bag]:
        bags = [bag for bag in self._data.trained if bag.is_anomalous == kind]
        order = rng.permutation(len(bags))[: self._settings.bags]
        return [bags[i] for i in order]

    def _draw(self, bag: Bag, rng: np.random.Generator) -> Drawn:
        changing = self._changing[id(bag)]
        labels = self._labels.get(bag.sequence) if bag.is_anomalous else None
        wanted = np.zeros(len(changing), np.bool_) if labels is None else (labels == 1).any(axis=1)
        series = draw_series(changing, self._settings.regions, rng, wanted=wanted)
        steps = draw_steps(bag.instances.shape[1], rng)
        instances = bag.instances[series[:, None], steps].astype(np.float32)
        return Drawn(bag, series, steps, instances)

    @property
    def _applied(self) -> torch.nn.Module:
        """The network that is measured and kept: the average, as soon as there is one."""
        if self._average is None or not self._average.n_averaged:
            return self.network
        return self._average.module

    def _through(self, instances: NDArray[Any]) -> Seen:
        found: Seen = self.network(torch.from_numpy(instances).to(self._device))
        return found

    def _see(self, instances: NDArray[np.float16]) -> Seen:
        """What the head says of instances when it is applied."""
        network = self._applied.eval()
        with torch.no_grad():
            found: Seen = network(torch.from_numpy(instances.astype(np.float32)).to(self._device))
        return found

    def measure(self) -> float:
        """See `NetworkTask.measure`: the part of the loss that compares whole held-out bags."""
        anomalous, normal = (
            [self._see_whole(bag) for bag in self._data.held_out if bag.is_anomalous == kind]
            for kind in (True, False)
        )
        return bag_losses(anomalous, normal, self._settings)["bags"].item()

    def _see_whole(self, bag: Bag) -> Seen:
        """What the head says of a whole bag, several series at a time."""
        series, steps, _ = bag.instances.shape
        several = max(1, MOST_PAIRS // steps**2)
        parts = [self._see(bag.instances[k : k + several]) for k in range(0, series, several)]
        return Seen(*(torch.cat(found) for found in zip(*parts, strict=True)))

    def _score(self, bag: Bag) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._see_whole(bag).scores.cpu().numpy()
        return scores

    def state(self) -> dict[str, Any]:
        """See `NetworkTask.state`."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": self._average.state_dict() if self._average else {},
            "labels": {name: torch.from_numpy(of) for name, of in self._labels.items()},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """See `NetworkTask.resume`."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self._average:
            self._average.load_state_dict(state["average"])
        self._labels = {name: of.numpy() for name, of in state["labels"].items()}

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.tensors`."""
        found = self._applied.state_dict().items()
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
    changing: NDArray[np.bool_],
    most: int,
    rng: np.random.Generator,
    *,
    wanted: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Draw series of a bag, most of them from those in which something changes.

    Args:
        changing: ``(series,)``.
        most: How many are drawn, at most.
        rng: Random numbers.
        wanted: ``(series,)``: those that come first, up to half of what is drawn.
    """
    everything = rng.permutation(len(changing))
    if len(everything) <= most:
        return everything
    some = everything[: round(STILL_SHARE * most)]
    if wanted is not None and wanted.any():
        first = rng.permutation(np.flatnonzero(wanted))[: most // 2]
        some = np.concatenate([first, np.setdiff1d(some, first)])
    others = np.setdiff1d(np.flatnonzero(changing), some)
    return np.concatenate([some, rng.permutation(others)[: most - len(some)]])


def draw_steps(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Time steps of a bag: all, or one of each of ``LONGEST`` equal stretches."""
    if count <= LONGEST:
        return np.arange(count)
    edges = np.linspace(0, count, LONGEST + 1).astype(np.int64)
    return rng.integers(edges[:-1], edges[1:])
