"""Learn from labels of whole videos and features that others share; no video is needed.

    python -m anomaly_detection.train_on_snippets --features F --train LIST --test LIST --output DIR

reads the feature file of each video that the lists name (``feature_extraction.snippet_files``),
trains a head on the training videos, and scores every frame of the test videos. It writes to the
output folder the weights ``head.safetensors``, ``training.json`` and ``training.png``, and
``scores/<video>.npy``, float32 ``(frames,)``. ``evaluation.evaluate_snippets`` evaluates them.

A training video is averaged over ``--segments`` equal stretches, as usual; test videos are scored
snippet by snippet. The scores of several crops are averaged.
"""

import argparse
import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadloc.console import CommandParser, add_verbose_option, progress
from vadloc.errors import UsageError, VadlocError, some_of
from vadloc.weak_settings import MultipleInstance

if TYPE_CHECKING:  # --help needs neither NumPy nor PyTorch
    import numpy as np
    from numpy.typing import NDArray

    from anomaly_detection.detectors.bags import Bag
    from vadloc.weak_labels import Labelled

logger = logging.getLogger(__name__)
SHOWN = ("head", "loss", "channels", "dropout", "steps", "top", "seed", "learning_rate", "bags",
    "smoothing", "window", "text", "classes", "text_weight", "temperature", "noise", "splicing",
    "rounds")  # fmt: skip
"""Settings that are options of the command."""


def read_lists(train: Path, test: Path) -> tuple[list["Labelled"], list["Labelled"]]:
    """The videos of both lists.

    Raises:
        UsageError: A list cannot be used, a video is in both, or the training videos have one
            class only.
    """
    from vadloc.weak_labels import read_labels

    trained, tested = read_labels(train), read_labels(test)
    names = {video.name for video in trained}
    if both := [video.name for video in tested if video.name in names]:
        raise UsageError(f"{test}: {some_of(both)} also in {train}; test videos must be new")
    for kind, word in ((False, "normal"), (True, "anomalous")):
        count = sum(video.is_anomalous == kind for video in trained)
        if count < 2:
            raise UsageError(
                f"{train}: {count} {word} videos; expected 2 or more of each class, since one is "
                "held out of the training"
            )
    return trained, tested


def to_segments(instances: "NDArray[np.float32]", count: int) -> "NDArray[np.float32]":
    """The means of so many equal stretches; shorter videos stay as they are.

    Args:
        instances: ``(crops, snippets, width)``.
        count: Number of stretches.
    """
    import numpy as np

    snippets = instances.shape[1]
    if snippets <= count:
        return instances
    edges = np.linspace(0, snippets, count + 1).astype(np.int64)
    sums = np.add.reduceat(instances.astype(np.float64), edges[:-1], axis=1)
    return np.asarray(sums / np.diff(edges)[:, None], np.float32)


def read_bags(videos: list["Labelled"], files: dict[str, list[Path]], segments: int) -> list["Bag"]:
    """The bags of training videos.

    Raises:
        VadlocError: A file cannot be used, or its values exceed half precision.
    """
    import numpy as np

    from anomaly_detection.detectors.bags import Bag
    from feature_extraction.snippet_files import read_video

    bags = []
    label = "reading of features"
    with progress(label, label, total=len(videos), noun="video") as shown:
        for video in videos:
            snippets = read_video(files[video.name])
            with np.errstate(over="ignore"):
                halves = to_segments(snippets, segments).astype(np.float16)
            if not np.isfinite(halves).all():
                raise VadlocError(
                    f"{files[video.name][0]}: values beyond half precision (65504); divide the "
                    "features by a constant"
                )
            count = snippets.shape[1]
            bags.append(Bag(video.name, video.is_anomalous, halves, count, video.label))
            shown.step()
    return bags


def train_head(
    bags: list["Bag"], settings: MultipleInstance, output: Path, stamp: str
) -> dict[str, Any]:
    """Train the head, or go on with a training that was stopped; write its files.

    Returns:
        The tensors of the head as the file holds them, in half precision.
    """
    from anomaly_detection.detectors.bags import hold_out
    from anomaly_detection.training.loop import train
    from anomaly_detection.training.multiple_instance import BagData, HeadTask, check_bags
    from anomaly_detection.training.pictures import draw_curves
    from vadloc.files.storage import replacing
    from vadloc.weights import read_weights, write_weights

    check_bags(bags, settings)
    normal, anomalous = (
        [b.sequence for b in bags if b.is_anomalous == kind] for kind in (False, True)
    )
    held_out = {name for of in hold_out(normal, anomalous, settings).held_out for name in of}
    data = BagData(
        [b for b in bags if b.sequence not in held_out],
        [b for b in bags if b.sequence in held_out],
    )
    task = HeadTask(data, settings, device="cpu")
    checkpoint = output / "head.checkpoint.pt"
    trained = train(task, checkpoint, stamp=stamp, checks=settings.checks)
    description = {"network": "head", "detector": "snippets", "head": settings.head}
    write_weights(output / "head.safetensors", trained.tensors, description)
    draw_curves(output / "training.png", {"head": trained.curve})
    record = {
        "stamp": stamp,
        "settings": settings.model_dump(),
        "held_out": sorted(held_out),
        "best_step": trained.best_step,
        "held_out_loss": trained.best_loss,
        "curve": trained.curve,
    }
    with replacing(output / "training.json") as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())
    checkpoint.unlink(missing_ok=True)
    return dict(read_weights(output / "head.safetensors").tensors)


def score_videos(
    videos: list["Labelled"],
    files: dict[str, list[Path]],
    tensors: dict[str, Any],
    settings: MultipleInstance,
    *,
    snippet_frames: int,
    output: Path,
) -> None:
    """Score all frames of the test videos.

    Raises:
        VadlocError: A file cannot be used, or has another width than those of the training.
    """
    import numpy as np

    from anomaly_detection.detectors.mil_heads import score_instances, smooth
    from feature_extraction.snippet_files import read_video
    from vadloc.files.storage import replacing

    width = len(tensors["center"])
    for video in videos:
        instances = read_video(files[video.name])
        if instances.shape[2] != width:
            raise VadlocError(
                f"{files[video.name][0]}: {instances.shape[2]} features, the model was trained on "
                f"{width}; give features of the same extractor"
            )
        scores = smooth(score_instances(settings.head, tensors, instances), settings.smoothing)
        frames = np.repeat(scores.mean(axis=0), snippet_frames).astype(np.float32)
        with replacing(output / "scores" / f"{video.name}.npy") as file:
            np.save(file, frames)


def _stamp(args: argparse.Namespace, settings: MultipleInstance, files: list[Path]) -> str:
    sizes = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    lists = args.train.read_text(encoding="utf-8-sig"), args.segments
    text = json.dumps([settings.model_dump(), lists, sizes])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _learn(args: argparse.Namespace) -> None:
    from feature_extraction.devices import require
    from feature_extraction.snippet_files import find_files

    require("torch")
    given = {name: getattr(args, name) for name in SHOWN if getattr(args, name) is not None}
    settings = _settings(given)
    trained, tested = read_lists(args.train, args.test)
    files = find_files(args.features, trained, args.train)
    test_files = find_files(args.features, tested, args.test)
    (args.output / "scores").mkdir(parents=True, exist_ok=True)
    texts = [Path(settings.text)] if settings.text and Path(settings.text).is_file() else []
    read = [path for paths in files.values() for path in paths]
    stamp = _stamp(args, settings, [*read, *texts])
    bags = read_bags(trained, files, args.segments)
    tensors = train_head(bags, settings, args.output, stamp)
    score_videos(
        tested,
        test_files,
        tensors,
        settings,
        snippet_frames=args.snippet_frames,
        output=args.output,
    )


def _settings(given: dict[str, Any]) -> MultipleInstance:
    from pydantic import ValidationError

    try:
        return MultipleInstance(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        key = "-".join(str(problem["loc"][0]).split("_")) if problem["loc"] else "option"
        raise UsageError(f"--{key} {problem['input']}: {problem['msg']}") from None


def _add_settings(parser: CommandParser) -> None:
    """Add an option for each setting of ``SHOWN``; lists take several words."""
    defaults = MultipleInstance().model_dump()
    for name in SHOWN:
        default = defaults[name]
        option, shown = f"--{name.replace('_', '-')}", f"default: {default or 'none'}"
        if isinstance(default, tuple):
            parser.add_argument(option, type=int, nargs=len(default), help=shown)
        elif isinstance(default, list):
            parser.add_argument(option, nargs="+", metavar="NAME", help=shown)
        else:
            parser.add_argument(option, type=type(default), help=shown)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Learn from labels of whole videos and shared features.")
    add = parser.add_argument
    add("--features", type=Path, required=True, metavar="DIR", help="one file or more a video")
    add("--train", type=Path, required=True, metavar="LIST", help="training videos with labels")
    add("--test", type=Path, required=True, metavar="LIST", help="test videos with labels")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for model and scores")
    add("--snippet-frames", type=int, default=16, metavar="N", help="frames of a snippet; 16")
    add("--segments", type=int, default=32, metavar="N", help="of a training video; 32")
    _add_settings(parser)
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    from vadloc.process import emit, exit_status

    with exit_status(verbose=args.verbose):
        for name in ("snippet_frames", "segments"):
            if getattr(args, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')}: expected a number above 0")
        _learn(args)
        emit(
            f"{args.output / 'scores'}\nnext: python -m evaluation.evaluate_snippets --scores "
            f"{args.output / 'scores'} --test {args.test} --frame-labels FILE"
        )


if __name__ == "__main__":
    main()
