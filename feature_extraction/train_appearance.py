"""Train the appearance network on crops, and measure it.

The output folder gets ``appearance.safetensors`` (the network), ``appearance.json`` (measured
numbers), ``appearance_pr.png``, ``appearance_confusion.png`` and ``checkpoint.pt``, from which the
same command continues after a stop.
"""

from pathlib import Path

from feature_extraction.appearance.settings import Settings
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError
from vadloc.process import emit, exit_status


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Train the appearance network on crops.")
    parser.add_argument("--data", type=Path, required=True, help="folder of crops: train/, val/")
    parser.add_argument(
        "--weights-from",
        required=True,
        help='what to start from: a .safetensors file of the backbone, "torchvision" or "none"',
    )
    parser.add_argument("--backbone", default="mobilenet_v2", help="a torchvision model")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        for name in ("epochs", "batch_size"):
            if (value := getattr(args, name)) < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: expected 1 or more")
        settings = Settings(
            str(args.data),
            args.weights_from,
            args.backbone,
            args.epochs,
            args.batch_size,
            args.seed,
        )
        from feature_extraction.appearance.train import run

        emit(str(run(settings, args.output, device=args.device)))


if __name__ == "__main__":
    main()
