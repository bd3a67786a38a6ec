"""Which training video a trained detector is not trained on, and reading training video.

Networks cannot be trained anew for each training sequence that is scored. So some sequences are
left out of the training once: they choose the checkpoint, and give the scale of errors and the
alarm threshold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np

from feature_extraction.footage import Footage, reduce_frames
from feature_extraction.training_frames import training_size
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import TrainedDetector
from vadloc.errors import VadlocError
from vadloc.sequence_input import SequenceFrames, load_frames

LAST_SHARE = 0.25
"""Share of the only training sequence that is held out."""
LEAST_FRAMES = 8
"""The only training sequence has at least so many frames."""
STRETCH_FRAMES = 64
"""If not all training video is kept, whole stretches of so many frames are."""


class Part(NamedTuple):
    """Consecutive frames of a training sequence: from ``first`` up to ``end``."""

    sequence: str
    first: int
    end: int


@dataclass(frozen=True)
class TrainingVideo:
    """The training video in two sets that share no frame.

    Attributes:
        trained: Parts that networks are trained on.
        held_out: Parts that they are not trained on.
    """

    trained: list[Part]
    held_out: list[Part]


def split_training(counts: dict[str, int], settings: TrainedDetector) -> TrainingVideo:
    """Choose the held-out sequences by the seed.

    Args:
        counts: Number of frames of each training sequence.
        settings: With ``held_out`` and ``seed``.

    Raises:
        VadlocError: There is only one sequence, and it is too short.
    """
    parts = [Part(name, 0, count) for name, count in counts.items()]
    if len(parts) > 1:
        number = min(settings.held_out, len(parts) - 1)
        order = np.random.default_rng(settings.seed).permutation(len(parts))
        chosen = set(order[:number].tolist())
        return TrainingVideo(
            [part for i, part in enumerate(parts) if i not in chosen],
            [part for i, part in enumerate(parts) if i in chosen],
        )
    [(name, _, count)] = parts
    if count < LEAST_FRAMES:
        raise VadlocError(
            f"{name}: the only training sequence has {count} frames; expected {LEAST_FRAMES} or "
            "more, so that its last quarter can be held out of the training"
        )
    middle = count - max(2, round(LAST_SHARE * count))
    return TrainingVideo([Part(name, 0, middle)], [Part(name, middle, count)])


def training_video(artifacts: Artifacts) -> TrainingVideo:
    """The training video of the results' dataset.

    Raises:
        VadlocError: A sequence cannot be read, or frames differ in size.
    """
    sequences = artifacts.sequences("train")
    counts, _, _ = training_size(sequences, limit=None)
    named = {s.name: count for s, count in zip(sequences, counts, strict=True)}
    return split_training(named, artifacts.detector_settings)


def held_out_names(artifacts: Artifacts) -> list[str]:
    """The normal training sequences of which something is held out."""
    if artifacts.detector.learns_anomalies:
        from anomaly_detection.detectors.bags import split_bags

        return split_bags(artifacts).held_out[0]
    return [part.sequence for part in training_video(artifacts).held_out]


def spread(parts: list[Part], most_frames: int) -> list[Part]:
    """What is kept of training video, spread evenly over it.

    Args:
        parts: The video.
        most_frames: Number of frames that are kept at most.

    Returns:
        The parts, if they are no more; otherwise stretches of them, of ``STRETCH_FRAMES`` frames or
        what is left of a part, with ``most_frames`` frames at most in all.
    """
    total = sum(part.end - part.first for part in parts)
    if total <= most_frames:
        return parts
    length = min(STRETCH_FRAMES, most_frames)
    stretches = []
    passed = kept = 0
    for part in parts:
        for first in range(part.first, part.end, length):
            stretch = part._replace(first=first, end=min(first + length, part.end))
            count = stretch.end - stretch.first
            passed += count
            if (kept + count) * total <= most_frames * passed:
                stretches.append(stretch)
                kept += count
    return stretches


def read_footage(artifacts: Artifacts, parts: list[Part], *, most_frames: int) -> Iterator[Footage]:
    """Reduced frames of training video, in stretches.

    Args:
        artifacts: The results.
        parts: What is read.
        most_frames: Number of frames that are kept at most; see `spread`.
    """
    of_sequence = {name: list(kept) for name, kept in groupby(spread(parts, most_frames), _name)}
    for name, stretches in of_sequence.items():
        sequence = load_frames(artifacts, "train", name)
        grid = sequence.grid(artifacts.config.regions)
        seen = reduce_frames(sequence.steps(), grid, artifacts.detector_settings)
        at = 0
        for stretch in stretches:
            yield Footage.of(name, list(islice(seen, stretch.first - at, stretch.end - at)))
            at = stretch.end
        artifacts.check_frames("train", name)


def _name(part: Part) -> str:
    return part.sequence


def cut_input(sequence: SequenceFrames, part: Part) -> SequenceFrames:
    """The input of a part, with its number of frames and its times; its steps are not cut."""
    times_s = sequence.times_s
    if times_s is not None:
        times_s = times_s[part.first : part.end] - times_s[part.first]
    return replace(sequence, frame_count=part.end - part.first, times_s=times_s)
