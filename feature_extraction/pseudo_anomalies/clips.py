"""Clips drawn from footage: places where something moves more often than others."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_extraction.footage import Footage, extend
from feature_extraction.pseudo_anomalies.masks import STILL_PX

MOVING_SHARE = 0.8
"""Share of the clips that are cut around a pixel that moves."""


class Clip(NamedTuple):
    """Some frames of a square, or of whole frames.

    Attributes:
        frames: ``(t, height, width)`` uint8 grey, or ``(t, height, width, 3)``.
        flow: ``(t, 2, height, width)`` float16 in px/frame.
        learnt: ``(t, height, width)`` bool, as in `Footage`; ``None`` for all.
    """

    frames: NDArray[np.uint8]
    flow: NDArray[np.float16]
    learnt: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Place:
    """Where a clip is cut.

    Attributes:
        footage: The footage.
        first_frame: First frame of the clip in the footage.
        top: Row of its first pixel.
        left: Column of its first pixel.
    """

    footage: Footage
    first_frame: int
    top: int
    left: int


@dataclass(frozen=True)
class ClipSource:
    """Draws clips of one length and size.

    Attributes:
        footage: All footage, of one frame size.
        length: Frames of a clip.
        side_px: Side of the squares; 0 for whole frames. Frames that are smaller are continued by
            their edge.
        multiple: Whole frames are continued by their edge to multiples of this.
    """

    footage: list[Footage]
    length: int
    side_px: int
    multiple: int = 1

    def draw(self, rng: np.random.Generator) -> Place:
        """A place, in footage as likely as it is long."""
        lengths = np.array([len(part) for part in self.footage], np.float64)
        part = self.footage[rng.choice(len(lengths), p=lengths / lengths.sum())]
        first = int(rng.integers(max(1, len(part) - self.length + 1)))
        height, width = part.frames.shape[1:3]
        if not self.side_px:
            return Place(part, first, 0, 0)
        row, column = self._middle(rng, part, first)
        half = self.side_px // 2
        top = min(max(0, row - half), max(0, height - self.side_px))
        left = min(max(0, column - half), max(0, width - self.side_px))
        return Place(part, first, top, left)

    def _middle(self, rng: np.random.Generator, part: Footage, first: int) -> tuple[int, int]:
        height, width = part.frames.shape[1:3]
        if rng.random() < MOVING_SHARE:
            flow = part.flow[min(first + self.length // 2, len(part) - 1)].astype(np.float32)
            rows, columns = np.nonzero((flow**2).sum(axis=0) > STILL_PX**2)
            if len(rows):
                chosen = rng.integers(len(rows))
                jitter = rng.integers(-self.side_px // 4, self.side_px // 4 + 1, 2)
                return int(rows[chosen] + jitter[0]), int(columns[chosen] + jitter[1])
        return int(rng.integers(height)), int(rng.integers(width))

    def cut(self, place: Place, *, step: int = 1) -> Clip:
        """The clip at a place, with every ``step``-th frame.

        The flow of skipped frames is that of the frames that are left, times the step. Footage that
        is too short runs backwards at its end.
        """
        part = place.footage
        index = place.first_frame + step * np.arange(self.length)
        if index[-1] >= len(part):
            index = extend(len(part), int(index[-1]) + 1)[index]
        side = self.side_px or max(part.frames.shape[1:3])
        rows = slice(place.top, place.top + side)
        columns = slice(place.left, place.left + side)
        frames = part.frames[index, rows, columns]
        flow = part.flow[index, :, rows, columns]
        if step > 1:
            flow = (flow * np.float16(step)).astype(np.float16)
        learnt = None if part.learnt is None else part.learnt[index, rows, columns]
        return self._padded(Clip(frames, flow, learnt))

    def _padded(self, clip: Clip) -> Clip:
        height, width = clip.frames.shape[1:3]
        wanted = [self.side_px or n + -n % self.multiple for n in (height, width)]
        missing = [(0, max(0, w - n)) for w, n in zip(wanted, (height, width), strict=True)]
        if not any(after for _, after in missing):
            return clip
        more = [(0, 0)] * (clip.frames.ndim - 3)
        return Clip(
            np.pad(clip.frames, [(0, 0), *missing, *more], "edge"),
            np.pad(clip.flow, [(0, 0), (0, 0), *missing], "edge"),
            None if clip.learnt is None else np.pad(clip.learnt, [(0, 0), *missing]),
        )

    def longest_step(self, place: Place) -> int:
        """The largest step at which the footage still holds the whole clip; 1 or more."""
        if self.length < 2:
            return 1
        return max(1, (len(place.footage) - 1 - place.first_frame) // (self.length - 1))
