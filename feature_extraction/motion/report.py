"""The outputs of the motion network against measured motion, on held-out volumes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.motion.pool import Pool
from feature_extraction.motion.read_out import outputs_to_attributes
from feature_extraction.motion.targets import (
    BIN_SHARE,
    MotionTargets,
)

if TYPE_CHECKING:
    from feature_extraction.motion.network import MotionNetwork

_BATCH = 256


@dataclass(frozen=True)
class Comparison:
    """One output on one pool.

    Attributes:
        measured: ``(m,)``.
        predicted: ``(m,)``.
        weight: ``(m,)`` of each point in the correlation; ``None``: all the same.
    """

    measured: NDArray[np.float32]
    predicted: NDArray[np.float32]
    weight: NDArray[np.float32] | None = None

    @property
    def correlation(self) -> float | None:
        """Pearson's; ``None`` where one side does not vary."""
        if len(self.measured) < 2 or not (np.ptp(self.measured) and np.ptp(self.predicted)):
            return None
        covariance = np.cov(self.measured, self.predicted, aweights=self.weight)
        return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))

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
        comparisons: ``direction``, share of the moving pixels: each direction of each volume that
            is not background a point; ``speed``: each direction of a volume into which at least
            1 % of the pixels move; ``direction_by_pixel`` and ``speed_by_pixel``: where and as
            far as something moves, that is each point weighs as much as pixels move in the volume
            and into the direction, respectively; ``stationary`` share and ``background`` flag:
            each volume a point.
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
    return compare(pool.targets, *_predict(network, pool, device=device))


def compare(
    targets: MotionTargets,
    direction: NDArray[np.float32],
    speed: NDArray[np.float32],
    stationary: NDArray[np.float32],
    background: NDArray[np.float32],
) -> Results:
    """Compare measured motion with the outputs of the network.

    Args:
        targets: What n volumes do.
        direction: ``(n, 12)``, as ``read_out.motion_attributes`` gives it.
        speed: ``(n, 12)``.
        stationary: ``(n,)``.
        background: ``(n,)``.
    """
    moves = ~targets.background
    directions = targets.direction[moves].ravel(), direction[moves].ravel()
    moving = np.repeat(targets.moving[moves], direction.shape[1])
    share = targets.bin_share
    enough, any_ = share >= BIN_SHARE, share > 0
    comparisons = {
        "direction": Comparison(*directions),
        "direction_by_pixel": Comparison(*directions, moving),
        "speed": Comparison(targets.speed[enough], speed[enough]),
        "speed_by_pixel": Comparison(targets.speed[any_], speed[any_], share[any_]),
        "stationary": Comparison(1 - targets.moving, stationary),
        "background": Comparison(targets.background.astype(np.float32), background),
    }
    return Results(comparisons, len(share))


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

    from vadloc.files.storage import replacing

    figure, axes = plt.subplots(
        len(results), len(_LABELS) + 1, figsize=(13, 3.4 * len(results)), squeeze=False
    )
    for row, (pool, result) in zip(axes, results.items(), strict=True):
        for axis, (name, label) in zip(row[:-1], _LABELS.items(), strict=True):
            draw_density(axis, result.comparisons[name], label=label)
            axis.set_title(f"{pool}: r = {_by_pixel(result.numbers, name)}", fontsize=8)
        draw_flag(row[-1], result.comparisons["background"])
        row[-1].set_title(f"{pool}: AUC = {result.numbers['background']}", fontsize=8)
        for axis in row:
            axis.tick_params(labelsize=7)
    figure.tight_layout()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)
    plt.close(figure)


def _by_pixel(numbers: dict[str, Any], name: str) -> str:
    weighted = numbers.get(f"{name}_by_pixel")
    return str(numbers[name]) if weighted is None else f"{numbers[name]}, by pixel {weighted}"


def draw_density(axis: Any, comparison: Comparison, *, label: str) -> None:
    """Predicted over measured, as a density."""
    measured = comparison.measured
    top = float(np.quantile(measured, 0.999)) if measured.any() else 1.0
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
