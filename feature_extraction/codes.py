"""Codes of pictures: what a layer of MLAD's denoising autoencoders makes of them.

The activations of a layer are normalised by channel, channels are folded into space while there
are many, and the result is enlarged to the size of the pictures. The encoder runs by OpenVINO on a
CPU, by PyTorch on a GPU; both read the tensors that ``DenoisingAutoencoder.tensors`` gives.

The paper normalises each channel at each position. Here a position has no mean of its own, since
networks are trained on squares from anywhere and applied to frames of any size.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.openvino_graphs import Tensors, built_from, compile_graph
from vadloc.weights import NetworkWeights

SLOPE = 0.2
"""Of the leaky ReLU behind each layer."""
GAIN = 0.3
"""Deviation of the values of a code, as in the authors' program; codes are cut at -1 and 1."""
LEAST_DEVIATION = 1e-3
MANY_CHANNELS = 32
"""Channels are folded into space while there are so many of them."""

Encode = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Pictures ``(n, given, height, width)`` to activations, in both directions ``2 ** level`` times
smaller."""


class Codes:
    """The codes of one level.

    Args:
        level: The number of the layer, from 1 on.
        weights: By kind of picture, the tensors of its encoder.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, level: int, weights: Mapping[str, NetworkWeights], *, device: str) -> None:
        self._level, self._weights, self._device = level, weights, device
        self._encoders: dict[tuple[str, tuple[int, ...]], Encode] = {}

    def of(self, kind: str, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """The codes of pictures of a kind.

        Args:
            kind: A key of the weights.
            pictures: ``(n, given, height, width)`` in [-1, 1]; sides are multiples of
                ``2 ** level``.

        Returns:
            ``(n, channels, height, width)`` in [-1, 1].
        """
        weights, key = self._weights[kind], (kind, pictures.shape)
        if key not in self._encoders:
            made = encoder(weights, self._level, pictures.shape, device=self._device)
            self._encoders[key] = made
        activations = self._encoders[key](pictures)
        mean, deviation = (weights.tensors[n] for n in statistics_names(self._level))
        return to_codes(activations, mean, deviation, pictures.shape[2:])


def statistics_names(level: int) -> tuple[str, str]:
    """The names of the tensors of mean and standard deviation of each channel of a level."""
    return f"code.{level}.mean", f"code.{level}.deviation"


def code_channels(autoencoder: Sequence[int], level: int) -> int:
    """Channels of the codes of a level.

    Args:
        autoencoder: Output channels of the layers of the encoder.
        level: The number of the layer, from 1 on.
    """
    channels = autoencoder[level - 1]
    return channels // int(4 ** _folds(channels, level))


def _folds(channels: int, level: int) -> int:
    folds = 0
    while channels >= MANY_CHANNELS and channels % 4 == 0 and folds < level:
        channels, folds = channels // 4, folds + 1
    return folds


def to_codes(
    activations: NDArray[np.float32],
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    size: tuple[int, ...],
) -> NDArray[np.float32]:
    """Normalise activations, fold channels into space, and enlarge them.

    Args:
        activations: ``(n, channels, height, width)``.
        mean: ``(channels,)`` of training video.
        deviation: The same, the standard deviation.
        size: Height and width of the codes.
    """
    import cv2

    divisor = np.maximum(deviation, LEAST_DEVIATION).reshape(-1, 1, 1) / np.float32(GAIN)
    codes = np.clip((activations - mean.reshape(-1, 1, 1)) / divisor, -1, 1)
    halvings = round(np.log2(size[0] / codes.shape[2]))
    for _ in range(_folds(codes.shape[1], halvings)):
        n, channels, height, width = codes.shape
        quarters = codes.reshape(n, channels // 4, 2, 2, height, width)
        codes = quarters.transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, 2 * height, 2 * width)
    if codes.shape[2:] == tuple(size):
        return np.ascontiguousarray(codes, np.float32)
    flat = codes.reshape(-1, *codes.shape[2:])
    large = [cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in flat]
    return np.stack(large).reshape(*codes.shape[:2], *size).astype(np.float32, copy=False)


def encoder(weights: NetworkWeights, level: int, shape: tuple[int, ...], *, device: str) -> Encode:
    """The first layers of a trained encoder for pictures of one shape.

    Args:
        weights: Its tensors.
        level: Number of layers.
        shape: ``(n, given, height, width)``.
        device: ``cpu`` or ``cuda``.

    Raises:
        VadlocError: The tensors are those of another network.
    """
    if device == "cuda":
        return _torch_function(weights, level, device)
    with built_from(weights, "denoising autoencoder"):
        graph = _graph(weights.tensors, level, shape)
    run = compile_graph(graph, threads=1)
    return lambda pictures: run(pictures).astype(np.float32)


def _graph(tensors: Tensors, level: int, shape: tuple[int, ...]) -> Any:
    from openvino import Model
    from openvino import opset13 as ops

    pictures = node = ops.parameter(list(shape), np.float32)
    for i in range(level):
        weight, bias = tensors[f"encoder.{i}.weight"], tensors[f"encoder.{i}.bias"]
        node = ops.convolution(node, weight, [2, 2], [2, 2], [2, 2], [1, 1])
        node = ops.prelu(ops.add(node, bias.reshape(1, -1, 1, 1)), np.float32(SLOPE))
    return Model([node], [pictures], "denoising_encoder")


def _torch_function(weights: NetworkWeights, level: int, device: str) -> Encode:
    import torch
    from torch.nn.functional import conv2d, leaky_relu

    tensors = {name: torch.from_numpy(t).to(device) for name, t in weights.tensors.items()}

    def encode(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            node = torch.from_numpy(pictures).to(device)
            for i in range(level):
                w, b = tensors[f"encoder.{i}.weight"], tensors[f"encoder.{i}.bias"]
                node = leaky_relu(conv2d(node, w, b, 2, 2), SLOPE)
            array: NDArray[np.float32] = node.float().cpu().numpy()
            return array

    return encode
