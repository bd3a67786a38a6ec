"""The settings of a training of the motion network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """All settings that change the result of a training.

    Attributes:
        video: Folders of sequences of real video; the last quarter of each is held out.
        crops: Folder of the appearance network's crops, which become textures of rendered volumes.
        separate_trunks: One trunk for each head instead of one for all.
        synthetic: Number of rendered training volumes.
        real: Number of training volumes from real video.
        steps: Steps of the optimiser.
        batch_size: Volumes in each step.
        learning_rate: The largest learning rate of the schedule.
        seed: The seed of all random choices.
        start_from: Checkpoint of another training; this one begins with its network.
        adapt: Weights that were trained already and only learn to see regions in their
            surroundings.
        surrounded: Number of volumes of real video from which that is learnt, at the end of every
            training with video.
        adaptation_steps: Steps of this.
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
    adapt: str | None = None
    surrounded: int = 20000
    adaptation_steps: int = 5000
