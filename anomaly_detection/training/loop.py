"""Trains one network: steps, checks on held-out video, checkpoints, and what can go wrong."""

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.training.tasks import Example, NetworkTask
from feature_extraction.checkpoints import load_checkpoint, save_checkpoint
from vadloc.console import Progress, progress
from vadloc.errors import VadlocError

logger = logging.getLogger(__name__)
CURVE_POINTS = 200
LEAST_VARIANCE = 0.01
"""Variance of the outputs, as a share of the inputs', below which a network has collapsed."""


@dataclass
class Trained:
    """What a training has found so far.

    Attributes:
        best_loss: The error on held-out video of the network that is kept; the lowest one, unless
            the task keeps the last.
        best_step: The step at which it was measured.
        tensors: The tensors of the network at that step.
        start: Those with which a later training goes on.
        curve: One entry for each point: ``step``, the mean losses since the last point by part,
            and ``held_out`` where it was measured.
        seconds: Time that the steps took.
    """

    best_loss: float = math.inf
    best_step: int = 0
    tensors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    start: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def train(task: NetworkTask, checkpoint: Path, *, stamp: str, checks: int) -> Trained:
    """Train a network to its end, from a checkpoint if there is one.

    Args:
        task: The training.
        checkpoint: File of the checkpoint.
        stamp: What the training depends on.
        checks: How often held-out video is measured and the checkpoint is written.

    Returns:
        The network with the lowest error on held-out video, or the last one, and the curves.

    Raises:
        VadlocError: A loss is not a number, the network's output is constant, or the checkpoint is
            damaged or of a training with other settings.
    """
    trained = _resume(task, checkpoint, stamp)
    every = max(1, task.steps // checks)
    point = max(1, task.steps // CURVE_POINTS)
    label = f"training of {task.name}"
    waiting: list[dict[str, float]] = []
    with progress(label, label[:22], total=task.steps, done=task.step, noun="step") as shown:
        while task.step < task.steps:
            started = time.monotonic()
            losses = task.advance()
            trained.seconds += time.monotonic() - started
            _check_finite(task, losses, checkpoint)
            waiting.append(losses)
            is_check = task.step % every == 0 or task.step == task.steps
            if task.step % point == 0 or is_check:
                trained.curve.append({"step": task.step, **_means(waiting)})
                waiting = []
            if is_check:
                _check(task, trained, checkpoint)
                save_checkpoint(checkpoint, _to_state(task, trained, stamp))
            _note(shown, task, trained)
            shown.step()
    return trained


def _check(task: NetworkTask, trained: Trained, checkpoint: Path) -> None:
    """Measure held-out video, and keep the network if it is the best so far."""
    loss = task.measure()
    _check_finite(task, {"held_out": loss}, checkpoint)
    if task.makes_pictures and task.step == task.steps:
        check_varies(task.name, task.step, task.examples(), checkpoint)
    trained.curve[-1]["held_out"] = loss
    if task.keeps_last or loss < trained.best_loss:
        trained.best_loss, trained.best_step = loss, task.step
        trained.tensors, trained.start = task.tensors(), task.start_tensors()


def check_varies(name: str, step: int, examples: list[Example], checkpoint: Path) -> None:
    """Refuse a network whose output is the same for every input.

    Raises:
        VadlocError: The variance of the outputs is below ``LEAST_VARIANCE`` of the inputs'.
    """
    given = float(np.var([example.given for example in examples]))
    output = float(np.var([example.output for example in examples]))
    if output < LEAST_VARIANCE * given:
        raise VadlocError(
            f"{name}: at step {step} its output is nearly constant (variance {output:.2g}, that of "
            f"the input is {given:.2g}): the training has collapsed; {_remedy(checkpoint)}"
        )


def _check_finite(task: NetworkTask, losses: dict[str, float], checkpoint: Path) -> None:
    for part, value in losses.items():
        if not math.isfinite(value):
            raise VadlocError(
                f"{task.name}: at step {task.step} the loss {part!r} is {value}; "
                f"{_remedy(checkpoint)}"
            )


def _remedy(checkpoint: Path) -> str:
    kept = f"the last good checkpoint {checkpoint} is kept; " if checkpoint.is_file() else ""
    return f"{kept}give a lower learning_rate or another seed, and --overwrite"


def _means(losses: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for of_step in losses for name in of_step)
    return {n: float(np.mean([of[n] for of in losses if n in of])) for n in names}


def _note(shown: Progress, task: NetworkTask, trained: Trained) -> None:
    if not trained.curve:
        return
    last = {name: value for name, value in trained.curve[-1].items() if name != "step"}
    losses = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    best = "" if task.keeps_last else " at best"
    held_out = f", held-out {trained.best_loss:.4g}{best}" if trained.best_step else ""
    shown.note(f"{losses}{held_out}, {trained.seconds / task.step:.3f} s a step")


def _to_state(task: NetworkTask, trained: Trained, stamp: str) -> dict[str, Any]:
    import torch

    tensors, start = (
        {name: torch.from_numpy(array) for name, array in of.items()}
        for of in (trained.tensors, trained.start)
    )
    return {
        "stamp": stamp,
        "task": task.state(),
        "best_loss": trained.best_loss,
        "best_step": trained.best_step,
        "tensors": tensors,
        "start": start,
        "curve": trained.curve,
        "seconds": trained.seconds,
    }


def _resume(task: NetworkTask, checkpoint: Path, stamp: str) -> Trained:
    state = load_checkpoint(checkpoint)
    if state is None:
        return Trained()
    if state.get("stamp") != stamp:
        raise VadlocError(
            f"{checkpoint}: of a training with other settings or other video; it is kept, and "
            "--overwrite begins anew"
        )
    task.resume(state["task"])
    tensors, start = (
        {name: tensor.numpy() for name, tensor in state[key].items()}
        for key in ("tensors", "start")
    )
    best = state["best_loss"], state["best_step"]
    logger.info("%s: goes on at step %d of %d", task.name, task.step, task.steps)
    return Trained(*best, tensors, state["curve"], state["seconds"], start)
