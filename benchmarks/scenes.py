"""All versions on all scenes (rendered scenes, UCSD Ped2, a part of Avenue), and the worst.

    VADLOC_DATASETS=... python benchmarks/scenes.py --scenes SCRATCH --versions momentum
    python benchmarks/scenes.py --only walkway --set features.momentum.flow_floor_px_per_frame=0.2

prints a Markdown table with a row for each scene, and a column for each version and for each
``--set`` (the first version with this setting changed). A cell has frame AUC / RBDC / TBDC. Below
them are the means of each column and its worst scene, by the mean of the three numbers. Regions are
those that ``vadloc.propose_regions`` proposes from the training video. With several columns, the
table also shows for each scene the result of a choice made without it: that of the column whose
worst scene among all others is best. Scenes are rendered below ``--scenes`` unless they exist;
so are those of ``distant_scenes.py``, for which Ped2 is needed.
``--results`` keeps the results, and reuses those of an earlier run.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scene_list
import tomli
import tomli_w
from choices import with_setting
from distant_scenes import VIEWS, write_distant
from stages import EXTRACTION, LATER, ROOT, criteria, run_stages

from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.propose_regions import examine
from vadloc.versions import VERSIONS

REAL = ("ped2", "avenue")
"""Names of the configs of scenes that are not rendered."""

CHOICES = [*scene_list.OPTIONS, *REAL, *VIEWS]

Numbers = list[float]
"""Frame AUC, RBDC and TBDC."""


@dataclass(frozen=True)
class Scene:
    """A data set.

    Attributes:
        name: Name in the table.
        config: Content of its config file.
        datasets: Folder to which the paths of the config are relative.
    """

    name: str
    config: dict[str, Any]
    datasets: Path


@dataclass(frozen=True)
class Column:
    """A version, with one setting changed or none.

    Attributes:
        version: Name of the version.
        setting: The changed setting, such as ``scoring.combine="max"``; empty for none.
    """

    version: str
    setting: str = ""

    @property
    def label(self) -> str:
        """Heading of the column."""
        return f"`{self.version}`" + (f", `{self.setting}`" if self.setting else "")

    def apply(self, config: dict[str, Any]) -> dict[str, Any]:
        """The config of a scene for this column."""
        changed = {**config, "version": self.version}
        if not self.setting:
            return changed
        place, _, value = self.setting.partition("=")
        table, _, key = place.rpartition(".")
        return with_setting(changed, table, key, json.loads(value))


def scenes(folder: Path, real: Path, only: list[str]) -> Iterator[Scene]:
    """The scenes, rendered scenes first; each is made when it is yielded."""
    for name in scene_list.OPTIONS:
        if not only or name in only:
            yield rendered(name, folder)
    for name in REAL:
        config = tomli.loads((ROOT / "configs" / f"{name}.toml").read_text())
        if (not only or name in only) and (real / config["dataset"]["train"]).is_dir():
            yield Scene(name, config, real)
    ped2 = tomli.loads((ROOT / "configs" / "ped2.toml").read_text())
    for name in VIEWS if (real / ped2["dataset"]["train"]).is_dir() else ():
        if not only or name in only:
            yield Scene(name, write_distant(name, ped2, real, folder), folder)


def rendered(name: str, folder: Path) -> Scene:
    """A rendered scene by its name in `scene_list.OPTIONS`."""
    command = [sys.executable, "-m", "vadloc.sample_scene", "--datasets", str(folder)]
    done = subprocess.run(
        [*command, *scene_list.words(name)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} cannot be rendered:\n{done.stderr}")
    own = folder / name / f"{name}.toml"
    path = own if own.exists() else ROOT / "configs" / f"{name}.toml"
    return Scene(name, tomli.loads(path.read_text()), folder)


def with_proposed_regions(scene: Scene) -> dict[str, Any]:
    """The scene's config with the regions that are proposed from its training video."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(tomli_w.dumps(scene.config))
        artifacts = Artifacts(load_config(path), Path(folder), scene.datasets)
        rate = scene.config["dataset"]["frames_per_second"]
        undo_shake = artifacts.config.camera.undo_shake
        found = examine(artifacts.sequences("train"), rate, undo_shake=undo_shake)
    sizes = {"size_px": found.proposal.size_px, "stride_px": found.proposal.stride_px}
    return {**scene.config, "regions": {**scene.config["regions"], **sizes}}


def measure(config: dict[str, Any], datasets: Path, results: Path, jobs: int) -> Numbers:
    """The criteria for a config."""
    results.mkdir(parents=True, exist_ok=True)
    path = results / "config.toml"
    path.write_text(tomli_w.dumps(config))
    options = ["--config", str(path), "--datasets", str(datasets), "--results", str(results)]
    run_stages((*EXTRACTION, *LATER), [*options, "--jobs", str(jobs), "--overwrite"])
    return criteria(results)


Table = dict[str, list[Numbers]]
"""Scene to the numbers of each column."""


def merit(numbers: Numbers) -> float:
    """Mean of the three criteria, without those that a scene does not have."""
    known = [number for number in numbers if not math.isnan(number)]
    return statistics.fmean(known)


def chosen_without(table: Table, scene: str) -> int:
    """Index of the column whose worst scene is best, one scene left out."""
    others = [row for name, row in table.items() if name != scene] or list(table.values())
    worst = [min(merit(row[column]) for row in others) for column in range(len(others[0]))]
    return worst.index(max(worst))


def cell(numbers: Numbers) -> str:
    """A cell of the table."""
    return " / ".join(f"{number:.3f}".removeprefix("0") for number in numbers)


def summary(table: Table, columns: list[Column]) -> list[str]:
    """The rows below the scenes: means and worst scenes."""
    means, worst = [], []
    for column in range(len(columns)):
        rows = {name: row[column] for name, row in table.items()}
        mean = [statistics.fmean(numbers) for numbers in zip(*rows.values(), strict=True)]
        name = min(rows, key=lambda scene: merit(rows[scene]))
        means.append(cell(mean))
        worst.append(f"{name} {cell(rows[name])}")
    return [f"| **mean** | | {' | '.join(means)} |", f"| **worst** | | {' | '.join(worst)} |"]


def held_out(table: Table, columns: list[Column]) -> list[str]:
    """Rows with the result on each scene of the column that is best on all other scenes."""
    lines = ["", "| scene | chosen without it | |", "|---|---|---|"]
    found = {name: chosen_without(table, name) for name in table}
    for name, column in found.items():
        lines.append(f"| {name} | {columns[column].label} | {cell(table[name][column])} |")
    name = min(found, key=lambda scene: merit(table[scene][found[scene]]))
    return [*lines, f"| **worst** | {name} | {cell(table[name][found[name]])} |"]


def to_json(table: Table, columns: list[Column]) -> str:
    """The numbers by column and scene; NaN as null."""
    numbers = {
        column.label: {
            name: [None if math.isnan(number) else number for number in row[index]]
            for name, row in table.items()
        }
        for index, column in enumerate(columns)
    }
    return json.dumps(numbers, indent=1) + "\n"


def parse() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description="All versions on all scenes, and the worst.")
    add = parser.add_argument
    add("--versions", nargs="+", default=["momentum"], choices=sorted(VERSIONS))
    what = "more columns: the first version with one setting changed; values as in JSON"
    add("--set", nargs="+", default=[], metavar="TABLE.KEY=VALUE", dest="settings", help=what)
    add("--only", nargs="+", default=[], choices=CHOICES, metavar="SCENE")
    add(
        "--scenes",
        type=Path,
        default=ROOT / "datasets",
        help="rendered and reduced scenes lie here",
    )
    add("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"), help="Ped2, Avenue")
    add("--results", type=Path, help="kept, and reused by the next run")
    add("--jobs", type=int, default=1, metavar="N")
    add("--json", type=Path, help="the numbers, for programs")
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    args = parse()
    columns = [Column(version) for version in args.versions]
    columns += [Column(args.versions[0], setting) for setting in args.settings]
    print(f"| scene | regions | {' | '.join(c.label for c in columns)} |")
    print("|---" * (len(columns) + 2) + "|")
    table: Table = {}
    with tempfile.TemporaryDirectory() as scratch:
        results = args.results or Path(scratch)
        for scene in scenes(args.scenes.resolve(), Path(args.datasets).resolve(), args.only):
            config = with_proposed_regions(scene)
            row = table[scene.name] = []
            for number, column in enumerate(columns):
                name = column.version + (f"_{number}" if column.setting else "")
                place = results.resolve() / name / scene.name
                row.append(measure(column.apply(config), scene.datasets, place, args.jobs))
            cells = " | ".join(cell(numbers) for numbers in row)
            print(f"| {scene.name} | {config['regions']['size_px']} | {cells} |", flush=True)
            if args.json:
                args.json.write_text(to_json(table, columns))
    print("\n".join(summary(table, columns)))
    if len(columns) > 1 and len(table) > 1:
        print("\n".join(held_out(table, columns)))


if __name__ == "__main__":
    main()
