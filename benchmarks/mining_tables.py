"""The tables of the mining paper beside ours: runs every row that the data allow, then prints them.

    VADLOC_DATASETS=... python benchmarks/mining_tables.py ped2 --results DIR --version fused

For each row of the tables ``mining``, ``mining_components``, ``mining_thresholds`` and
``mining_alpha`` that is of the named datasets, it runs `vadloc.run --rounds` with the row's
settings. What exists in ``--results`` is not made again. A row whose settings let nothing be
learnt has no result, and the tables say "not run". At last `evaluation.reproduce_table` prints each
table.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from stages import ROOT

from evaluation.published import PublishedValue, list_tables, read_table
from vadloc.versions import VERSIONS

TABLES = ("mining", "mining_components", "mining_thresholds", "mining_alpha")


def run(value: PublishedValue, options: list[str]) -> None:
    """Make our result of a row."""
    config = ROOT / "configs" / f"{value.dataset}.toml"
    mined = value.mined
    rounds = ["--rounds", str(mined.round), *mined.source_options] if mined else []
    command = [sys.executable, "-m", "vadloc.run", "--config", str(config), *options, *rounds]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{value.key}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)


def main() -> None:
    """Run the rows, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("only", nargs="+", metavar="DATASET", help="ped1, ped2, avenue or shanghaitech")
    add("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    add("--version", default="fused", choices=sorted(VERSIONS))
    add("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    add("--results", type=Path, default=Path("results"))
    args = parser.parse_args()
    options = ["--version", args.version, "--datasets", str(Path(args.datasets).resolve())]
    options += ["--results", str(args.results.resolve())]
    paths = {name: list_tables()[name] for name in args.tables}
    values = [v for path in paths.values() for v in read_table(path).values if not v.not_run]
    for value in {v.key: v for v in values if v.dataset in args.only}.values():
        run(value, options)
    for name in paths:
        command = [sys.executable, "-m", "evaluation.reproduce_table", name, *options]
        print(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
