"""Features of snippets for learning from labels of whole videos: ours, or of a video network.

    python -m feature_extraction.extract_features --extractor snippets --config gate.toml --output F
    ... --backbone r3d_18 --weights r3d_18.pth --sha256 HEX

writes ``<split>/<video>.npy``, float32 ``(snippets, width)``, for all videos of the config, and the
lists ``train.txt`` and ``test.txt`` that ``anomaly_detection.train_on_snippets`` reads. With
the folder as ``[detectors.snippet_bags] features``, ``weak_snippets`` takes them. Without a
backbone a snippet is a time step of features that are there already (those of ``weak_snippets``;
``--version`` for others): the mean and the maximum of each over all regions. With one, it is
``--snippet-frames`` frames that a video network of torchvision has seen. ``snippets.json`` says
what made them.

Weights are a local file, whose SHA-256 must be given; nothing is downloaded. Labels of test videos
in ``test.txt`` come from the ground truth.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadloc.arguments import whole_number
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError
from vadloc.inputs import Split
from vadloc.process import emit, exit_status
from vadloc.versions import extractors_of

if TYPE_CHECKING:  # --help needs no NumPy
    import numpy as np
    from numpy.typing import NDArray

    Extract = Callable[[Artifacts, Split, str], "NDArray[np.float32]"]

SPLITS: tuple[Split, ...] = ("train", "anomalous", "test")


def pooled(artifacts: Artifacts, split: Split, sequence: str) -> "NDArray[np.float32]":
    """Mean and maximum over regions of the features of each time step.

    Raises:
        VadlocError: The features are missing or damaged.
    """
    import numpy as np

    from vadloc.features import load_features

    values = load_features(artifacts, split, sequence).values
    return np.concatenate([values.mean(axis=1), values.max(axis=1)], axis=1)


def with_backbone(args: argparse.Namespace) -> "Extract":
    """The function that passes snippets through a video network.

    Raises:
        UsageError: The network or its weights cannot be used.
    """
    from feature_extraction.video_backbone import VideoBackbone
    from vadloc.video.frames import read_frames_as

    network = VideoBackbone(
        args.backbone, args.weights, sha256=args.sha256, random=args.random, side_px=args.side
    )

    def extract(artifacts: Artifacts, split: Split, sequence: str) -> "NDArray[np.float32]":
        frames = read_frames_as(artifacts.sequence(split, sequence), ("rgb",))
        return network.features((only for (only,) in frames), args.snippet_frames)

    return extract


def anomalous_names(artifacts: Artifacts) -> dict[Split, set[str]]:
    """The videos of each split that hold an anomaly."""
    from vadloc.weak_folds import normal_names

    test = {sequence.name for sequence in artifacts.sequences("test")}
    found: dict[Split, set[str]] = {"train": set(), "anomalous": set()}
    found["anomalous"] = {sequence.name for sequence in artifacts.sequences("anomalous")}
    found["test"] = test - normal_names(artifacts)
    return found


def write_lists(output: Path, artifacts: Artifacts) -> None:
    """Write ``train.txt`` and ``test.txt``: a video a line, with 1 if it holds an anomaly."""
    from vadloc.files.storage import replacing

    anomalous = anomalous_names(artifacts)
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for split in SPLITS:
        for sequence in artifacts.sequences(split):
            label = int(sequence.name in anomalous[split])
            lines["test" if split == "test" else "train"].append(f"{sequence.name} {label}\n")
    for name, of in lines.items():
        with replacing(output / f"{name}.txt") as file:
            file.write("".join(of).encode())


def extract_all(artifacts: Artifacts, output: Path, extract: "Extract") -> Iterator[Path]:
    """Write the features of all videos that have no file yet.

    Yields:
        The files, also those that were there.
    """
    import numpy as np

    from vadloc.files.storage import replacing

    for split in SPLITS:
        (output / split).mkdir(parents=True, exist_ok=True)
        for sequence in artifacts.sequences(split):
            path = output / split / f"{sequence.name}.npy"
            if not path.is_file():
                features = extract(artifacts, split, sequence.name)
                with replacing(path) as file:
                    np.lib.format.write_array(file, features, allow_pickle=False)
            yield path


def inputs_digest(artifacts: Artifacts, *, of_frames: bool) -> str:
    """A digest of all that the features are made of, in all splits.

    Args:
        artifacts: The results.
        of_frames: Whether they are made of frames, and not of the features of the version.
    """
    extractors = extractors_of(artifacts.version)
    digest = hashlib.sha256()
    for split in SPLITS:
        for sequence in artifacts.sequences(split):
            stamps = [artifacts.features(e, split, sequence.name).stamp for e in extractors]
            stamps = [artifacts.frames_stamp(split, sequence.name)] if of_frames else stamps
            digest.update(json.dumps([split, sequence.name, stamps]).encode())
    return digest.hexdigest()


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that would do nothing.

    Raises:
        UsageError: There are such options.
    """
    if not args.backbone and (args.weights or args.sha256 or args.random):
        raise UsageError("--weights, --sha256 and --random are of a --backbone; give its name")
    if args.random and args.sha256:
        raise UsageError("--sha256 is of --weights, and random weights have none; leave it out")


def claim(output: Path, described: dict[str, Any]) -> None:
    """Note what makes the features of a folder.

    Raises:
        UsageError: The folder holds features that something else made.
    """
    from vadloc.files.storage import replacing

    path = output / "snippets.json"
    text = json.dumps(described, indent=1, sort_keys=True) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"{output}: has features that were made otherwise, or of other video ({path.name} says "
            "of what); give another folder"
        )
    output.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode())


def main(argv: list[str]) -> None:
    """The command line of ``extract_features --extractor snippets``.

    Args:
        argv: The words after these.
    """
    parser = CommandParser(
        description="Features of snippets of all videos, ours or of a video network."
    )
    parser.prog += " --extractor snippets"
    add = parser.add_argument
    add("--config", type=Path, required=True, metavar="FILE", help="TOML file of the dataset")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for features and lists")
    add("--version", default="weak_snippets", help="whose features are pooled; %(default)s")
    add("--results", type=Path, default=Path("results"), metavar="DIR")
    add("--datasets", type=Path, default=Path("datasets"), metavar="DIR")
    add("--backbone", default="", metavar="NAME", help="of torchvision.models.video, e.g. r3d_18")
    add("--weights", type=Path, metavar="FILE", help="its state dict, .pth or .safetensors")
    add("--sha256", default="", metavar="HEX", help="SHA-256 of that file")
    add("--random", action="store_true", help="run it with random weights, as a test")
    add("--side", type=whole_number, default=112, metavar="PX", help="of its frames; 112")
    add("--snippet-frames", type=whole_number, default=16, metavar="N", help="16")
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        check_options(args)
        config = load_config(args.config)
        artifacts = Artifacts(config, args.results, args.datasets, args.version)
        extract = with_backbone(args) if args.backbone else pooled
        frames = args.snippet_frames if args.backbone else config.regions.frame_stride
        network = {"sha256": args.sha256.lower() or "random", "side_px": args.side}
        inputs = inputs_digest(artifacts, of_frames=bool(args.backbone))
        described = {"dataset": config.dataset.name, "snippet_frames": frames, "inputs": inputs}
        described |= (
            {"backbone": args.backbone, **network} if args.backbone else {"version": args.version}
        )
        claim(args.output, described)
        count = len(list(extract_all(artifacts, args.output, extract)))
        write_lists(args.output, artifacts)
        emit(
            f"{args.output}: {count} videos\nnext: python -m anomaly_detection.train_on_snippets "
            f"--features {args.output} --train {args.output / 'train.txt'} --test "
            f"{args.output / 'test.txt'} --snippet-frames {frames} --output DIR"
        )
