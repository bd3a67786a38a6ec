"""A whole training of the appearance network: its start, the epochs, the measured result."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from feature_extraction.appearance.augmentation import augment
from feature_extraction.appearance.batches import batches, steps_per_epoch
from feature_extraction.appearance.classes import BACKGROUND, CLASSES
from feature_extraction.appearance.crops import Crops, read_crops
from feature_extraction.appearance.graph import BACKBONE, BLOCKS
from feature_extraction.appearance.network import (
    AppearanceNetwork,
    appearance_network,
    fuse,
    load_appearance,
    load_tensors,
    normalise,
    tensors_of,
    whiten,
)
from feature_extraction.appearance.report import (
    class_probabilities,
    mean_average_precision,
    report,
)
from feature_extraction.appearance.settings import Settings
from feature_extraction.appearance.training import Training
from feature_extraction.checkpoints import (
    choose_device,
    claim_output,
    load_checkpoint,
    save_checkpoint,
)
from feature_extraction.frame import APPEARANCE_PX
from vadloc.errors import VadlocError, counted
from vadloc.files.storage import replacing
from vadloc.weights import NetworkWeights, read_foreign_weights, write_weights

logger = logging.getLogger(__name__)
_LOG_EVERY = 100
_BATCH = 256
_CHECKPOINT = "checkpoint.pt"


def run(settings: Settings, output: Path, *, device: str = "auto") -> Path:
    """Train, or continue a training of the same settings, and measure the result.

    Args:
        settings: The settings of the training.
        output: The folder for all results.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The file of weights.

    Raises:
        VadlocError: Data, weights or a checkpoint cannot be used.
    """
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


def initial_network(settings: Settings) -> AppearanceNetwork:
    """A new network on pretrained features, its batch normalisation fused where there are some.

    Raises:
        VadlocError: The weights cannot be read or are of another backbone.
    """
    torch.manual_seed(settings.seed)
    start = settings.weights_from
    network = appearance_network(settings.backbone, imagenet=start == "torchvision")
    if start == "none":
        return network
    if start != "torchvision":
        weights = read_foreign_weights(Path(start))
        load_tensors(_part_of(network.trunk, weights), _used(weights, settings.backbone))
    return fuse(network)


def _part_of(trunk: torch.nn.Module, weights: NetworkWeights) -> torch.nn.Module:
    """The trunk, or its convolutional part, if names in the weights begin below that."""
    below = dict(trunk.named_children()).get("features")
    if below is None or any(name.startswith("features.") for name in weights.tensors):
        return trunk
    return below


def _used(weights: NetworkWeights, backbone: str) -> NetworkWeights:
    """The weights of a backbone without those of the convolution that the network leaves out."""
    if backbone != BACKBONE:
        return weights
    left_out = (f"{BLOCKS + 1}.", f"features.{BLOCKS + 1}.")
    tensors = {n: array for n, array in weights.tensors.items() if not n.startswith(left_out)}
    return replace(weights, tensors=tensors)


def _train(
    network: AppearanceNetwork, train: Crops, held_out: Crops, settings: Settings, output: Path
) -> AppearanceNetwork:
    """Train the remaining epochs; return the network with the average of its recent weights."""
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
    network: AppearanceNetwork, train: Crops, settings: Settings
) -> torch.Tensor:
    """Features ``(n, 128)`` of all background crops, each augmented once."""
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
    """Train one epoch; return its mean loss."""
    losses = []
    for crops, targets in data:
        losses.append(training.step(crops, targets))
        if len(losses) % _LOG_EVERY == 0:
            logger.info("step %d: loss %.3f", len(losses), np.mean(losses))
    return float(np.mean(losses))


def _metadata(settings: Settings) -> dict[str, Any]:
    return {
        "network": "appearance",
        "backbone": settings.backbone,
        "classes": CLASSES,
        "input": f"RGB crops of {APPEARANCE_PX} x {APPEARANCE_PX} pixels, 0..1, less ImageNet's "
        "mean, over its deviation",
        "features": "tanh(rows of the layer `embedding`) @ metric, 128 numbers",
        "read_out": "sigmoid(features @ classes.weight.T + classes.bias)",
        "command": settings.command(),
    }
