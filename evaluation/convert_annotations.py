"""Convert ground truth of any format to JSON (complete) or Street Scene rows (boxes, tracks)."""

import argparse
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vadloc.annotations import (
    READERS,
    find_reader,
)
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError

if TYPE_CHECKING:  # NumPy is imported late, so that --help is fast
    from vadloc.annotations.ground_truth import GroundTruth
    from vadloc.annotations.regions import SequenceSize

logger = logging.getLogger(__name__)


def write_json(path: Path, truth: "GroundTruth", _context: Context) -> None:
    """Write the JSON of py-ssvad-metrics with all tracks and masks.

    Raises:
        VadlocError: The file cannot be written.
    """
    from vadloc.annotations import ssvad_writing

    ssvad_writing.write_ground_truth(path, truth)


def write_street_scene(path: Path, truth: "GroundTruth", context: Context) -> None:
    """Write Street Scene rows; of masks only the boxes are written, with a warning.

    If there are frame files, the rows have their names.

    Raises:
        VadlocError: Rows cannot express the ground truth, or the file cannot be written.
    """
    from vadloc.annotations import street_scene
    from vadloc.files.storage import replacing

    text = street_scene.to_rows(truth, frame_names=context.frame_names)
    if truth.masks is not None:
        logger.warning("%s: masks are written as their boxes; json keeps their pixels", path)
    with replacing(path) as file:
        file.write(text.encode())


WRITERS: dict[str, tuple[str, Callable[[Path, "GroundTruth", Context], None]]] = {
    "json": ("_gt.json", write_json),
    "street_scene": ("_gt.txt", write_street_scene),
}
"""The formats that can be written: the end of the file name after the sequence, and the writer."""


def run(
    source_format: str,
    ground_truth: Path,
    to: str,
    output: Path,
    sizes: dict[str, "SequenceSize"],
    *,
    contexts: Mapping[str, Context] | None = None,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Convert sequences one by one.

    Args:
        source_format: Name of the format to read, a key of ``READERS``.
        ground_truth: Folder of the annotation.
        to: Name of the format to write, a key of ``WRITERS``.
        output: Folder to write to, one file per sequence; each is written completely or not at all.
        sizes: Number and size of the frames of each sequence, by name.
        contexts: Context of each sequence for the reader, by name.
        overwrite: Replace existing files.

    Yields:
        Each file when it is complete.

    Raises:
        UsageError: A format is unknown.
        VadlocError: An annotation is unusable, or a file exists and ``overwrite`` is False.
    """
    read = find_reader(source_format)
    if to not in WRITERS:
        raise UsageError(f"--to {to!r} is unknown; known are {', '.join(sorted(WRITERS))}")
    suffix, write = WRITERS[to]
    paths = {sequence: output / f"{sequence}{suffix}" for sequence in sizes}
    existing = [path for path in paths.values() if path.exists()]
    if existing and not overwrite:
        raise VadlocError(f"{existing[0]}: exists already; --overwrite replaces it")
    for sequence, size in sizes.items():
        context = (contexts or {}).get(sequence, NO_CONTEXT)
        truth = read(ground_truth, sequence, **size._asdict(), context=context)
        write(paths[sequence], truth, context)
        yield paths[sequence]


def sizes_of_frames(frames: Path, *, only: str | None = None) -> dict[str, "SequenceSize"]:
    """Number and size of the frames of the sequences in a folder.

    Args:
        frames: Folder of folders of frames, or of videos.
        only: Name of a single sequence; by default all sequences.

    Raises:
        VadlocError: There is no sequence, or a frame is unreadable.
        UsageError: The single sequence is not there.
    """
    from vadloc.annotations.regions import SequenceSize
    from vadloc.video.frames import (
        list_sequences,
        sequence_size,
    )

    sequences = {sequence.name: sequence for sequence in list_sequences(frames)}
    if only is not None and only not in sequences:
        raise UsageError(f"--sequence {only}: unknown; there are {', '.join(sequences)}")
    names = sequences if only is None else [only]
    return {name: SequenceSize(*sequence_size(sequences[name])) for name in names}


def _sizes(args: argparse.Namespace) -> dict[str, "SequenceSize"]:
    """Sizes of the chosen sequences, from the frames or from the options."""
    from vadloc.annotations.regions import SequenceSize

    if args.frames is not None:
        return sizes_of_frames(args.frames, only=args.sequence)
    if not (args.sequence and args.frame_count and args.size):
        raise UsageError("give --frames, or --sequence, --frame-count and --size")
    return {args.sequence: SequenceSize(args.frame_count, args.size[1], args.size[0])}


def _contexts(args: argparse.Namespace, sizes: Mapping[str, "SequenceSize"]) -> dict[str, Context]:
    """The contexts of the chosen sequences for the reader.

    Raises:
        VadlocError: All sequences are chosen, and a sequence or an annotation has no partner.
    """
    from vadloc.annotations.pairing import (
        check_pairs,
        context_of,
        counts_if_needed,
    )
    from vadloc.video.frames import (
        list_sequences,
        sequence_size,
    )

    if args.frames is None:
        return {args.sequence: Context(mask_threshold=args.mask_threshold)}
    frames = {sequence.name: sequence for sequence in list_sequences(args.frames)}
    is_part = args.sequence is not None
    check_pairs(args.ground_truth, args.format, sizes, what="frames", is_part=is_part)

    def count(name: str) -> int:
        return sizes[name].frame_count if name in sizes else sequence_size(frames[name])[0]

    counts = counts_if_needed(args.format, args.ground_truth, list(frames), count)
    threshold = args.mask_threshold
    return {
        name: context_of(frames[name], counts=counts, mask_threshold=threshold) for name in sizes
    }


def width_and_height(text: str) -> tuple[int, int]:
    """The type of an option such as ``360x240``: width and height in pixels."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected width x height, such as 360x240")
    return int(match[1]), int(match[2])


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number above 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(description=__doc__)
    add = parser.add_argument
    add("--format", required=True, choices=sorted(READERS), help="format to read")
    add("--ground-truth", required=True, type=Path, metavar="DIR", help="folder of the annotation")
    add("--to", required=True, choices=sorted(WRITERS), help="format to write")
    add("--output", required=True, type=Path, metavar="DIR", help="folder to write to")
    add("--frames", type=Path, metavar="DIR", help="folder of the sequences' frames or videos")
    add("--sequence", help="only this sequence; needed without --frames")
    add("--frame-count", type=_count, metavar="N", help="number of frames, instead of --frames")
    add("--size", type=width_and_height, metavar="WxH", help="frame size in px, such as 360x240")
    add("--mask-threshold", type=float, metavar="LEVEL", help="level from which on pixels of masks "
        "are anomalous; default: masks have two levels, 0 and another")  # fmt: skip
    add("--overwrite", action="store_true", help="replace files that exist")
    add_verbose_option(parser)
    return parser


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(argv)
    from vadloc.process import emit, exit_status

    with exit_status(verbose=args.verbose):
        sizes = _sizes(args)
        for path in run(
            args.format,
            args.ground_truth,
            args.to,
            args.output,
            sizes,
            contexts=_contexts(args, sizes),
            overwrite=args.overwrite,
        ):
            emit(str(path))


if __name__ == "__main__":
    main()
