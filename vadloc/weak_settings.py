"""The settings of detectors that learn from labels of whole videos: their tables in a config."""

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from vadloc.config_table import ConfigTable
from vadloc.detector_settings import Positive, Probability

Head: TypeAlias = Literal["sultani", "arnet", "conv1d", "causal", "graph", "rtfm", "attention"]
Loss: TypeAlias = Literal["sultani", "topk", "bce", "arnet", "rtfm", "pel"]
TOP_LOSSES = frozenset({"topk", "bce", "rtfm"})
"""The losses that use ``top``."""


class MultipleInstance(ConfigTable):
    """What the detectors of both kinds of bags have in common.

    Attributes:
        head: The network that scores an instance; see ``anomaly_detection.detectors.mil_heads``.
        loss: The loss; see ``anomaly_detection.training.mil_losses``.
        channels: Width of the first layer of the head, and of the second.
        window: Time steps of the narrower attention of ``head = "attention"``; odd.
        dropout: Share of values that each layer of the head drops in training.
        top: Instances of a bag whose mean score stands for the bag, with ``loss = "topk"``,
            ``"bce"`` and ``"rtfm"``; with ``"sultani"`` it is the highest score.
        sparsity: Weight of the sum of the scores of an anomalous bag.
        smoothness: Weight of the sum of the squared differences of scores that follow each other.
        margin: Magnitude that ``loss = "rtfm"`` wants of the features of anomalous bags.
        magnitude: Weight of that part of the loss.
        center: Weight of the variance of the scores of a normal bag, with ``loss = "arnet"``.
        text: File ``.npy`` ``(classes, channels)`` of features of texts that describe the classes,
            the normal one first; with it, features of instances are drawn to the text of their
            class. Empty for none.
        classes: The names of these classes.
        text_weight: Weight of that part of the loss.
        temperature: Cosines between instances and texts are divided by it.
        noise: Share of the normal bags of a step that are disturbed, as if by a bad picture.
        splicing: Weight of the loss on normal bags into which a stretch of an anomalous one was
            put.
        rounds: How often, after the first ``steps``, labels of instances are made of the scores,
            and so many more steps are trained on these labels too.
        smoothing: The score of a volume becomes the mean over so many time steps around it; odd.
        regions: Regions of a bag, at most, that are drawn in a step.
        bags: Bags of each class in a step.
        steps: Steps of the training, in each round.
        learning_rate: Learning rate of Adam.
        weight_decay: Its decay of weights.
        held_out: Share of the training videos of each class that is left out of the training, at
            least one of each. The normal ones give the alarm threshold.
        checkpoint: ``average`` keeps the mean of the weights over the last steps, ``held_out`` the
            network with the lowest loss on held-out videos, ``last`` that of the last step.
        seed: Seed of that choice and of the training.
        checks: How often the loss of held-out videos is measured and a checkpoint is written.
    """

    SCORING: ClassVar[frozenset[str]] = frozenset({"smoothing"})
    """Keys that change scores but not the trained network."""

    head: Head = "sultani"
    loss: Loss = "sultani"
    channels: tuple[int, int] = Field(default=(128, 32), strict=False)
    window: int = Field(default=9, ge=1, le=2001)
    dropout: float = Field(default=0.6, ge=0, lt=1)
    top: int = Field(default=3, ge=1, le=10_000)
    sparsity: float = Field(default=8e-5, ge=0)
    smoothness: float = Field(default=8e-5, ge=0)
    margin: Positive = 100.0
    magnitude: float = Field(default=1e-4, ge=0)
    center: float = Field(default=20.0, ge=0)
    text: str = ""
    classes: list[str] = Field(default_factory=lambda: ["normal", "anomalous"], min_length=2)
    text_weight: float = Field(default=1.0, ge=0)
    temperature: Positive = 0.09
    noise: Probability = 0.0
    splicing: float = Field(default=0.0, ge=0)
    rounds: int = Field(default=0, ge=0, le=20)
    smoothing: int = Field(default=1, ge=1, le=999)
    regions: int = Field(default=32, ge=1, le=100_000)
    bags: int = Field(default=8, ge=1, le=1000)
    steps: int = Field(default=400, ge=1)
    learning_rate: Positive = 1e-3
    weight_decay: float = Field(default=1e-3, ge=0)
    held_out: float = Field(default=0.2, gt=0, lt=1)
    checkpoint: Literal["average", "held_out", "last"] = "average"
    seed: int = Field(default=0, ge=0)
    checks: int = Field(default=10, ge=1, le=1000)

    def unused(self, round_: int) -> frozenset[str]:
        """Keys on which the network does not depend."""
        del round_
        return self.SCORING

    @model_validator(mode="after")
    def _around_a_middle(self) -> "MultipleInstance":
        for name in ("smoothing", "window"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(
                    f"{name} = {getattr(self, name)} must be odd, it lies around a middle"
                )
        if min(self.channels) < 1:
            raise ValueError(f"channels = {list(self.channels)}: expected widths of 1 or more")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes = {self.classes}: expected each name once")
        return self


class SnippetBags(MultipleInstance):
    """A bag holds the snippets of a video, each of which is pooled over all regions.

    Attributes:
        features: Folder of features that ``extract_features --extractor snippets`` has made, such
            as those of a video network; they stand in place of pooled ones. Empty for none.
    """

    bag: Literal["snippet"] = "snippet"
    features: str = ""


class RegionBags(MultipleInstance):
    """A bag holds the volumes of all regions of a video, so that regions get scores of their own.

    Attributes:
        loss: As above. The hinge sees one volume of a bag, which is one of thousands here.
        top: As above; more than with snippets, since an anomaly fills several volumes.
    """

    bag: Literal["region"] = "region"
    loss: Loss = "bce"
    top: int = Field(default=8, ge=1, le=10_000)
