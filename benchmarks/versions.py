"""All versions of the method side by side: criteria, speed of extraction, share computed.

    VADLOC_DATASETS=... python benchmarks/versions.py configs/ped2.toml configs/sample.toml

prints a Markdown table for each config. Every version runs in a folder of its own, so that its
extraction takes what it takes. Frames per second count all frames of training and test by the
clock, from the start of the command to its end; the share is that of the volumes that the networks
computed (the others did not change).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vadloc.versions import VERSIONS

ROOT = Path(__file__).resolve().parent.parent
METRICS = ("frame_roc_auc", "region_roc_auc", "track_roc_auc")


def run(module: str, *options: str) -> float:
    """Run a stage; its seconds."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *options], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{module} ended with status {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - started


def measure(config: Path, version: str, datasets: str) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--config", str(config), "--version", version]
        options += ["--datasets", datasets, "--results", folder]
        seconds = sum(
            run("feature_extraction.extract_features", "--split", split, *options)
            for split in ("train", "test")
        )
        run("vadloc.run", *options)
        [summary] = Path(folder).glob("*/evaluation/*/summary.json")
        numbers = json.loads(summary.read_text())
        reports = Path(folder).glob("*/reports/feature_extraction.extract_features/*/*.json")
        counts = [json.loads(report.read_text())["counts"] for report in reports]
    frames, volumes = (sum(c[key] for c in counts) for key in ("frames", "volumes"))
    shares = [
        f"{name} {sum(c[key] for c in counts) / volumes:.0%}"
        for name in ("appearance", "motion")
        if (key := f"{name}_computed") in counts[0]
    ]
    criteria = " | ".join(f"{numbers[name]:.3f}" for name in METRICS)
    return f"| `{version}` | {criteria} | {frames / seconds:.0f} | {', '.join(shares)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="All versions of the method side by side.")
    parser.add_argument("configs", type=Path, nargs="+")
    parser.add_argument("--versions", nargs="+", default=sorted(VERSIONS), choices=sorted(VERSIONS))
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    for config in args.configs:
        datasets = "datasets" if config.stem == "sample" else args.datasets
        print(f"\n| {config.stem} | frame AUC | RBDC | TBDC | frames/s | computed |")
        print("|---|---|---|---|---|---|")
        for version in args.versions:
            print(measure(config, version, datasets), flush=True)


if __name__ == "__main__":
    main()
