"""What the motion network sees against what was measured, on held-out volumes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.motion_network import outputs_to_attributes
from feature_extraction.motion_pool import Pool
from feature_extraction.motion_targets import BIN_SHARE

if TYPE_CHECKING:
    from feature_extraction.motion_layers import MotionNetwork

_BATCH = 256


@dataclass(frozen=True)
class Comparison:
    """One output on one pool.

    Attributes:
        measured: ``(m,)``.
        predicted: ``(m,)``.
    """

    measured: NDArray[np.float32]
    predicted: NDArray[np.float32]

    @property
    def correlation(self) -> float | None:
        """Pearson's; ``None`` where one side does not vary."""
        if len(self.measured) < 2 or not (self.measured.std() and self.predicted.std()):
            return None
        return float(np.corrcoef(self.measured, self.predicted)[0, 1])

    @property
    def auc(self) -> float | None:
        """Area under the ROC curve for a measured flag; ``None`` if it is always the same."""
        from scipy.stats import rankdata

        flag = self.measured > 0
        positives, negatives = int(flag.sum()), int((~flag).sum())
        if not positives or not negatives:
            return None
        ranks = rankdata(self.predicted)[flag].sum()
        return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


@dataclass(frozen=True)
class Results:
    """All outputs on one pool.

    Attributes:
        comparisons: Direction share and speed, each pair of volume and direction a point;
            stationary share and background, each volume a point.
        volumes: Number of volumes.
    """

    comparisons: dict[str, Comparison]
    volumes: int

    @property
    def numbers(self) -> dict[str, Any]:
        """Correlation of each output, and for the background flag the area under the curve."""
        out: dict[str, Any] = {"volumes": self.volumes}
        for name, comparison in self.comparisons.items():
            value = comparison.auc if name == "background" else comparison.correlation
            out[name] = None if value is None else round(value, 4)
        return out


def measure(network: "MotionNetwork", pool: Pool, *, device: str) -> Results:
    """Run a network on a pool and compare."""
    direction, speed, stationary, background = _predict(network, pool, device=device)
    targets = pool.targets
    moves = ~targets.background
    seen = targets.bin_share >= BIN_SHARE
    comparisons = {
        "direction": Comparison(targets.direction[moves].ravel(), direction[moves].ravel()),
        "speed": Comparison(targets.speed[seen], speed[seen]),
        "stationary": Comparison(1 - targets.moving, stationary),
        "background": Comparison(targets.background.astype(np.float32), background),
    }
    return Results(comparisons, len(pool))


def _predict(
    network: "MotionNetwork", pool: Pool, *, device: str
) -> tuple[NDArray[np.float32], ...]:
    import torch

    parts = []
    with torch.inference_mode():
        for start in range(0, len(pool), _BATCH):
            frames = torch.from_numpy(pool.frames[start : start + _BATCH]).to(device)
            outputs = network(frames.float() / 255)
            named = {name: value.cpu().numpy() for name, value in outputs.items()}
            parts.append(outputs_to_attributes(**named))
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


_LABELS = {
    "direction": "share of a direction",
    "speed": "speed, px/frame of a 64-px volume",
    "stationary": "stationary share",
}


def draw_report(results: dict[str, Results], path: Path) -> None:
    """A row of pictures for each pool: measured from left to right, predicted upwards."""
    import matplotlib.pyplot as plt

    from vadloc.storage import replacing

    figure, axes = plt.subplots(
        len(results), len(_LABELS) + 1, figsize=(13, 3.4 * len(results)), squeeze=False
    )
    for row, (pool, result) in zip(axes, results.items(), strict=True):
        for axis, (name, comparison) in zip(row, result.comparisons.items(), strict=True):
            if name == "background":
                draw_flag(axis, comparison)
            else:
                draw_density(axis, comparison, label=_LABELS[name])
            number = result.numbers[name]
            what = "AUC" if name == "background" else "r"
            axis.set_title(f"{pool}: {what} = {number}", fontsize=9)
            axis.tick_params(labelsize=7)
    figure.tight_layout()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
    plt.close(figure)


def draw_density(axis: Any, comparison: Comparison, *, label: str) -> None:
    """Predicted over measured, as a density."""
    top = float(np.quantile(comparison.measured, 0.999)) or 1.0
    axis.hexbin(
        comparison.measured,
        comparison.predicted,
        gridsize=50,
        bins="log",
        extent=(0, top, 0, top),
        mincnt=1,
        cmap="viridis",
    )
    axis.plot([0, top], [0, top], color="0.4", linewidth=0.8)
    axis.set_xlabel(f"measured {label}", fontsize=8)
    axis.set_ylabel("predicted", fontsize=8)


def draw_flag(axis: Any, comparison: Comparison) -> None:
    """How often which probability was given: to background, and to volumes that move."""
    for value, label in ((0, "something moves"), (1, "background")):
        chosen = comparison.predicted[comparison.measured == value]
        axis.hist(chosen, bins=40, range=(0, 1), alpha=0.6, label=label)
    axis.set_yscale("log")
    axis.set_xlabel("predicted probability of background", fontsize=8)
    axis.set_ylabel("volumes", fontsize=8)
    axis.legend(fontsize=7)
