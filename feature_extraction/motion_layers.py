"""The layers of the motion network; see ``motion_network`` for what they compute.

Kept apart so that nothing but the network itself needs PyTorch.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from feature_extraction.motion_network import HEADS, MIN_FRAMES, OUTPUT_WIDTHS, TRUNK
from vadloc.errors import VadlocError
from vadloc.weights import FEATURE_WIDTH

_STEP = MIN_FRAMES - 1
"""Neighbouring windows share a frame, so that every pair of frames lies in exactly one window."""

SURROUND_PX = 9
MIN_CONTRAST = 0.02
"""Added to the contrast by which brightness (0 to 1) is divided, lest noise on plain ground be
blown up."""

FAINT = 0.01
"""Heads also see the logarithm of pooled activations above this: directions and speeds are ratios
of sums over pixels, and logarithms turn them into differences."""


def trunk(*, normalised: bool) -> nn.Sequential:
    """Convolutions ``(n, 4, 64, 64) -> (n, channels, 8, 8)``.

    The first is a 3-D convolution over four frames with a temporal stride of three: a 2-D one
    over the stacked frames of a window.

    Args:
        normalised: With batch normalisation, for training; ``fold_normalisation`` removes it.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    width = MIN_FRAMES
    for number, (channels, kernel, stride) in enumerate(TRUNK, start=1):
        layers[f"conv{number}"] = nn.Conv2d(
            width, channels, kernel, stride, kernel // 2, bias=not normalised
        )
        if normalised:
            layers[f"norm{number}"] = nn.BatchNorm2d(channels)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
        width = channels
    return nn.Sequential(layers)


def normalise_contrast(volumes: Tensor) -> Tensor:
    """Brightness against that of the surround, in units of the contrast there.

    Args:
        volumes: ``(n, T, 64, 64)`` brightness in 0 to 1.

    Returns:
        The same shape.
    """
    volumes = volumes - _surround(volumes.mean(dim=1, keepdim=True))
    contrast = _surround(volumes.square().mean(dim=1, keepdim=True)).sqrt()
    return volumes / (contrast + MIN_CONTRAST)


def _surround(pictures: Tensor) -> Tensor:
    """Mean over the square around each pixel, ``(n, 1, 64, 64)``, as far as there is picture."""
    for kernel in ((1, SURROUND_PX), (SURROUND_PX, 1)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        pictures = functional.avg_pool2d(
            pictures, kernel, stride=1, padding=padding, count_include_pad=False
        )
    return pictures


def window(frames: Tensor) -> Tensor:
    """What the first convolution sees: the mean of four frames, and twice their differences.

    In terms of the frames themselves what stays the same would drown what moves, in training and
    in half precision.

    Args:
        frames: ``(n, 4, 64, 64)``.

    Returns:
        ``(n, 4, 64, 64)``.
    """
    return torch.cat([frames.mean(dim=1, keepdim=True), 2 * frames.diff(dim=1)], dim=1)


class MotionNetwork(nn.Module):
    """The motion network.

    Args:
        separate_trunks: One trunk for each head (as in EVAL) instead of one for all.
        normalised: See ``trunk``.
    """

    def __init__(self, *, separate_trunks: bool, normalised: bool) -> None:
        super().__init__()
        count = len(HEADS) if separate_trunks else 1
        self.trunks = nn.ModuleList([trunk(normalised=normalised) for _ in range(count)])
        channels = TRUNK[-1][0]
        self.heads = nn.ModuleDict({name: nn.Linear(2 * channels, FEATURE_WIDTH) for name in HEADS})
        self.outputs = nn.ModuleDict(
            {name: nn.Linear(FEATURE_WIDTH, OUTPUT_WIDTHS[name]) for name in HEADS}
        )

    def maps(self, volumes: Tensor) -> list[Tensor]:
        """What each trunk sees where, ``(n, channels, 8, 8)``: means over the windows.

        Args:
            volumes: ``(n, T, 64, 64)`` brightness in 0 to 1.

        Raises:
            VadlocError: T is less than 4.
        """
        count, frames = volumes.shape[:2]
        if frames < MIN_FRAMES:
            raise VadlocError(
                f"video volumes of {frames} frames, but the motion network needs {MIN_FRAMES} or "
                "more; raise [regions] frames_per_volume"
            )
        volumes = normalise_contrast(volumes)
        starts = [*range(0, frames - _STEP, _STEP)]
        if starts[-1] != frames - MIN_FRAMES:
            starts.append(frames - MIN_FRAMES)
        windows = torch.cat([window(volumes[:, s : s + MIN_FRAMES]) for s in starts])
        windows = windows.contiguous(memory_format=torch.channels_last)
        seen = (own(windows) for own in self.trunks)
        return [each.unflatten(0, (len(starts), count)).mean(dim=0) for each in seen]

    def features(self, maps: list[Tensor]) -> list[Tensor]:
        """Features of each head, ``(n, 128)``, from the trunks' maps."""
        means = [each.mean(dim=(2, 3)) for each in maps]
        pooled = [torch.cat([mean, torch.log(mean + FAINT)], dim=1) for mean in means]
        pooled *= len(self.heads) // len(pooled)
        return [torch.relu(head(p)) for head, p in zip(self.heads.values(), pooled, strict=True)]

    def embed(self, volumes: Tensor) -> Tensor:
        """Features of volumes: angle, speed, background side by side.

        Args:
            volumes: ``(n, T, 64, 64)`` brightness in 0 to 1, T at least 4.

        Returns:
            ``(n, 384)``, none negative.
        """
        return torch.cat(self.features(self.maps(volumes)), dim=1)

    def read(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Outputs of each head before the link functions, from its features."""
        layers = zip(self.outputs.items(), features, strict=True)
        return {name: layer(own) for (name, layer), own in layers}

    def forward(self, volumes: Tensor) -> dict[str, Tensor]:
        """Outputs of each head before the link functions.

        Args:
            volumes: ``(n, T, 64, 64)`` brightness in 0 to 1, T at least 4.

        Returns:
            ``angle (n, 12)``, ``speed (n, 12)``, ``background (n, 2)``: see
            ``motion_network.outputs_to_attributes``.
        """
        return self.read(self.features(self.maps(volumes)))


def fold_normalisation(network: MotionNetwork) -> MotionNetwork:
    """The same function of a trained network without batch normalisation."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    folded = MotionNetwork(separate_trunks=len(network.trunks) > 1, normalised=False)
    state = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith("trunks.")
    }
    for place, own in enumerate(network.trunks):
        for number in range(1, len(TRUNK) + 1):
            conv, norm = getattr(own, f"conv{number}"), getattr(own, f"norm{number}")
            fused = fuse_conv_bn_eval(conv.eval(), norm.eval())
            for part, value in fused.state_dict().items():
                state[f"trunks.{place}.conv{number}.{part}"] = value
    folded.load_state_dict(state)
    return folded.eval()
