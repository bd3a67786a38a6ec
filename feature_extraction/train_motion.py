"""Train the motion network.

    python -m feature_extraction.train_motion --video datasets/ped2/Train --output trained/motion

renders volumes with exactly known flow, cuts others from the given videos with flow measured by
DIS, trains on both, fits the heads to the finished trunk, and reports on rendered and on real
volumes that were held out. Writes ``motion.safetensors``, ``motion.json`` and ``motion.png``.
Stopped, the same command continues.
"""

import argparse
import json
import logging
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vadloc.console import LINE_EVERY_S, CommandParser, add_verbose_option
from vadloc.errors import UsageError
from vadloc.files.storage import replacing
from vadloc.process import emit, exit_status, usable_cores

if TYPE_CHECKING:
    from feature_extraction.motion.pool import (
        Half,
        Pool,
    )

logger = logging.getLogger(__name__)
Pools = dict[tuple[str, "Half"], "Pool"]
CHECKPOINT_EVERY = 250
STEPS_OF_TRUNK = 4
"""For each step in which the heads alone are fitted afterwards."""
HELD_OUT_SHARE = 0.1
"""Held-out volumes for each training volume."""


@dataclass(frozen=True)
class Settings:
    """All that decides the result of a training.

    Attributes:
        video: Folders of sequences of real video; the last quarter of each is held out.
        crops: Folder of the appearance network's crops, textures of what is rendered.
        separate_trunks: One trunk for each head instead of one for all.
        synthetic: Rendered training volumes.
        real: Real training volumes.
        steps: Optimiser steps.
        batch_size: Volumes a step.
        learning_rate: At its peak.
        seed: Of everything.
        start_from: Checkpoint of another training, whose network this one begins with.
    """

    video: tuple[str, ...]
    crops: str | None
    separate_trunks: bool
    synthetic: int
    real: int
    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    start_from: str | None = None


def run(settings: Settings, output: Path, *, device: str = "auto", jobs: int = 1) -> Path:
    """Make the volumes, train, measure and write the weights.

    Args:
        settings: Of the training.
        output: Folder for everything.
        device: ``auto``, ``cpu`` or ``cuda``.
        jobs: Processes that render.

    Returns:
        Path of the weights.

    Raises:
        VadlocError: Input is unusable, or the folder belongs to another training.
    """
    from feature_extraction.checkpoints import (
        choose_device,
        claim_output,
    )
    from feature_extraction.motion.network import build_motion
    from feature_extraction.motion.report import (
        draw_report,
        measure,
    )
    from vadloc.weights import read_weights

    used = choose_device(device)
    check_inputs(settings)
    claim_output(output, asdict(settings))
    pools = make_pools(settings, output, jobs=jobs)
    started = time.monotonic()
    tensors = train(settings, pools, output / "checkpoint.pt", device=used)
    seconds = time.monotonic() - started
    path = output / "motion.safetensors"
    _write(path, tensors, settings, {})
    network = build_motion(read_weights(path)).to(used)
    results = {
        f"{kind} volumes, held out": measure(network, pool, device=used)
        for (kind, half), pool in pools.items()
        if half == "held_out"
    }
    numbers = {name: result.numbers for name, result in results.items()}
    _write(path, tensors, settings, numbers)
    draw_report(results, output / "motion.png")
    report = {"settings": asdict(settings), "numbers": numbers, "training_s": round(seconds)}
    with replacing(output / "motion.json") as file:
        file.write(json.dumps(report, indent=2).encode() + b"\n")
    emit(json.dumps(numbers, indent=2))
    return path


def check_inputs(settings: Settings) -> None:
    """Look for everything that will be read, before hours are spent.

    Raises:
        VadlocError: A folder is missing or holds too little.
    """
    from feature_extraction.motion.real import split_sequences

    for video in settings.video:
        split_sequences(Path(video))
    if settings.start_from and not Path(settings.start_from).is_file():
        raise UsageError(
            f"--start-from {settings.start_from}: no such file; expected the checkpoint.pt that a "
            "training leaves in its --output"
        )
    for half in ("train", "val") if settings.crops else ():
        folder = Path(settings.crops or "") / half
        if not folder.is_dir():
            raise UsageError(
                f"--crops {settings.crops}: {folder} does not exist; expected the folder that "
                "feature_extraction.train_appearance takes as --data"
            )


def make_pools(settings: Settings, output: Path, *, jobs: int) -> Pools:
    """Training and held-out volumes of each kind, from files once made."""
    from feature_extraction.motion.pool import (
        kept_pool,
        real_pool,
        synthetic_pool,
    )

    crops = Path(settings.crops) if settings.crops else None
    makers = {"synthetic": partial(synthetic_pool, crops, seed=settings.seed, jobs=jobs)}
    if settings.video:
        videos = [Path(video) for video in settings.video]
        makers["real"] = partial(real_pool, videos, seed=settings.seed)
    shares: dict[Half, float] = {"train": 1, "held_out": HELD_OUT_SHARE}
    return {
        (kind, half): kept_pool(
            output / f"{kind}_{half}.joblib",
            partial(make, half, round(share * getattr(settings, kind))),
        )
        for half, share in shares.items()
        for kind, make in makers.items()
    }


def train(settings: Settings, pools: Pools, checkpoint: Path, *, device: str) -> dict[str, Any]:
    """Train on the training pools.

    Returns:
        The tensors of the network with batch normalisation folded into its convolutions.
    """
    from feature_extraction.motion.heads import fit_heads
    from feature_extraction.motion.layers import fold_normalisation
    from feature_extraction.motion.pool import joined
    from feature_extraction.motion.training import MotionTraining

    pool = joined(pool for (_, half), pool in pools.items() if half == "train")
    training = MotionTraining(pool, settings, device=device)
    if settings.start_from:
        training.start_from(Path(settings.start_from))
    training.resume(checkpoint)
    last = time.monotonic()
    while training.step < settings.steps:
        loss = training.advance()
        if time.monotonic() - last > LINE_EVERY_S:
            logger.info("step %d of %d: loss %.3f", training.step, settings.steps, loss)
            last = time.monotonic()
        if training.step % CHECKPOINT_EVERY == 0:
            training.save(checkpoint)
    training.save(checkpoint)
    folded = fold_normalisation(training.network.cpu())
    steps = max(10, settings.steps // STEPS_OF_TRUNK)
    fit_heads(folded, pool, steps=steps, seed=settings.seed, device=device)
    return {name: value.cpu().numpy() for name, value in folded.state_dict().items()}


def _write(
    path: Path, tensors: dict[str, Any], settings: Settings, numbers: dict[str, Any]
) -> None:
    from feature_extraction.motion.network import (
        HEADS,
        OUTPUT_WIDTHS,
    )
    from feature_extraction.motion.targets import (
        BACKGROUND_SHARE,
        FLOOR_PX_PER_FRAME,
    )
    from vadloc.weights import FEATURE_WIDTH, write_weights

    plain = asdict(settings)
    plain["video"] = ["/".join(Path(video).parts[-2:]) for video in settings.video]
    for key in ("crops", "start_from"):
        plain[key] = Path(plain[key]).name if plain[key] else None
    metadata = {
        "network": "motion",
        "input": "brightness 0 to 1, (n, T, 64, 64), T at least 4",
        "features": dict.fromkeys(HEADS, FEATURE_WIDTH),
        "outputs": OUTPUT_WIDTHS,
        "floor_px_per_frame": FLOOR_PX_PER_FRAME,
        "background_share": BACKGROUND_SHARE,
        "settings": plain,
        "numbers": numbers,
    }
    write_weights(path, tensors, metadata)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The options."""
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
    defaults = {"synthetic": 16000, "real": 5000, "steps": 10000, "batch-size": 32, "seed": 0}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="default: %(default)s")
    parser.add_argument(
        "--start-from",
        type=Path,
        help="checkpoint.pt of another training, whose network this one begins with",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="processes that render")
    parser.add_argument("--log-file", type=Path, help="append the log to this file as well")
    add_verbose_option(parser)
    return parser.parse_args(argv)


_LEAST: Final = {"synthetic": 100, "real": 100, "steps": 1, "batch_size": 2, "seed": 0, "jobs": 1}
"""Smallest values of options."""


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
    if not 0 < args.learning_rate < 1:  # neither is nan
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
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = parse(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        emit(str(run(settings_of(args), args.output, device=args.device, jobs=args.jobs)))


if __name__ == "__main__":
    main()
