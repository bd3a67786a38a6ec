"""The layers of the motion network; see ``motion.network`` for what they are for.

Kept apart so that nothing but the network itself needs PyTorch.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from feature_extraction.motion.architecture import (
    CELL_PX,
    LEAST_COST,
    MATCHES,
    MIN_CONTRAST,
    SHARPNESS,
    SURROUND_PX,
    TRUNK,
    Convolution,
    Match,
)


class Trunk(nn.ModuleDict):
    """Convolutions over what windows of four frames show, and how well their frames match.

    The first is a 3-D convolution over four frames with a temporal stride of three: a 2-D one
    over the stacked frames of a window.

    Args:
        normalised: With batch normalisation, for training; ``fold_normalisation`` removes it.
    """

    def __init__(self, *, normalised: bool) -> None:
        super().__init__(
            {name: _layer(size, normalised=normalised) for name, size in TRUNK.items()}
        )

    def cells(self, shown: Tensor, matched: Tensor, windows: int) -> Tensor:
        """What cells of 4 x 4 pixels show, means over the windows of each volume.

        Args:
            shown: ``(windows n, 4, height, width)`` of ``window``.
            matched: ``(windows n, channels, height / 4, width / 4)`` of ``matching``.
            windows: Number of windows of each volume; the first windows of all volumes come first.

        Returns:
            ``(n, CELL_WIDTH, height / 4, width / 4)``.
        """
        picture = _mean_of_windows(self["conv2"](self["conv1"](shown)), windows)
        match = self["match"](_mean_of_windows(matched, windows))
        return torch.cat([picture, match], dim=1)

    def forward(self, cells: Tensor) -> Tensor:
        """The map of activations of each region, ``(n, 128, 8, 8)``.

        Args:
            cells: ``(n, CELL_WIDTH, 16, 16)``: the region's part of ``cells``.
        """
        found: Tensor = self["conv4"](self["conv3"](cells))
        return found


def _mean_of_windows(maps: Tensor, windows: int) -> Tensor:
    """``(windows n, ...) -> (n, ...)``; the first windows of all volumes come first."""
    return maps.reshape(windows, -1, *maps.shape[1:]).mean(dim=0)


def _layer(size: Convolution, *, normalised: bool) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv"] = nn.Conv2d(
        size.inputs, size.outputs, size.side, size.stride, size.side // 2, bias=not normalised
    )
    if normalised:
        parts["norm"] = nn.BatchNorm2d(size.outputs)
    parts["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


def normalise_contrast(volumes: Tensor) -> Tensor:
    """Brightness against that of the surround, in units of the contrast there.

    Args:
        volumes: ``(n, T, height, width)`` brightness in 0 to 1.

    Returns:
        The same shape.
    """
    volumes = volumes - _surround(volumes.mean(dim=1, keepdim=True))
    contrast = _surround(volumes.square().mean(dim=1, keepdim=True)).sqrt()
    return volumes / (contrast + MIN_CONTRAST)


def _surround(pictures: Tensor) -> Tensor:
    """Mean over the part of the square round each pixel that is in the picture."""
    for kernel in ((1, SURROUND_PX), (SURROUND_PX, 1)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        pictures = functional.avg_pool2d(
            pictures, kernel, stride=1, padding=padding, count_include_pad=False
        )
    return pictures


def window(frames: Tensor) -> Tensor:
    """The input of the first convolution: the mean of four frames, and twice their differences.

    With the frames themselves as input, the still background would outweigh what moves, in
    training and in half precision.

    Args:
        frames: ``(n, 4, height, width)``.

    Returns:
        ``(n, 4, height, width)``.
    """
    steps = frames[:, 1:] - frames[:, :-1]
    return torch.cat([frames.mean(dim=1, keepdim=True), 2 * steps], dim=1)


def matching(windows: Tensor) -> Tensor:
    """How well each displacement explains the motion in windows of frames, on a map of cells.

    A few convolutions cannot tell how far a textured surface has moved; matching costs can.

    Args:
        windows: ``(n, 4, height, width)``, contrast normalised; sides are multiples of 4.

    Returns:
        ``(n, channels, height / 4, width / 4)``: for each of ``MATCHES`` the displacements' shares
        (softmax of the negative cost over the mean cost), then the logarithm of the mean cost.
    """
    halves = functional.avg_pool2d(windows, 2)
    small = {2: halves, 4: functional.avg_pool2d(halves, 2)}
    parts = []
    for match in MATCHES:
        costs = matching_costs(small[match.step_px], match)
        mean = costs.mean(dim=1, keepdim=True) + LEAST_COST
        parts += [torch.softmax(-SHARPNESS * costs / mean, dim=1), torch.log(mean)]
    return torch.cat(parts, dim=1)


def matching_costs(small: Tensor, match: Match) -> Tensor:
    """Mean squared difference between frames after each displacement, on a map of cells.

    Args:
        small: ``(n, 4, rows, columns)``: frames reduced as ``match`` says.
        match: Which displacements, between which frames.

    Returns:
        ``(n, displacements, cells down, cells across)``: means over the pairs of frames and over
        the pixels of a cell and one more on each side; pixels beyond the border are 0.
    """
    height, width = small.shape[-2:]
    reach = match.reach
    first = small[:, : -match.gap]
    second = functional.pad(small[:, match.gap :], (reach,) * 4)
    places = range(2 * reach + 1)
    rows = []
    for y in places:  # a row at a time, which fits in a processor's cache
        differences = [first - second[..., y : y + height, x : x + width] for x in places]
        squares = [_mean_of_pairs(each * each) for each in differences]
        rows.append(_around(torch.cat(squares, dim=1), CELL_PX // match.step_px))
    return torch.cat(rows, dim=1)


def _mean_of_pairs(maps: Tensor) -> Tensor:
    """``(n, pairs, ...) -> (n, 1, ...)``; PyTorch's mean of a single pair is slow."""
    return maps if maps.shape[1] == 1 else maps.mean(dim=1, keepdim=True)


def _around(maps: Tensor, stride: int) -> Tensor:
    """Means over the pixels of each cell, ``stride`` a side, and one more on each side.

    A convolution does it several times as fast on a CPU as pooling.
    """
    channels, kernel = maps.shape[1], stride + 2
    weight = torch.full((channels, 1, kernel, kernel), kernel**-2).to(maps)
    return functional.conv2d(maps, weight, None, stride, 1, groups=channels)
