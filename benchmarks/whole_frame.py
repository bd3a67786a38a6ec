"""Compare appearance by one fully convolutional pass over the frame with crops of each region.

    VADLOC_DATASETS=... python benchmarks/whole_frame.py configs/ped2.toml
    python benchmarks/whole_frame.py configs/sample.toml --versions appearance

The same network, without its class layer, runs once over each whole middle frame. A region has a
side of 64 pixels there. At the 48 pixels of crops, the positions of the last feature map, which are
32 pixels apart, would not be aligned with regions. The features of a region come from the mean over
the positions inside it. On whole frames all regions are computed, and each region sees beyond its
edge.

Both ways are extractors with the same reading, stamps, files, OpenVINO and one thread, so that
their processor time can be compared. It is the time per frame of the video for extracting only
appearance. It includes building the network, which takes seconds for whole frames: little for
thousands of frames, much for a hundred. Crops are computed if they have changed, as the config
says. All later stages are those of the pipeline. Results are in a temporary folder.
"""

import argparse
import copy
import os
import resource
import tempfile
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from stages import COLUMNS, EXTRACTION, LATER, criteria, datasets_folder, run_stages
from torch import Tensor, nn

from feature_extraction import extract_features
from feature_extraction.appearance import extractor as appearance
from feature_extraction.appearance.graph import BACKBONE
from feature_extraction.appearance.network import (
    AppearanceNetwork,
    load_appearance,
    normalise,
)
from feature_extraction.extractor import Extractor, TimeStep
from feature_extraction.frame import Frame
from feature_extraction.network_extractor import Embed
from feature_extraction.openvino_graphs import compile_graph
from feature_extraction.workers import Workers
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config
from vadloc.feature_settings import AppearanceFeatures
from vadloc.regions import RegionGrid
from vadloc.versions import VERSIONS

CHOICES = sorted(version for version, entry in VERSIONS.items() if "appearance" in entry.components)
SIDE_PX = 64
"""Side of a region in the input of the network."""
STRIDE_PX = 32
"""Distance of the positions of the last feature map, in pixels of the network's input."""


class WholeFrame(nn.Module):
    """The appearance network on frames ``(1, height, width, 3)`` with ``SIDE_PX`` a region.

    Args:
        network: The network of crops.
        step_px: Distance of neighbouring regions in the input, a multiple of ``STRIDE_PX``.
    """

    def __init__(self, network: AppearanceNetwork, step_px: int) -> None:
        super().__init__()
        self.network = network
        self.maps = without_pooling(network)
        self.pool = nn.AvgPool2d(SIDE_PX // STRIDE_PX, step_px // STRIDE_PX)

    def forward(self, frame: Tensor) -> Tensor:
        """Features ``(regions, 128)``, regions row by row."""
        pooled = self.pool(self.maps(normalise(frame)))[0].flatten(1).T
        return self.network.embed_pooled(pooled)


def without_pooling(network: AppearanceNetwork) -> nn.Module:
    """The trunk up to its last feature map."""
    trunk = copy.deepcopy(network.trunk)
    assert isinstance(trunk, torch.fx.GraphModule)
    [pooling] = [node for node in trunk.graph.nodes if "adaptive_avg_pool" in str(node.target)]
    [output] = [node for node in trunk.graph.nodes if node.op == "output"]
    output.args = (pooling.args[0],)
    trunk.graph.eliminate_dead_code()
    trunk.recompile()
    return trunk


@cache
def whole_frame_graph(settings: AppearanceFeatures, shape: tuple[int, ...], step_px: int) -> Embed:
    """The network for frames of a shape, compiled in the same way as that for crops."""
    from openvino import convert_model

    network = load_appearance(settings.weights, settings.backbone, "cpu")
    example = torch.zeros(shape, dtype=torch.uint8)
    with torch.no_grad():
        program = torch.export.export(WholeFrame(network, step_px).eval(), (example,))
    return compile_graph(convert_model(program), threads=1)


class WholeFrameFeatures:
    """Extractor of ``appearance`` from whole frames.

    Args:
        settings: Settings of the network.
        grid: The grid of the frames.
        workers: Threads that run the network.
    """

    def __init__(self, settings: AppearanceFeatures, grid: RegionGrid, workers: Workers) -> None:
        self._settings = settings
        self._grid = grid
        self._workers = workers
        self._rows: deque[Future[NDArray[np.float16]]] = deque()
        self._step_count = 0

    def add_frame(self, frame: Frame) -> None:
        """Do nothing; volumes are processed in ``add_volumes``."""

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        """Queue the middle frame."""
        frame = frames[len(frames) // 2].rgb_at_scale(SIDE_PX)[None]
        step_px = SIDE_PX // self._grid.cells_per_side
        embed = whole_frame_graph(self._settings, frame.shape, step_px)
        self._rows.append(self._workers.submit(embed, frame))

    def take(self) -> list[TimeStep]:
        """The time steps whose middle frame has been computed."""
        steps = []
        while self._rows and self._rows[0].done():
            rows = {"appearance": self._rows.popleft().result()}
            steps.append(TimeStep.of_all_volumes(self._step_count, rows))
            self._step_count += 1
        return steps

    def flush(self) -> None:
        """Wait for all frames."""
        for rows in self._rows:
            rows.result()


def whole_frame(config: Config, grid: RegionGrid, workers: Workers, _device: str) -> Extractor:
    """The extractor that replaces the pipeline's extractor of appearance."""
    return WholeFrameFeatures(config.features["appearance"], grid, workers)


WAYS = {"crops": appearance.EXTRACTOR.make, "whole frame": whole_frame}


def check_config(config: Config) -> None:
    """Refuse a config whose regions are not aligned with the positions of the feature map."""
    cells = config.regions.size_px // config.regions.stride_px
    if config.features["appearance"].backbone != BACKBONE or SIDE_PX // cells % STRIDE_PX:
        raise SystemExit(
            f"{config.path}: expected the backbone {BACKBONE}, whose feature map has a position "
            f"every {STRIDE_PX} px, and [regions] size_px of 1 or 2 times stride_px"
        )


def extract(artifacts: Artifacts) -> float:
    """Extract the appearance of all sequences. Returns processor time per frame in ms."""
    frames = 0
    before = resource.getrusage(resource.RUSAGE_SELF)
    for split in ("train", "test"):
        for sequence in artifacts.sequences(split):
            extract_features.stage(split, device="cpu").run(artifacts, sequence.name)
            file = artifacts.features("appearance", split, sequence.name)
            frames += file.load()["frame_count"]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / frames


def measure(way: str, config: Path, versions: list[str], datasets: Path) -> list[str]:
    """The rows of the table for one way."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        appearance.EXTRACTOR = replace(appearance.EXTRACTOR, make=WAYS[way])
        ms = extract(Artifacts(load_config(config), folder, datasets, version="appearance"))
        for version in versions:
            options = ["--config", str(config.resolve()), "--version", version, "--device", "cpu"]
            options += ["--datasets", str(datasets), "--results", name]
            run_stages((*EXTRACTION, *LATER), options)  # appearance has been extracted already
            cells = " | ".join(f"{number:.4f}" for number in criteria(folder, version))
            rows.append(f"| {way} | `{version}` | {cells} | {ms:.1f} |")
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Appearance of whole frames against crops.")
    parser.add_argument("config", type=Path)
    default = ["appearance", "appearance_momentum"]
    parser.add_argument("--versions", nargs="+", default=default, choices=CHOICES)
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    check_config(load_config(args.config))
    datasets = datasets_folder(args.config, args.datasets)
    os.environ["OMP_NUM_THREADS"] = "1"  # one worker each, for a fair comparison
    torch.set_num_threads(1)
    print(f"| {args.config.stem} | version | {COLUMNS} | appearance, processor ms a frame |")
    print("|---|---|---|---|---|---|")
    for way in WAYS:
        print("\n".join(measure(way, args.config, args.versions, datasets)), flush=True)


if __name__ == "__main__":
    main()
