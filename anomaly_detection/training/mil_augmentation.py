"""Changes of drawn bags from which a head learns more: noise that stays normal, spliced anomalies.

After Lv et al., *Localizing anomalies from weakly-labeled videos*, TIP 2021. They disturb the
pictures of a video; here, where only features are at hand, these are changed as such pictures
change them: blurred over time, shuffled within a short time, or stuck.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.training.mil_networks import Seen

NOISES: Final = ("blur", "jitter", "interruption")
LONGEST_SHARE: Final = 0.5
"""Longest stretch that is disturbed or spliced, as a share of a bag."""
BLUR_STEPS: Final = 5
JITTER_STEPS: Final = 2

Array = NDArray[np.float32]


def draw_stretch(steps: int, rng: np.random.Generator) -> tuple[int, int]:
    """First time step and end of a random stretch, of half a bag at most."""
    length = int(rng.integers(1, max(1, int(LONGEST_SHARE * steps)) + 1))
    first = int(rng.integers(0, steps - length + 1))
    return first, first + length


def add_noise(instances: Array, rng: np.random.Generator) -> Array:
    """A bag of which a random stretch is disturbed; its label stays.

    Args:
        instances: ``(series, steps, width)``.
        rng: Random numbers.
    """
    first, end = draw_stretch(instances.shape[1], rng)
    kind = NOISES[rng.integers(len(NOISES))]
    found = instances.copy()
    found[:, first:end] = disturbed(instances, kind, first, end, rng)
    return found


def disturbed(instances: Array, kind: str, first: int, end: int, rng: np.random.Generator) -> Array:
    """A stretch of a bag after one of ``NOISES``.

    ``blur`` takes the mean over the time steps around each one, ``jitter`` takes one near by, and
    ``interruption`` keeps what was there at the beginning.

    Args:
        instances: ``(series, steps, width)``.
        kind: The kind of noise.
        first: First time step of the stretch.
        end: Its end.
        rng: Random numbers.

    Returns:
        ``(series, end - first, width)``.
    """
    last, times = instances.shape[1] - 1, np.arange(first, end)
    if kind == "interruption":
        return np.repeat(instances[:, first : first + 1], end - first, axis=1)
    if kind == "jitter":
        moved = times + rng.integers(-JITTER_STEPS, JITTER_STEPS + 1, len(times))
        return instances[:, np.clip(moved, 0, last)]
    offsets = np.arange(BLUR_STEPS) - BLUR_STEPS // 2
    around = np.clip(times[:, None] + offsets, 0, last)
    return np.asarray(instances[:, around].mean(axis=2), np.float32)


def splice(
    normal: Array, anomalous: Array, rng: np.random.Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """Put a random stretch of an anomalous bag into a normal one, at a random time.

    Args:
        normal: ``(series, steps, width)``.
        anomalous: The same series of the other bag, ``(series, other steps, width)``.
        rng: Random numbers.

    Returns:
        The bag, and for each of its time steps whether it was put there.
    """
    steps, others = normal.shape[1], anomalous.shape[1]
    first, end = draw_stretch(min(steps, others), rng)
    place = int(rng.integers(0, steps - (end - first) + 1))
    found, spliced = normal.copy(), np.zeros(steps, np.bool_)
    found[:, place : place + end - first] = anomalous[:, first:end]
    spliced[place : place + end - first] = True
    return found, spliced


def spliced_loss(seen: Seen, spliced: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of a bag into which a stretch was put.

    Of each time step of the stretch, the highest score is to be 1, since it is not known which
    series holds the anomaly; all other scores are to be 0.

    Args:
        seen: Scores ``(series, steps)``.
        spliced: ``(steps,)`` bool.
    """
    put, rest = seen.scores[:, spliced].amax(dim=0), seen.scores[:, ~spliced].flatten()
    values = torch.cat([put, rest])
    labels = torch.cat([torch.ones_like(put), torch.zeros_like(rest)])
    return torch.nn.functional.binary_cross_entropy(values, labels)
