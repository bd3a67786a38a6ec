"""What the appearance network is worth: average precision by class and source, confusion, pictures.

Surveillance video shows objects small and often grey; every number is therefore given for crops as
they are and for grey ones that were reduced to 24 pixels and enlarged again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.classes import CLASSES, LABELS
from feature_extraction.appearance.crops import Crops
from feature_extraction.appearance.precision_recall import (
    PrecisionRecall,
    confusion_matrix,
    plot_confusion,
    plot_precision_recall,
    precision_recall,
)
from vadloc.files.storage import replacing

if TYPE_CHECKING:
    import torch

_SMALL_PX = 24
_BATCH = 256


def class_probabilities(
    network: "torch.nn.Module", pixels: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What a network in evaluation mode says of crops.

    Args:
        network: The appearance network.
        pixels: uint8 ``(n, 64, 64, 3)``.

    Returns:
        ``(n, 8)``, in the order of ``CLASSES``.
    """
    import torch

    from feature_extraction.appearance.network import normalise
    from feature_extraction.checkpoints import mixed_precision

    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            crops = torch.from_numpy(pixels[start : start + _BATCH]).to(device)
            with mixed_precision(device.type):
                logits = network(normalise(crops))
            parts.append(torch.sigmoid(logits.float()).cpu().numpy())
    return np.concatenate(parts)


def _curves(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> dict[str, PrecisionRecall]:
    """Precision and recall of each class against all other crops."""
    return {
        name: precision_recall(labels == index, probabilities[:, index])
        for index, name in enumerate(CLASSES)
    }


def mean_average_precision(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Mean over the classes of the average precision of each against all other crops.

    Args:
        labels: ``(n,)``, indices into ``LABELS``.
        probabilities: ``(n, 8)``.
    """
    return _mean(_curves(labels, probabilities))


def _mean(curves: dict[str, PrecisionRecall]) -> float:
    return float(np.mean([curve.average_precision for curve in curves.values()]))


def _by_source(crops: Crops, probabilities: NDArray[np.float32]) -> dict[str, dict[str, Any]]:
    """Average precision of a class's crops of one source against all crops of other labels."""
    result: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(CLASSES):
        of_class = crops.labels == index
        for source in np.unique(crops.sources[of_class]):
            positive = of_class & (crops.sources == source)
            kept = positive | ~of_class
            curve = precision_recall(positive[kept], probabilities[kept, index])
            result.setdefault(name, {})[str(source)] = {
                "crops": int(positive.sum()),
                "average_precision": round(curve.average_precision, 4),
            }
    return result


def report(network: "torch.nn.Module", crops: Crops, output: Path) -> dict[str, Any]:
    """Measure the network on crops as they are and on small grey ones; draw the pictures.

    Args:
        network: In evaluation mode.
        crops: Held out from training.
        output: Gets ``appearance_pr.png`` and ``appearance_confusion.png``.

    Returns:
        For each view of the crops: mean average precision, that of each class and of each source
        of a class, and counts of decisions; plain numbers for JSON.
    """
    from feature_extraction.appearance.augmentation import (
        enlarged_from,
        grey,
    )

    small = np.stack([enlarged_from(grey(crop), _SMALL_PX) for crop in crops.pixels])
    views = {"colour, 64 px": crops.pixels, f"grey, {_SMALL_PX} px enlarged": small}
    found = {name: class_probabilities(network, pixels) for name, pixels in views.items()}
    curves = {name: _curves(crops.labels, probabilities) for name, probabilities in found.items()}
    counts = {name: confusion_matrix(crops.labels, found[name]) for name in views}
    _draw(curves, counts, output)
    return {
        "crops": len(crops.labels),
        "summary": {name: round(_mean(curves[name]), 4) for name in views},
        "average_precision": {
            name: {label: round(c.average_precision, 4) for label, c in curves[name].items()}
            for name in views
        },
        "average_precision_by_source": {name: _by_source(crops, found[name]) for name in views},
        "confusion": {"labels": LABELS, **{name: counts[name].tolist() for name in views}},
    }


def _draw(
    curves: dict[str, dict[str, PrecisionRecall]],
    counts: dict[str, NDArray[np.int64]],
    output: Path,
) -> None:
    from matplotlib.figure import Figure

    figures = {
        name: Figure(figsize=(12, 5.5), layout="constrained") for name in ("pr", "confusion")
    }
    both = {name: figure.subplots(1, 2) for name, figure in figures.items()}
    for column, view in enumerate(curves):
        title = f"{view}: mean {_mean(curves[view]):.3f}"
        plot_precision_recall(both["pr"][column], curves[view], title)
        plot_confusion(both["confusion"][column], counts[view], LABELS, view)
    for name, figure in figures.items():
        with replacing(output / f"appearance_{name}.png") as file:
            figure.savefig(file, format="png", dpi=110)
