"""Train the appearance network on crops, and measure it.

In the output folder: ``appearance.safetensors`` (the network), ``appearance.json`` (what was
measured), ``appearance_pr.png``, ``appearance_confusion.png`` and ``checkpoint.pt``, from which
the same command continues.
"""

import json
import logging
import math
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.crops import (
    BACKGROUND,
    CLASSES,
    LABELS,
    Crops,
    read_crops,
)
from feature_extraction.appearance.graph import (
    BACKBONE,
    BLOCKS,
    SEEN_PX,
)
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError, counted
from vadloc.files.storage import replacing
from vadloc.process import emit, exit_status

if TYPE_CHECKING:
    import torch

    from feature_extraction.appearance.network import AppearanceNetwork
    from vadloc.weights import NetworkWeights

logger = logging.getLogger(__name__)

TRUNK_RATE: Final = 2e-4
HEAD_RATE: Final = 1e-3
FIRST_LAYER_RATE: Final = 0.2
"""Learning rate of the trunk's first layer as a share of its last's; those between lie between."""

WARM_UP: Final = 0.05
WEIGHT_DECAY: Final = 1e-2
LABEL_SMOOTHING: Final = 0.02
AVERAGE_DECAY: Final = 0.995
GRADIENT_NORM: Final = 5.0

_PREFETCH = 4
_LOG_EVERY = 100
_BATCH = 256
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Settings:
    """Whatever changes the result of a training.

    Attributes:
        data: Folder of crops, see ``crop_archives``.
        weights_from: ``torchvision``, ``none``, or a safetensors file of the backbone.
        backbone: Name of a torchvision classification model.
        epochs: Each draws as many crops as there are.
        batch_size: Crops to a step.
        seed: Of everything drawn.
    """

    data: str
    weights_from: str
    backbone: str
    epochs: int
    batch_size: int
    seed: int

    def command(self) -> str:
        """The command that trains so, its paths without the folders of this machine."""
        words = ["python", "-m", "feature_extraction.train_appearance"]
        for name, value in asdict(self).items():
            words += [f"--{name.replace('_', '-')}", Path(str(value)).name]
        return shlex.join(words)


def run(settings: Settings, output: Path, *, device: str = "auto") -> Path:
    """Train, or continue a training of the same settings, and measure the result.

    Args:
        settings: Of the training.
        output: Folder for all results.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The file of weights.

    Raises:
        VadlocError: Data, weights or a checkpoint cannot be used.
    """
    import torch

    from feature_extraction.appearance.network import (
        fuse,
        load_appearance,
        tensors_of,
        whiten,
    )
    from feature_extraction.appearance.report import report
    from feature_extraction.checkpoints import (
        choose_device,
        claim_output,
    )
    from vadloc.weights import write_weights

    device = choose_device(device)
    network = initial_network(settings)
    train, held_out = (read_crops(Path(settings.data), split) for split in ("train", "val"))
    claim_output(output, asdict(settings))
    logger.info(
        "%s to train on, %d held out", counted(len(train.labels), "crop"), len(held_out.labels)
    )
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = fuse(_train(network, train, held_out, settings, output))
    whiten(trained, _background_features(trained, train, settings))
    path = output / "appearance.safetensors"
    write_weights(path, tensors_of(trained), _metadata(settings))
    # What is measured is the file: half precision, read as a user's config reads it.
    shipped = load_appearance(str(path), settings.backbone, device)
    measured = report(shipped, held_out, output)
    write_weights(
        path, tensors_of(shipped), {**_metadata(settings), "measured": measured["summary"]}
    )
    body = {"settings": asdict(settings), "command": settings.command(), **measured}
    with replacing(output / "appearance.json") as file:
        file.write(json.dumps(body, indent=2).encode() + b"\n")
    return path


def initial_network(settings: Settings) -> "AppearanceNetwork":
    """A new network on pretrained features, its batch normalisation fused where there are some.

    Raises:
        VadlocError: The weights cannot be read or are of another backbone.
    """
    import torch

    from feature_extraction.appearance.network import (
        appearance_network,
        fuse,
        load_tensors,
    )
    from vadloc.weights import read_foreign_weights

    torch.manual_seed(settings.seed)
    start = settings.weights_from
    network = appearance_network(settings.backbone, imagenet=start == "torchvision")
    if start == "none":
        return network
    if start != "torchvision":
        weights = read_foreign_weights(Path(start))
        load_tensors(_part_of(network.trunk, weights), _used(weights, settings.backbone))
    return fuse(network)


def _part_of(trunk: "torch.nn.Module", weights: "NetworkWeights") -> "torch.nn.Module":
    """The trunk, or its convolutional part, if names in the weights begin below that."""
    below = dict(trunk.named_children()).get("features")
    if below is None or any(name.startswith("features.") for name in weights.tensors):
        return trunk
    return below


def _used(weights: "NetworkWeights", backbone: str) -> "NetworkWeights":
    """The weights of a backbone without those of the convolution that the network leaves out."""
    if backbone != BACKBONE:
        return weights
    left_out = (f"{BLOCKS + 1}.", f"features.{BLOCKS + 1}.")
    tensors = {n: array for n, array in weights.tensors.items() if not n.startswith(left_out)}
    return replace(weights, tensors=tensors)


def balanced_shares(crops: Crops) -> NDArray[np.float64]:
    """How often each crop is drawn: groups of class and source by the roots of their sizes.

    Returns:
        ``(n,)``, sums to 1: classes by the root of their size, and so the sources of a class.
    """
    _, class_of, class_size = np.unique(crops.labels, return_inverse=True, return_counts=True)
    pairs = np.char.add(np.char.add(crops.labels.astype(str), " "), crops.sources)
    names, pair_of, pair_size = np.unique(pairs, return_inverse=True, return_counts=True)
    class_of_pair = np.array([int(name.split(" ")[0]) for name in names])
    roots = np.bincount(class_of_pair, weights=np.sqrt(pair_size))
    share_in_class = np.sqrt(pair_size)[pair_of] / roots[crops.labels] / pair_size[pair_of]
    shares = np.sqrt(class_size)[class_of] * share_in_class
    return np.asarray(shares / shares.sum())


def batches(
    crops: Crops, settings: Settings, epoch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Augmented crops of one epoch; each batch depends on seed, epoch and its number alone.

    Yields:
        Crops ``(batch, 64, 64, 3)`` and targets ``(batch, 8)``, all 0 for background.
    """
    from feature_extraction.appearance.augmentation import augment

    shares = balanced_shares(crops)
    contexts = np.flatnonzero(crops.labels == BACKGROUND)
    targets = np.eye(len(LABELS), len(CLASSES), dtype=np.float32)
    count = settings.batch_size

    def batch(step: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        random = np.random.default_rng((settings.seed, epoch, step))
        chosen = random.choice(len(shares), count, p=shares)
        around = crops.pixels[random.choice(contexts, count)]
        return augment(crops.pixels[chosen], around, random), targets[crops.labels[chosen]]

    steps = steps_per_epoch(crops, settings)
    with ThreadPoolExecutor(_PREFETCH) as pool:
        waiting = [pool.submit(batch, step) for step in range(min(_PREFETCH, steps))]
        for step in range(steps):
            yield waiting.pop(0).result()
            if step + _PREFETCH < steps:
                waiting.append(pool.submit(batch, step + _PREFETCH))


def steps_per_epoch(crops: Crops, settings: Settings) -> int:
    """Batches in an epoch."""
    return max(1, len(crops.labels) // settings.batch_size)


def rate_share(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a linear rise, then half a cosine down to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


class Training:
    """A network, the running average of its weights, its optimiser and its learning rate.

    Args:
        network: To be trained, on its device.
        steps: Of the whole training.
    """

    def __init__(self, network: "AppearanceNetwork", steps: int) -> None:
        from torch.optim import AdamW
        from torch.optim.lr_scheduler import LambdaLR
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY),  # type: ignore[no-untyped-call]
            use_buffers=True,
        ).eval()
        self.optimiser = AdamW(_parameter_groups(network))
        self.schedule = LambdaLR(self.optimiser, lambda step: rate_share(step, steps))
        self.epochs = 0

    def step(self, crops: NDArray[np.uint8], targets: NDArray[np.float32]) -> float:
        """Learn from one batch; its loss."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        from feature_extraction.appearance.network import normalise
        from feature_extraction.checkpoints import mixed_precision

        device = next(self.network.parameters()).device
        wanted = torch.from_numpy(targets).to(device) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
        with mixed_precision(device.type):
            logits = self.network(normalise(torch.from_numpy(crops).to(device)))
        loss = binary_cross_entropy_with_logits(logits.float(), wanted)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimiser.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs to continue."""
        return {name: part.state_dict() for name, part in self._parts()} | {"epochs": self.epochs}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` gave."""
        for name, part in self._parts():
            part.load_state_dict(state[name])
        self.epochs = state["epochs"]

    def _parts(self) -> list[tuple[str, Any]]:
        names = ("network", "average", "optimiser", "schedule")
        return [(name, getattr(self, name)) for name in names]


def _train(
    network: "AppearanceNetwork", train: Crops, held_out: Crops, settings: Settings, output: Path
) -> "AppearanceNetwork":
    """Train the epochs that are left; the average of the weights over the last steps."""
    from feature_extraction.appearance.report import (
        class_probabilities,
        mean_average_precision,
    )
    from feature_extraction.checkpoints import (
        load_checkpoint,
        save_checkpoint,
    )

    training = Training(network, settings.epochs * steps_per_epoch(train, settings))
    if state := load_checkpoint(output / _CHECKPOINT):
        try:
            training.restore(state)
        except (KeyError, RuntimeError, ValueError):
            raise VadlocError(
                f"{output / _CHECKPOINT}: the checkpoint of another network or version of vadloc; "
                "remove it to train anew"
            ) from None
    for epoch in range(training.epochs, settings.epochs):
        started = time.monotonic()
        # The statistics of pretrained batch normalisation are part of the trunk and stay.
        network.train(settings.weights_from == "none").standardise.train()
        loss = _train_epoch(training, batches(train, settings, epoch))
        training.epochs = epoch + 1
        save_checkpoint(output / _CHECKPOINT, training.state())
        found = class_probabilities(training.average, held_out.pixels)
        precision = mean_average_precision(held_out.labels, found)
        text = "epoch %d of %d: loss %.3f, mean average precision %.3f, %.0f s"
        logger.info(text, epoch + 1, settings.epochs, loss, precision, time.monotonic() - started)
    averaged: AppearanceNetwork = training.average.module  # type: ignore[assignment]
    return averaged


def _background_features(
    network: "AppearanceNetwork", train: Crops, settings: Settings
) -> "torch.Tensor":
    """Features ``(n, 128)`` of all background crops, each augmented once."""
    import torch

    from feature_extraction.appearance.augmentation import augment
    from feature_extraction.appearance.network import normalise

    background = train.pixels[train.labels == BACKGROUND]
    random = np.random.default_rng((settings.seed, settings.epochs))
    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(background), _BATCH):
            crops = background[start : start + _BATCH]
            contexts = background[random.choice(len(background), len(crops))]
            views = torch.from_numpy(augment(crops, contexts, random)).to(device)
            parts.append(network.embed(normalise(views)))
    return torch.cat(parts)


def _train_epoch(
    training: Training, data: Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]
) -> float:
    """Mean loss of an epoch."""
    losses = []
    for crops, targets in data:
        losses.append(training.step(crops, targets))
        if len(losses) % _LOG_EVERY == 0:
            logger.info("step %d: loss %.3f", len(losses), np.mean(losses))
    return float(np.mean(losses))


def _parameter_groups(network: "AppearanceNetwork") -> list[dict[str, Any]]:
    """Learning rates from the first to the last layer of the trunk, and of the head."""
    groups = []
    trunk = list(network.trunk.parameters())
    rates = np.linspace(FIRST_LAYER_RATE, 1, len(trunk)) * TRUNK_RATE
    head = [p for name, p in network.named_parameters() if not name.startswith("trunk.")]
    for parameter, rate in zip([*trunk, *head], [*rates, *[HEAD_RATE] * len(head)], strict=True):
        decay = WEIGHT_DECAY if parameter.ndim > 1 else 0.0
        groups.append({"params": [parameter], "lr": float(rate), "weight_decay": decay})
    return groups


def _metadata(settings: Settings) -> dict[str, Any]:
    return {
        "network": "appearance",
        "backbone": settings.backbone,
        "classes": CLASSES,
        "input": f"RGB crops of {SEEN_PX} x {SEEN_PX} pixels, 0..1, less ImageNet's mean, over its "
        "deviation",
        "features": "tanh(rows of the layer `embedding`) @ metric, 128 numbers",
        "read_out": "sigmoid(features @ classes.weight.T + classes.bias)",
        "command": settings.command(),
    }


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Train the appearance network on crops.")
    parser.add_argument("--data", type=Path, required=True, help="folder of crops: train/, val/")
    parser.add_argument(
        "--weights-from",
        required=True,
        help='what to start from: a .safetensors file of the backbone, "torchvision" or "none"',
    )
    parser.add_argument("--backbone", default="mobilenet_v2", help="a torchvision model")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        for name in ("epochs", "batch_size"):
            if (value := getattr(args, name)) < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: expected 1 or more")
        settings = Settings(
            str(args.data),
            args.weights_from,
            args.backbone,
            args.epochs,
            args.batch_size,
            args.seed,
        )
        emit(str(run(settings, args.output, device=args.device)))


if __name__ == "__main__":
    main()
