"""A stage: a command that works unit by unit, skips what is done, and writes reports.

The module of a stage holds only its computation: ``compute`` yields the content of its files.
Everything else is done here. See `Stage`.
"""

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from vadloc.arguments import artifacts_of
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.checks.unread import log_unread
from vadloc.config import Config
from vadloc.console import progress, start_logging
from vadloc.errors import UsageError, VadlocError, about_file, counted
from vadloc.files.storage import remove_leftovers
from vadloc.inputs import Split
from vadloc.process import emit, exit_status
from vadloc.stage_reports import stage_report, write_report

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A unit of a stage that is to be computed.

    Attributes:
        artifacts: The results.
        unit: Name of the sequence, or of the dataset.
        todo: The outputs that are missing or are to be replaced.
        overwrite: Whether damaged and stale files may be replaced.
        counts: Counts for the report of each output, by the path of the output.
    """

    artifacts: Artifacts
    unit: str
    todo: tuple[Artifact, ...]
    overwrite: bool = False
    counts: dict[Path, dict[str, Any]] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """The config."""
        return self.artifacts.config

    def lacks(self, file: Artifact) -> bool:
        """Whether an output is to be made."""
        return any(file.path == other.path for other in self.todo)

    def count(self, **numbers: Any) -> None:
        """Add numbers to all reports of the unit; see `vadloc.stage_reports.NOUNS`."""
        for counts in self.counts.values():
            counts.update(numbers)


@dataclass(frozen=True)
class Stage:
    """A command that works unit by unit.

    Attributes:
        command: Module path, as after ``python -m``.
        outputs: Gives the artifacts of a unit, which is done when all of them are done. The first
            artifact stands for the unit, and is saved last.
        compute: Yields the outputs that are to be made, each with its content, in the order in
            which they are saved. Files that it has written itself are not yielded. It is called
            only if some output is not done.
        split: The split whose sequences are the units; ``None`` for a command of the whole dataset.
        prepare: Computes what all units share. It is called once, as ``prepare(artifacts,
            overwrite=...)``, before several units are run in parallel.
        describe: Gives the text that is printed of a unit that is done, after its path.
        conclude: Called by the stage's own command when all units are done.
        variant: Distinguishes stages of the same command.
        reports: Gives the names of the reports of a unit, one for each of its first outputs;
            default: one report in a folder of the version.
        chosen: Gives the names of the units, if not all sequences of the split are.
        shows_progress: Whether ``compute`` shows the progress within a unit itself.
    """

    command: str
    outputs: Callable[[Artifacts, str], list[Artifact]]
    compute: Callable[[Work], Iterable[tuple[Artifact, Any]]]
    split: Split | None = None
    prepare: Callable[..., None] | None = None
    describe: Callable[[Artifacts, str], str] | None = None
    conclude: Callable[[Artifacts], None] | None = None
    variant: str = ""
    reports: Callable[[Artifacts, str], list[str]] | None = None
    chosen: Callable[[Artifacts], list[str]] | None = None
    shows_progress: bool = False

    @property
    def label(self) -> str:
        """Command and variant."""
        return f"{self.command} {self.variant}".rstrip()

    @property
    def noun(self) -> str:
        """The noun for a unit; empty if the unit is the dataset."""
        return "" if self.split is None else "sequence"

    def units(self, artifacts: Artifacts) -> list[str]:
        """Names of all units in order."""
        if self.split is None:
            return [artifacts.config.dataset.name]
        if self.chosen:
            return self.chosen(artifacts)
        return [sequence.name for sequence in artifacts.sequences(self.split)]

    def is_done(self, artifacts: Artifacts, unit: str, *, overwrite: bool) -> bool:
        """Whether all outputs of a unit are done; see `Artifact.is_done`."""
        return all(a.is_done(overwrite=overwrite) for a in self.outputs(artifacts, unit))

    def reported(self, artifacts: Artifacts, unit: str) -> list[str]:
        """The names of the reports of a unit, in the order of its outputs."""
        if self.reports:
            return self.reports(artifacts, unit)
        return [f"{artifacts.label}/{unit}"]

    def run(self, artifacts: Artifacts, unit: str, *, overwrite: bool = False) -> Path:
        """Make the outputs of a unit that are not done, and write their reports.

        Args:
            artifacts: The results.
            unit: Name of the sequence, or of the dataset.
            overwrite: Replace damaged and stale files.

        Returns:
            Path of the first output.

        Raises:
            VadlocError: An input is missing or unusable, or an output is damaged or stale and
                ``overwrite`` is off.
        """
        outputs = self.outputs(artifacts, unit)
        todo = tuple(file for file in outputs if not file.is_done(overwrite=overwrite))
        if todo:
            work = Work(artifacts, unit, todo, overwrite)
            with ExitStack() as reports:  # files that are made together share the time
                names = self.reported(artifacts, unit)
                for name, file in zip(names, outputs, strict=False):
                    if len(names) == 1 or file in todo:
                        report = stage_report(artifacts, self.command, name, file.stamp)
                        work.counts[file.path] = reports.enter_context(report)
                for file, content in self.compute(work):
                    file.save(content)
        return outputs[0].path


@dataclass(frozen=True)
class RunOptions:
    """How units are run.

    Attributes:
        overwrite: Whether damaged and stale files are replaced.
        jobs: Number of units that are run in parallel.
        log_file: File to which the log is appended, or ``None``.
        verbose: Whether stderr shows all messages that the log file gets.
    """

    overwrite: bool = False
    jobs: int = 1
    log_file: Path | None = None
    verbose: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> "RunOptions":
        """The run options that the shared options give."""
        return cls(args.overwrite, args.jobs, args.log_file, args.verbose)


def stage_main(stage: Stage, args: argparse.Namespace) -> None:
    """Run a stage with its parsed options; the last step of every stage's ``main``."""
    with exit_status(args.log_file, verbose=args.verbose):
        artifacts = artifacts_of(args)
        units = _chosen(stage, artifacts, args)
        if args.missing:
            emit(_array_spec(_missing(stage, artifacts, units, overwrite=args.overwrite)))
            return
        of_all = *artifacts.training_splits, "test"
        log_unread(artifacts, *((stage.split,) if stage.split else of_all))
        paths = run_units(stage, artifacts, units, RunOptions.of(args))
        for unit, path in zip(units, paths, strict=True):
            emit(str(path))
            if stage.describe:
                emit(stage.describe(artifacts, unit))
        everything = stage.units(artifacts)
        if stage.conclude and not _missing(stage, artifacts, everything, overwrite=True):
            stage.conclude(artifacts)


def _missing(stage: Stage, artifacts: Artifacts, units: list[str], *, overwrite: bool) -> list[int]:
    return [
        index
        for index, unit in enumerate(stage.units(artifacts))
        if unit in units and not stage.is_done(artifacts, unit, overwrite=overwrite)
    ]


def _chosen(stage: Stage, artifacts: Artifacts, args: argparse.Namespace) -> list[str]:
    units = stage.units(artifacts)
    index, name = getattr(args, "idx", None), getattr(args, "sequence", None)
    if name is not None:
        if name not in units:
            raise UsageError(f"--sequence {name}: unknown; there are {', '.join(units)}")
        return [name]
    if index is not None:
        if not 0 <= index < len(units):
            known = f"0 to {len(units) - 1}: there are {counted(len(units), 'sequence')}"
            raise UsageError(f"--idx {index}: expected {known}")
        return [units[index]]
    return units


def _array_spec(indices: list[int]) -> str:
    """Indices as Slurm writes them: 0-2,5."""
    from more_itertools import consecutive_groups

    groups = [list(group) for group in consecutive_groups(indices)]
    return ",".join(str(g[0]) if len(g) == 1 else f"{g[0]}-{g[-1]}" for g in groups)


def run_units(
    stage: Stage, artifacts: Artifacts, units: list[str], options: RunOptions
) -> list[Path]:
    """Run the units of a stage that are not done, several in parallel.

    If a unit fails, the others are still run.

    Returns:
        The path of the first output of each unit, in the order of the units.

    Raises:
        VadlocError: Some units failed; the message has the error of each.
    """
    for folder in _folders(stage, artifacts, units):
        remove_leftovers(folder)
    todo = [u for u in units if not stage.is_done(artifacts, u, overwrite=options.overwrite)]
    done = len(units) - len(todo)
    if done:
        _complete_reports(stage, artifacts, [unit for unit in units if unit not in todo])
    if todo:
        _check_writable(artifacts.folder)
        _compute_shared_stamps(stage, artifacts, todo[0])
    errors: dict[str, str] = {}
    words = stage.label, stage.label.rpartition(".")[2]
    quiet = stage.shows_progress and bool(todo)
    with progress(*words, total=len(units), done=done, noun=stage.noun, quiet=quiet) as shown:
        if stage.prepare and todo:
            stage.prepare(artifacts, overwrite=options.overwrite)
        for unit, error in _results(stage, artifacts, todo, options):
            shown.step()
            if error:
                errors[unit] = error
        _raise_errors([errors[unit] for unit in todo if unit in errors], len(units))
    return [stage.outputs(artifacts, unit)[0].path for unit in units]


def _compute_shared_stamps(stage: Stage, artifacts: Artifacts, unit: str) -> None:
    """Compute the stamp of one unit, so that workers get what all units share.

    Raises:
        UsageError: Weights that the config names are missing.
    """
    try:
        _ = stage.outputs(artifacts, unit)[0].stamp
    except UsageError:
        raise
    except (VadlocError, OSError):  # the error comes again when the unit is run
        return


def _check_writable(folder: Path) -> None:
    """Raise an error before any work if results cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise VadlocError(
            f"{folder}: cannot write ({error.strerror}); --results DIR names another folder"
        ) from None


def _raise_errors(errors: list[str], unit_count: int) -> None:
    """Raise the errors of all units, one line each, if there are any."""
    if errors and unit_count > 1:
        errors[0] = f"{len(errors)} of {unit_count} units failed: {errors[0]}"
    if errors:
        raise VadlocError("\n".join(errors))


def _complete_reports(stage: Stage, artifacts: Artifacts, done: list[str]) -> None:
    """Write missing reports, without times, of units that were killed just before theirs."""
    for unit in done:
        outputs = stage.outputs(artifacts, unit)
        for name, output in zip(stage.reported(artifacts, unit), outputs, strict=False):
            if not artifacts.report(stage.command, name).is_file():
                measured = {"stamp": output.stamp, "measured": False}
                write_report(artifacts, stage.command, name, measured)
                logger.info(
                    "%s %s: its report was missing; written without times", stage.command, name
                )


def _folders(stage: Stage, artifacts: Artifacts, units: list[str]) -> set[Path]:
    """The folders of the stage. Temporary files in them are removed even if all units are done."""
    outputs = (output for unit in units for output in stage.outputs(artifacts, unit))
    reports = artifacts.report(stage.command, "").parent
    return {artifacts.inputs, reports, *(output.path.parent for output in outputs)}


def _results(
    stage: Stage, artifacts: Artifacts, units: list[str], options: RunOptions
) -> Iterator[tuple[str, str]]:
    """Name and error of each unit as it ends; several units run in processes of their own."""
    jobs = min(options.jobs, len(units))
    if jobs <= 1:
        yield from (_run_unit(stage, artifacts, unit, options) for unit in units)
        return
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    pool = Parallel(n_jobs=jobs, return_as="generator_unordered")
    try:
        yield from pool(delayed(_run_unit)(stage, artifacts, unit, options) for unit in units)
    except TerminatedWorkerError:
        raise VadlocError(
            f"{stage.command}: a worker process was killed, perhaps for want of memory; the same "
            f"command continues, with fewer --jobs than {jobs} it takes less memory"
        ) from None


def _run_unit(
    stage: Stage, artifacts: Artifacts, unit: str, options: RunOptions
) -> tuple[str, str]:
    """Run one unit, in a worker or in this process. Returns its name and its error, if any."""
    start_logging(options.log_file, verbose=options.verbose)
    try:
        stage.run(artifacts, unit, overwrite=options.overwrite)
    except VadlocError as error:
        return unit, str(error)
    except OSError as error:
        return unit, about_file(error)
    return unit, ""
