"""The options that commands share, and the results that the options choose."""

import argparse
import math
from pathlib import Path

from vadloc.artifacts import Artifacts
from vadloc.config import Alarms, load_config
from vadloc.console import CommandParser, add_verbose_option
from vadloc.process import usable_cores
from vadloc.versions import VERSIONS


def add_shared_options(parser: argparse.ArgumentParser, *, running: bool = True) -> None:
    """Options of every command that reads a config.

    Args:
        parser: The parser to which the options are added.
        running: Whether the command makes results; ``False`` if it only reads them.
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
        help="where networks are trained and extract features; default: a GPU if there is one",
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
    """The parser of a stage's command.

    Args:
        description: First line of ``--help``.
        sequences: Whether the units of the stage are sequences that can be chosen.
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
    """Add the options that override the config's ``[alarms]``."""
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
    """The results that the shared options choose."""
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
