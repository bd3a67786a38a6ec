"""The motion network on 64 x 64 x T volumes, and how its features are read.

After EVAL (Singh, Jones, Learned-Miller, CVPR 2023), whose networks see into which directions,
how fast and whether at all a volume moves. Ours sees brightness alone, since motion is a change of
brightness, matches frames explicitly, and by default has one trunk for three heads:

- ``angle``: share of the moving pixels in each of 12 directions (softmax);
- ``speed``: mean speed in each direction, px/frame of the 64-px volume (log(1 + speed) is linear);
- ``background``: share of stationary pixels, and whether (almost) nothing moves (logistic).

Each head is 128 features, which are stored and compared, and a linear layer on them. Distances of
features are trained to be those of the motions (``motion_training.distances_loss``).
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError
from vadloc.weights import (
    FEATURE_WIDTH,
    NetworkWeights,
    check_tensors,
    read_out,
    read_weights,
    weights_file,
)

if TYPE_CHECKING:
    from feature_extraction.motion.layers import MotionNetwork

HEADS: Final = ("angle", "speed", "background")
"""In the order of their features."""

OUTPUT_WIDTHS: Final = {"angle": 12, "speed": 12, "background": 2}

MIN_FRAMES: Final = 4
"""Frames that the first convolution sees at a time; a volume has at least so many."""

MAP_PX: Final = 16
"""Side of the maps on which what is seen and what matches come together."""


class Match(NamedTuple):
    """Displacements that are tried between two frames.

    Attributes:
        step_px: Pixels between two of them; the frames are reduced as much.
        gap: Frames from the first frame to the second.
        reach: Largest displacement along x and along y, steps.
    """

    step_px: int
    gap: int
    reach: int

    @property
    def displacements(self) -> int:
        """Number of displacements, from up left to down right."""
        return (2 * self.reach + 1) ** 2


MATCHES: Final = (Match(2, 3, 3), Match(4, 1, 2))
"""Up to 2 px/frame in steps of 2/3, and up to 8 in steps of 4; what lies between is read off the
costs of the neighbours of the best."""


class Convolution(NamedTuple):
    """Size of a convolution.

    Attributes:
        inputs: Channels.
        outputs: Channels.
        side: Of the kernel.
        stride: Both ways.
    """

    inputs: int
    outputs: int
    side: int
    stride: int


TRUNK: Final = {
    "conv1": Convolution(MIN_FRAMES, 16, 5, 2),
    "conv2": Convolution(16, 32, 3, 2),
    "match": Convolution(sum(match.displacements + 1 for match in MATCHES), 48, 1, 1),
    "conv3": Convolution(32 + 48, 96, 3, 2),
    "conv4": Convolution(96, 128, 3, 1),
}
"""``conv2`` on what ``conv1`` sees in a window of frames; ``match`` on matching costs; ``conv3`` on
both, of which each is the mean over windows by then; ``conv4`` on that."""

SURROUND_PX: Final = 9

MIN_CONTRAST: Final = 0.02
"""Added to the contrast by which brightness (0 to 1) is divided, lest noise on plain ground be
blown up."""

FAINT: Final = 0.01
"""Heads also see the logarithm of pooled activations above this: directions and speeds are ratios
of sums over pixels, and logarithms turn them into differences."""

SHARPNESS: Final = 10.0
"""How much more likely a displacement is that costs less, by the mean cost of all."""

LEAST_COST: Final = 0.02
"""Added to mean costs, so that where there is nothing to see no displacement is preferred."""


def window_starts(frames: int) -> list[int]:
    """First frames of the windows that a volume of so many frames is seen through.

    Neighbouring windows share a frame, so that every pair of frames lies in a window; the last
    one ends with the volume.
    """
    last = frames - MIN_FRAMES
    return [*range(0, last, MIN_FRAMES - 1), last]


def motion_network(*, separate_trunks: bool = False, normalised: bool = False) -> "MotionNetwork":
    """The network with random weights.

    Args:
        separate_trunks: One trunk for each head (as in EVAL) instead of one for all.
        normalised: With batch normalisation, for training.
    """
    from feature_extraction.motion.layers import MotionNetwork

    return MotionNetwork(separate_trunks=separate_trunks, normalised=normalised)


def load_motion(weights: str, device: str) -> "MotionNetwork":
    """The network with trained weights, ready for use.

    Args:
        weights: ``bundled`` or a ``.safetensors`` file.
        device: ``cpu`` or ``cuda``.

    Raises:
        VadlocError: There is no such file, or it holds no weights of this network.
    """
    return build_motion(read_weights(weights_file(weights, "motion"))).to(device)


def build_motion(weights: NetworkWeights) -> "MotionNetwork":
    """The network with given weights, in evaluation mode.

    Raises:
        VadlocError: They are not weights of this network.
    """
    import torch

    separate = any(name.startswith("trunks.1.") for name in weights.tensors)
    network = motion_network(separate_trunks=separate)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    check_tensors(weights, shapes)
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in weights.tensors.items()}
    )
    return network.eval().to(memory_format=torch.channels_last)


def motion_attributes(
    weights: NetworkWeights, features: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What stored features say; needs no PyTorch.

    Args:
        weights: Of the network that made the features.
        features: ``(n, 384)``: angle, speed, background.

    Returns:
        ``direction (n, 12)``: share of the moving pixels by direction, rows sum to 1; bin k covers
        30 k to 30 (k + 1) degrees from x towards y (clockwise as seen);
        ``speed (n, 12)``: mean speed of the pixels that move there, px/frame of the 64-px volume
        (times size_px / 64 of the video's); means something where the direction has a share;
        ``stationary (n,)``: share of stationary pixels; ``background (n,)``: probability that
        (almost) nothing moves.

    Raises:
        VadlocError: The weights have no such outputs, or the features another width.
    """
    expected = FEATURE_WIDTH * len(HEADS)
    if features.ndim != 2 or features.shape[1] != expected:
        raise VadlocError(
            f"motion features of shape {features.shape}, expected (n, {expected}): angle, speed "
            "and background, 128 each"
        )
    parts = np.split(features.astype(np.float32), len(HEADS), axis=1)
    outputs = {}
    for name, part in zip(HEADS, parts, strict=True):
        weight, bias = read_out(weights, f"outputs.{name}")
        outputs[name] = part @ weight.T + bias
    return outputs_to_attributes(**outputs)


def outputs_to_attributes(
    angle: NDArray[np.float32], speed: NDArray[np.float32], background: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The link functions: from linear outputs to what ``motion_attributes`` returns.

    Args:
        angle: ``(n, 12)``.
        speed: ``(n, 12)``.
        background: ``(n, 2)``: stationary share, background flag.
    """
    from scipy.special import expit, softmax

    share, flag = np.moveaxis(expit(background), -1, 0)
    return softmax(angle, axis=1), np.expm1(np.maximum(speed, 0)), share, flag
