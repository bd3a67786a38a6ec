"""The architecture of the motion network: sizes and constants, nothing that computes on arrays.

Everything that builds, runs or trains the network takes its numbers from here.
"""

from typing import Final, NamedTuple

from feature_extraction.frame import CROP_PX

HEADS: Final = ("angle", "speed", "background")
"""In the order of their features."""

OUTPUT_WIDTHS: Final = {"angle": 12, "speed": 12, "background": 2}

MIN_FRAMES: Final = 4
"""Frames that the first convolution sees at a time; a volume has at least so many."""

CELL_PX: Final = 4
"""Side of a cell: a pixel of the maps on which appearance (``conv2``) and matching costs
(``match``) are joined."""

MAP_PX: Final = CROP_PX // CELL_PX
"""Side of the part of these maps that belongs to a region."""


TILE_PX: Final = CROP_PX
"""Side of the squares of a frame whose cells are computed together."""


class Match(NamedTuple):
    """A set of displacements whose matching costs are computed between two frames.

    Attributes:
        step_px: Pixels between neighbouring displacements; the frames are reduced by this factor.
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
"""Speeds up to 2 px/frame in steps of 2/3, and up to 8 px/frame in steps of 4. Speeds between two
steps follow from the costs of the neighbours of the best displacement."""


class Convolution(NamedTuple):
    """Size of a convolution.

    Attributes:
        inputs: Number of input channels.
        outputs: Number of output channels.
        side: Side of the kernel, pixels.
        stride: Stride along x and along y.
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
"""``conv1`` and then ``conv2`` run on a window of frames, ``match`` on its matching costs. Both
results are averaged over all windows and joined; ``conv3`` and then ``conv4`` run on them."""

CELL_WIDTH: Final = TRUNK["conv2"].outputs + TRUNK["match"].outputs
"""Numbers of a cell of the joined maps."""

SURROUND_PX: Final = 9
"""Side of the square round each pixel whose mean brightness and contrast normalise the pixel."""

MIN_CONTRAST: Final = 0.02
"""Added to the contrast by which brightness (0 to 1) is divided, so that noise on plain ground is
not amplified."""

FAINT: Final = 0.01
"""Added to pooled activations before their logarithm, which is an input of the heads as well:
directions and speeds are ratios of sums over pixels, which logarithms turn into differences."""

SHARPNESS: Final = 10.0
"""Factor of the costs, relative to their mean, in the softmax over displacements: the larger it is,
the more the cheapest displacement counts."""

LEAST_COST: Final = 0.02
"""Added to mean costs, so that no displacement is preferred where there is no texture."""


def window_starts(frames: int) -> list[int]:
    """First frames of the windows of a volume that has so many frames.

    Neighbouring windows share a frame, so that every pair of frames lies in a window; the last
    one ends with the volume.
    """
    last = frames - MIN_FRAMES
    return [*range(0, last, MIN_FRAMES - 1), last]


BEFORE_TILE_PX: Final = 4
AFTER_TILE_PX: Final = 1
"""Pixels before and after a tile that ``conv1`` and ``conv2`` see for its first and last cells."""

AROUND_TILE_PX: Final = max(match.step_px * (match.reach + 1) for match in MATCHES)
"""Pixels on each side of a tile with which its cells are matched."""

SEEN_AROUND_PX: Final = AROUND_TILE_PX + 2 * (SURROUND_PX // 2)
"""Pixels around a region that its cells depend on."""
