"""The extractor of ``angle``, ``speed`` and ``background``: the motion network on grey volumes."""

import logging
from collections.abc import Mapping
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from feature_extraction.devices import BATCH, device_of, torch_function
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind, ReadOut
from feature_extraction.frame import CROP_PX
from feature_extraction.motion.architecture import HEADS, MIN_FRAMES
from feature_extraction.motion.cells import CellsOf, cells_by_torch, cells_on_cpu, region_cells
from feature_extraction.motion.read_out import motion_attributes
from feature_extraction.network_extractor import Embed, NetworkExtractor
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.errors import UsageError
from vadloc.regions import RegionGrid
from vadloc.weights import FEATURE_WIDTH, NetworkWeights, read_weights, weights_digest, weights_file

logger = logging.getLogger(__name__)


def motion_extractor(
    config: Config, grid: RegionGrid, workers: Workers, device: str
) -> NetworkExtractor:
    """The extractor of one sequence."""
    settings = config.features["motion"]
    device = device_of(device)
    digest = weights_digest(settings.weights, "motion")
    weights = _weights(settings.weights, digest)

    def describe(features: NDArray[np.float16]) -> dict[str, NDArray[np.floating]]:
        return {"background": motion_attributes(weights, features)[3][:, None]}

    length = config.regions.frames_per_volume
    cells_of, embed = _network(settings.weights, digest, device, workers.count, length)
    return NetworkExtractor(
        embed,
        HEADS,
        partial(region_cells, cells_of),
        grid,
        batch=BATCH[device],
        reuse_below=settings.reuse_below,
        middle_only=False,
        workers=workers,
        describe=describe,
    )


@lru_cache(maxsize=4)
def _weights(weights: str, _digest: str) -> NetworkWeights:
    """The weights of the motion network, read once for all sequences that a process extracts."""
    return read_weights(weights_file(weights, "motion"))


@lru_cache(maxsize=4)
def _network(
    name: str, digest: str, device: str, threads: int, frames: int
) -> tuple[CellsOf, Embed]:
    """The motion network, built once for all sequences that a process extracts.

    Returns:
        What computes the cells of a frame, and the features of regions from theirs.
    """
    weights = _weights(name, digest)
    if device == "cpu":
        from feature_extraction.motion.graph import regions_graph
        from feature_extraction.openvino_graphs import compile_graph

        of_regions = compile_graph(regions_graph(weights, batch=BATCH[device]), threads=threads)
        return cells_on_cpu(weights, frames=frames), of_regions
    from feature_extraction.motion.network import build_motion

    network = build_motion(weights).to(device)
    of_regions = torch_function(lambda cells: network.embed_cells(cells.float()), device)
    return cells_by_torch(network, device), of_regions


def check_motion(config: Config, _device: str) -> None:
    """Refuse volumes that are too short for the network; warn of weights of regions alone.

    Raises:
        UsageError: They are.
    """
    length = config.regions.frames_per_volume
    if length < MIN_FRAMES:
        raise UsageError(
            f"{config.path}: [regions] frames_per_volume = {length}: the motion network needs at "
            f"least {MIN_FRAMES}"
        )
    path = weights_file(config.features["motion"].weights, "motion")
    if not read_weights(path).metadata.get("sees_surroundings"):
        logger.warning(
            "%s: trained on regions alone, so that what moves beside a region disturbs its "
            "features; feature_extraction.train_motion --adapt mends that",
            path,
        )


def motion_read_out(config: Config) -> ReadOut:
    """Reads directions, speeds and the moving share out of features.

    Raises:
        VadlocError: Weights are missing or damaged.
    """
    weights = read_weights(weights_file(config.features["motion"].weights, "motion"))
    return movement_read_out(weights, size_px=config.regions.size_px)


def movement_read_out(weights: NetworkWeights, *, size_px: int) -> ReadOut:
    """Reads movement out of the features of the network with these weights.

    Args:
        weights: The weights.
        size_px: Side of a region: the network sees speeds in pixels of its crops.
    """

    def read(
        components: Mapping[str, NDArray[np.float32]], _: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        features = np.hstack([components[name] for name in HEADS])
        direction, speed, stationary, _background = motion_attributes(weights, features)
        # The rule `zero` leaves nothing of volumes that are still.
        moves: NDArray[np.bool_] = (features != 0).any(axis=1)
        return {
            "direction_share": direction * moves[:, None],
            "speed_px_per_frame": speed * (size_px / CROP_PX) * moves[:, None],
            "moving_share": (1 - stationary) * moves,
        }

    return read


EXTRACTOR = ExtractorKind(
    make=motion_extractor,
    width=FEATURE_WIDTH,
    bytes_per_volume=776,
    is_network=True,
    check=check_motion,
    words={
        "angle": ComponentWords("direction", ("direction",)),
        "speed": ComponentWords("speed", ("speed",)),
        "background": ComponentWords("share of moving pixels", ("moving_share",)),
    },
    read_out=motion_read_out,
)
