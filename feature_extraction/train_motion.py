"""Train the motion network.

    python -m feature_extraction.train_motion --video datasets/ped2/Train --output trained/motion

renders volumes whose flow is exactly known, and cuts others from the given videos, with flow
measured by DIS. It trains on both, then fits the heads to the trained trunk, and measures the
network on rendered and on real volumes that were held out. With video, the network then learns to
see regions in their surroundings (``motion.adaptation``), as it will when it is used; with
``--adapt WEIGHTS``, weights that exist already do, and nothing else is trained. It writes
``motion.safetensors``, ``motion.json`` and, after a training, ``motion.png``. After a stop, the
same command continues.
"""

import argparse
from pathlib import Path
from typing import Final

from feature_extraction.motion.settings import Settings
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError
from vadloc.process import emit, exit_status, usable_cores

_LEAST: Final = {
    "synthetic": 100,
    "real": 100,
    "steps": 1,
    "batch_size": 2,
    "seed": 0,
    "surrounded": 100,
    "adaptation_steps": 10,
    "jobs": 1,
}
"""Smallest allowed values of options."""


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the options."""
    parser = CommandParser(description="Train the motion network.")
    parser.add_argument(
        "--video",
        type=Path,
        action="append",
        default=[],
        help="folder of sequences (repeatable); the last quarter of them is held out",
    )
    parser.add_argument("--crops", type=Path, help="folder of the appearance network's crops")
    parser.add_argument("--output", type=Path, required=True, help="folder for everything")
    parser.add_argument("--separate-trunks", action="store_true", help="as in EVAL")
    defaults = {
        "synthetic": 16000,
        "real": 5000,
        "steps": 10000,
        "batch-size": 32,
        "seed": 0,
        "surrounded": 20000,
        "adaptation-steps": 5000,
    }
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="default: %(default)s")
    parser.add_argument(
        "--start-from",
        type=Path,
        help="checkpoint.pt of another training, whose network this one begins with",
    )
    parser.add_argument(
        "--adapt",
        type=Path,
        metavar="WEIGHTS",
        help="train nothing, but let these .safetensors learn to see regions in surroundings",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="processes that render")
    parser.add_argument("--log-file", type=Path, help="append the log to this file as well")
    add_verbose_option(parser)
    return parser.parse_args(argv)


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings that options give.

    Raises:
        UsageError: A number is out of range.
    """
    for name, least in _LEAST.items():
        if getattr(args, name) < least:
            raise UsageError(
                f"--{name.replace('_', '-')} {getattr(args, name)}: expected {least} or more"
            )
    if not 0 < args.learning_rate < 1:  # also refuses NaN
        raise UsageError(f"--learning-rate {args.learning_rate}: expected between 0 and 1")
    return Settings(
        video=tuple(str(video) for video in args.video),
        crops=str(args.crops) if args.crops else None,
        separate_trunks=args.separate_trunks,
        synthetic=args.synthetic,
        real=args.real if args.video else 0,
        steps=args.steps,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        seed=args.seed,
        start_from=str(args.start_from) if args.start_from else None,
        adapt=str(args.adapt) if args.adapt else None,
        surrounded=args.surrounded,
        adaptation_steps=args.adaptation_steps,
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = parse(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        from feature_extraction.motion.train import run

        emit(str(run(settings_of(args), args.output, device=args.device, jobs=args.jobs)))


if __name__ == "__main__":
    main()
