"""The motion network as an OpenVINO graph: the function of ``motion_layers``, without PyTorch."""

from typing import TYPE_CHECKING

import numpy as np

from feature_extraction.crop_archives import CROP_PX
from feature_extraction.motion_network import (
    FAINT,
    HEADS,
    LEAST_COST,
    MAP_PX,
    MATCHES,
    MIN_CONTRAST,
    MIN_FRAMES,
    SHARPNESS,
    SURROUND_PX,
    TRUNK,
    Match,
)
from feature_extraction.openvino_graphs import Tensors, built_from, convolution, linear, part
from vadloc.weights import NetworkWeights

if TYPE_CHECKING:
    from openvino import Model, Node


def motion_graph(weights: NetworkWeights, *, batch: int, frames: int) -> "Model":
    """``MotionNetwork.embed`` of volumes in 0 to 255.

    Args:
        weights: Without batch normalisation.
        batch: Volumes to a call.
        frames: T of the volumes, at least ``MIN_FRAMES``.

    Returns:
        From uint8 ``(batch, T, 64, 64)`` to float32 ``(batch, 384)``: angle, speed, background.

    Raises:
        VadlocError: The weights are those of another network.
    """
    from openvino import Model
    from openvino import opset13 as ops

    volumes = ops.parameter([batch, frames, CROP_PX, CROP_PX], np.uint8)
    brightness = ops.divide(ops.convert(volumes, "f32"), np.float32(255))
    starts = window_starts(frames)
    normalised = _normalise_contrast(brightness)
    cut = [part(normalised, axis=1, start=s, stop=s + MIN_FRAMES) for s in starts]
    windows = ops.concat(cut, axis=0)
    with built_from(weights, "motion"):
        features = _features(weights.tensors, windows, len(starts))
    return Model([features], [volumes])


def window_starts(frames: int) -> list[int]:
    """First frames of the windows that a volume of so many frames is seen through."""
    starts = list(range(0, frames - MIN_FRAMES + 1, MIN_FRAMES - 1))
    last = frames - MIN_FRAMES
    return starts if starts[-1] == last else [*starts, last]


def _normalise_contrast(volumes: "Node") -> "Node":
    from openvino import opset13 as ops

    centred = ops.subtract(volumes, _surround(ops.reduce_mean(volumes, [1], keep_dims=True)))
    variance = _surround(ops.reduce_mean(ops.multiply(centred, centred), [1], keep_dims=True))
    return ops.divide(centred, ops.add(ops.sqrt(variance), np.float32(MIN_CONTRAST)))


def _surround(pictures: "Node") -> "Node":
    """Mean over the square around each pixel, as far as there is picture."""
    from openvino import opset13 as ops

    for kernel in ([1, SURROUND_PX], [SURROUND_PX, 1]):
        padding = [side // 2 for side in kernel]
        pictures = ops.avg_pool(pictures, [1, 1], padding, padding, kernel, exclude_pad=True)
    return pictures


def _shown(windows: "Node") -> "Node":
    """The mean of the frames, and twice their differences."""
    from openvino import opset13 as ops

    later = part(windows, axis=1, start=1, stop=MIN_FRAMES)
    earlier = part(windows, axis=1, start=0, stop=MIN_FRAMES - 1)
    steps = ops.multiply(ops.subtract(later, earlier), np.float32(2))
    return ops.concat([ops.reduce_mean(windows, [1], keep_dims=True), steps], axis=1)


def _matching(windows: "Node") -> "Node":
    """Shares of the displacements, and the logarithm of the mean cost."""
    from openvino import opset13 as ops

    parts = []
    for match in MATCHES:
        costs = _matching_costs(windows, match)
        mean = ops.add(ops.reduce_mean(costs, [1], keep_dims=True), np.float32(LEAST_COST))
        relative = ops.multiply(ops.divide(costs, mean), np.float32(-SHARPNESS))
        parts += [ops.softmax(relative, axis=1), ops.log(mean)]
    return ops.concat(parts, axis=1)


def _matching_costs(windows: "Node", match: Match) -> "Node":
    """Mean squared difference after each displacement, ``(n, displacements, 16, 16)``."""
    from openvino import opset13 as ops

    number, pairs = match.displacements, MIN_FRAMES - match.gap
    first, second = (
        _reduced(part(windows, axis=1, start=start, stop=start + pairs), match.step_px)
        for start in (0, match.gap)
    )
    side = 2 * match.reach + 1
    ones = [1, 1]
    displaced = ops.extract_image_patches(second, [side] * 2, ones, ones, "same_upper")
    difference = ops.subtract(displaced, first)
    squares = ops.multiply(difference, difference)
    if pairs > 1:
        side = CROP_PX // match.step_px
        by_pair = ops.reshape(squares, [-1, pairs, number, side, side], special_zero=False)
        squares = ops.reduce_mean(by_pair, [1], keep_dims=False)
    stride = CROP_PX // match.step_px // MAP_PX
    return ops.avg_pool(squares, [stride] * 2, [1, 1], [1, 1], [stride + 2] * 2, exclude_pad=False)


def _reduced(pictures: "Node", step: int) -> "Node":
    """Each picture by itself, ``(n pairs, 1, side, side)``, reduced by a factor."""
    from openvino import opset13 as ops

    apart = ops.reshape(pictures, [-1, 1, CROP_PX, CROP_PX], special_zero=False)
    return ops.avg_pool(apart, [step] * 2, [0, 0], [0, 0], [step] * 2, exclude_pad=True)


def _features(tensors: Tensors, windows: "Node", count: int) -> "Node":
    """All heads side by side, from windows of which each volume has so many."""
    from openvino import opset13 as ops

    shown, matched = _shown(windows), _matching(windows)
    trunks = sorted({name.split(".")[1] for name in tensors if name.startswith("trunks.")})
    pooled = []
    for own in trunks or ["0"]:
        seen = _trunk(tensors, f"trunks.{own}", shown, matched, windows=count)
        mean = ops.reduce_mean(seen, [2, 3], keep_dims=False)
        pooled.append(ops.concat([mean, ops.log(ops.add(mean, np.float32(FAINT)))], axis=1))
    heads = [
        ops.relu(linear(tensors, f"heads.{name}", pooled[number % len(pooled)]))
        for number, name in enumerate(HEADS)
    ]
    return ops.concat(heads, axis=1)


def _trunk(tensors: Tensors, name: str, shown: "Node", matched: "Node", *, windows: int) -> "Node":
    """``motion_layers.Trunk``: ``(n, 128, 8, 8)``."""
    from openvino import opset13 as ops

    def layer(own: str, node: "Node") -> "Node":
        stride = TRUNK[own].stride
        return ops.relu(convolution(tensors, f"{name}.{own}.conv", node, stride=stride))

    seen = layer("conv2", layer("conv1", shown))
    seen = layer("conv3", ops.concat([seen, layer("match", matched)], axis=1))
    shape = list(seen.get_output_shape(0))
    by_window = ops.reshape(seen, [windows, -1, *shape[1:]], special_zero=False)
    return layer("conv4", ops.reduce_mean(by_window, [0], keep_dims=False))
