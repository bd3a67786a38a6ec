"""A whole training of the motion network: its volumes, the optimisation, the measured result."""

import json
import logging
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_extraction.motion.architecture import HEADS, OUTPUT_WIDTHS
from feature_extraction.motion.pool import Half, Pool, joined, kept_pool, real_pool, synthetic_pool
from feature_extraction.motion.real import split_sequences
from feature_extraction.motion.settings import Settings
from feature_extraction.motion.targets import BACKGROUND_SHARE, FLOOR_PX_PER_FRAME
from vadloc.console import LINE_EVERY_S
from vadloc.errors import UsageError
from vadloc.files.storage import replacing
from vadloc.process import emit
from vadloc.weights import FEATURE_WIDTH, read_weights, write_weights

if TYPE_CHECKING:
    from feature_extraction.motion.network import MotionNetwork

logger = logging.getLogger(__name__)
Pools = dict[tuple[str, Half], Pool]
CHECKPOINT_EVERY = 250
STEPS_OF_TRUNK = 4
"""Steps that train the whole network, for each step that fits the heads alone afterwards."""
HELD_OUT_SHARE = 0.1
"""Held-out volumes for each training volume."""


def run(settings: Settings, output: Path, *, device: str = "auto", jobs: int = 1) -> Path:
    """Make the volumes, train, measure and write the weights.

    Args:
        settings: The settings of the training.
        output: Folder for everything.
        device: ``auto``, ``cpu`` or ``cuda``.
        jobs: Processes that render.

    Returns:
        Path of the weights.

    Raises:
        VadlocError: Input is unusable, or the folder belongs to another training.
    """
    from feature_extraction.checkpoints import choose_device, claim_output
    from feature_extraction.motion.adaptation import adapt
    from feature_extraction.motion.network import build_motion

    used = choose_device(device)
    check_inputs(settings)
    claim_output(output, asdict(settings))
    numbers: dict[str, Any] = {}
    seconds = 0.0
    if settings.adapt:
        network = build_motion(read_weights(Path(settings.adapt)))
    else:
        network, numbers, seconds = _trained(settings, output, device=used, jobs=jobs)
    if settings.video:
        videos = [Path(video) for video in settings.video]
        options = {"count": settings.surrounded, "steps": settings.adaptation_steps}
        errors = adapt(network, videos, **options, seed=settings.seed, device=used)
        numbers["error of features in surroundings, held out"] = errors
    else:
        logger.warning("without --video the network has not learnt to see regions in surroundings")
    path = output / "motion.safetensors"
    _write(path, network, settings, numbers)
    report = {"settings": asdict(settings), "numbers": numbers, "training_s": round(seconds)}
    with replacing(output / "motion.json") as file:
        file.write(json.dumps(report, indent=2).encode() + b"\n")
    emit(json.dumps(numbers, indent=2))
    return path


def _trained(
    settings: Settings, output: Path, *, device: str, jobs: int
) -> tuple["MotionNetwork", dict[str, Any], float]:
    """The network trained on regions alone, what was measured of it, and the seconds it took."""
    from feature_extraction.motion.report import draw_report, measure

    pools = make_pools(settings, output, jobs=jobs)
    started = time.monotonic()
    network = train(settings, pools, output / "checkpoint.pt", device=device).to(device)
    seconds = time.monotonic() - started
    results = {
        f"{kind} volumes, held out, regions alone": measure(network, pool, device=device)
        for (kind, half), pool in pools.items()
        if half == "held_out"
    }
    draw_report(results, output / "motion.png")
    return network, {name: result.numbers for name, result in results.items()}, seconds


def check_inputs(settings: Settings) -> None:
    """Look for everything that will be read, before hours are spent.

    Raises:
        VadlocError: A folder is missing or holds too little.
    """
    for video in settings.video:
        split_sequences(Path(video))
    if settings.start_from and not Path(settings.start_from).is_file():
        raise UsageError(
            f"--start-from {settings.start_from}: no such file; expected the checkpoint.pt that a "
            "training leaves in its --output"
        )
    if settings.adapt:
        _check_adapted(settings, Path(settings.adapt))
    for half in ("train", "val") if settings.crops else ():
        folder = Path(settings.crops or "") / half
        if not folder.is_dir():
            raise UsageError(
                f"--crops {settings.crops}: {folder} does not exist; expected the folder that "
                "feature_extraction.train_appearance takes as --data"
            )


def _check_adapted(settings: Settings, weights: Path) -> None:
    from feature_extraction.motion.network import build_motion

    if not settings.video:
        raise UsageError("--adapt needs --video: surroundings are seen in real video alone")
    if settings.crops or settings.start_from or settings.separate_trunks:
        raise UsageError("--adapt takes none of --crops, --start-from and --separate-trunks")
    found = read_weights(weights)
    build_motion(found)
    if found.metadata.get("sees_surroundings"):
        raise UsageError(
            f"--adapt {weights}: adapted already; expected weights of a network of regions alone"
        )


def make_pools(settings: Settings, output: Path, *, jobs: int) -> Pools:
    """Training and held-out volumes of each kind, from files once made."""
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


def train(settings: Settings, pools: Pools, checkpoint: Path, *, device: str) -> "MotionNetwork":
    """Train on the training pools.

    Returns:
        The network with batch normalisation folded into its convolutions.
    """
    from feature_extraction.motion.heads import fit_heads
    from feature_extraction.motion.network import fold_normalisation
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
    return folded


def _write(
    path: Path, network: "MotionNetwork", settings: Settings, numbers: dict[str, Any]
) -> None:
    tensors = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    plain = asdict(settings)
    plain.pop("adapt")
    plain["video"] = ["/".join(Path(video).parts[-2:]) for video in settings.video]
    for key in ("crops", "start_from"):
        plain[key] = Path(plain[key]).name if plain[key] else None
    metadata: dict[str, Any] = {
        "network": "motion",
        "input": "brightness 0 to 1, T at least 4 frames, 64 pixels a region",
        "sees_surroundings": bool(settings.video),
        "features": dict.fromkeys(HEADS, FEATURE_WIDTH),
        "outputs": OUTPUT_WIDTHS,
        "floor_px_per_frame": FLOOR_PX_PER_FRAME,
        "background_share": BACKGROUND_SHARE,
        "settings": plain,
        "numbers": numbers,
    }
    if settings.adapt:
        used = ("video", "seed", "surrounded", "adaptation_steps")
        metadata["settings"] = {name: plain[name] for name in used}
        metadata["adapted_from"] = read_weights(Path(settings.adapt)).metadata
    write_weights(path, tensors, metadata)
