"""The convolutions of the motion network as OpenVINO graphs, without PyTorch.

One for the tiles of a frame, which with ``motion.kernels``, whose arrays it takes, computes
``MotionNetwork.cells``; one for regions.
"""

from typing import TYPE_CHECKING

import numpy as np

from feature_extraction.motion.architecture import (
    AFTER_TILE_PX,
    BEFORE_TILE_PX,
    CELL_PX,
    CELL_WIDTH,
    FAINT,
    HEADS,
    LEAST_COST,
    MAP_PX,
    MATCHES,
    MIN_FRAMES,
    SHARPNESS,
    TILE_PX,
    TRUNK,
    window_starts,
)
from feature_extraction.openvino_graphs import Tensors, built_from, convolution, linear
from vadloc.weights import NetworkWeights

if TYPE_CHECKING:
    from openvino import Model, Node


def cells_graph(weights: NetworkWeights, *, tiles: int, frames: int) -> "Model":
    """``MotionNetwork.cells`` of tiles, from what ``kernels.TilesAndCosts`` gives.

    Args:
        weights: Without batch normalisation.
        tiles: Tiles to a call.
        frames: T of the volumes, at least ``MIN_FRAMES``.

    Returns:
        From what is shown, what of it is inside the frame, and the costs of each of ``MATCHES`` to
        float16 ``(tiles, CELL_WIDTH trunks, 16, 16)``.

    Raises:
        VadlocError: The weights are those of another network.
    """
    from openvino import Model
    from openvino import opset13 as ops

    windows = len(window_starts(frames))
    count = windows * tiles
    side, after_conv1 = BEFORE_TILE_PX + TILE_PX + AFTER_TILE_PX, TILE_PX // 2 + 1
    shown = ops.parameter([count, side, side, MIN_FRAMES], np.float32)
    inside = ops.parameter([count, 1, after_conv1, after_conv1], np.float32)
    cells = TILE_PX // CELL_PX
    costs = [
        ops.parameter([count, match.displacements, cells, cells], np.float32) for match in MATCHES
    ]
    pictures = ops.transpose(shown, [0, 3, 1, 2])
    with built_from(weights, "motion"):
        matched = _mean_of_windows(_matching(costs), windows)
        found = [
            part
            for trunk in _trunks(weights.tensors)
            for part in _cells(weights.tensors, trunk, pictures, inside, matched, windows)
        ]
        cells_of_tiles = ops.convert(ops.concat(found, axis=1), np.float16)
        return Model([cells_of_tiles], [shown, inside, *costs])


def regions_graph(weights: NetworkWeights, *, batch: int) -> "Model":
    """``MotionNetwork.embed_cells``.

    Args:
        weights: Without batch normalisation.
        batch: Regions to a call.

    Returns:
        From float16 ``(batch, CELL_WIDTH trunks, 16, 16)`` to float32 ``(batch, 384)``: angle,
        speed, background.

    Raises:
        VadlocError: The weights are those of another network.
    """
    from openvino import Model
    from openvino import opset13 as ops

    trunks = _trunks(weights.tensors)
    given = ops.parameter([batch, CELL_WIDTH * len(trunks), MAP_PX, MAP_PX], np.float16)
    with built_from(weights, "motion"):
        parts = ops.split(ops.convert(given, np.float32), 1, len(trunks)).outputs()
        maps = [
            _trunk(weights.tensors, name, part) for name, part in zip(trunks, parts, strict=True)
        ]
        return Model([_features(weights.tensors, maps)], [given])


def _trunks(tensors: Tensors) -> list[str]:
    """The names of the trunks; one where the weights have none, so that an error names a layer."""
    numbers = sorted({name.split(".")[1] for name in tensors if name.startswith("trunks.")})
    return [f"trunks.{number}" for number in numbers or ["0"]]


def _matching(costs: "list[Node]") -> "Node":
    """``layers.matching``: shares of the displacements, and the logarithm of mean costs."""
    from openvino import opset13 as ops

    parts = []
    for each in costs:
        mean = ops.add(ops.reduce_mean(each, [1], keep_dims=True), np.float32(LEAST_COST))
        relative = ops.multiply(ops.divide(each, mean), np.float32(-SHARPNESS))
        parts += [ops.softmax(relative, axis=1), ops.log(mean)]
    return ops.concat(parts, axis=1)


def _cells(
    tensors: Tensors, trunk: str, shown: "Node", inside: "Node", matched: "Node", windows: int
) -> "tuple[Node, Node]":
    """``layers.Trunk.cells``: ``(tiles, channels, 16, 16)`` of what is shown, and of the costs.

    Rows and columns that ``conv1`` would see beyond the frame are 0 for ``conv2``, as in a whole
    frame.
    """
    from openvino import opset13 as ops

    first = ops.multiply(_layer(tensors, f"{trunk}.conv1", shown, padding=0), inside)
    second = _layer(tensors, f"{trunk}.conv2", first, padding=0)
    return _mean_of_windows(second, windows), _layer(tensors, f"{trunk}.match", matched)


def _trunk(tensors: Tensors, trunk: str, cells: "Node") -> "Node":
    """``layers.Trunk``: ``(n, 128, 8, 8)``."""
    return _layer(tensors, f"{trunk}.conv4", _layer(tensors, f"{trunk}.conv3", cells))


def _layer(tensors: Tensors, name: str, node: "Node", *, padding: int | None = None) -> "Node":
    """A convolution of a trunk, and what is positive of it."""
    from openvino import opset13 as ops

    stride = TRUNK[name.rpartition(".")[2]].stride
    return ops.relu(convolution(tensors, f"{name}.conv", node, stride=stride, padding=padding))


def _features(tensors: Tensors, maps: "list[Node]") -> "Node":
    """The features of all heads side by side, from the map of each trunk."""
    from openvino import opset13 as ops

    pooled = []
    for of_trunk in maps:
        mean = ops.reduce_mean(of_trunk, [2, 3], keep_dims=False)
        pooled.append(ops.concat([mean, ops.log(ops.add(mean, np.float32(FAINT)))], axis=1))
    heads = [
        ops.relu(linear(tensors, f"heads.{name}", pooled[place % len(pooled)]))
        for place, name in enumerate(HEADS)
    ]
    return ops.concat(heads, axis=1)


def _mean_of_windows(maps: "Node", windows: int) -> "Node":
    """``layers._mean_of_windows``. Added one by one: a mean over an axis would reorder the data."""
    from openvino import opset13 as ops

    first, *others = ops.split(maps, 0, windows).outputs()
    for each in others:
        first = ops.add(first, each).output(0)
    return ops.multiply(first, np.float32(1 / windows))
