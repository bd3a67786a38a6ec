"""The effect of ``flow_side_px``: criteria and processor time with flow on reduced frames.

    VADLOC_DATASETS=... python benchmarks/flow_side.py configs/ped2.toml --sides 180 240 360
    VADLOC_DATASETS=... python benchmarks/flow_side.py configs/ped2.toml --enlarge 3.5

prints a Markdown table. ``--enlarge`` first enlarges all frames and annotated rows (of the format
``street_scene``), and also the regions and the floor of the flow. So every row of the table is the
same task in larger pictures. Processor time is that of extracting the features of all sequences,
reading included.
"""

import argparse
import copy
import os
import tempfile
from pathlib import Path
from typing import Any

import cv2
import tomli
import tomli_w
from choices import with_setting
from stages import (
    COLUMNS,
    EXTRACTION,
    LATER,
    criteria,
    datasets_folder,
    extraction_counts,
    run_stages,
)

from vadloc.feature_settings import MomentumFeatures
from vadloc.video.frames import read_picture

SIDES = (320, 480, 640, 960, 1280)


def enlarge_frame(source: Path, target: Path, factor: float) -> None:
    """Write an enlarged grey frame, or the enlarged annotated rows of a sequence."""
    if source.suffix == ".txt":
        rows = [line.split() for line in source.read_text().splitlines()]
        scaled = [[*r[:2], *(f"{float(number) * factor:g}" for number in r[2:])] for r in rows]
        target.write_text("".join(" ".join(row) + "\n" for row in scaled))
        return
    grey = read_picture(source, colour="grey")
    size = round(grey.shape[1] * factor), round(grey.shape[0] * factor)
    larger = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(target), larger, [cv2.IMWRITE_JPEG_QUALITY, 90])


def enlarge_dataset(config: dict[str, Any], datasets: Path, folder: Path, factor: float) -> None:
    """Enlarge frames and rows of all sequences; the paths below both folders are the same."""
    for split in ("train", "test"):
        source = datasets / config["dataset"][split]
        for path in sorted(source.glob("*/*")):
            target = folder / path.relative_to(datasets)
            if path.parent.name.endswith("_gt") or path.suffix not in (".jpg", ".txt"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            enlarge_frame(path, target, factor)


def enlarge_config(config: dict[str, Any], factor: float) -> dict[str, Any]:
    """The config for enlarged frames."""
    larger = copy.deepcopy(config)
    regions = larger["regions"]
    cells = regions["size_px"] // regions["stride_px"]
    regions["stride_px"] = round(regions["stride_px"] * factor)
    regions["size_px"] = cells * regions["stride_px"]
    momentum = MomentumFeatures(**config.get("features", {}).get("momentum", {}))
    floor = momentum.flow_floor_px_per_frame * factor
    return with_setting(larger, "features.momentum", "flow_floor_px_per_frame", floor)


def measure(config: dict[str, Any], datasets: Path) -> str:
    """The criteria, and the milliseconds of processor time per frame, as cells of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path, results = Path(folder) / "config.toml", Path(folder) / "results"
        path.write_text(tomli_w.dumps(config))
        options = ["--config", str(path), "--datasets", str(datasets), "--results", str(results)]
        seconds = run_stages(EXTRACTION, options).cpu_s
        run_stages(LATER, options)
        cells = [f"{number:.4f}" for number in criteria(results)]
        cells.append(f"{1000 * seconds / extraction_counts(results, 'momentum')['frames']:.1f}")
    return " | ".join(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What a reduced flow is worth.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--enlarge", type=float, default=1.0, help="default: %(default)s")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--presets", nargs="+", default=["balanced"])
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    datasets = datasets_folder(args.config, args.datasets)
    config = tomli.loads(args.config.read_text())
    with tempfile.TemporaryDirectory() as folder:
        if args.enlarge != 1:
            enlarge_dataset(config, datasets, Path(folder), args.enlarge)
            config, datasets = enlarge_config(config, args.enlarge), Path(folder)
        print(f"\n| {args.config.stem} x {args.enlarge:g} | {COLUMNS} | ms a frame |")
        print("|---|---|---|---|---|")
        for preset in args.presets:
            for side in args.sides:
                changed = with_setting(config, "features.momentum", "flow_side_px", side)
                changed = with_setting(changed, "features.momentum", "flow_preset", preset)
                print(f"| `{preset}`, {side} px | {measure(changed, datasets)} |", flush=True)


if __name__ == "__main__":
    main()
