"""Forgetting: a model that goes on learning from mined video keeps a bounded size.

Only mined exemplars are forgotten. Those of training sequences were chosen by a person, and stay.
The number of volumes that a mined exemplar stands for decays with time, by half in ``keep_days``,
and each round adds the volumes that it has stood for in it. One that falls to half a volume or less
has been seen too rarely or too long ago, and is dropped. With ``max_per_region``, each region keeps
those that stand for most.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from vadloc.mining import Mining

LEAST_VOLUMES = 0.5
"""At this or less an exemplar is forgotten; what was seen once reaches it after ``keep_days``."""


def forget(model: Exemplars, settings: Mining, *, days: float | None = None) -> Exemplars:
    """The exemplars that are left after some time.

    Args:
        model: The exemplars.
        settings: How fast and how many are forgotten.
        days: The time; by default that of one round. With 0 only ``max_per_region`` counts.
    """
    if model.mined_round is None or model.mined_volumes is None:
        return model
    mined = model.mined_round > 0
    volumes, days = model.mined_volumes, settings.days_per_round if days is None else days
    if settings.keep_days is not None:
        volumes = volumes * 0.5 ** (days / settings.keep_days)
    keep = ~mined | (volumes > LEAST_VOLUMES) if days else np.ones(len(mined), bool)
    if settings.max_per_region is not None:
        keep &= ~mined | _most(volumes, mined & keep, model.offsets, settings.max_per_region)
    if keep.all() and volumes is model.mined_volumes:
        return model
    counts = np.where(mined, np.maximum(1, np.rint(volumes)), model.counts).astype(np.int64)
    return replace(model, mined_volumes=volumes, counts=counts).select(keep)


def _most(
    volumes: NDArray[np.float64], mined: NDArray[np.bool_], offsets: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """In each region the mined exemplars with most volumes; of equal ones those learnt last."""
    kept = np.zeros(len(volumes), bool)
    region = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((-np.arange(len(volumes)), -volumes, ~mined, region))
    place = np.arange(len(order)) - offsets[region[order]]
    kept[order[place < count]] = True
    return kept & mined
