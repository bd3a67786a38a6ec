"""Features by networks: crops of what has changed, in batches.

A volume whose pixels did not change beyond noise since its region's last computed volume keeps
that one's features. What counts as a change is ``reuse_below``, in grey levels of 8 x 8 block means
at crop scale; each region is compared with what was last *computed*, so that slow changes add up
until they count. With ``reuse_below = 0`` every volume is computed.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Extracted
from feature_extraction.frame import APPEARANCE_PX, BLOCK_PX, CROP_PX, Frame, region_windows
from feature_extraction.workers import Workers
from vadloc.config import AppearanceFeatures, MotionFeatures, Regions
from vadloc.errors import UsageError
from vadloc.regions import RegionGrid
from vadloc.weights import NetworkWeights, read_weights, weights_digest, weights_file

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float16]]
Describe = Callable[[NDArray[np.float16]], dict[str, NDArray[np.floating]]]


def appearance_crops(
    frames: Sequence[Frame], grid: RegionGrid, regions: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Crops of the middle frame, ``(n, 48, 48, 3)``, of some regions."""
    middle = frames[len(frames) // 2].rgb_at_appearance_scale
    windows = np.moveaxis(region_windows(middle, grid, side=APPEARANCE_PX), 2, -1)
    crops: NDArray[np.uint8] = windows[np.unravel_index(regions, grid.regions)]
    return crops


def motion_crops(
    frames: Sequence[Frame], grid: RegionGrid, regions: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Grey volumes ``(n, T, 64, 64)`` of some regions."""
    pictures = np.stack([frame.grey_at_crop_scale for frame in frames])
    volumes = np.empty((len(regions), len(frames), CROP_PX, CROP_PX), np.uint8)
    step = CROP_PX // grid.cells_per_side
    for volume, region in zip(volumes, regions.tolist(), strict=True):  # whole volumes: fast
        y, x = (step * place for place in divmod(region, grid.regions[1]))
        volume[:] = pictures[:, y : y + CROP_PX, x : x + CROP_PX]
    return volumes


def region_blocks(frames: Sequence[Frame], grid: RegionGrid) -> NDArray[np.int16]:
    """Block means of each region in some frames, ``(regions, 64 * frames)``."""
    side = CROP_PX // BLOCK_PX
    blocks = np.stack([region_windows(f.blocks, grid, side=side) for f in frames], axis=2)
    return blocks.reshape(grid.region_count, -1).astype(np.int16)


class NetworkFeatures:
    """Extractor that runs a network on crops.

    Args:
        embed: The network: ``(batch, ...)`` uint8 crops to ``(batch, 128 * components)``.
        components: Names of the components, each 128 columns of the features.
        crops: Cuts the crops of some regions from the frames of their volumes.
        grid: The grid of the frames.
        batch: Crops to a call of the network, always the same number.
        reuse_below: See the module; grey levels.
        middle_only: Whether the network looks at the middle frame alone.
        workers: Threads that run the network.
        describe: What the features say that is kept beside them, ``(n, width)`` by name.
    """

    def __init__(
        self,
        embed: Embed,
        components: tuple[str, ...],
        crops: Callable[..., NDArray[np.uint8]],
        grid: RegionGrid,
        *,
        batch: int,
        reuse_below: float,
        middle_only: bool,
        workers: Workers,
        describe: Describe | None = None,
    ) -> None:
        self._embed = embed
        self._components = components
        self._crops = crops
        self._grid = grid
        self._batch = batch
        self._reuse_below = reuse_below
        self._middle_only = middle_only
        self._workers = workers
        self._describe = describe
        self._seen: NDArray[np.int16] | None = None
        self._row = np.zeros(grid.region_count, np.int32)
        self._count = 0
        self._index: list[NDArray[np.int32]] = []
        self._buffer: NDArray[np.uint8] | None = None
        self._rows: list[Future[NDArray[np.float16]]] = []

    def add_frame(self, frame: Frame) -> None:
        """Nothing is done frame by frame."""

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        """Queue the volumes that have changed."""
        changed = self._changed(frames)
        self._row[changed] = self._count + np.arange(len(changed), dtype=np.int32)
        self._index.append(self._row.copy())
        for start in range(0, len(changed), self._batch):
            regions = changed[start : start + self._batch]
            self._queue(self._crops(frames, self._grid, regions))

    def finish(self) -> Extracted:
        """Features of all volumes: the rows of those that were computed."""
        if self._buffer is not None and self._count % self._batch:
            self._buffer[self._count % self._batch :] = 0
            self._rows.append(self._workers.submit(self._embed, self._buffer))
        rows = np.concatenate([future.result() for future in self._rows])[: self._count]
        parts = np.split(rows, len(self._components), axis=1)
        named = dict(zip(self._components, parts, strict=True))
        descriptors = self._describe(rows) if self._describe else {}
        return Extracted(named, descriptors, np.stack(self._index))

    def _changed(self, frames: Sequence[Frame]) -> NDArray[np.int64]:
        """Regions whose volumes must be computed."""
        looked_at = [frames[len(frames) // 2]] if self._middle_only else frames
        blocks = region_blocks(looked_at, self._grid)
        if self._seen is None or not self._reuse_below:
            self._seen = blocks
            return np.arange(self._grid.region_count)
        change = np.abs(blocks - self._seen).max(axis=1)
        changed = np.flatnonzero(change > self._reuse_below)
        self._seen[changed] = blocks[changed]
        return changed

    def _queue(self, crops: NDArray[np.uint8]) -> None:
        """Put crops into the batch at hand; full batches go to the network."""
        while len(crops):
            if self._buffer is None:
                self._buffer = np.empty((self._batch, *crops.shape[1:]), np.uint8)
            place = self._count % self._batch
            fits = crops[: self._batch - place]
            self._buffer[place : place + len(fits)] = fits
            self._count += len(fits)
            crops = crops[len(fits) :]
            if self._count % self._batch == 0:
                self._rows.append(self._workers.submit(self._embed, self._buffer))
                self._buffer = None


def check_crops(regions: Regions) -> None:
    """Refuse regions that cannot be cut from a frame at crop scale.

    Raises:
        UsageError: Their cells are no whole blocks at that scale.
    """
    side = regions.size_px // regions.stride_px
    if CROP_PX // BLOCK_PX % side:
        raise UsageError(
            f"[regions] size_px = {regions.size_px} is {side} times stride_px; networks need "
            "1, 2, 4 or 8 times"
        )


GPU_FILES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Devices of NVIDIA, of AMD and of Windows' Linux: PyTorch finds no GPU where none is there."""

BATCH: Final = {"cpu": 32, "cuda": 256}
"""Crops or volumes to a call of a network, by device; on a CPU more are slower."""


def device_of(choice: str) -> str:
    """Where networks run: the choice, or for ``auto`` a GPU where PyTorch is there and finds one.

    PyTorch takes seconds to import and is not asked where there can be no GPU.

    Raises:
        UsageError: What runs them there is not installed, or ``cuda`` was chosen and there is none.
    """
    device = "cpu"
    may_be_gpu = find_spec("torch") is not None and any(Path(f).exists() for f in GPU_FILES)
    if choice == "cuda" or (choice == "auto" and may_be_gpu):
        require("torch")
        from feature_extraction.checkpoints import choose_device

        device = choose_device(choice)
    if device == "cpu":
        require("openvino")
    return device


EXTRAS: Final = {"openvino": "networks", "torch": "train"}
"""Which extra of ``pyproject.toml`` installs a package."""


def require(package: str) -> None:
    """Notice that a package is missing which networks need.

    Raises:
        UsageError: It is.
    """
    if find_spec(package) is None:
        extra = EXTRAS[package]
        raise UsageError(
            f"this version of the method runs networks, which here need {package}: "
            f"pip install 'vadloc[{extra}]' (from the source: pip install '.[{extra}]')"
        )


def appearance_extractor(
    settings: AppearanceFeatures, grid: RegionGrid, *, workers: Workers, device: str
) -> NetworkFeatures:
    """Extractor of ``appearance``: the appearance network on the middle frame of each volume."""
    device = device_of(device)
    digest = weights_digest(settings.weights, "appearance")
    return NetworkFeatures(
        _appearance(settings, digest, device, workers.count),
        ("appearance",),
        appearance_crops,
        grid,
        batch=BATCH[device],
        reuse_below=settings.reuse_below,
        middle_only=True,
        workers=workers,
    )


def motion_extractor(
    settings: MotionFeatures,
    grid: RegionGrid,
    *,
    frames_per_volume: int,
    workers: Workers,
    device: str,
) -> NetworkFeatures:
    """Extractor of ``angle``, ``speed`` and ``background``: the motion network on grey volumes."""
    from feature_extraction.motion.read_out import motion_attributes

    device = device_of(device)
    digest = weights_digest(settings.weights, "motion")
    weights = _motion_weights(settings.weights, digest)

    def describe(features: NDArray[np.float16]) -> dict[str, NDArray[np.floating]]:
        return {"background": motion_attributes(weights, features)[3][:, None]}

    return NetworkFeatures(
        _motion(settings, digest, device, workers.count, frames_per_volume),
        ("angle", "speed", "background"),
        motion_crops,
        grid,
        batch=BATCH[device],
        reuse_below=settings.reuse_below,
        middle_only=False,
        workers=workers,
        describe=describe,
    )


def runs_without_torch(settings: AppearanceFeatures, device: str) -> bool:
    """Whether the appearance network is one that ``appearance.graph`` can build."""
    from feature_extraction.appearance.graph import BACKBONE

    is_known = settings.backbone == BACKBONE and settings.weights != "torchvision"
    return device == "cpu" and is_known


@lru_cache(maxsize=4)
def _appearance(settings: AppearanceFeatures, _digest: str, device: str, threads: int) -> Embed:
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
    return _torch(lambda crops: network.embed(normalise(crops)), device)


@lru_cache(maxsize=4)
def _motion_weights(weights: str, _digest: str) -> NetworkWeights:
    """Those of the motion network, read once for all sequences that a process extracts."""
    return read_weights(weights_file(weights, "motion"))


@lru_cache(maxsize=4)
def _motion(settings: MotionFeatures, digest: str, device: str, threads: int, frames: int) -> Embed:
    """The motion network, built once for all sequences that a process extracts."""
    weights = _motion_weights(settings.weights, digest)
    if device == "cpu":
        from feature_extraction.motion.graph import motion_graph
        from feature_extraction.motion.kernels import windows_and_costs
        from feature_extraction.openvino_graphs import compile_graph

        graph = motion_graph(weights, batch=BATCH[device], frames=frames)
        convolve = compile_graph(graph, threads=threads)
        return lambda volumes: convolve(*windows_and_costs(volumes))
    from feature_extraction.motion.network import build_motion

    network = build_motion(weights).to(device)
    return _torch(lambda volumes: network.embed(volumes / 255), device)


def _torch(forward: Callable[[Any], Any], device: str) -> Embed:
    """A PyTorch network as a function of arrays, in half precision where the hardware has it."""
    import torch

    from feature_extraction.checkpoints import mixed_precision

    torch.set_num_threads(1)  # batches side by side, each by one thread: see Workers

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        with torch.inference_mode(), mixed_precision(device):
            features = forward(torch.from_numpy(crops).to(device))
            array: NDArray[np.float16] = features.to("cpu", torch.float16).numpy()
            return array

    return embed
