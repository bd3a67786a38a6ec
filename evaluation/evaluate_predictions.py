"""Evaluate the predictions of any detector against ground truth in files.

    python -m evaluation.evaluate_scores --ground-truth DIR --format NAME --predictions DIR

This is `evaluation.evaluate_scores` without a config.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from evaluation.result_files import add_all_rules, emit_summary
from vadloc.annotations import READERS
from vadloc.config import AreaRule
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError

RULES = get_args(AreaRule)

if TYPE_CHECKING:  # NumPy is imported late, so that --help is fast
    from evaluation.criteria.options import CriteriaOptions


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate the predictions in the folder of the options, and write the requested files.

    Returns:
        A dict as from `evaluation.api.evaluate_folder`.

    Raises:
        VadlocError: A file or an option is unusable, or the output exists already.
    """
    from evaluation.api import evaluate_folder
    from evaluation.result_files import write_result

    options = _criteria_options(args)
    existing = args.output and args.output / "summary.json"
    if existing and existing.exists() and not args.overwrite:
        raise VadlocError(f"{existing}: exists already; --overwrite replaces it")
    result = evaluate_folder(
        args.ground_truth,
        args.predictions,
        gt_format=args.format,
        frames=args.frames,
        size_px=args.size,
        sequences=args.sequences,
        pred_name_suffix=args.suffix,
        options=options,
        boxes=args.boxes,
        jobs=args.jobs,
        show_progress=sys.stderr.isatty(),
        plots=args.output / "plots" if args.output else None,
        mask_threshold=args.mask_threshold,
    )
    if args.output:
        write_result(args.output, result)
    return result


def _criteria_options(args: argparse.Namespace) -> "CriteriaOptions":
    """The given options of the criteria; the others have their defaults."""
    from evaluation.criteria.options import CriteriaOptions

    names = (field.name for field in fields(CriteriaOptions))
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    try:
        return CriteriaOptions(**given)
    except VadlocError as error:
        raise UsageError(str(error)) from None


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(argv)
    from vadloc.process import exit_status

    with exit_status(verbose=args.verbose):
        emit_summary(run(args), all_rules=args.all_rules)


def _parser() -> argparse.ArgumentParser:
    from evaluation.convert_annotations import width_and_height

    parser = CommandParser(description="Evaluate the predictions of any detector.")
    add = parser.add_argument
    add("--ground-truth", required=True, type=Path, metavar="DIR", help="folder of the annotation")
    add("--format", required=True, choices=sorted(READERS), help="its format")
    add("--predictions", required=True, type=Path, metavar="DIR", help="one file or folder of maps "
        "for each sequence: .json, .npy, .csv, or maps as .npy or .tiff")  # fmt: skip
    add("--output", type=Path, metavar="DIR", help="folder to write summary and curves to")
    add("--overwrite", action="store_true", help="replace an output that exists")
    add("--frames", type=Path, metavar="DIR", help="folder of the sequences' frames or videos")
    add("--size", type=width_and_height, metavar="WxH", help="frame size in px, such as 360x240")
    add("--sequences", nargs="+", metavar="NAME", help="only these; default: all")
    add("--mask-threshold", type=float, metavar="LEVEL", help="pixels of masks are anomalous from "
        "this level on; default: masks have two levels, 0 and another")  # fmt: skip
    add("--suffix", default="", help="end of the predictions' names that is not the sequence's")
    add("--alpha", type=float, help="least share of a track's regions to be found; default: 0.1")
    add("--beta", type=float, help="least intersection over union of a match; default: 0.1")
    add("--connectivity", type=int, choices=(4, 8), help="how pixels join; default: 8")
    add("--pixel-share", type=float, help="least share of anomalous pixels; default: 0.4")
    add("--dual-share", type=float, help="least share of detected pixels; default: 0.05")
    add("--rule", help=f"{RULES[0]} (default), {', '.join(RULES[1:-1])} or {RULES[-1]}")
    add("--alarm-threshold", type=float, help="score that raises an alarm; default: 0.5")
    add("--boxes", choices=("regions", "map"), default="regions", help="predicted boxes are "
        "regions as they are (default), or painted to a map")  # fmt: skip
    add("--jobs", type=int, default=1, help="sequences side by side; default: 1")
    add_all_rules(parser)
    add_verbose_option(parser)
    return parser
