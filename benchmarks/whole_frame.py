"""Appearance by one fully convolutional pass over the frame, against crops of each region.

    VADLOC_DATASETS=... python benchmarks/whole_frame.py configs/ped2.toml

runs the network once over the whole middle frame at crop scale and averages, for each region, the
positions of the last feature map that lie in it; the features take the place of those of the crops,
and the pipeline goes on. A whole frame needs no reuse of what did not change, and each region sees
beyond its edge. Printed are the criteria of both ways and the processor time of the network.
"""

import argparse
import copy
import json
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from feature_extraction.appearance_network import AppearanceNetwork, load_appearance, normalise
from feature_extraction.crop_archives import CROP_PX
from feature_extraction.extractor import Frame
from vadloc.artifacts import SCHEMAS, Artifacts
from vadloc.config import load_config
from vadloc.frames import Sequence, read_frames_as
from vadloc.regions import RegionGrid, volume_starts
from vadloc.run import main as run_pipeline

VERSIONS = ("appearance", "appearance_momentum")
METRICS = ("frame_roc_auc", "region_roc_auc", "track_roc_auc")
STRIDE_PX = 32
"""Distance of the positions of the last feature map, in pixels of the network's input."""


def without_pooling(network: AppearanceNetwork) -> torch.fx.GraphModule:
    """The trunk up to its last feature map."""
    trunk = copy.deepcopy(network.trunk)
    assert isinstance(trunk, torch.fx.GraphModule)
    [pooling] = [node for node in trunk.graph.nodes if "adaptive_avg_pool" in str(node.target)]
    [output] = [node for node in trunk.graph.nodes if node.op == "output"]
    output.args = (pooling.args[0],)
    trunk.graph.eliminate_dead_code()
    trunk.recompile()
    return trunk


def frame_to_features(
    frame: Frame, trunk: torch.fx.GraphModule, network: AppearanceNetwork
) -> NDArray[np.float16]:
    """Features ``(regions, 128)`` of one frame."""
    inside = CROP_PX // STRIDE_PX
    step = max(1, inside // frame.grid.cells_per_side)
    with torch.inference_mode():
        seen = trunk(normalise(frame.rgb_at_crop_scale[None]))
        means = functional.avg_pool2d(seen, inside, step)[0].permute(1, 2, 0)
        pooled = network.standardise(means.reshape(-1, means.shape[2]))
        features: NDArray[np.float16] = (
            network.activation(network.embedding(pooled)).to(torch.float16).numpy()
        )
        return features


def sequence_to_content(
    sequence: Sequence, artifacts: Artifacts, trunk: torch.fx.GraphModule, network: Any
) -> dict[str, Any]:
    """What ``extract_features`` stores, by whole frames."""
    regions = artifacts.config.regions
    pictures = list(read_frames_as(sequence, ("grey", "rgb")))
    height, width = pictures[0][0].shape
    grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
    starts = volume_starts(len(pictures), regions.frames_per_volume, regions.frame_stride)
    middles = [pictures[first + regions.frames_per_volume // 2] for first in starts]
    rows = [frame_to_features(Frame(grey, rgb, grid), trunk, network) for grey, rgb in middles]
    index = np.arange(len(starts) * grid.region_count, dtype=np.int32)
    return {
        "schema": SCHEMAS["features"],
        "sequence": sequence.name,
        "frame_count": len(pictures),
        "height_px": height,
        "width_px": width,
        "region_count": grid.region_count,
        "first_frame": np.array(starts, np.int64),
        "components": {"appearance": np.concatenate(rows)},
        "descriptors": {},
        "index": index.reshape(len(starts), -1),
    }


def store_whole_frames(artifacts: Artifacts) -> tuple[int, float]:
    """Put the features of whole frames where those of crops belong; frames, processor seconds."""
    torch.set_num_threads(1)
    settings = artifacts.config.features.appearance
    network = load_appearance(settings.weights, settings.backbone, "cpu")
    trunk = without_pooling(network)
    before, frames = resource.getrusage(resource.RUSAGE_SELF).ru_utime, 0
    for split in ("train", "test"):
        for sequence in artifacts.sequences(split):
            content = sequence_to_content(sequence, artifacts, trunk, network)
            artifacts.features("appearance", split, sequence.name).save(content)
            frames += content["frame_count"]
    return frames, resource.getrusage(resource.RUSAGE_SELF).ru_utime - before


def criteria(config: Path, version: str, datasets: str, folder: str) -> str:
    """Run the pipeline; its numbers as cells of a table."""
    options = ["--config", str(config), "--version", version, "--datasets", datasets]
    run_pipeline([*options, "--results", folder])
    [summary] = Path(folder).glob(f"*/evaluation/{version}/summary.json")
    numbers = json.loads(summary.read_text())
    return " | ".join(f"{numbers[name]:.4f}" for name in METRICS)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Appearance of whole frames against crops.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    rows = []
    for way in ("crops", "whole frame"):
        with tempfile.TemporaryDirectory() as folder:
            artifacts = Artifacts(
                load_config(args.config), Path(folder), Path(args.datasets), version="appearance"
            )
            if way == "whole frame":
                frames, seconds = store_whole_frames(artifacts)
                rows.append(f"processor time of whole frames: {seconds / frames * 1000:.1f} ms")
            for version in VERSIONS:
                numbers = criteria(args.config, version, args.datasets, folder)
                rows.append(f"| {way} | `{version}` | {numbers} |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
