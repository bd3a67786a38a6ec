"""The settings of a training of the appearance network."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Whatever changes the result of a training.

    Attributes:
        data: The folder of crops; see ``appearance.crops``.
        weights_from: ``torchvision``, ``none``, or a safetensors file of the backbone.
        backbone: The name of a torchvision classification model.
        epochs: Number of epochs; each draws as many crops as there are.
        batch_size: Crops in each step.
        seed: The seed of all random choices.
    """

    data: str
    weights_from: str
    backbone: str
    epochs: int
    batch_size: int
    seed: int

    def command(self) -> str:
        """The command of this training; paths without folders, which differ between machines."""
        words = ["python", "-m", "feature_extraction.train_appearance"]
        for name, value in asdict(self).items():
            words += [f"--{name.replace('_', '-')}", Path(str(value)).name]
        return shlex.join(words)
