"""Exemplars of several sequences, merged into one model."""

from dataclasses import replace

import numpy as np

from exemplar_selection.exemplars import Exemplars, join_exemplars
from exemplar_selection.greedy import greedy_selection
from vadloc.errors import VadlocError


def merge_exemplars(parts: list[Exemplars], *, threshold: float) -> Exemplars:
    """One model from the exemplars of several sequences, in their order.

    Raises:
        VadlocError: Their frames, regions or distances differ.
    """
    check_alike(parts)
    first, joined = parts[0], join_exemplars(parts)
    rows, counts, offsets = [], [], [0]
    for region in range(first.region_count):
        here = joined.rows_of(np.array([region]))
        kept, totals = greedy_selection(
            joined.features[here],
            joined.counts[here],
            distance=first.distance,
            threshold=threshold,
        )
        rows.append(here[kept])
        counts.append(totals)
        offsets.append(offsets[-1] + len(kept))
    order, totals = np.concatenate(rows), np.concatenate(counts)
    merged = replace(joined.take(order), offsets=np.array(offsets), counts=totals)
    if merged.mined_round is None or merged.mined_volumes is None:
        return merged
    added = totals - joined.counts[order]  # volumes that the exemplars now stand for as well
    volumes = merged.mined_volumes + np.where(merged.mined_round > 0, added, 0)
    return replace(merged, mined_volumes=volumes)


def check_alike(parts: list[Exemplars]) -> None:
    """Refuse exemplars that cannot be merged.

    Raises:
        VadlocError: Their frames, regions or distances differ.
    """
    first = parts[0]
    for part in parts:
        if (part.height_px, part.width_px) != (first.height_px, first.width_px):
            raise VadlocError(
                f"{part.sequences[0]}: frames of {part.width_px} x {part.height_px} px, those of "
                f"{first.sequences[0]} have {first.width_px} x {first.height_px}"
            )
        if (part.distance, part.region_count) != (first.distance, first.region_count):
            raise VadlocError(
                f"{part.sequences[0]}: exemplars of another distance or of other regions than "
                f"those of {first.sequences[0]}; select both again with --overwrite"
            )
