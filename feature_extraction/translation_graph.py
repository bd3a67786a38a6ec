"""The generator of MLAD as a function of arrays: by OpenVINO on a CPU, by PyTorch on a GPU.

Both read the tensors that ``UNet.tensors`` gives.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.openvino_graphs import Tensors, built_from, compile_graph
from vadloc.weights import NetworkWeights

SLOPE = 0.2

Translate = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Pictures ``(n, given, height, width)`` to ``(n, made, height, width)``."""


def translation(weights: NetworkWeights, shape: tuple[int, ...], *, device: str) -> Translate:
    """A trained generator for pictures of one shape.

    Args:
        weights: Its tensors.
        shape: ``(n, given, height, width)``; sides are multiples of 2 to the number of layers.
        device: ``cpu`` or ``cuda``.

    Raises:
        VadlocError: The tensors are those of another network.
    """
    if device == "cuda":
        return _torch_function(weights, device)
    with built_from(weights, "translation"):
        graph = _graph(weights.tensors, shape)
    run = compile_graph(graph, threads=1)
    return lambda pictures: run(pictures).astype(np.float32)


def _layer_count(tensors: Tensors) -> int:
    return sum(name.startswith("encoder.") and name.endswith(".weight") for name in tensors)


def _graph(tensors: Tensors, shape: tuple[int, ...]) -> Any:
    from openvino import Model
    from openvino import opset13 as ops

    layers = _layer_count(tensors)
    if not layers:
        raise KeyError("encoder.0.weight")
    pictures = node = ops.parameter(list(shape), np.float32)
    maps = []
    for i in range(layers):
        weight, bias = _layer(tensors, f"encoder.{i}")
        node = ops.prelu(node, np.float32(SLOPE)) if i else node
        node = ops.add(ops.convolution(node, weight, [2, 2], [1, 1], [1, 1], [1, 1]), bias)
        maps.append(node)
    maps.pop()
    for i in range(layers):
        weight, bias = _layer(tensors, f"decoder.{i}")
        options = {"pads_begin": [1, 1], "pads_end": [1, 1], "dilations": [1, 1]}
        grown = ops.convolution_backprop_data(ops.relu(node), weight, [2, 2], **options)
        node = ops.add(grown, bias)
        if maps:
            node = ops.concat([node, maps.pop()], 1)
    return Model([ops.tanh(node)], [pictures], "translation")


def _layer(tensors: Tensors, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"].reshape(1, -1, 1, 1)


def _torch_function(weights: NetworkWeights, device: str) -> Translate:
    import torch
    from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, relu

    tensors = {name: torch.from_numpy(t).to(device) for name, t in weights.tensors.items()}
    layers = _layer_count(weights.tensors)

    def translate(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            node = torch.from_numpy(pictures).to(device)
            maps = []
            for i in range(layers):
                w, b = tensors[f"encoder.{i}.weight"], tensors[f"encoder.{i}.bias"]
                node = conv2d(leaky_relu(node, SLOPE) if i else node, w, b, 2, 1)
                maps.append(node)
            maps.pop()
            for i in range(layers):
                w, b = tensors[f"decoder.{i}.weight"], tensors[f"decoder.{i}.bias"]
                node = conv_transpose2d(relu(node), w, b, 2, 1)
                node = torch.cat([node, maps.pop()], dim=1) if maps else torch.tanh(node)
            array: NDArray[np.float32] = node.float().cpu().numpy()
            return array

    return translate
