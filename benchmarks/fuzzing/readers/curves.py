"""Curves of other programs."""

from pathlib import Path

import numpy as np

from evaluation.compute_auc import run as compute_auc
from fuzzing.reader import Reader


def make_curves(folder: Path) -> None:
    """Two curves as other programs write them."""
    (folder / "curves").mkdir()
    np.save(folder / "curves" / "fpr.npy", np.linspace(0, 1, 5))
    np.save(folder / "curves" / "tpr.npy", np.linspace(0, 1, 5, dtype=np.float32) ** 0.5)


CURVES = Reader(make_curves, lambda folder: compute_auc(folder / "fpr.npy", folder / "tpr.npy"))
