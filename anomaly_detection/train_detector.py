"""Train the networks of a version that learns normal video without exemplars.

    python -m anomaly_detection.train_detector --config configs/ped2.toml --version pseudo_anomalies

reads the training video, trains the networks of the version's detector, and measures on held-out
training sequences which errors are normal. It writes into ``models/<version>/`` the weights,
``training.json`` with all curves and settings, the picture of the curves ``training.png`` and
examples ``examples.png``. After a stop, the same command continues from the last checkpoint.

With ``--mined K`` the networks of a version that can do so (``mlad``) also learn from what
``exemplar_selection.mine_normal`` has found in round K.

It needs PyTorch (``pip install '.[train]'``); scoring does not.
"""

import argparse
import hashlib
import logging
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

if TYPE_CHECKING:  # --help needs neither NumPy nor PyTorch
    from anomaly_detection.training.loop import Trained
    from anomaly_detection.training.tasks import NetworkTask, TrainingData

COMMAND = "anomaly_detection.train_detector"
logger = logging.getLogger(__name__)


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """The record of the training, which lists the files of weights and the pictures."""
    return [artifacts.model()]


def compute(work: Work, *, device: str = "auto") -> Iterator[tuple[Artifact, Any]]:
    """Train all networks, then measure the errors of held-out video.

    Raises:
        UsageError: PyTorch is not installed.
        VadlocError: Training video cannot be read, or a training fails.
    """
    from feature_extraction.devices import require

    require("torch")
    from feature_extraction.checkpoints import choose_device
    from vadloc.weights import NetworkWeights

    artifacts, settings = work.artifacts, work.artifacts.detector_settings
    model = artifacts.model()
    module = import_module(artifacts.detector.training)
    device = choose_device(device)
    data = module.read_data(artifacts, device=device)
    tasks: list[NetworkTask] = module.make_tasks(data, settings, device=device)
    folder = model.path.parent
    trained: list[Trained] = []
    for task in tasks:
        done = zip(tasks, trained, strict=False)
        task.begin({t.name: NetworkWeights(of.tensors, {}) for t, of in done})
        trained.append(_train(task, folder, work, settings.checks))
    record = {
        "schema": SCHEMAS["model"],
        "detector": work.artifacts.detector_name,
        "held_out": sorted({footage.sequence for footage in data.held_out}),
        "described": module.describe(data, settings),
        "networks": {
            task.name: _task_record(task, found) for task, found in zip(tasks, trained, strict=True)
        },
    }
    model.path.unlink(missing_ok=True)  # it says which weights are in the folder
    _write_files(folder, tasks, trained, record)
    of_bags = artifacts.detector.learns_anomalies
    record["scales"] = {} if of_bags else _measure_scales(artifacts, record, folder)
    if not of_bags:
        record["motion"] = _measure_motion(artifacts, data)
    names = [f"{task.name}.safetensors" for task in tasks]
    names += [
        f"{t.name}.start.safetensors" for t, of in zip(tasks, trained, strict=True) if of.start
    ]
    record["files"] = _digests(folder, names)
    yield model, record
    for task in tasks:
        (folder / f"{task.name}.checkpoint.pt").unlink(missing_ok=True)
    work.count(frames=sum(len(footage) for footage in data.trained))


def _measure_scales(artifacts: Artifacts, record: dict[str, Any], folder: Path) -> dict[str, Any]:
    from anomaly_detection.detectors.trained import measure_scales

    return measure_scales(artifacts, record, folder)


def _measure_motion(artifacts: Artifacts, data: "TrainingData") -> dict[str, Any]:
    from anomaly_detection.detectors.trained import measure_normal_motion

    return measure_normal_motion(artifacts, [*data.trained, *data.held_out])


def _train(task: "NetworkTask", folder: Path, work: Work, checks: int) -> "Trained":
    from anomaly_detection.training.loop import train

    checkpoint = folder / f"{task.name}.checkpoint.pt"
    stamp = work.artifacts.model().stamp
    if work.overwrite:
        _drop_foreign(checkpoint, stamp)
    logger.info("%s: %d parameters, %d steps", task.name, task.parameters, task.steps)
    return train(task, checkpoint, stamp=stamp, checks=checks)


def _drop_foreign(checkpoint: Path, stamp: str) -> None:
    """Remove the checkpoint of a training with other settings, or one that cannot be read."""
    from feature_extraction.checkpoints import load_checkpoint
    from vadloc.errors import VadlocError

    try:
        is_ours = (load_checkpoint(checkpoint) or {}).get("stamp") == stamp
    except VadlocError:
        is_ours = False
    if not is_ours:
        checkpoint.unlink(missing_ok=True)


def _task_record(task: "NetworkTask", trained: "Trained") -> dict[str, Any]:
    return {
        "parameters": task.parameters,
        "steps": task.steps,
        "best_step": trained.best_step,
        "held_out_loss": trained.best_loss,
        "curve": trained.curve,
    }


def _write_files(
    folder: Path, tasks: "list[NetworkTask]", trained: "list[Trained]", record: dict[str, Any]
) -> None:
    """Write the weights of all networks and the pictures."""
    from anomaly_detection.training.pictures import draw_curves, draw_sheet
    from vadloc.weights import write_weights

    for task, found in zip(tasks, trained, strict=True):
        description = {"network": task.name, "detector": record["detector"]}
        write_weights(folder / f"{task.name}.safetensors", found.tensors, description)
        if found.start:
            write_weights(folder / f"{task.name}.start.safetensors", found.start, description)
    draw_curves(folder / "training.png", {n: r["curve"] for n, r in record["networks"].items()})
    draw_sheet(folder / "examples.png", {task.name: task.examples() for task in tasks})


def _digests(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def describe(artifacts: Artifacts, _dataset: str) -> str:
    """One line for each network: steps, and the error on held-out video."""
    networks = artifacts.model().load()["networks"]
    return "\n".join(
        f"  {name}: {of['parameters']} parameters, kept at step {of['best_step']} of "
        f"{of['steps']}, held-out loss {of['held_out_loss']:.4g}"
        for name, of in networks.items()
    )


def stage(device: str) -> Stage:
    """The stage on a device."""
    return Stage(
        COMMAND,
        outputs,
        partial(compute, device=device),
        describe=describe,
        shows_progress=True,
    )


STAGE = stage("auto")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Train the networks of the version's detector.", sequences=False)
    args: argparse.Namespace = parser.parse_args(argv)
    stage_main(stage(args.device), args)


if __name__ == "__main__":
    main()
