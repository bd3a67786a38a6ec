"""The effect of each setting: the criteria when one setting of a config is changed at a time.

    VADLOC_DATASETS=... python benchmarks/choices.py configs/ped2.toml
    VADLOC_DATASETS=... python benchmarks/choices.py configs/ped2.toml --version appearance_motion

prints a Markdown table. Settings of extractors that the version does not use are left out. Each
variation runs the commands of the pipeline up to the evaluation. Results that a variation does not
affect are reused, as when a user edits a config. If the size of regions changes, their stride
changes with it.
"""

import argparse
import copy
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from stages import COLUMNS, EXTRACTION, LATER, criteria, datasets_folder, run_stages

from vadloc.versions import VERSIONS, extractors_of

VARIATIONS: tuple[tuple[str, str, Any], ...] = (
    ("scoring", "combine", "max"),
    ("scoring", "neighbourhood", 1),
    ("exemplars", "threshold", 0.0),
    ("exemplars", "threshold", 0.01),
    ("exemplars", "threshold", 0.05),
    ("exemplars", "threshold", 0.1),
    ("distance", "stationary", "gate"),
    ("distance", "stationary", "keep"),
    ("features.momentum", "flow_floor_px_per_frame", 0.2),
    ("features.momentum", "flow_floor_px_per_frame", 0.5),
    ("features.momentum", "flow_floor_px_per_frame", 1.0),
    ("features.momentum", "flow_preset", "fast"),
    ("features.momentum", "flow_preset", "medium"),
    ("features.appearance", "reuse_below", 0.0),
    ("features.motion", "reuse_below", 0.0),
    ("regions", "frame_stride", 1),
    ("regions", "frame_stride", 2),
    ("regions", "frames_per_volume", 6),
    ("regions", "frames_per_volume", 15),
    ("regions", "size_px", 48),
)


def with_setting(config: dict[str, Any], table: str, key: str, value: Any) -> dict[str, Any]:
    """A copy of a config with one setting changed."""
    changed = copy.deepcopy(config)
    place = changed
    for name in table.split("."):
        place = place.setdefault(name, {})
    place[key] = value
    if key == "size_px":  # same number of cells: networks do not allow every number
        regions = config["regions"]
        changed["regions"]["stride_px"] = value * regions["stride_px"] // regions["size_px"]
    return changed


def variations_of(version: str) -> Iterator[tuple[str, str, Any]]:
    """The variations that affect a version."""
    extractors = extractors_of(version)
    for table, key, value in VARIATIONS:
        group, _, extractor = table.partition(".")
        unused = group == "features" and extractor not in extractors
        if not unused and (group != "distance" or len(VERSIONS[version].components) > 1):
            yield table, key, value


def measure(config: dict[str, Any], folder: Path, datasets: Path) -> list[float]:
    """The criteria for a config; valid results of earlier variations are reused."""
    path, results = folder / "config.toml", folder / "results"
    path.write_text(tomli_w.dumps(config))
    options = ["--config", str(path), "--datasets", str(datasets), "--results", str(results)]
    run_stages((*EXTRACTION, *LATER), [*options, "--overwrite"])
    return criteria(results)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What each setting is worth.")
    parser.add_argument("configs", type=Path, nargs="+")
    parser.add_argument("--version", default="momentum", choices=sorted(VERSIONS))
    parser.add_argument("--only", default="", help="settings whose name holds this text")
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    changes = [c for c in variations_of(args.version) if args.only in ".".join(c[:2])]
    if not changes:
        parser.error(f"--only {args.only}: no such setting of {args.version}")
    for path in args.configs:
        datasets = datasets_folder(path, args.datasets)
        config = {**tomli.loads(path.read_text()), "version": args.version}
        print(f"\n| {path.stem}, `{args.version}` | {COLUMNS} |\n|---|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            rows = [("as shipped", config)]
            rows += [(f"`{t}.{k} = {v}`", with_setting(config, t, k, v)) for t, k, v in changes]
            for name, variation in rows:
                numbers = measure(variation, Path(folder), datasets)
                print(f"| {name} | " + " | ".join(f"{n:.4f}" for n in numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
