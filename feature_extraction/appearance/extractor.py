"""The extractor of ``appearance``: the appearance network on the middle frame of each volume."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from feature_extraction.appearance.graph import BACKBONE
from feature_extraction.devices import BATCH, device_of, require, torch_function
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind, ReadOut
from feature_extraction.frame import APPEARANCE_PX, Frame, region_windows
from feature_extraction.network_extractor import Embed, NetworkExtractor, in_parts
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.feature_settings import AppearanceFeatures
from vadloc.regions import RegionGrid
from vadloc.weights import (
    FEATURE_WIDTH,
    NetworkWeights,
    read_out,
    read_weights,
    weights_digest,
    weights_file,
)


def appearance_crops(
    frames: Sequence[Frame], grid: RegionGrid, regions: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Crops of the middle frame, ``(n, 48, 48, 3)``, of some regions."""
    middle = frames[len(frames) // 2].rgb_at_appearance_scale
    windows = np.moveaxis(region_windows(middle, grid, side=APPEARANCE_PX), 2, -1)
    crops: NDArray[np.uint8] = windows[np.unravel_index(regions, grid.regions)]
    return crops


def appearance_extractor(
    config: Config, grid: RegionGrid, workers: Workers, device: str
) -> NetworkExtractor:
    """The extractor of one sequence."""
    settings: AppearanceFeatures = config.features["appearance"]
    device = device_of(device)
    return NetworkExtractor(
        appearance_embed(config, device, threads=workers.count),
        ("appearance",),
        in_parts(appearance_crops),
        grid,
        batch=BATCH[device],
        reuse_below=settings.reuse_below,
        middle_only=True,
        workers=workers,
    )


def appearance_embed(config: Config, device: str, *, threads: int = 1) -> Embed:
    """The appearance network as a function of crops, in batches of the size for the device."""
    settings: AppearanceFeatures = config.features["appearance"]
    digest = weights_digest(settings.weights, "appearance")
    return _network(settings, digest, device, threads)


def runs_without_torch(settings: AppearanceFeatures, device: str) -> bool:
    """Whether the appearance network is one that ``appearance.graph`` can build."""
    is_known = settings.backbone == BACKBONE and settings.weights != "torchvision"
    return device == "cpu" and is_known


@lru_cache(maxsize=4)
def _network(settings: AppearanceFeatures, _digest: str, device: str, threads: int) -> Embed:
    """The appearance network, built once for all sequences that a process extracts."""
    if runs_without_torch(settings, device):
        from feature_extraction.appearance.graph import appearance_graph, read_appearance
        from feature_extraction.openvino_graphs import compile_graph

        weights = read_appearance(settings.weights, settings.backbone)
        return compile_graph(appearance_graph(weights, batch=BATCH[device]), threads=threads)
    from feature_extraction.appearance.network import (
        load_appearance,
        normalise,
    )

    network = load_appearance(settings.weights, settings.backbone, device)
    return torch_function(lambda crops: network.embed(normalise(crops)), device)


def check_appearance(config: Config, device: str) -> None:
    """Notice that this network needs PyTorch and that it is missing.

    Raises:
        UsageError: It is.
    """
    if not runs_without_torch(config.features["appearance"], device):
        require("torch")


def appearance_read_out(config: Config) -> ReadOut | None:
    """Reads classes out of features; ``None`` for weights without classes.

    Raises:
        VadlocError: Weights are missing or damaged.
    """
    weights = config.features["appearance"].weights
    if weights == "torchvision":
        return None
    return class_read_out(read_weights(weights_file(weights, "appearance")))


def class_read_out(weights: NetworkWeights) -> ReadOut:
    """Reads classes out of the features of the network with these weights."""
    weight, bias = read_out(weights, "classes")
    return lambda features, _descriptors: {
        "class_probability": expit(features["appearance"] @ weight.T + bias)
    }


EXTRACTOR = ExtractorKind(
    make=appearance_extractor,
    width=FEATURE_WIDTH,
    bytes_per_volume=260,
    needs_colour=True,
    is_network=True,
    check=check_appearance,
    words={"appearance": ComponentWords("appearance", ("class",))},
    read_out=appearance_read_out,
)
