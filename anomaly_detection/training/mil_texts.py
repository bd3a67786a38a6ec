"""Features of texts that describe classes of anomalies, from a file, for prompt-enhanced learning.

The file holds one row for each class, the normal one first; CLIP's text encoder or another network
made them. No text network is run here.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.bags import Bag
from vadloc.errors import UsageError, one_line
from vadloc.weak_settings import MultipleInstance


def read_texts(settings: MultipleInstance, width: int) -> NDArray[np.float32] | None:
    """The features of the texts, ``(classes, width)``; ``None`` if no file is named.

    Args:
        settings: With the path and the classes.
        width: Width of the features of instances, which are drawn to those of texts.

    Raises:
        UsageError: The file cannot be read, has other classes, another width, or a value that is
            not finite.
    """
    if not settings.text:
        return None
    path = Path(settings.text)
    try:
        texts: NDArray[np.floating] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"text = {str(path)!r}: not a plain .npy array ({one_line(error)})"
        ) from None
    expected = len(settings.classes), width
    if texts.ndim != 2 or texts.dtype.kind != "f":
        raise UsageError(
            f"{path}: {texts.dtype} of shape {texts.shape}, expected floats (classes, width), one "
            "row for each text"
        )
    if len(texts) != len(settings.classes):
        raise UsageError(
            f"{path}: {len(texts)} rows, classes names {len(settings.classes)}: expected one row "
            "for each, the normal one first"
        )
    if texts.shape != expected:
        raise UsageError(
            f"{path}: features of width {texts.shape[1]}, those of instances have {width} with "
            f"head = {settings.head!r}; they must be the same, which the first of channels sets "
            "for all heads but rtfm and arnet"
        )
    if not np.isfinite(texts).all():
        raise UsageError(f"{path}: has values that are not finite; make it again")
    return texts.astype(np.float32)


def class_row(bag: Bag, classes: Sequence[str]) -> int:
    """The row of the text of an anomalous bag's class; with two classes, always the second.

    Raises:
        UsageError: Its class is none of several.
    """
    anomalies = list(classes[1:])
    if bag.label in anomalies:
        return 1 + anomalies.index(bag.label)
    if len(anomalies) == 1:
        return 1
    raise UsageError(
        f"{bag.sequence}: its class is {bag.label!r}, expected one of classes: "
        f"{', '.join(anomalies)}"
    )
