"""Show which results of a dataset are done, missing, stale or damaged.

    python -m vadloc.status --config configs/ped2.toml

compares the stamps; ``--verify`` also reads every file and compares its digest. With ``--mined`` it
shows the stages of that round of mining.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from vadloc.arguments import add_mining_options, add_shared_options, artifacts_of
from vadloc.artifact import Artifact, State
from vadloc.artifacts import Artifacts
from vadloc.console import CommandParser
from vadloc.process import emit, exit_status
from vadloc.run import mining_stages, stages

STATES: tuple[State, ...] = ("done", "missing", "stale", "damaged")


@dataclass(frozen=True)
class UnitStatus:
    """One unit of a stage.

    Attributes:
        unit: Name of the unit.
        state: The worst state of its files.
        size_bytes: Size of its files together.
        changed: Time at which the latest file was written, in seconds since the epoch; 0 for none.
    """

    unit: str
    state: State
    size_bytes: int
    changed: float


def unit_status(unit: str, files: list[Artifact], *, verify: bool) -> UnitStatus:
    """State, size and time of the files of a unit."""
    states = [file.state(verify=verify)[0] for file in files]
    found = [file.path.stat() for file in files if file.path.is_file()]
    return UnitStatus(
        unit,
        max(states, key=STATES.index),
        sum(entry.st_size for entry in found),
        max((entry.st_mtime for entry in found), default=0.0),
    )


def status_table(artifacts: Artifacts, *, verify: bool) -> str:
    """One line for each stage, and below it a line for each unit that is not done."""
    lines = [f"{'stage':<46}" + "".join(f"{s:>9}" for s in STATES) + f"{'MiB':>9}  last written"]
    pairs = [(stage, artifacts) for stage in stages(artifacts)]
    for stage, on in mining_stages(artifacts) if artifacts.round else pairs:
        units = [
            unit_status(unit, stage.outputs(on, unit), verify=verify) for unit in stage.units(on)
        ]
        lines.append(_stage_line(stage.label, units))
        for state in ("stale", "damaged"):
            names = ", ".join(unit.unit for unit in units if unit.state == state)
            if names:
                lines.append(f"    {state}: {shorten(names, 85, placeholder=' ...')}")
    return "\n".join(lines)


def _stage_line(label: str, units: list[UnitStatus]) -> str:
    counts = Counter(unit.state for unit in units)
    changed = max(unit.changed for unit in units)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(changed)) if changed else "-"
    mib = sum(unit.size_bytes for unit in units) / 2**20
    return f"{label:<46}" + "".join(f"{counts[s]:9d}" for s in STATES) + f"{mib:9.1f}  {when}"


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Show what is done, missing, stale or damaged.")
    add_shared_options(parser, running=False)
    add_mining_options(parser)
    parser.add_argument("--verify", action="store_true", help="read every file in full")
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        artifacts = artifacts_of(args)
        emit(f"{Path(args.config)}, version {artifacts.label}, results in {artifacts.folder}")
        emit(status_table(artifacts, verify=args.verify))


if __name__ == "__main__":
    main()
