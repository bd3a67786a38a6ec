"""The appearance network with its default backbone as an OpenVINO graph: needs no PyTorch."""

from typing import TYPE_CHECKING, Final

import numpy as np

from feature_extraction.appearance.classes import CLASSES
from feature_extraction.frame import APPEARANCE_PX
from feature_extraction.openvino_graphs import Tensors, built_from, convolution, linear
from vadloc.errors import VadlocError
from vadloc.weights import FEATURE_WIDTH, NetworkWeights, read_weights, weights_file

if TYPE_CHECKING:
    from openvino import Model, Node

MEAN: Final = (0.485, 0.456, 0.406)
STANDARD_DEVIATION: Final = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's channels, on a scale from 0 to 1. Pretrained backbones
expect pictures that are normalised by them."""

BACKBONE: Final = "mobilenet_v2"
"""The only backbone that is built here; PyTorch runs the others."""

BLOCKS: Final = 17
"""Inverted residual blocks of MobileNetV2 (Sandler et al., CVPR 2018, table 2). The widening
convolution after them, made for a thousand classes, is left out: eight are told apart as well
without it (``benchmarks/DECISIONS.md``)."""

HALVING: Final = frozenset({2, 4, 7, 14})
"""The blocks, numbered from 1, whose depthwise convolution has stride 2."""

NORM_EPSILON: Final = 1e-5
"""The epsilon of PyTorch's batch normalisation."""


def read_appearance(weights: str, backbone: str) -> NetworkWeights:
    """The appearance network's weights that a config names.

    Args:
        weights: ``bundled`` or a file that ``train_appearance`` wrote.
        backbone: Name of a torchvision classification model.

    Raises:
        UsageError: There is no such file.
        VadlocError: The weights are damaged or those of another network.
    """
    content = read_weights(weights_file(weights, "appearance"))
    expected = {"network": "appearance", "backbone": backbone, "classes": list(CLASSES)}
    for key, value in expected.items():
        if content.metadata.get(key) != value:
            raise VadlocError(
                f"{content.source}: {key} is {content.metadata.get(key)!r}, expected {value!r}; "
                "set backbone and weights of [features.appearance] to what belongs together"
            )
    return content


def appearance_graph(weights: NetworkWeights, *, batch: int) -> "Model":
    """``AppearanceNetwork.embed`` after ``normalise``, of the backbone ``mobilenet_v2``.

    Args:
        weights: With batch normalisation multiplied into the convolutions.
        batch: Crops to a call.

    Returns:
        From uint8 ``(batch, 48, 48, 3)`` RGB to float32 ``(batch, 128)``.

    Raises:
        VadlocError: The weights are those of another network.
    """
    from openvino import Model
    from openvino import opset13 as ops

    crops = ops.parameter([batch, APPEARANCE_PX, APPEARANCE_PX, 3], np.uint8)
    with built_from(weights, "appearance"):
        pooled = _mobilenet_v2(weights.tensors, _normalised(crops))
        rows = linear(weights.tensors, "embedding", _standardised(weights.tensors, pooled))
        metric = ops.reshape(weights.tensors["metric"], [FEATURE_WIDTH] * 2, special_zero=False)
        features = ops.matmul(ops.tanh(rows), metric, transpose_a=False, transpose_b=False)
    return Model([features], [crops])


def _normalised(crops: "Node") -> "Node":
    """Channels in front, with ImageNet's mean and deviation."""
    from openvino import opset13 as ops

    mean, deviation = (255 * np.array(v, np.float32) for v in (MEAN, STANDARD_DEVIATION))
    pixels = ops.divide(ops.subtract(ops.convert(crops, "f32"), mean), deviation)
    return ops.transpose(pixels, [0, 3, 1, 2])


def _mobilenet_v2(tensors: Tensors, pictures: "Node") -> "Node":
    """Pooled features ``(n, 320)``."""
    from openvino import opset13 as ops

    def relu6(node: "Node") -> "Node":
        return ops.clamp(node, 0.0, 6.0)

    maps = relu6(convolution(tensors, "trunk.features.0.0", pictures, stride=2))
    for number in range(1, BLOCKS + 1):
        block = f"trunk.features.{number}.conv"
        names = [f"{block}.0.0", f"{block}.1.0", f"{block}.2"]
        if number == 1:  # the only one that does not expand
            names = [f"{block}.0.0", f"{block}.1"]
        *expansion, depthwise, last = names
        inner = maps
        for name in expansion:
            inner = relu6(convolution(tensors, name, inner))
        stride = 2 if number in HALVING else 1
        inner = relu6(convolution(tensors, depthwise, inner, stride=stride))
        inner = convolution(tensors, last, inner)
        keeps = inner.get_output_shape(0) == maps.get_output_shape(0)
        maps = ops.add(maps, inner) if keeps else inner
    return ops.reduce_mean(maps, [2, 3], keep_dims=False)


def _standardised(tensors: Tensors, rows: "Node") -> "Node":
    from openvino import opset13 as ops

    deviation = np.sqrt(tensors["standardise.running_var"] + np.float32(NORM_EPSILON))
    return ops.divide(ops.subtract(rows, tensors["standardise.running_mean"]), deviation)
