"""Pictures of a training: its curves, and examples of what the networks put out."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.training.tasks import Example
from vadloc.files.storage import replacing

SIDE_PX = 128
GAP_PX = 4


def draw_curves(path: Path, curves: dict[str, list[dict[str, float]]]) -> None:
    """Draw the losses of each network by step, and its error on held-out video.

    Args:
        path: The picture, ``.png``.
        curves: By network, as ``loop.Trained.curve``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(curves), 4), layout="constrained")
    for number, (name, curve) in enumerate(curves.items(), start=1):
        axes: Any = figure.add_subplot(1, len(curves), number)
        parts = dict.fromkeys(key for point in curve for key in point if key != "step")
        for part in parts:
            points = [(p["step"], p[part]) for p in curve if part in p]
            style = "o-" if part == "held_out" else "-"
            axes.plot(*zip(*points, strict=True), style, label=part, linewidth=1, markersize=3)
        axes.set(title=name, xlabel="step", ylabel="loss", yscale="log")
        axes.legend()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=100, metadata={"Software": None})


def draw_sheet(path: Path, examples: dict[str, list[Example]]) -> None:
    """Draw a row for each example: input, output and error; networks stand side by side.

    Args:
        path: The picture, ``.png``.
        examples: By network.
    """
    from PIL import Image

    columns = []
    for of_network in examples.values():
        brightest = max(float(example.error.max()) for example in of_network) or 1.0
        rows = []
        for example in of_network:
            error = example.error / brightest * 2 - 1
            rows.append(np.hstack([_tile(p) for p in (example.given, example.output, error)]))
        columns.append(np.vstack(rows))
    height = max(len(column) for column in columns)
    padded = [np.pad(c, ((0, height - len(c)), (0, GAP_PX))) for c in columns]
    with replacing(path) as file:
        Image.fromarray(np.hstack(padded)).save(file, "PNG")


def _tile(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    import cv2

    grey = np.clip((picture + 1) * 127.5, 0, 255).astype(np.uint8)
    scale = SIDE_PX / max(grey.shape)
    size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
    large = cv2.resize(grey, size, interpolation=cv2.INTER_NEAREST)
    return np.pad(large, ((0, GAP_PX), (0, GAP_PX)), constant_values=0).astype(np.uint8)
