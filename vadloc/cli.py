"""What the commands of all stages share: options, the loop over units, reports, exit status."""

import argparse
import json
import logging
import math
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from vadloc.artifacts import Artifact, Artifacts, Split
from vadloc.config import Alarms, load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.storage import remove_leftovers, replacing
from vadloc.versions import VERSIONS

logger = logging.getLogger(__name__)
LINE_EVERY_S = 30
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
        reports: Folder of its reports below the command's; empty for the version.
    """

    command: str
    run: Callable[..., Path]
    outputs: Callable[[Artifacts, str], list[Artifact]]
    split: Split | None = None
    prepare: Callable[..., None] | None = None
    describe: Callable[[Artifacts, str], str] | None = None
    reports: str = ""

    def units(self, artifacts: Artifacts) -> list[str]:
        """Names of all units in order."""
        if self.split is None:
            return [artifacts.config.dataset.name]
        return [sequence.name for sequence in artifacts.sequences(self.split)]

    def is_done(self, artifacts: Artifacts, unit: str, *, overwrite: bool) -> bool:
        """Whether all outputs of a unit exist as the config would make them."""
        return all(a.is_done(overwrite=overwrite) for a in self.outputs(artifacts, unit))

    def reported(self, artifacts: Artifacts, unit: str) -> str:
        """The name under which a unit is reported."""
        return f"{self.reports or artifacts.version}/{unit}"


@dataclass(frozen=True)
class RunOptions:
    """How units are run.

    Attributes:
        overwrite: Replace what is damaged or was made otherwise.
        jobs: Units side by side.
        log_file: File that the log is appended to, or ``None``.
    """

    overwrite: bool = False
    jobs: int = 1
    log_file: Path | None = None

    @classmethod
    def of(cls, args: argparse.Namespace) -> "RunOptions":
        """As the shared options say."""
        return cls(args.overwrite, args.jobs, args.log_file)


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
    parser.add_argument("--config", type=Path, required=True, help="TOML file of the dataset")
    parser.add_argument("--version", choices=sorted(VERSIONS), help="default: the config's")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="default: %(default)s"
    )
    parser.add_argument(
        "--datasets",
        type=Path,
        default=Path("datasets"),
        help="folder in which the data of the configs lies; default: %(default)s",
    )
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
        default=usable_cores(),
        help="sequences side by side; default: the usable cores, %(default)s",
    )
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where networks run (feature extraction only); default: a GPU if there is one",
    )
    parser.add_argument("--log-file", type=Path, help="append the log to this file as well")


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
    parser = argparse.ArgumentParser(description=description)
    add_shared_options(parser)
    parser.add_argument(
        "--missing",
        action="store_true",
        help="only print the indices that lack output, as an array spec such as 0-2,5",
    )
    if sequences:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--idx", type=int, help="0-based place of the sequence in sorted order")
        choice.add_argument("--sequence", help="name of the sequence; default: all")
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
    with exit_status(args.log_file):
        artifacts = artifacts_of(args)
        units = _chosen(stage, artifacts, args)
        if args.missing:
            emit(_array_spec(_missing(stage, artifacts, units, overwrite=args.overwrite)))
            return
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
def exit_status(log_file: Path | None = None) -> Iterator[None]:
    """Log to stderr (and a file), and turn errors of users into one line and an exit status.

    SIGTERM ends the work with status 143; what is under its final name is complete, and what is
    not is removed or, in workers, left as a temporary file that the next run removes.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        start_logging(log_file)
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
        logger.error("%s", error)
        sys.exit(1)


def start_logging(log_file: Path | None) -> None:
    """Log to stderr, and append to a file if there is one; once in each process.

    Raises:
        UsageError: The file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    try:
        if log_file is not None:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(log_file))
    except OSError as error:
        raise UsageError(f"--log-file {log_file}: cannot write ({error.strerror})") from None
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, datefmt="%H:%M:%S", handlers=handlers)
    logging.captureWarnings(capture=True)
    # What joblib says when, after an error or a signal, nobody takes its results any more.
    warnings.filterwarnings("ignore", "[0-9]+ tasks have been successfully executed")


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
            raise UsageError(f"--idx {index}: there are {len(units)} sequences, 0-{len(units) - 1}")
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
    if len(todo) < len(units):
        done = len(units) - len(todo)
        logger.info("%s: %d of %d already done", stage.command, done, len(units))
        _complete_reports(stage, artifacts, [unit for unit in units if unit not in todo])
    if stage.prepare and todo:
        stage.prepare(artifacts.config, artifacts, overwrite=options.overwrite)
    errors: dict[str, str] = {}
    for unit, error in _progress(_results(stage, artifacts, todo, options), stage, todo):
        if error:
            errors[unit] = error
    if errors:
        lines = [errors[unit] for unit in todo if unit in errors]
        if len(units) > 1:
            lines[0] = f"{len(errors)} of {len(units)} units failed: {lines[0]}"
        raise VadlocError("\n".join(lines))
    return [stage.outputs(artifacts, unit)[0].path for unit in units]


def _complete_reports(stage: Stage, artifacts: Artifacts, done: list[str]) -> None:
    """Report units that were killed between their last file and their report, without times."""
    for unit in done:
        name = stage.reported(artifacts, unit)
        if not artifacts.report(stage.command, name).is_file():
            stamp = stage.outputs(artifacts, unit)[0].stamp
            _write_report(artifacts, stage.command, name, {"stamp": stamp, "measured": False})
            logger.info("%s %s: its report was missing; written without times", stage.command, name)


def _folders(stage: Stage, artifacts: Artifacts, units: list[str]) -> set[Path]:
    """Where the stage writes; what killed processes left there goes even if nothing is to do."""
    outputs = (output for unit in units for output in stage.outputs(artifacts, unit))
    return {artifacts.report(stage.command, "").parent, *(output.path.parent for output in outputs)}


def _results(
    stage: Stage, artifacts: Artifacts, units: list[str], options: RunOptions
) -> Iterator[tuple[str, str]]:
    """Name and error of each unit as it ends, one process for each of several."""
    jobs = min(options.jobs, len(units))
    if jobs <= 1:
        yield from (_run_unit(stage, artifacts, unit, options) for unit in units)
        return
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    pool = Parallel(n_jobs=jobs, return_as="generator_unordered")
    try:
        yield from pool(delayed(_run_unit)(stage, artifacts, unit, options) for unit in units)
    except BrokenProcessPool:
        raise VadlocError(
            f"{stage.command}: a worker process was killed, perhaps for want of memory; the same "
            f"command continues, with fewer --jobs than {jobs} it takes less memory"
        ) from None


def _run_unit(
    stage: Stage, artifacts: Artifacts, unit: str, options: RunOptions
) -> tuple[str, str]:
    """Run one unit; its name, and its error or nothing. In a worker process or in this one."""
    start_logging(options.log_file)
    try:
        stage.run(artifacts.config, artifacts, unit, overwrite=options.overwrite)
    except (VadlocError, OSError) as error:
        return unit, str(error)
    return unit, ""


def _progress(
    results: Iterable[tuple[str, str]], stage: Stage, units: list[str]
) -> Iterator[tuple[str, str]]:
    """A bar on a terminal, a line every 30 s elsewhere."""
    if len(units) > 1 and sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(results, desc=stage.command, total=len(units), unit="sequence")
        return
    last = time.monotonic()
    for count, result in enumerate(results, start=1):
        if time.monotonic() - last > LINE_EVERY_S:
            last = time.monotonic()
            logger.info("%s: %d of %d", stage.command, count, len(units))
        yield result


@contextmanager
def stage_report(
    artifacts: Artifacts, command: str, unit: str, stamp: str
) -> Iterator[dict[str, Any]]:
    """Measure a unit of work and leave ``reports/<command>/<unit>.json`` when it succeeds.

    Yields:
        A dict for the counts of the unit, which the stage fills.
    """
    logger.info(
        "%s %s: vadloc %s, config %s, stamp %s",
        command,
        unit,
        package_version("vadloc"),
        artifacts.config.path,
        stamp,
    )
    started = time.monotonic()
    counts: dict[str, Any] = {}
    with suppress(OSError):  # where nothing can be written, the artifact says so
        artifacts.report(command, unit).unlink()  # of what is now replaced
    yield counts
    seconds = time.monotonic() - started
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = {
        "stamp": stamp,
        "counts": counts,
        "seconds": round(seconds, 3),
        "peak_memory_mib": round(peak_mib, 1),
    }
    _write_report(artifacts, command, unit, measured)
    summary = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts.items())
    logger.info("%s %s: %s in %.1f s, %.0f MiB", command, unit, summary, seconds, peak_mib)


def _write_report(artifacts: Artifacts, command: str, unit: str, measured: dict[str, Any]) -> None:
    report = {
        "command": command,
        "unit": unit,
        "version": artifacts.version,
        **measured,
        "settings": artifacts.config.model_dump(mode="json"),
        "packages": {name: package_version(name) for name in ("vadloc", "numpy")},
    }
    with replacing(artifacts.report(command, unit)) as file:
        file.write(json.dumps(report, indent=2).encode() + b"\n")
