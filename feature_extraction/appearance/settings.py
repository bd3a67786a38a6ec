"""The settings of a training of the appearance network."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Whatever changes the result of a training.

    Attributes:
        data: Folder of crops, see ``appearance.crops``.
        weights_from: ``torchvision``, ``none``, or a safetensors file of the backbone.
        backbone: Name of a torchvision classification model.
        epochs: Each draws as many crops as there are.
        batch_size: Crops to a step.
        seed: Of everything drawn.
    """

    data: str
    weights_from: str
    backbone: str
    epochs: int
    batch_size: int
    seed: int

    def command(self) -> str:
        """The command that trains so, its paths without the folders of this machine."""
        words = ["python", "-m", "feature_extraction.train_appearance"]
        for name, value in asdict(self).items():
            words += [f"--{name.replace('_', '-')}", Path(str(value)).name]
        return shlex.join(words)
