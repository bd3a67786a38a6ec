"""The batches of a training of the appearance network: which crops are drawn, and augmented."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.augmentation import augment
from feature_extraction.appearance.classes import BACKGROUND, CLASSES, LABELS
from feature_extraction.appearance.crops import Crops
from feature_extraction.appearance.settings import Settings

_PREFETCH = 4
"""Batches that are made in advance, each by a thread."""


def balanced_shares(crops: Crops) -> NDArray[np.float64]:
    """How often each crop is drawn: groups of class and source by the roots of their sizes.

    Returns:
        ``(n,)``, sums to 1: classes by the root of their size, and so the sources of a class.
    """
    _, class_of, class_size = np.unique(crops.labels, return_inverse=True, return_counts=True)
    pairs = np.char.add(np.char.add(crops.labels.astype(str), " "), crops.sources)
    names, pair_of, pair_size = np.unique(pairs, return_inverse=True, return_counts=True)
    class_of_pair = np.array([int(name.split(" ")[0]) for name in names])
    roots = np.bincount(class_of_pair, weights=np.sqrt(pair_size))
    share_in_class = np.sqrt(pair_size)[pair_of] / roots[crops.labels] / pair_size[pair_of]
    shares = np.sqrt(class_size)[class_of] * share_in_class
    return np.asarray(shares / shares.sum())


def batches(
    crops: Crops, settings: Settings, epoch: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Augmented crops of one epoch; each batch depends on seed, epoch and its number alone.

    Yields:
        Crops ``(batch, 64, 64, 3)`` and targets ``(batch, 8)``, all 0 for background.
    """
    shares = balanced_shares(crops)
    contexts = np.flatnonzero(crops.labels == BACKGROUND)
    targets = np.eye(len(LABELS), len(CLASSES), dtype=np.float32)
    count = settings.batch_size

    def batch(step: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        random = np.random.default_rng((settings.seed, epoch, step))
        chosen = random.choice(len(shares), count, p=shares)
        around = crops.pixels[random.choice(contexts, count)]
        return augment(crops.pixels[chosen], around, random), targets[crops.labels[chosen]]

    steps = steps_per_epoch(crops, settings)
    with ThreadPoolExecutor(_PREFETCH) as pool:
        waiting = [pool.submit(batch, step) for step in range(min(_PREFETCH, steps))]
        for step in range(steps):
            yield waiting.pop(0).result()
            if step + _PREFETCH < steps:
                waiting.append(pool.submit(batch, step + _PREFETCH))


def steps_per_epoch(crops: Crops, settings: Settings) -> int:
    """Batches in an epoch."""
    return max(1, len(crops.labels) // settings.batch_size)
