"""Print the area under a stored curve.

    python -m evaluation.compute_auc region_fpr.npy region_tpr.npy

The area is taken between false positive rates 0 and 1 by a rule of the evaluation: ``envelope``
(the default) or ``hold`` for region and track curves, ``roc`` for curves of the frame, pixel and
dual pixel level.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import VadlocError
from vadloc.files.storage import npy_to_array
from vadloc.process import emit, exit_status

HIGHEST_FPR = 1e9
"""Larger false positive rates are refused."""
RULES = ("envelope", "hold", "roc")
ROUNDING = 1e-6
"""Rates may be above 1 by this much, the rounding error of sums of float32 shares."""


def curve_area(fpr: NDArray[Any], tpr: NDArray[Any], *, rule: str = "envelope") -> float:
    """Area under a curve that is given by its points.

    Args:
        fpr: ``(k,)`` false positive rates in the order of falling thresholds.
        tpr: ``(k,)`` true positive rates.
        rule: One of ``RULES``; the other area rules also need the thresholds.

    Raises:
        VadlocError: The points do not make a curve.
    """
    from evaluation.criteria.areas import (
        area_under,
        roc_area,
    )
    from evaluation.criteria.curves import RateCurve

    if fpr.ndim != 1 or fpr.shape != tpr.shape or not len(fpr):
        raise VadlocError(
            f"fpr has shape {fpr.shape}, tpr {tpr.shape}; expected two lists of one length"
        )
    if not (np.isfinite(fpr).all() and np.isfinite(tpr).all()):
        raise VadlocError("the curve has points that are not numbers: it was undefined")
    if fpr.min() < 0 or fpr.max() > HIGHEST_FPR or tpr.min() < 0 or tpr.max() > 1 + ROUNDING:
        raise VadlocError(
            f"false positive rates from {fpr.min():g} to {fpr.max():g}, true positive rates from "
            f"{tpr.min():g} to {tpr.max():g}; expected none below 0, and the latter up to 1"
        )
    thresholds = -np.arange(len(fpr), dtype=np.float64)
    curve = RateCurve(thresholds, fpr, tpr, thresholds[-1])
    if rule != "roc":
        return area_under(curve, rule=rule).value
    if np.any(np.diff(fpr) < 0):
        raise VadlocError(
            "false positive rates fall; rule roc is for curves of frame, pixel and dual pixel level"
        )
    return roc_area(curve).value


def run(fpr: Path, tpr: Path, *, rule: str = "envelope") -> float:
    """Area under the curve whose rates are in two ``.npy`` files."""
    curve = _read(fpr), _read(tpr)
    try:
        return curve_area(*curve, rule=rule)
    except VadlocError as error:
        raise VadlocError(f"{fpr}, {tpr}: {error}") from None


def _read(path: Path) -> NDArray[np.float64]:
    try:
        with path.open("rb") as file:
            array = npy_to_array(file, path)
    except OSError as error:
        raise VadlocError(f"{path}: cannot read ({error.strerror})") from None
    if array.dtype.kind not in "biuf":
        raise VadlocError(f"{path}: holds {array.dtype}, expected numbers")
    return array.astype(np.float64)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Print the area under a stored curve.")
    parser.add_argument("fpr", type=Path, help="false positive rates, .npy")
    parser.add_argument("tpr", type=Path, help="true positive rates, .npy")
    parser.add_argument("--rule", choices=RULES, default="envelope")
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        emit(f"{run(args.fpr, args.tpr, rule=args.rule):.6f}")


if __name__ == "__main__":
    main()
