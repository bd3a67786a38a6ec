r"""Show predictions and ground truth on the frames, as videos or as pictures.

    python -m evaluation.visualize_annotations --predictions results/ped2/scores/momentum \
        --ground-truth datasets/ped2/Test --ground-truth-format street_scene \
        --frames datasets/ped2/Test --output views

A prediction is a JSON of py-ssvad-metrics or a score map of ``anomaly_detection.score_anomalies``
(``.npy`` with its ``.json``). The ground truth may have any format that can be read.
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from vadloc.annotations import (
    READERS,
    find_reader,
)
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError, counted

if TYPE_CHECKING:  # NumPy is imported late, so that --help is fast
    from evaluation.figures.view_files import Files
    from evaluation.figures.views import Look
    from vadloc.video.drawing import (
        ColourScale,
        RgbImage,
    )

logger = logging.getLogger(__name__)
COLOURED_SHARE = 0.995
"""Share of the scores of a map that are below the end of the default colour scale."""
PNG_LEVEL = 3
"""Compression level: four times as fast as the default of 6, with 6 % larger files."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """How sequences are shown.

    Attributes:
        ground_truth_format: A key of ``vadloc.annotations.READERS``.
        mask_threshold: Lowest level that is anomalous in masks; ``None`` refuses masks of more than
            two levels.
        scale: Scores at which the colours of score maps begin and end. ``None`` is 0 to 1 for a
            JSON. For ``.npy`` score maps it begins at 0, or at the lowest score if that is
            negative, and ends at the mean over the sequences of the 99.5th percentile of scores.
        threshold: Least score of what is detected and outlined. ``None`` shows all boxes, and
            outlines no part of a score map.
        zoom: Whole number by which frames are magnified; ``None`` for at least 360 px of height.
        frames_per_second: Frame rate of the video.
        frames_out: Write numbered pictures (PNG) instead of a video.
        overwrite: Replace what exists.
    """

    ground_truth_format: str = "json"
    mask_threshold: float | None = None
    scale: tuple[float, float] | None = None
    threshold: float | None = None
    zoom: int | None = None
    frames_per_second: float = 10.0
    frames_out: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Check the values that types do not restrict."""
        find_reader(self.ground_truth_format)
        if self.zoom is not None and self.zoom < 1:
            raise UsageError(f"zoom is {self.zoom}, expected a whole number above 0")
        if self.threshold is not None and isnan(self.threshold):
            raise UsageError("threshold is NaN, expected a number")


def visualize(
    gt_path: Path | None,
    pred_path: Path | None,
    out_path: Path,
    *,
    frames: Path | None = None,
    sequence: str | None = None,
    options: ViewOptions | None = None,
) -> Path:
    """Show one sequence: score maps as colours, boxes with scores, annotations with track ids.

    Args:
        gt_path: JSON of the ground truth; for other formats, the folder of the ground truth.
        pred_path: JSON of the prediction, or a ``.npy`` score map with its ``.json``. One of the
            two paths may be ``None``.
        out_path: The ``.mp4``, or the folder of pictures.
        frames: Folder of frames, or video, of the sequence; without it the background is dark.
        sequence: Name of the sequence; by default the name of ``pred_path``, or else of
            ``gt_path``.
        options: How to show the sequence; ``None`` for the defaults.

    Returns:
        ``out_path``.

    Raises:
        VadlocError: A file is missing or unusable, files differ in the number or size of frames,
            or the output exists.
    """
    from evaluation.figures.view_files import NOTHING, Files, map_beside

    options = options or ViewOptions()
    named = pred_path or gt_path
    if named is None:
        raise UsageError(NOTHING)
    prediction = None if pred_path is None else map_beside(pred_path)
    files = Files(sequence or named.stem, gt_path, prediction, frames)
    return show_files(files, out_path, options)


def show_files(files: "Files", out_path: Path, options: ViewOptions) -> Path:
    """Show one sequence whose files are known, as `visualize` does."""
    _check_absent(out_path, overwrite=options.overwrite)
    return _show(files, out_path, _look([files], options), options)


def visualize_dir(
    gt_dir: Path | None,
    pred_dir: Path | None,
    out_dir: Path,
    *,
    frames_dir: Path | None = None,
    gt_name_suffix: str = "",
    pred_name_suffix: str = "",
    sequence: str | None = None,
    options: ViewOptions | None = None,
    show_progress: bool = True,
) -> list[Path]:
    """Show all sequences of a folder, in the same colours.

    Args:
        gt_dir: Folder of ``<sequence><gt_name_suffix>.json``; for other formats, the folder of the
            ground truth.
        pred_dir: Folder of ``<sequence><pred_name_suffix>.json``, or of ``.npy`` and ``.json``
            pairs. One of the two may be ``None``.
        out_dir: Folder for ``<sequence>.mp4``, or for folders of pictures.
        frames_dir: Folder with the frame folders or videos of the sequences.
        gt_name_suffix: What follows the name of a sequence in the name of its ground truth.
        pred_name_suffix: What follows the name of a sequence in the name of its prediction.
        sequence: Show only this sequence; the colour scale is still that of all.
        options: How to show the sequences; ``None`` for the defaults.
        show_progress: Show a progress bar if stderr is a terminal.

    Returns:
        Path of each video or folder of pictures.

    Raises:
        VadlocError: As in `visualize`, or a sequence has no prediction, ground truth or frames.
    """
    from tqdm import tqdm

    from evaluation.figures.view_files import JsonFolder, files_by_sequence

    options = options or ViewOptions()
    truth = JsonFolder(gt_dir, gt_name_suffix)
    prediction = JsonFolder(pred_dir, pred_name_suffix)
    listed = files_by_sequence(truth, prediction, frames_dir, options.ground_truth_format)
    look = _look(listed, options)
    ending = "" if options.frames_out else ".mp4"
    targets = {f: out_dir / f"{f.name}{ending}" for f in listed if sequence in (None, f.name)}
    if not targets:
        names = ", ".join(files.name for files in listed)
        raise UsageError(f"sequence {sequence!r} is unknown; there are {names}")
    for target in targets.values():
        _check_absent(target, overwrite=options.overwrite)
    bar = tqdm(targets.items(), unit="sequence", disable=None if show_progress else True)
    return [_show(files, target, look, options) for files, target in bar]


def _check_absent(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise VadlocError(f"{path}: exists already; --overwrite (or overwrite=True) replaces it")


def _show(files: "Files", path: Path, look: "Look", options: ViewOptions) -> Path:
    """Draw all frames of a sequence into a video or a folder of pictures."""
    from evaluation.figures.views import (
        draw_frames,
        read_annotated,
    )
    from vadloc.video.writing import write_video

    annotated = read_annotated(
        files,
        ground_truth_format=options.ground_truth_format,
        mask_threshold=options.mask_threshold,
    )
    images = draw_frames(annotated, look)
    if options.frames_out:
        count = _write_pictures(path, images, annotated.size.frame_count)
    else:
        count = write_video(path, images, options.frames_per_second)
    logger.debug("%s: %s", path, counted(count, "frame"))
    return path


def _look(listed: "Sequence[Files]", options: ViewOptions) -> "Look":
    from evaluation.figures.views import Look
    from vadloc.video.drawing import (
        ColourScale,
        check_scale,
    )

    maps = [f.prediction for f in listed if f.prediction and f.prediction.suffix == ".npy"]
    scale = _default_scale(maps) if options.scale is None else ColourScale(*options.scale)
    check_scale(scale)
    return Look(scale, options.threshold, options.zoom)


def _default_scale(maps: Sequence[Path]) -> "ColourScale":
    """From 0 (or the lowest score) to the mean of the 99.5th percentiles of the maps."""
    import numpy as np

    from evaluation.figures.views import read_score_map
    from vadloc.video.drawing import ColourScale

    if not maps:
        return ColourScale(0.0, 1.0)
    lows, highs = [0.0], []
    for path in maps:
        scores = read_score_map(path, path.stem).scores
        lows.append(float(scores.min()))
        highs.append(float(np.quantile(scores, COLOURED_SHARE)))
    low, high = min(lows), float(f"{np.mean(highs):.2g}")
    return ColourScale(low, high if high > low else low + 1.0)


def _write_pictures(folder: Path, images: "Iterator[RgbImage]", frame_count: int) -> int:
    """Write ``001.png`` and so on; pictures of an earlier run are removed first."""
    from PIL import Image

    from vadloc.files.storage import replacing

    for old in folder.glob("*.png"):
        if old.stem.isdecimal():
            old.unlink()
    digits = max(3, len(str(frame_count)))
    for number, image in enumerate(images, start=1):
        with replacing(folder / f"{number:0{digits}d}.png") as file:
            Image.fromarray(image).save(file, "PNG", compress_level=PNG_LEVEL)
    return frame_count


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        description="Show predictions and ground truth on the frames, as videos or as pictures. "
        "Each of the two is a file, or a folder with one file a sequence."
    )
    add = parser.add_argument
    add("--predictions", type=Path, metavar="PATH", help="JSON, or score map .npy with its .json")
    add("--ground-truth", type=Path, metavar="PATH", help="JSON; with another format, its folder")
    add(
        "--ground-truth-format",
        choices=sorted(READERS),
        default="json",
        help="default: %(default)s",
    )
    add("--mask-threshold", type=float, metavar="LEVEL", help="pixels of masks are anomalous from "
        "this level on; default: masks have two levels, 0 and another")  # fmt: skip
    add("--output", required=True, type=Path, metavar="DIR", help="folder to write to")
    add(
        "--frames",
        type=Path,
        metavar="PATH",
        help="folder of the sequences' frames or videos (with a file: the frames or the video of "
        "this sequence); without it the background is dark",
    )
    add("--sequence", metavar="NAME", help="only this one")
    add("--prediction-suffix", default="", metavar="TEXT", help="between the name and .json")
    add("--ground-truth-suffix", default="", metavar="TEXT", help="such as _gt")
    add(
        "--scale",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="scores at which colours begin and end; default: 0 and 1 for JSON, for score maps 0 "
        "and what 99.5 %% of the scores do not exceed",
    )
    add("--threshold", type=float, metavar="SCORE", help="outline what scores at least this")
    add("--zoom", type=int, metavar="N", help="default: magnify to at least 360 px of height")
    add("--frames-per-second", type=float, default=10.0, metavar="N", help="default: %(default)s")
    add("--frames-out", action="store_true", help="write pictures (PNG) instead of videos")
    add("--overwrite", action="store_true", help="replace what exists")
    add_verbose_option(parser)
    return parser


def run(
    *,
    ground_truth: Path | None,
    predictions: Path | None,
    output: Path,
    frames: Path | None = None,
    ground_truth_suffix: str = "",
    prediction_suffix: str = "",
    sequence: str | None = None,
    options: ViewOptions | None = None,
) -> list[Path]:
    """Show a file, or all sequences of a folder; return the paths of the written outputs."""
    given = predictions or ground_truth
    if given is None or given.is_dir():
        return visualize_dir(
            ground_truth,
            predictions,
            output,
            frames_dir=frames,
            gt_name_suffix=ground_truth_suffix,
            pred_name_suffix=prediction_suffix,
            sequence=sequence,
            options=options,
        )
    name = sequence or given.stem
    ending = "" if options and options.frames_out else ".mp4"
    path = output / f"{name}{ending}"
    return [
        visualize(ground_truth, predictions, path, frames=frames, sequence=name, options=options)
    ]


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(argv)
    from vadloc.process import emit, exit_status

    with exit_status(verbose=args.verbose):
        options = ViewOptions(
            ground_truth_format=args.ground_truth_format,
            mask_threshold=args.mask_threshold,
            scale=args.scale and tuple(args.scale),
            threshold=args.threshold,
            zoom=args.zoom,
            frames_per_second=args.frames_per_second,
            frames_out=args.frames_out,
            overwrite=args.overwrite,
        )
        for path in run(
            ground_truth=args.ground_truth,
            predictions=args.predictions,
            output=args.output,
            frames=args.frames,
            ground_truth_suffix=args.ground_truth_suffix,
            prediction_suffix=args.prediction_suffix,
            sequence=args.sequence,
            options=options,
        ):
            emit(str(path))


if __name__ == "__main__":
    main()
