"""The settings of a training of the motion network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """All that decides the result of a training.

    Attributes:
        video: Folders of sequences of real video; the last quarter of each is held out.
        crops: Folder of the appearance network's crops, textures of what is rendered.
        separate_trunks: One trunk for each head instead of one for all.
        synthetic: Rendered training volumes.
        real: Real training volumes.
        steps: Optimiser steps.
        batch_size: Volumes a step.
        learning_rate: At its peak.
        seed: Of everything.
        start_from: Checkpoint of another training, whose network this one begins with.
    """

    video: tuple[str, ...]
    crops: str | None
    separate_trunks: bool
    synthetic: int
    real: int
    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    start_from: str | None = None
