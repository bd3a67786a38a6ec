"""What stored features of the motion network say; needs no PyTorch."""

import numpy as np
from numpy.typing import NDArray

from feature_extraction.motion.architecture import HEADS
from vadloc.errors import VadlocError
from vadloc.weights import FEATURE_WIDTH, NetworkWeights, read_out


def motion_attributes(
    weights: NetworkWeights, features: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What stored features say; needs no PyTorch.

    Args:
        weights: The weights of the network that made the features.
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
