"""The options that commands share, and the results that the options choose."""

import argparse
import math
from pathlib import Path, PurePosixPath

from vadloc.artifacts import Artifacts
from vadloc.config import Alarms, load_config
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError
from vadloc.mining import DEFAULT_PROTOCOL, PROTOCOLS, MinedModel, with_changes
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
        type=whole_number,
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


def whole_number(text: str) -> int:
    """The number, above 0, that an option gives."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def add_mining_options(parser: argparse.ArgumentParser, *, rounds: bool = True) -> None:
    """Add the options that choose a model which has learnt from mined video.

    Args:
        parser: The parser to which the options are added.
        rounds: Whether to add ``--mined``.
    """
    if rounds:
        parser.add_argument(
            "--mined",
            type=whole_number,
            metavar="ROUND",
            nargs="?",
            const=1,
            default=0,
            help="results of the model that has learnt from so many rounds of mining; "
            "without a number 1",
        )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--mine-from",
        choices=PROTOCOLS,
        help="test sequences in which the model mines: first_half leaves the others for the "
        f"evaluation, transductive evaluates what was mined; default: {DEFAULT_PROTOCOL}",
    )
    where.add_argument(
        "--mine-split",
        metavar="FOLDER",
        help="mine in this folder of unlabelled video of the camera, below the datasets folder",
    )
    parser.add_argument(
        "--mine-set",
        metavar="KEY=VALUE",
        nargs="+",
        default=(),
        help="change settings of the config's [mining]; results lie in folders of their own",
    )
    parser.add_argument(
        "--marks",
        type=Path,
        metavar="FILE",
        help="exported marks of the report: what is false there is learnt, what is real never",
    )


def mined_model_of(args: argparse.Namespace, *, round_: int | None = None) -> MinedModel | None:
    """The model that the mining options choose; ``None`` if none of them is given.

    Args:
        args: The parsed options.
        round_: Its round; by default that of ``--mined``.

    Raises:
        UsageError: The folder of video is not below the datasets folder, marks are given for it,
            or nothing is of a model that has mined.
    """
    round_ = getattr(args, "mined", 0) if round_ is None else round_
    protocol, folder = getattr(args, "mine_from", None), getattr(args, "mine_split", None)
    changes = tuple(getattr(args, "mine_set", ()))
    given = protocol or folder is not None or changes or getattr(args, "marks", None)
    if given and hasattr(args, "mined") and not (round_ or getattr(args, "mining", False)):
        raise UsageError(
            "--mine-from, --mine-split, --mine-set and --marks choose a model that has mined; "
            "give --mined ROUND with them"
        )
    if not round_ and not protocol and folder is None:
        return None
    if folder is None:
        return MinedModel(protocol or DEFAULT_PROTOCOL, "", round_, args.marks, changes)
    parts = PurePosixPath(folder)
    if not folder or parts.is_absolute() or ".." in parts.parts:
        raise UsageError(
            f"--mine-split {folder}: expected a folder below the datasets folder; move that with "
            "--datasets"
        )
    if args.marks is not None:
        raise UsageError(
            f"--marks {args.marks}: the alarms of a report are of the test sequences, and say "
            f"nothing about the video of --mine-split {folder}; leave --marks out, or mine with "
            "--mine-from"
        )
    return MinedModel("split", str(parts), round_, None, changes)


def stage_parser(
    description: str, *, sequences: bool, mining: bool = True
) -> argparse.ArgumentParser:
    """The parser of a stage's command.

    Args:
        description: First line of ``--help``.
        sequences: Whether the units of the stage are sequences that can be chosen.
        mining: Whether the stage has results of its own for models that have mined.
    """
    parser = CommandParser(description=description)
    add_shared_options(parser)
    if mining:
        add_mining_options(parser)
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
    changes = tuple(getattr(args, "mine_set", ()))
    config = config.model_copy(update={"mining": with_changes(config.mining, changes)})
    return Artifacts(
        config,
        args.results,
        args.datasets,
        version=args.version or "",
        alarm_options=given,
        part=tuple(getattr(args, "sequences", None) or ()),
        mined=mined_model_of(args),
    )
