"""The convolutions of the motion network as an OpenVINO graph, without PyTorch.

With ``motion.kernels``, whose arrays it takes, the function of ``motion.layers``.
"""

from typing import TYPE_CHECKING

import numpy as np

from feature_extraction.frame import CROP_PX
from feature_extraction.motion.architecture import (
    FAINT,
    HEADS,
    LEAST_COST,
    MAP_PX,
    MATCHES,
    MIN_FRAMES,
    SHARPNESS,
    TRUNK,
    window_starts,
)
from feature_extraction.openvino_graphs import Tensors, built_from, convolution, linear
from vadloc.weights import NetworkWeights

if TYPE_CHECKING:
    from openvino import Model, Node


def motion_graph(weights: NetworkWeights, *, batch: int, frames: int) -> "Model":
    """``MotionNetwork.embed`` of what ``kernels.windows_and_costs`` gives.

    Args:
        weights: Without batch normalisation.
        batch: Volumes to a call.
        frames: T of the volumes, at least ``MIN_FRAMES``.

    Returns:
        From what is shown ``(windows batch, 4, 64, 64)`` and the costs of each of ``MATCHES``
        ``(windows batch, displacements, 16, 16)`` to float32 ``(batch, 384)``: angle, speed,
        background.

    Raises:
        VadlocError: The weights are those of another network.
    """
    from openvino import Model
    from openvino import opset13 as ops

    windows = len(window_starts(frames))
    count = windows * batch
    shown = ops.parameter([count, MIN_FRAMES, CROP_PX, CROP_PX], np.float32)
    costs = [
        ops.parameter([count, match.displacements, MAP_PX, MAP_PX], np.float32) for match in MATCHES
    ]
    with built_from(weights, "motion"):
        features = _features(weights.tensors, shown, _matching(costs), windows)
    return Model([features], [shown, *costs])


def _matching(costs: "list[Node]") -> "Node":
    """``layers.matching``: shares of the displacements, and the logarithm of mean costs."""
    from openvino import opset13 as ops

    parts = []
    for each in costs:
        mean = ops.add(ops.reduce_mean(each, [1], keep_dims=True), np.float32(LEAST_COST))
        relative = ops.multiply(ops.divide(each, mean), np.float32(-SHARPNESS))
        parts += [ops.softmax(relative, axis=1), ops.log(mean)]
    return ops.concat(parts, axis=1)


def _features(tensors: Tensors, shown: "Node", matched: "Node", windows: int) -> "Node":
    """The features of all heads side by side; each volume has so many windows."""
    from openvino import opset13 as ops

    trunks = sorted({name.split(".")[1] for name in tensors if name.startswith("trunks.")})
    pooled = []
    for number in trunks or ["0"]:
        maps = _trunk(tensors, f"trunks.{number}", shown, matched, windows=windows)
        mean = ops.reduce_mean(maps, [2, 3], keep_dims=False)
        pooled.append(ops.concat([mean, ops.log(ops.add(mean, np.float32(FAINT)))], axis=1))
    heads = [
        ops.relu(linear(tensors, f"heads.{name}", pooled[place % len(pooled)]))
        for place, name in enumerate(HEADS)
    ]
    return ops.concat(heads, axis=1)


def _trunk(tensors: Tensors, name: str, shown: "Node", matched: "Node", *, windows: int) -> "Node":
    """``layers.Trunk``: ``(n, 128, 8, 8)``."""
    from openvino import opset13 as ops

    def layer(part: str, node: "Node") -> "Node":
        stride = TRUNK[part].stride
        return ops.relu(convolution(tensors, f"{name}.{part}.conv", node, stride=stride))

    picture = _mean_of_windows(layer("conv2", layer("conv1", shown)), windows)
    match = layer("match", _mean_of_windows(matched, windows))
    return layer("conv4", layer("conv3", ops.concat([picture, match], axis=1)))


def _mean_of_windows(maps: "Node", windows: int) -> "Node":
    """``layers._mean_of_windows``."""
    from openvino import opset13 as ops

    shape = list(maps.get_output_shape(0))
    by_window = ops.reshape(maps, [windows, -1, *shape[1:]], special_zero=False)
    return ops.reduce_mean(by_window, [0], keep_dims=False)
