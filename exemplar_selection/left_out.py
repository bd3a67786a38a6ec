"""Training sequences, each with exemplars that were not selected from it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from exemplar_selection.select_exemplars import features_to_exemplars
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures


def read_exemplars(artifacts: Artifacts, sequence: str) -> Exemplars:
    """The exemplars of one training sequence, from their file."""
    return Exemplars.from_content(artifacts.exemplars(sequence).load())


def leave_out(
    artifacts: Artifacts,
    features: SequenceFeatures,
    *,
    join: Callable[[list[Exemplars]], Exemplars],
) -> Iterator[tuple[SequenceFeatures, Exemplars]]:
    """Features of a training sequence, and exemplars that were not selected from them.

    Args:
        artifacts: The results.
        features: The features of the sequence.
        join: Makes one model of the exemplars of several sequences.

    Yields:
        The sequence with the exemplars of the others; if it is the only one, each half of it with
        those of the other half.

    Raises:
        VadlocError: The only sequence is too short to be halved.
    """
    config = artifacts.config
    threshold = config.exemplars.threshold
    others = [s.name for s in artifacts.sequences("train") if s.name != features.sequence]
    if others:
        yield features, join([read_exemplars(artifacts, name) for name in others])
        return
    selected = read_exemplars(artifacts, features.sequence)
    halves = split_in_time(features, config.regions.frames_per_volume)
    for half, other in (halves, halves[::-1]):
        chosen = features_to_exemplars(other, distance=selected.distance, threshold=threshold)
        yield half, join([chosen])


def split_in_time(
    features: SequenceFeatures, frames_per_volume: int
) -> tuple[SequenceFeatures, SequenceFeatures]:
    """The volumes before and after the middle of a sequence, as two sequences.

    Raises:
        VadlocError: A half has no volume.
    """
    middle, starts = features.frame_count // 2, features.first_frame
    steps = np.flatnonzero(starts + frames_per_volume <= middle), np.flatnonzero(starts >= middle)
    if not all(len(half) for half in steps):
        raise VadlocError(
            f"{features.sequence}: {features.frame_count} frames are too few to be "
            "halved, and it is the only training sequence; no threshold can be calibrated on it, "
            "and no version of parts can be used: add normal video, or set [alarms] threshold"
        )
    first, second = (_part(features, half, frames_per_volume) for half in steps)
    return first, second


def _part(
    features: SequenceFeatures, steps: NDArray[np.int64], frames_per_volume: int
) -> SequenceFeatures:
    starts = features.first_frame[steps]
    count = int(starts[-1] - starts[0]) + frames_per_volume
    times = features.times_s
    return replace(
        features,
        frame_count=count,
        times_s=None if times is None else times[starts[0] :][:count],
        first_frame=starts - starts[0],
        values=features.values[steps],
        descriptors={name: values[steps] for name, values in features.descriptors.items()},
    )
