"""The settings of detectors that learn from labels of whole videos: their tables in a config."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from vadloc.config_table import ConfigTable
from vadloc.detector_settings import Positive


class MultipleInstance(ConfigTable):
    """What the detectors of both kinds of bags have in common.

    Attributes:
        head: The network that scores an instance; see ``anomaly_detection.detectors.mil_heads``.
        loss: The loss; see ``anomaly_detection.training.mil_losses``.
        channels: Width of the first layer of the head, and of the second.
        dropout: Share of values that each layer of the head drops in training.
        top: Instances of a bag whose mean score stands for the bag, with ``loss = "topk"``
            and ``"bce"``; with ``"sultani"`` it is the highest score.
        sparsity: Weight of the sum of the scores of an anomalous bag.
        smoothness: Weight of the sum of the squared differences of scores that follow each other.
        smoothing: The score of a volume becomes the mean over so many time steps around it; odd.
        regions: Regions of a bag, at most, that are drawn in a step.
        bags: Bags of each class in a step.
        steps: Steps of the training.
        learning_rate: Learning rate of Adam.
        weight_decay: Its decay of weights.
        held_out: Share of the training videos of each class that is left out of the training, at
            least one of each. They choose the checkpoint; the normal ones give the alarm threshold.
        seed: Seed of that choice and of the training.
        checks: How often the loss of held-out videos is measured and a checkpoint is written.
    """

    SCORING: ClassVar[frozenset[str]] = frozenset({"smoothing"})
    """Keys that change scores but not the trained network."""

    head: Literal["sultani", "conv1d", "causal", "graph"] = "sultani"
    loss: Literal["sultani", "topk", "bce"] = "sultani"
    channels: tuple[int, int] = Field(default=(128, 32), strict=False)
    dropout: float = Field(default=0.6, ge=0, lt=1)
    top: int = Field(default=3, ge=1, le=10_000)
    sparsity: float = Field(default=8e-5, ge=0)
    smoothness: float = Field(default=8e-5, ge=0)
    smoothing: int = Field(default=1, ge=1, le=999)
    regions: int = Field(default=32, ge=1, le=100_000)
    bags: int = Field(default=8, ge=1, le=1000)
    steps: int = Field(default=400, ge=1)
    learning_rate: Positive = 1e-3
    weight_decay: float = Field(default=1e-3, ge=0)
    held_out: float = Field(default=0.2, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)
    checks: int = Field(default=10, ge=1, le=1000)

    def unused(self, round_: int) -> frozenset[str]:
        """Keys on which the network does not depend."""
        del round_
        return self.SCORING

    @model_validator(mode="after")
    def _around_a_middle(self) -> "MultipleInstance":
        if self.smoothing % 2 == 0:
            raise ValueError(f"smoothing = {self.smoothing} must be odd, it lies around a middle")
        return self


class SnippetBags(MultipleInstance):
    """A bag holds the snippets of a video, each of which is pooled over all regions."""

    bag: Literal["snippet"] = "snippet"


class RegionBags(MultipleInstance):
    """A bag holds the volumes of all regions of a video, so that regions get scores of their own.

    Attributes:
        loss: As above. The hinge sees one volume of a bag, which is one of thousands here.
        top: As above; more than with snippets, since an anomaly fills several volumes.
    """

    bag: Literal["region"] = "region"
    loss: Literal["sultani", "topk", "bce"] = "bce"
    top: int = Field(default=8, ge=1, le=10_000)
