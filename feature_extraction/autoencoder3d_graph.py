"""The 3-D autoencoder as a function of arrays: by OpenVINO on a CPU, by PyTorch on a GPU.

Both read the tensors that ``Autoencoder3d.tensors`` gives.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.openvino_graphs import Tensors, built_from, compile_graph
from vadloc.weights import NetworkWeights

SLOPE = 0.2
LAYERS = 4

Apply = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Clips ``(n, channels, t, height, width)`` to their reconstructions."""


def autoencoder(weights: NetworkWeights, shape: tuple[int, ...], *, device: str) -> Apply:
    """A trained autoencoder for clips of one shape.

    Args:
        weights: Its tensors.
        shape: ``(n, channels, t, height, width)``.
        device: ``cpu`` or ``cuda``.

    Raises:
        VadlocError: The tensors are those of another network.
    """
    if device == "cuda":
        return _torch_function(weights, device)
    with built_from(weights, "autoencoder"):
        graph = _graph(weights.tensors, shape)
    run = compile_graph(graph, threads=1)
    return lambda clips: run(clips).astype(np.float32)


def _graph(tensors: Tensors, shape: tuple[int, ...]) -> Any:
    from openvino import Model
    from openvino import opset13 as ops

    clips = node = ops.parameter(list(shape), np.float32)
    for i in range(LAYERS):
        weight, bias = _layer(tensors, f"encoder.{i}")
        strides = [1 if i == 0 else 2, 2, 2]
        node = ops.convolution(node, weight, strides, [1] * 3, [1] * 3, [1] * 3)
        node = ops.prelu(ops.add(node, bias), np.float32(SLOPE))
    for i in range(LAYERS):
        weight, bias = _layer(tensors, f"decoder.{i}")
        is_last = i == LAYERS - 1
        strides = [1 if is_last else 2, 2, 2]
        node = ops.convolution_backprop_data(
            node,
            weight,
            strides,
            pads_begin=[1] * 3,
            pads_end=[1] * 3,
            dilations=[1] * 3,
            output_padding=[0 if is_last else 1, 1, 1],
        )
        node = ops.add(node, bias)
        node = ops.tanh(node) if is_last else ops.prelu(node, np.float32(SLOPE))
    return Model([node], [clips], "autoencoder3d")


def _layer(tensors: Tensors, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"].reshape(1, -1, 1, 1, 1)


def _torch_function(weights: NetworkWeights, device: str) -> Apply:
    import torch
    from torch.nn.functional import conv3d, conv_transpose3d, leaky_relu

    tensors = {name: torch.from_numpy(t).to(device) for name, t in weights.tensors.items()}

    def apply(clips: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            node = torch.from_numpy(clips).to(device)
            for i in range(LAYERS):
                w, b = tensors[f"encoder.{i}.weight"], tensors[f"encoder.{i}.bias"]
                stride = (1 if i == 0 else 2, 2, 2)
                node = leaky_relu(conv3d(node, w, b, stride, padding=1), SLOPE)
            for i in range(LAYERS):
                w, b = tensors[f"decoder.{i}.weight"], tensors[f"decoder.{i}.bias"]
                steps = 1 if i == LAYERS - 1 else 2
                more = (steps - 1, 1, 1)
                node = conv_transpose3d(node, w, b, (steps, 2, 2), 1, more)
                node = torch.tanh(node) if i == LAYERS - 1 else leaky_relu(node, SLOPE)
            array: NDArray[np.float32] = node.float().cpu().numpy()
            return array

    return apply
