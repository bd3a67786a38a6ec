"""What the commands of all stages share: options, the loop over units, exit status."""

import argparse
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from vadloc.artifacts import Artifact, Artifacts, Split
from vadloc.checks.unread import log_unread
from vadloc.config import Alarms, load_config
from vadloc.console import CommandParser, add_verbose_option, progress, start_logging
from vadloc.errors import UsageError, VadlocError, about_file, counted
from vadloc.files.storage import remove_leftovers
from vadloc.stage_reports import write_report
from vadloc.versions import VERSIONS

logger = logging.getLogger(__name__)
TERMINATED = 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM has come, as at the time limit of a Slurm job."""


@dataclass(frozen=True)
class Stage:
    """A command that works unit by unit.

    Attributes:
        command: Module path, as after ``python -m``.
        run: ``run(config, artifacts, unit, overwrite=...) -> Path``: makes the output of a unit,
            or finds it made.
        outputs: The artifacts of a unit; it is done when all of them are.
        split: Whose sequences are the units; ``None`` for a command of the whole dataset.
        prepare: What all units share, ``prepare(config, artifacts, overwrite=...)``: called once
            before several units are run side by side, and by a unit that runs alone.
        describe: What is printed of a unit that is done, beside its path.
        variant: Tells it from others of the same command.
        reports: Names of the reports of a unit, one for each of its first outputs; default: one in
            a folder of the version.
    """

    command: str
    run: Callable[..., Path]
    outputs: Callable[[Artifacts, str], list[Artifact]]
    split: Split | None = None
    prepare: Callable[..., None] | None = None
    describe: Callable[[Artifacts, str], str] | None = None
    variant: str = ""
    reports: Callable[[Artifacts, str], list[str]] | None = None

    @property
    def label(self) -> str:
        """Command and variant."""
        return f"{self.command} {self.variant}".rstrip()

    @property
    def noun(self) -> str:
        """What a unit is; empty for the dataset as a whole."""
        return "" if self.split is None else "sequence"

    def units(self, artifacts: Artifacts) -> list[str]:
        """Names of all units in order."""
        if self.split is None:
            return [artifacts.config.dataset.name]
        return [sequence.name for sequence in artifacts.sequences(self.split)]

    def is_done(self, artifacts: Artifacts, unit: str, *, overwrite: bool) -> bool:
        """Whether all outputs of a unit exist as the config would make them."""
        return all(a.is_done(overwrite=overwrite) for a in self.outputs(artifacts, unit))

    def reported(self, artifacts: Artifacts, unit: str) -> list[str]:
        """The names under which a unit is reported, in the order of its outputs."""
        if self.reports:
            return self.reports(artifacts, unit)
        return [f"{artifacts.version}/{unit}"]


@dataclass(frozen=True)
class RunOptions:
    """How units are run.

    Attributes:
        overwrite: Replace what is damaged or was made otherwise.
        jobs: Units side by side.
        log_file: File that the log is appended to, or ``None``.
        verbose: Whether stderr shows what the log file gets.
    """

    overwrite: bool = False
    jobs: int = 1
    log_file: Path | None = None
    verbose: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> "RunOptions":
        """As the shared options say."""
        return cls(args.overwrite, args.jobs, args.log_file, args.verbose)


def emit(text: str) -> None:
    """A result: one line or more on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def usable_cores() -> int:
    """Cores this process may use (a Slurm allocation sets them)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """Threads that one unit may use: OMP_NUM_THREADS, which also joblib's workers have set."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(value)) if value.isdigit() else usable_cores()


def add_shared_options(parser: argparse.ArgumentParser, *, running: bool = True) -> None:
    """Options of every command that reads a config.

    Args:
        parser: Gets the options.
        running: Whether the command makes results, and not only looks at them.
    """
    versions = sorted(VERSIONS)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", required=True, help="TOML file of the dataset"
    )
    parser.add_argument(
        "--version",
        choices=versions,
        metavar="NAME",
        help=f"of the method: {', '.join(versions)}; default: the config's",
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        default=Path("results"),
        help="folder for the results; default: %(default)s",
    )
    parser.add_argument(
        "--datasets",
        type=Path,
        metavar="DIR",
        default=Path("datasets"),
        help="folder in which the data of the configs lies; default: %(default)s",
    )
    add_verbose_option(parser)
    if not running:
        return
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what is damaged or was made from other settings or frames",
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        default=usable_cores(),
        help="sequences side by side; default: the usable cores, %(default)s",
    )
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where networks run (feature extraction only); default: a GPU if there is one",
    )
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="append the log to this file, with two lines for each sequence",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def stage_parser(description: str, *, sequences: bool) -> argparse.ArgumentParser:
    """Parser of a stage's command.

    Args:
        description: First line of ``--help``.
        sequences: Whether its units are sequences that can be chosen.
    """
    parser = CommandParser(description=description)
    add_shared_options(parser)
    parser.add_argument(
        "--missing",
        action="store_true",
        help="only print the indices that lack output, as an array spec such as 0-2,5",
    )
    if sequences:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument(
            "--idx", type=int, metavar="N", help="0-based place of the sequence in sorted order"
        )
        choice.add_argument("--sequence", metavar="NAME", help="of the one; default: all")
    return parser


def add_alarm_options(parser: argparse.ArgumentParser) -> None:
    """Options that stand above the config's ``[alarms]``."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--threshold", type=_finite, metavar="SCORE", help="least score of an alarm"
    )
    choice.add_argument(
        "--false-alarms-per-hour",
        type=_not_negative,
        metavar="X",
        help="calibrate the threshold on training sequences, each left out in turn; default: as "
        "[alarms] of the config says",
    )


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number")
    return value


def _not_negative(text: str) -> float:
    value = _finite(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or above")
    return value


def artifacts_of(args: argparse.Namespace) -> Artifacts:
    """The results that the shared options speak of."""
    config = load_config(args.config)
    given: tuple[str, ...] = ()
    for name in ("threshold", "false_alarms_per_hour"):
        value = getattr(args, name, None)
        if value is not None:
            config = config.model_copy(update={"alarms": Alarms(**{name: value})})
            given = f"--{name.replace('_', '-')}", str(value)
    return Artifacts(
        config,
        args.results,
        args.datasets,
        version=args.version or "",
        alarm_options=given,
        part=tuple(getattr(args, "sequences", None) or ()),
    )


def stage_main(stage: Stage, args: argparse.Namespace) -> None:
    """Run a stage as its parsed options say; the whole body of a stage's ``main``."""
    with exit_status(args.log_file, verbose=args.verbose):
        artifacts = artifacts_of(args)
        units = _chosen(stage, artifacts, args)
        if args.missing:
            emit(_array_spec(_missing(stage, artifacts, units, overwrite=args.overwrite)))
            return
        log_unread(artifacts, *((stage.split,) if stage.split else ("train", "test")))
        paths = run_units(stage, artifacts, units, RunOptions.of(args))
        for unit, path in zip(units, paths, strict=True):
            emit(str(path))
            if stage.describe:
                emit(stage.describe(artifacts, unit))


def _missing(stage: Stage, artifacts: Artifacts, units: list[str], *, overwrite: bool) -> list[int]:
    return [
        index
        for index, unit in enumerate(stage.units(artifacts))
        if unit in units and not stage.is_done(artifacts, unit, overwrite=overwrite)
    ]


@contextmanager
def exit_status(log_file: Path | None = None, *, verbose: bool = False) -> Iterator[None]:
    """Log to stderr (and a file), and turn errors of users into one line and an exit status.

    SIGTERM ends the work with status 143; what is under its final name is complete, and what is
    not is removed or, in workers, left as a temporary file that the next run removes.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        start_logging(log_file, verbose=verbose)
        yield
    except UsageError as error:
        logger.error("%s", error)
        sys.exit(2)
    except VadlocError as error:
        logger.error("%s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        logger.error("interrupted; the same command continues")
        sys.exit(130)
    except Terminated:
        logger.error("terminated; the same command continues")
        _end_workers()
        sys.exit(TERMINATED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # no permission, a link to nowhere, a disk that fails
        logger.error("%s", about_file(error))
        sys.exit(1)


def _terminate(_signal: int, _frame: object) -> None:
    raise Terminated


def _end_workers() -> None:
    """Kill joblib's workers, if it was used: nobody waits for their results any more."""
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)


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
    """Run the units of a stage that are not done, several side by side.

    A unit that fails does not keep the others from their work.

    Returns:
        The path of each unit's output, in the order of the units.

    Raises:
        VadlocError: Some units failed; the message has each one's.
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
    with progress(*words, total=len(units), done=done, noun=stage.noun) as shown:
        if stage.prepare and todo:
            stage.prepare(artifacts.config, artifacts, overwrite=options.overwrite)
        for unit, error in _results(stage, artifacts, todo, options):
            shown.step()
            if error:
                errors[unit] = error
        _raise_errors([errors[unit] for unit in todo if unit in errors], len(units))
    return [stage.outputs(artifacts, unit)[0].path for unit in units]


def _compute_shared_stamps(stage: Stage, artifacts: Artifacts, unit: str) -> None:
    """Compute the stamp of one unit, so that workers are given what it shares with all others.

    Raises:
        UsageError: Weights that the config names are missing.
    """
    try:
        _ = stage.outputs(artifacts, unit)[0].stamp
    except UsageError:
        raise
    except (VadlocError, OSError):  # of the frames of this unit, which says so when it is run
        return


def _check_writable(folder: Path) -> None:
    """Notice before any work that its results could not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise VadlocError(
            f"{folder}: cannot write ({error.strerror}); --results DIR names another folder"
        ) from None


def _raise_errors(errors: list[str], unit_count: int) -> None:
    """Raise what went wrong with units, a line each, if anything did."""
    if errors and unit_count > 1:
        errors[0] = f"{len(errors)} of {unit_count} units failed: {errors[0]}"
    if errors:
        raise VadlocError("\n".join(errors))


def _complete_reports(stage: Stage, artifacts: Artifacts, done: list[str]) -> None:
    """Report units that were killed between their last file and their report, without times."""
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
    """Where the stage writes; what killed processes left there goes even if nothing is to do."""
    outputs = (output for unit in units for output in stage.outputs(artifacts, unit))
    reports = artifacts.report(stage.command, "").parent
    return {artifacts.inputs, reports, *(output.path.parent for output in outputs)}


def _results(
    stage: Stage, artifacts: Artifacts, units: list[str], options: RunOptions
) -> Iterator[tuple[str, str]]:
    """Name and error of each unit as it ends, one process for each of several."""
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
    """Run one unit; its name, and its error or nothing. In a worker process or in this one."""
    start_logging(options.log_file, verbose=options.verbose)
    try:
        stage.run(artifacts.config, artifacts, unit, overwrite=options.overwrite)
    except VadlocError as error:
        return unit, str(error)
    except OSError as error:
        return unit, about_file(error)
    return unit, ""
