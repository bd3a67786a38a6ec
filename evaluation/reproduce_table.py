"""Compare numbers of vadloc with a published table.

    python -m evaluation.reproduce_table eval

evaluates the existing scores by the table's area rule, and prints the published number, ours and
their difference. A dataset without scores is shown as "not run". The scenes of a dataset are
evaluated together as one test set: their regions, tracks and frames are pooled before curves are
computed.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.evaluate_scores import loads_by_source
from evaluation.preparation import LAYOUTS
from evaluation.preparation.scenes import find_configs
from evaluation.published import (
    COUNTS,
    METRICS,
    MINED_METRICS,
    PublishedTable,
    PublishedValue,
    list_tables,
    read_table,
)
from vadloc.artifacts import Artifacts
from vadloc.config import AreaRule, Config, load_config
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError, counted
from vadloc.mining import MinedModel, with_changes
from vadloc.process import emit, exit_status
from vadloc.versions import VERSIONS

if TYPE_CHECKING:
    from evaluation.each_sequence import Evaluated, Source

PLACES = ("region_roc_auc", "track_roc_auc")
HEADER = ("dataset", "metric", "published", "ours", "difference", "frames")


@dataclass(frozen=True)
class Outcome:
    """Our result for a dataset.

    Attributes:
        command: Command line that makes the scores.
        summary: Content of ``summary.json``; ``None`` if there is no result.
        reason: Why there is no result.
        failed: True if scores exist but cannot be evaluated.
    """

    command: str
    summary: dict[str, Any] | None = None
    reason: str = ""
    failed: bool = False


def evaluate_dataset(
    name: str,
    rule: AreaRule,
    *,
    configs: Path = Path("configs"),
    datasets: Path = Path("datasets"),
    results: Path = Path("results"),
    version: str = "",
    mined: MinedModel | None = None,
    jobs: int = 1,
) -> Outcome:
    """Evaluate the scores of a dataset, all its scenes together.

    Args:
        name: Name of the dataset.
        rule: Area rule for region and track curves.
        configs: Folder of the shipped configs.
        datasets: The datasets folder.
        results: Root of all results.
        version: Version of the method; empty for the version in the config.
        mined: What the model has mined; ``None`` for nothing.
        jobs: Number of sequences evaluated in parallel.
    """
    paths = find_configs(name, configs=configs, datasets=datasets)
    command = _command(
        name, paths, datasets=datasets, results=results, version=version, mined=mined
    )
    try:
        scenes = [
            Artifacts(_mining_config(path, mined), results, datasets, version, mined=mined)
            for path in paths
        ]
        reason = _why_not_run(name, scenes)
        if reason:
            return Outcome(command, reason=reason)
        return Outcome(command, _evaluate(scenes, rule, jobs=jobs))
    except VadlocError as error:
        return Outcome(command, reason=str(error), failed=True)


def _mining_config(path: Path, mined: MinedModel | None) -> Config:
    config = load_config(path)
    changes = mined.changes if mined else ()
    return config.model_copy(update={"mining": with_changes(config.mining, changes)})


def _why_not_run(name: str, scenes: Sequence[Artifacts]) -> str:
    """Why the dataset cannot be evaluated; empty if all scores are there."""
    folders = [a.datasets / a.config.dataset.test for a in scenes]
    if not scenes or not all(folder.is_dir() for folder in folders):
        known = f"; python -m evaluation.prepare_dataset {name}" if name in LAYOUTS else ""
        return f"the dataset is not there{known}"
    missing = sum(
        a.scores(sequence.name).state()[0] == "missing"
        for a in scenes
        for sequence in a.sequences("test")
    )
    return f"scores of {counted(missing, 'sequence')} are missing" if missing else ""


def _evaluate(scenes: Sequence[Artifacts], rule: AreaRule, *, jobs: int) -> dict[str, Any]:
    """The summary of all sequences of all scenes, evaluated as one test set."""
    from evaluation.criteria.options import CriteriaOptions
    from evaluation.each_sequence import evaluate_each, summarize

    settings = {**scenes[0].config.evaluation.model_dump(), "rule": rule}
    for other in scenes[1:]:
        if {**other.config.evaluation.model_dump(), "rule": rule} != settings:
            raise VadlocError(
                f"{other.config.path}: its [evaluation] differs from that of "
                f"{scenes[0].config.path}; scenes of one dataset are evaluated together"
            )
    options = CriteriaOptions(**settings)
    loads = loads_by_source(scenes)
    evaluated = [(s, evaluate_each(part, options=options, jobs=jobs)) for s, part in loads]
    return {**summarize(evaluated, options=options), **_selected(scenes, evaluated)}


def _selected(
    scenes: Sequence[Artifacts], evaluated: "Sequence[tuple[Source, Sequence[Evaluated]]]"
) -> dict[str, Any]:
    """How many normal frames were mined, and how many of them have no anomaly.

    The ground truth is only counted here; mining has not seen it.
    """
    from evaluation.each_sequence import FRAME_FIRST, truths_by_sequence

    if len(scenes) > 1 or not scenes[0].round:
        return {}
    truths = truths_by_sequence(evaluated, FRAME_FIRST)
    chosen = normal = 0
    for sequence in scenes[0].sequences("mined"):
        content = scenes[0].mined_frames(sequence.name).load()
        kept = (content["fate"] == 0).any(axis=(1, 2)) & ~content["is_abnormal"]
        chosen += int(kept.sum())
        normal += int((kept & ~truths[sequence.name].anomalous).sum())
    share = normal / chosen if chosen else None
    return {
        "selected_frames": chosen,
        "selected_normal_frames": normal,
        "selected_normal_share": share,
    }


def _command(
    name: str,
    paths: Sequence[Path],
    *,
    datasets: Path,
    results: Path,
    version: str,
    mined: MinedModel | None = None,
) -> str:
    """The command line that makes the scores of a dataset."""
    rounds = ["--rounds", str(mined.round), *mined.source_options] if mined else []
    options = [
        *rounds,
        *(["--datasets", str(datasets)] if datasets != Path("datasets") else []),
        *(["--results", str(results)] if results != Path("results") else []),
        *(["--version", version] if version else []),
    ]
    if name in LAYOUTS and LAYOUTS[name].with_scenes:
        pattern = f"{shlex.quote(str(datasets / name))}/*/{name}_*.toml"
        run = " ".join(['python -m vadloc.run --config "$config"', *map(shlex.quote, options)])
        return f"for config in {pattern}; do {run}; done"
    config = str(paths[0]) if paths else f"configs/{name}.toml"
    return shlex.join(["python", "-m", "vadloc.run", "--config", config, *options])


def table_to_text(table: PublishedTable, outcomes: dict[str, Outcome]) -> str:
    """The comparison as a Markdown table, with sources, commands and reasons for missing numbers.

    Args:
        table: The published values.
        outcomes: Our result for each ``key`` of the table's values.
    """
    rows = [HEADER, *(_row(value, outcomes[value.key]) for value in table.values)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    commands = [f"    {outcome.command}" for outcome in outcomes.values()]
    notes = _notes(table, outcomes)
    return "\n".join([table.title, table.citation, "", *lines, "", *notes, "", *commands])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"


def _row(value: PublishedValue, outcome: Outcome) -> tuple[str, ...]:
    """One row: the published number and ours, their difference, and the number of frames.

    All but frames is in percent, and differences in percentage points.
    """
    is_count = value.metric in COUNTS
    form, factor = ("{:.0f}", 1) if is_count else ("{:.2f}", 100)
    ours, difference, frames = "not run", "", ""
    if outcome.summary is not None and not value.not_run:
        number = outcome.summary.get(value.metric)
        basis = outcome.summary["stands_on"][value.criterion]
        frames = "" if basis is None else str(basis["frames"])
        ours = "undefined" if number is None else form.format(factor * number)
        sign = form.replace(":", ":+")
        difference = "" if number is None else sign.format(factor * number - value.published)
        if number is not None and _why_not_comparable(value, outcome):
            difference = "not comparable"
    named = f"{value.dataset}, {value.row}" if value.row else value.dataset
    metric = {**METRICS, **MINED_METRICS}[value.metric]
    return (named, metric, form.format(value.published), ours, difference, frames)


def _why_not_comparable(value: PublishedValue, outcome: Outcome) -> str:
    if value.not_comparable or outcome.summary is None:
        return value.not_comparable
    derived = value.metric in PLACES and outcome.summary["ground_truth_derived"]
    return "our regions and tracks are derived from masks, not annotated" if derived else ""


def _notes(table: PublishedTable, outcomes: dict[str, Outcome]) -> list[str]:
    """Lines about unit, rule, sources and reasons."""
    lines = [f"Percent; region and track areas of ours under the rule {table.rule}."]
    lines += [table.note] if table.note else []
    sources = {(v.source, v.read) for v in table.values}
    how = {"source": "read there", "quoted": "quoted, not read in the publication"}
    lines += [f"Published: {source} ({how[read]})." for source, read in sorted(sources)]
    for value in table.values:
        outcome = outcomes[value.key]
        if outcome.summary and (why := _why_not_comparable(value, outcome)):
            lines.append(f"{value.dataset}, {value.metric}: not comparable: {why}.")
    why_not = ((v.dataset, v.row, v.not_run) for v in table.values if v.not_run)
    lines += [f"{name}, {row}: not run: {why}." for name, row, why in dict.fromkeys(why_not)]
    lines += [f"{name}: not run: {o.reason}." for name, o in outcomes.items() if o.reason]
    return list(dict.fromkeys(lines))


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(argv)
    with exit_status(verbose=args.verbose):
        table = read_table(_path_of(args.table))
        outcomes = {
            key: evaluate_dataset(
                value.dataset,
                table.rule,
                configs=args.configs,
                datasets=args.datasets,
                results=args.results,
                version=args.version or table.version,
                mined=value.mined,
                jobs=args.jobs,
            )
            for key, value in {value.key: value for value in table.values}.items()
        }
        emit(table_to_text(table, outcomes))
        if any(outcome.failed for outcome in outcomes.values()):
            sys.exit(1)


def _path_of(table: str) -> Path:
    """The path of a shipped table by its name, or of a file."""
    tables = list_tables()
    if table in tables:
        return tables[table]
    if table.endswith(".toml"):
        return Path(table)
    raise UsageError(f"table {table!r}: expected one of {', '.join(tables)}, or a .toml file")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        description="Compare our numbers with a published table.",
        epilog=f"Tables: {', '.join(list_tables())}.",
    )
    add = parser.add_argument
    add("table", help="name of a table, or a .toml file of that form")
    add("--version", choices=sorted(VERSIONS), help="default: the table's or the config's")
    add("--results", type=Path, default=Path("results"), help="default: %(default)s")
    add("--datasets", type=Path, default=Path("datasets"),
        help="folder in which the data of the configs lies; default: %(default)s")  # fmt: skip
    add("--configs", type=Path, default=Path("configs"),
        help="folder of the shipped configs; default: %(default)s")  # fmt: skip
    add("--jobs", type=int, default=1, help="sequences side by side; default: 1")
    add_verbose_option(parser)
    return parser


if __name__ == "__main__":
    main()
