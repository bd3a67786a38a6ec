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
from numpy.typing import NDArray

from feature_extraction.devices import BATCH, device_of
from feature_extraction.flow import FrameFlow
from feature_extraction.frame import APPEARANCE_PX, CROP_PX
from feature_extraction.network_extractor import Embed, NetworkExtractor
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

CROPS = {"appearance": (APPEARANCE_PX, APPEARANCE_PX, 3), "motion": (10, CROP_PX, CROP_PX)}


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

    On a CPU this is processor time, on a GPU wall time.
    """
    device = device_of(device)
    dataset = Dataset(name="limits", train="Train", test="Test", frames_per_second=10)
    config = Config(path=Path(), dataset=dataset, regions=Regions(size_px=32, stride_px=16))
    with Workers(1) as workers:
        grid = RegionGrid(240, 360, 32, 16)
        network = kind_of(extractor).make(config, grid, workers, device)
        assert isinstance(network, NetworkExtractor)
    found = []
    for batch in BATCHES[device]:
        crops = np.random.default_rng(0).integers(0, 256, (batch, *CROPS[extractor]), np.uint8)
        found.append((call_ms(network._embed, crops, device) / batch, batch))
    return min(found)


def call_ms(embed: Embed, crops: NDArray[np.uint8], device: str) -> float:
    """Milliseconds of a call of a network; the first call is not measured."""
    embed(crops)
    if device == "cpu":
        return 1000 * least_cpu_s(lambda: embed(crops))
    started = time.perf_counter()
    embed(crops)
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
        """The time for a frame (``grey``, ``rgb``, ``flow``) or a volume (a network's name)."""
        key = part, "" if part in CROPS else str(folder)
        if key not in self._known:
            self._known[key] = self._measure(part, folder, grid)
        return self._known[key]

    def _measure(self, part: str, folder: Path, grid: RegionGrid) -> float:
        if part in CROPS:
            return network_ms(part, self.device)[0]
        if part == "flow":
            return flow_ms(folder, grid)
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
        return parts
