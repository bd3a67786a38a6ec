"""The appearance network: what is in a crop, as 128 numbers from which 8 classes can be read.

EVAL (Singh, Jones, Learned-Miller, CVPR 2023) compares crops by the penultimate layer of a network
with one sigmoid output for each class; background is none of them. Here a torchvision backbone,
pooled, feeds a layer of 128 tanh units. Crops are compared by these units after a linear map, the
metric: ``whiten`` chooses it such that crops of the background differ equally in all directions, as
within-class covariance normalisation does for voices (Hatch, Kajarekar and Stolcke, Interspeech
2006). The class outputs are linear functions of the result.
"""

from typing import Any, Final

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from feature_extraction.appearance.classes import CLASSES
from feature_extraction.appearance.graph import (
    BACKBONE,
    BLOCKS,
    MEAN,
    STANDARD_DEVIATION,
    read_appearance,
)
from feature_extraction.frame import APPEARANCE_PX
from vadloc.errors import UsageError, VadlocError
from vadloc.weights import (
    FEATURE_WIDTH,
    NetworkWeights,
    check_tensors,
    is_counter,
)

_PROJECTION_SEED = 0
_INITIAL_LOGIT = -2.0

RIDGE: Final = 0.1
"""Variance that is added to every direction before whitening, as a share of the mean one."""

TINY: Final = 1e-12
"""Least mean variance, for features that never differ."""


class AppearanceNetwork(nn.Module):
    """Backbone, 128-d layer and class outputs.

    Args:
        trunk: Maps ``(n, 3, 48, 48)`` to ``(n, width)``.
        width: Number of features that the trunk gives.
        activation: The activation of the layer of 128 units.
        outputs: Number of classes; 0 for a network without a class read-out.
    """

    def __init__(self, trunk: nn.Module, width: int, activation: nn.Module, outputs: int) -> None:
        super().__init__()
        self.trunk = trunk
        # Pooled features are positive with large means, which would saturate the units above.
        self.standardise = nn.BatchNorm1d(width, affine=False)
        self.embedding = nn.Linear(width, FEATURE_WIDTH)
        self.activation = activation
        self.metric: Tensor
        self.register_buffer("metric", torch.eye(FEATURE_WIDTH))
        self.classes = nn.Linear(FEATURE_WIDTH, outputs) if outputs else None
        if self.classes is not None:  # each class is rare, and background is none of them
            nn.init.constant_(self.classes.bias, _INITIAL_LOGIT)

    def embed(self, pictures: Tensor) -> Tensor:
        """Features ``(n, 128)`` of pictures that ``normalise`` made.

        Args:
            pictures: ``(n, 3, 48, 48)``; of another side, as training crops are, they are resized.
        """
        return self.embed_pooled(self.trunk(_resized(pictures)))

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Features ``(n, 128)`` of what the trunk gives, ``(n, width)``."""
        features = self.activation(self.embedding(self.standardise(pooled)))
        with torch.autocast(features.device.type, enabled=False):  # the metric's inverse is exact
            compared: Tensor = features.float() @ self.metric
        return compared

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits ``(n, 8)``, in the order of ``CLASSES``; their sigmoids are probabilities.

        Raises:
            VadlocError: The network has no class read-out (``weights = "torchvision"``).
        """
        if self.classes is None:
            raise VadlocError("a network with torchvision's weights has no class outputs")
        logits: Tensor = self.classes(self.embed(pictures))
        return logits


def appearance_network(backbone: str, *, imagenet: bool = False) -> AppearanceNetwork:
    """A new network with class outputs, in training mode.

    Args:
        backbone: Name of a torchvision classification model, such as ``mobilenet_v2``.
        imagenet: Whether torchvision downloads its ImageNet weights for the backbone.

    Raises:
        UsageError: torchvision knows no such backbone, it cannot see 48 x 48 pixels, or its
            weights cannot be downloaded.
    """
    trunk, width = _trunk(backbone, imagenet=imagenet)
    return AppearanceNetwork(trunk, width, nn.Tanh(), len(CLASSES))


def load_appearance(weights: str, backbone: str, device: str) -> AppearanceNetwork:
    """The network that a config names, in evaluation mode.

    Args:
        weights: ``bundled``, a file that ``train_appearance`` wrote, or ``torchvision``: the
            ImageNet features of the backbone (as far as it is used), brought to 128 numbers by a
            fixed random projection that keeps distances (Johnson and Lindenstrauss); no classes can
            be read from them.
        backbone: Name of a torchvision classification model.
        device: ``cpu`` or ``cuda``.

    Raises:
        UsageError: There is no such file or backbone.
        VadlocError: The weights are damaged or those of another network.
    """
    if weights == "torchvision":
        network = _projected(backbone)
    else:
        content = read_appearance(weights, backbone)
        network = fuse(appearance_network(backbone))
        load_tensors(network, content)
    # Convolutions by channel need this order on a CPU: any other is many times slower.
    return network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def load_tensors(module: nn.Module, weights: NetworkWeights) -> None:
    """Set all parameters of a module.

    Raises:
        VadlocError: The weights are those of another network.
    """
    state = {name: value for name, value in module.state_dict().items() if not is_counter(name)}
    check_tensors(weights, {name: tuple(value.shape) for name, value in state.items()})
    tensors = {name: torch.from_numpy(array) for name, array in weights.tensors.items()}
    module.load_state_dict(tensors, strict=False)


def tensors_of(module: nn.Module) -> dict[str, NDArray[Any]]:
    """What ``load_tensors`` sets: name to float32 array."""
    state = module.state_dict().items()
    return {name: value.float().cpu().numpy() for name, value in state if not is_counter(name)}


def fuse(network: AppearanceNetwork) -> AppearanceNetwork:
    """Multiply batch normalisation into the convolutions before it: the same function, faster.

    Returns:
        The network in evaluation mode, without batch normalisation wherever that follows a
        convolution. Fusing again changes nothing.
    """
    from torch.fx.experimental.optimization import fuse as fuse_graph

    network.eval()
    network.trunk = fuse_graph(network.trunk)
    return network


def whiten(network: AppearanceNetwork, features: Tensor) -> None:
    """Give a network the metric in which features have about the same spread in every direction.

    A direction of variance l (as a multiple of the mean) gets l / (l + RIDGE) of the mean. Class
    outputs stay what they are.

    Args:
        network: With class outputs; its metric is still the identity.
        features: ``(n, 128)`` of crops between which distances should be small.
    """
    assert network.classes is not None
    if len(features) < 2:
        return
    spread, directions = torch.linalg.eigh(torch.cov(features.double().T))
    roots = (spread.clamp(min=0) / spread.mean().clamp(min=TINY) + RIDGE).sqrt()
    metric, inverse = ((directions * s) @ directions.T for s in (1 / roots, roots))
    network.metric.copy_(metric)
    network.classes.weight.data = network.classes.weight.data @ inverse.to(network.metric)


def normalise(crops: Tensor | NDArray[Any]) -> Tensor:
    """Crops as the backbone expects them.

    Args:
        crops: uint8 ``(n, height, width)`` grey, or ``(n, height, width, 3)`` RGB.

    Returns:
        float32 ``(n, 3, height, width)``, channels last in memory, ImageNet's mean and deviation.
    """
    pixels = torch.as_tensor(crops)
    if pixels.ndim == 3:
        pixels = pixels[..., None].expand(-1, -1, -1, 3)
    mean = torch.tensor(MEAN, device=pixels.device) * 255
    deviation = torch.tensor(STANDARD_DEVIATION, device=pixels.device) * 255
    return ((pixels - mean) / deviation).permute(0, 3, 1, 2)


def _resized(pictures: Tensor) -> Tensor:
    """Pictures ``(n, 3, 48, 48)``, channels last in memory."""
    size = (APPEARANCE_PX, APPEARANCE_PX)
    if pictures.shape[2:] == size:
        return pictures
    resized = nn.functional.interpolate(pictures, size, mode="bilinear", antialias=True)
    return resized.contiguous(memory_format=torch.channels_last)


def _trunk(backbone: str, *, imagenet: bool) -> tuple[nn.Module, int]:
    """A torchvision model without its last layers, and how many numbers it gives."""
    from torchvision import models

    known = models.list_models(module=models)
    if backbone not in known:
        raise UsageError(
            f"backbone {backbone!r}: expected a classification model of torchvision, such as "
            "mobilenet_v2, mobilenet_v3_small, resnet18 or resnext50_32x4d"
        )
    try:
        model = models.get_model(backbone, weights="DEFAULT" if imagenet else None)
    except OSError as error:
        raise UsageError(
            f"backbone {backbone!r}: cannot download torchvision's weights ({error}); fetch them "
            "where there is a network, or use other weights"
        ) from None
    for head in ("classifier", "fc", "head", "heads"):
        if hasattr(model, head):
            setattr(model, head, nn.Identity())
    if backbone == BACKBONE:
        model.features = model.features[: BLOCKS + 1]
    return model, _width(model, backbone)


def _width(model: nn.Module, backbone: str) -> int:
    model.eval()
    try:
        with torch.no_grad():
            pooled = model(torch.zeros(1, 3, APPEARANCE_PX, APPEARANCE_PX))
    except (RuntimeError, ValueError, AssertionError) as error:
        detail = " ".join(str(error).split())
        raise UsageError(
            f"backbone {backbone!r}: cannot see {APPEARANCE_PX} x {APPEARANCE_PX} pixels ({detail})"
        ) from None
    model.train()
    return int(pooled.shape[1])


def _projected(backbone: str) -> AppearanceNetwork:
    """Pooled ImageNet features and a fixed projection; distances keep their scale on average."""
    trunk, width = _trunk(backbone, imagenet=True)
    network = AppearanceNetwork(trunk, width, nn.Identity(), 0)
    generator = torch.Generator().manual_seed(_PROJECTION_SEED)
    nn.init.normal_(network.embedding.weight, std=FEATURE_WIDTH**-0.5, generator=generator)
    nn.init.zeros_(network.embedding.bias)
    return fuse(network)
