"""The architecture of the motion network: sizes and constants, nothing that computes on arrays.

Everything that builds, runs or trains the network takes its numbers from here.
"""

from typing import Final, NamedTuple

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
