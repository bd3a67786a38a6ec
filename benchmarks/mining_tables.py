"""The tables of the mining paper beside ours: runs every row that the data allow, then prints them.

    VADLOC_DATASETS=... python benchmarks/mining_tables.py ped2 --results DIR --version fused

For each row of the tables ``mining``, ``mining_components``, ``mining_thresholds`` and
``mining_alpha`` that is of the named datasets, it runs all stages, or rounds of mining with the
row's settings up to the scores. What exists in ``--results`` is not made again. A row whose
settings let nothing be learnt has no result, and the tables say "not run". At last
`evaluation.reproduce_table` prints each table.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from stages import ROOT

from evaluation.published import PublishedValue, list_tables, read_table
from vadloc.versions import VERSIONS

ROUND = (
    "exemplar_selection.mine_normal",
    "exemplar_selection.merge_exemplars",
    "anomaly_detection.score_anomalies",
)
TABLES = ("mining", "mining_components", "mining_thresholds", "mining_alpha")


def run(value: PublishedValue, options: list[str]) -> None:
    """Make our scores of a row."""
    config = ["--config", str(ROOT / "configs" / f"{value.dataset}.toml")]
    commands = [["vadloc.run"]] if value.mined is None else []
    for number in range(1, value.rounds + 1):
        assert value.mined is not None
        before = replace(value.mined, round=number - 1).options
        mined = replace(value.mined, round=number).options
        commands.append(["anomaly_detection.score_left_out", *before])
        commands += [[module, *mined] for module in ROUND]
    for command in commands:
        words = [sys.executable, "-m", *command, *config, *options]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{value.key}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return


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
    wanted = {v.key: v for v in values if v.dataset in args.only}
    for value in sorted(wanted.values(), key=lambda v: v.rounds):  # without mining first
        run(value, options)
    for name in paths:
        command = [sys.executable, "-m", "evaluation.reproduce_table", name, *options]
        print(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
