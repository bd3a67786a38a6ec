"""Compare all versions of the method: criteria, speed of extraction, share of computed volumes.

    VADLOC_DATASETS=... python benchmarks/versions.py configs/ped2.toml configs/sample.toml

prints a Markdown table for each config. Every version runs in its own folder, so that none uses
features of another. Frames per second count all frames of training and test, by wall time from the
start of the command to its end. The share is that of the volumes that networks computed; the other
volumes had not changed.
"""

import argparse
import os
import tempfile
from pathlib import Path

from stages import (
    COLUMNS,
    EXTRACTION,
    LATER,
    criteria,
    datasets_folder,
    extraction_counts,
    run_stages,
)

from feature_extraction.registry import networks_among
from vadloc.versions import VERSIONS, extractors_of


def measure(config: Path, version: str, datasets: Path) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--config", str(config.resolve()), "--version", version]
        options += ["--datasets", str(datasets), "--results", folder]
        seconds = run_stages(EXTRACTION, options).wall_s
        run_stages(LATER, options)
        numbers = criteria(Path(folder))
        counts = {name: extraction_counts(Path(folder), name) for name in extractors_of(version)}
    shares = [
        f"{name} {count['volumes_computed'] / count['volumes']:.0%}"
        for name, count in counts.items()
        if name in networks_among(list(counts))
    ]
    frames = next(iter(counts.values()))["frames"]
    cells = " | ".join(f"{number:.3f}" for number in numbers)
    return f"| `{version}` | {cells} | {frames / seconds:.0f} | {', '.join(shares)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="All versions of the method side by side.")
    parser.add_argument("configs", type=Path, nargs="+")
    parser.add_argument("--versions", nargs="+", default=sorted(VERSIONS), choices=sorted(VERSIONS))
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    for config in args.configs:
        datasets = datasets_folder(config, args.datasets)
        print(f"\n| {config.stem} | {COLUMNS} | frames/s | computed |")
        print("|---|---|---|---|---|---|")
        for version in args.versions:
            print(measure(config, version, datasets), flush=True)


if __name__ == "__main__":
    main()
