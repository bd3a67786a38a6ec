"""What a reduced flow is worth: the criteria and the processor time of ``flow_side_px``.

    VADLOC_DATASETS=... python benchmarks/flow_side.py configs/ped2.toml --sides 180 240 360
    VADLOC_DATASETS=... python benchmarks/flow_side.py configs/ped2.toml --enlarge 3.5

prints a Markdown table. ``--enlarge`` first enlarges all frames and annotated rows (of the format
``street_scene``), and with them regions and the floor of the flow, so that every row of the table
has the same task in larger pictures. Processor time is that of extracting the features of all
sequences, reading included.
"""

import argparse
import copy
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import tomli
from choices import METRICS, ROOT, to_toml, with_setting

from vadloc.config import MomentumFeatures
from vadloc.frames import read_picture

SIDES = (320, 480, 640, 960, 1280)
EXTRACT = "feature_extraction.extract_features"
LATER = (
    "exemplar_selection.select_exemplars",
    "exemplar_selection.merge_exemplars",
    "anomaly_detection.score_anomalies",
    "evaluation.evaluate_scores",
)


def enlarge_frame(source: Path, target: Path, factor: float) -> None:
    """A grey frame, or the annotated rows of a sequence, enlarged."""
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
    """Frames and rows of all sequences, below a folder as they were below ``datasets``."""
    for split in ("train", "test"):
        source = datasets / config["dataset"][split]
        for path in sorted(source.glob("*/*")):
            target = folder / path.relative_to(datasets)
            if path.parent.name.endswith("_gt") or path.suffix not in (".jpg", ".txt"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            enlarge_frame(path, target, factor)


def enlarge_config(config: dict[str, Any], factor: float) -> dict[str, Any]:
    """The config of such frames."""
    larger = copy.deepcopy(config)
    regions = larger["regions"]
    cells = regions["size_px"] // regions["stride_px"]
    regions["stride_px"] = round(regions["stride_px"] * factor)
    regions["size_px"] = cells * regions["stride_px"]
    momentum = MomentumFeatures(**config.get("features", {}).get("momentum", {}))
    floor = momentum.flow_floor_px_per_frame * factor
    return with_setting(larger, "features.momentum", "flow_floor_px_per_frame", floor)


def run(module: str, *options: str) -> float:
    """Run a stage; its seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", module, *options], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{module} ended with status {done.returncode}:\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(config: dict[str, Any], datasets: Path) -> str:
    """The criteria and the milliseconds of processor time a frame, as cells of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(to_toml(config))
        options = ["--config", str(path), "--datasets", str(datasets)]
        options += ["--results", f"{folder}/results"]
        seconds = sum(run(EXTRACT, "--split", split, *options) for split in ("train", "test"))
        for module in LATER:
            run(module, *options)
        reports = Path(folder).glob(f"results/*/reports/{EXTRACT}/*/*.json")
        frames = sum(json.loads(report.read_text())["counts"]["frames"] for report in reports)
        [summary] = Path(folder).glob("results/*/evaluation/*/summary.json")
        numbers = json.loads(summary.read_text())
    cells = [f"{numbers[name]:.4f}" for name in METRICS] + [f"{1000 * seconds / frames:.1f}"]
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
    config, datasets = tomli.loads(args.config.read_text()), Path(args.datasets)
    with tempfile.TemporaryDirectory() as folder:
        if args.enlarge != 1:
            enlarge_dataset(config, datasets, Path(folder), args.enlarge)
            config, datasets = enlarge_config(config, args.enlarge), Path(folder)
        print(f"\n| {args.config.stem} x {args.enlarge:g} | frame AUC | RBDC | TBDC | ms a frame |")
        print("|---|---|---|---|---|")
        for preset in args.presets:
            for side in args.sides:
                changed = with_setting(config, "features.momentum", "flow_side_px", side)
                changed = with_setting(changed, "features.momentum", "flow_preset", preset)
                print(f"| `{preset}`, {side} px | {measure(changed, datasets)} |", flush=True)


if __name__ == "__main__":
    main()
