"""How well class probabilities separate classes: precision, recall, confusion, pictures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall at every distinct score, from the highest down.

    Attributes:
        precision: ``(points,)``: element i is the share of positives among all with at least the
            i-th highest distinct score.
        recall: ``(points,)``: the share of all positives that are among them.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def average_precision(self) -> float:
        """The sum of precision times the gain in recall; NaN without positives."""
        return float(np.sum(self.precision * np.diff(self.recall, prepend=0)))


def precision_recall(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> PrecisionRecall:
    """Precision and recall of a ranking; equal scores are taken together.

    Args:
        positive: ``(n,)``.
        scores: ``(n,)``, high for what should be positive.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    found = np.cumsum(positive[order])[last_of_equals]
    with np.errstate(invalid="ignore"):
        recall = found / np.float64(positive.sum())
    return PrecisionRecall(found / (last_of_equals + 1.0), recall)


def confusion_matrix(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Counts of crops by label and decision.

    Args:
        labels: ``(n,)``; the number of classes stands for none of them.
        probabilities: ``(n, classes)``.

    Returns:
        ``(classes + 1, classes + 1)``: element (i, j) counts crops of label i whose most probable
        class is j, or, in the last column, in which no class has a probability of 0.5 or more.
    """
    classes = probabilities.shape[1]
    decision = np.where(probabilities.max(1) >= 0.5, probabilities.argmax(1), classes)
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    np.add.at(counts, (labels, decision), 1)
    return counts


def plot_precision_recall(axes: "Axes", curves: dict[str, PrecisionRecall], title: str) -> None:
    """Draw the curve of each class, its average precision in the legend."""
    for name, curve in curves.items():
        label = f"{name} {curve.average_precision:.3f}"
        axes.step(curve.recall, curve.precision, where="pre", label=label, linewidth=1.4)
    axes.set(title=title, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    axes.legend(title="average precision", loc="lower left", fontsize="small")


def plot_confusion(
    axes: "Axes", counts: NDArray[np.int64], names: tuple[str, ...], title: str
) -> None:
    """Draw a confusion matrix: shares of each row as colours, counts as numbers."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        if count:
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(title=title, xlabel="decision", ylabel="label")
