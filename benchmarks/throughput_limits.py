"""The limits of the stages on a machine: matrix products, reading, flow and networks alone.

Times are the least processor time of three runs, so that other programs have little influence.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from feature_extraction.devices import BATCH, device_of
from feature_extraction.flow import FrameFlow
from feature_extraction.frame import APPEARANCE_PX, Frame
from feature_extraction.motion.architecture import CELL_WIDTH, MAP_PX
from feature_extraction.network_extractor import NetworkExtractor
from feature_extraction.registry import kind_of
from feature_extraction.workers import Workers
from vadloc.config import Config, Dataset, Regions
from vadloc.feature_settings import MomentumFeatures
from vadloc.regions import RegionGrid
from vadloc.versions import extractors_of
from vadloc.video.decoding import Colour
from vadloc.video.frames import (
    list_sequences,
    read_frames,
    read_frames_as,
)
from vadloc.video.writing import write_video

REPEATS = 3
FRAMES = 12
PRODUCT = 512, 1024
"""Volumes and exemplars of the products whose rate limits selection and scoring."""

PRODUCT_PROGRAM = f"""
import sys, time
import numpy as np
dtype, width = sys.argv[1], int(sys.argv[2])
x, y = (np.random.default_rng(0).random((n, width)).astype(dtype) for n in {PRODUCT})
times = []
for _ in range(20):
    started = time.process_time()
    x @ y.T
    times.append(time.process_time() - started)
print(2 * len(x) * len(y) * width / min(times) / 1e9)
"""

BATCHES = {"cpu": (BATCH["cpu"],), "cuda": (64, 256, 1024)}
"""Batch sizes to try, by device; on a CPU a network is compiled for one size."""

CROPS = {
    "appearance": ((APPEARANCE_PX, APPEARANCE_PX, 3), np.uint8),
    "motion": ((CELL_WIDTH, MAP_PX, MAP_PX), np.float16),
}
"""Shape and type of what a network is given of a volume."""


def least_cpu_s(work: Callable[[], object]) -> float:
    """Least processor time of a call in this process, in seconds."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def square_gflops(dtype: type[np.floating], *, size: int = 2000) -> float:
    """Rate of square matrix products with all threads, by wall time."""
    matrix = np.random.default_rng(0).random((size, size)).astype(dtype)
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        np.matmul(matrix, matrix)
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times) / 1e9


def product_gflops(dtype: str, width: int) -> float:
    """Rate of the products of selection and scoring on one core, by processor time.

    It runs in its own process, since NumPy fixes the number of threads when it is imported.
    """
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT_PROGRAM, dtype, str(width)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def decode_ms(folder: Path, *, coloured: bool = False) -> float:
    """Processor time, in ms, to read a frame of the first sequence in a folder."""
    colours: tuple[Colour, ...] = ("grey", "rgb") if coloured else ("grey",)
    sequence = list_sequences(folder)[0]
    count = sum(1 for _ in read_frames_as(sequence, colours))
    return 1000 * least_cpu_s(lambda: sum(1 for _ in read_frames_as(sequence, colours))) / count


def flow_ms(folder: Path, grid: RegionGrid) -> float:
    """Processor time, in ms, for the flow of two frames, without reading and resizing them."""
    flow = FrameFlow(MomentumFeatures(), grid)
    greys = itertools.islice(read_frames(list_sequences(folder)[0]), FRAMES)
    pairs = list(itertools.pairwise([flow.resize(grey) for grey in greys]))
    return 1000 * least_cpu_s(lambda: [flow.between(*pair) for pair in pairs]) / len(pairs)


def network_ms(extractor: str, device: str) -> tuple[float, int]:
    """Milliseconds per volume of a network with its best batch size, and this size.

    On a CPU this is processor time, on a GPU wall time. For ``motion``, `cells_ms` comes before.
    """
    network, _ = network_extractor(extractor, device_of(device))
    found = []
    for batch in BATCHES[device_of(device)]:
        shape, kind = CROPS[extractor]
        crops = np.random.default_rng(0).integers(0, 256, (batch, *shape), np.uint8).astype(kind)
        found.append((call_ms(lambda c=crops: network._embed(c), device) / batch, batch))
    return min(found)


def cells_ms(folder: Path, grid: RegionGrid, device: str) -> float:
    """Milliseconds per frame of the motion network's first layers, if every region has changed."""
    network, config = network_extractor("motion", device_of(device), grid)
    greys = itertools.islice(read_frames(list_sequences(folder)[0]), 10)
    frames = [Frame(grey, None, grid) for grey in greys]
    regions = np.arange(grid.region_count)
    call = call_ms(lambda: list(network._crops(frames, grid, regions)), device)
    return call / config.regions.frame_stride


def network_extractor(
    extractor: str, device: str, grid: RegionGrid | None = None
) -> tuple[NetworkExtractor, Config]:
    """The extractor of a network with one thread, for a grid that is Ped2's by default."""
    grid = grid or RegionGrid(240, 360, 32, 16)
    dataset = Dataset(name="limits", train="Train", test="Test", frames_per_second=10)
    regions = Regions(size_px=grid.size_px, stride_px=grid.stride_px)
    config = Config(path=Path(), dataset=dataset, regions=regions)
    with Workers(1) as workers:
        network = kind_of(extractor).make(config, grid, workers, device)
    assert isinstance(network, NetworkExtractor)
    return network, config


def call_ms(call: Callable[[], object], device: str) -> float:
    """Milliseconds of a call; the first call is not measured."""
    call()
    if device_of(device) == "cpu":
        return 1000 * least_cpu_s(call)
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def other_formats(folder: Path, target: Path) -> tuple[Path, Path]:
    """Write some frames of the first sequence as PNG and as mp4. Returns both folders."""
    first = read_frames(list_sequences(folder)[0], colour="rgb")
    frames = list(itertools.islice(first, FRAMES))
    png, mp4 = (target / form for form in ("png", "mp4"))
    (png / "frames").mkdir(parents=True)
    mp4.mkdir()
    for index, rgb in enumerate(frames):
        cv2.imwrite(str(png / "frames" / f"{index:03d}.png"), rgb[..., ::-1])
    write_video(mp4 / "frames.mp4", frames, 15)
    return png, mp4


@dataclass
class PartLimits:
    """Processor time, in ms, that the parts of extraction take alone; each is measured once.

    Attributes:
        device: The device on which networks run.
    """

    device: str
    _known: dict[tuple[str, str], float] = field(default_factory=dict)

    def part_ms(self, part: str, folder: Path, grid: RegionGrid) -> float:
        """The time for a frame (``grey``, ``rgb``, ``flow``, ``cells``) or a volume (a network)."""
        key = part, "" if part in CROPS else str(folder)
        if key not in self._known:
            self._known[key] = self._measure(part, folder, grid)
        return self._known[key]

    def _measure(self, part: str, folder: Path, grid: RegionGrid) -> float:
        if part in CROPS:
            return network_ms(part, self.device)[0]
        if part == "flow":
            return flow_ms(folder, grid)
        if part == "cells":
            return cells_ms(folder, grid, self.device)
        return decode_ms(folder, coloured=part == "rgb")

    def parts_ms(
        self, version: str, folder: Path, grid: RegionGrid, computed: dict[str, float]
    ) -> dict[str, float]:
        """Milliseconds per frame of each part of a version's extraction.

        Args:
            version: A version of the method.
            folder: Folder of sequences.
            grid: The regions of their frames.
            computed: Number of volumes that each network computed per frame.
        """
        extractors = extractors_of(version)
        colour = "rgb" if "appearance" in extractors else "grey"
        parts = {"reading": self.part_ms(colour, folder, grid)}
        if {"momentum", "relative_momentum"} & set(extractors):
            parts["flow"] = self.part_ms("flow", folder, grid)
        for name, volumes in computed.items():
            parts[name] = self.part_ms(name, folder, grid) * volumes
        if "motion" in parts:
            parts["motion"] += self.part_ms("cells", folder, grid)
        return parts
