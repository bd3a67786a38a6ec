"""Draws pseudo-anomalies: spatial ones in frames, temporal ones in flow or by skipped frames.

Spatial: a mask, at random or of what moves, is filled by an inpainter. Temporal: inside a mask, the
flow is mixed with flow of another place that is turned and sped up; or frames are skipped, so that
everything moves too fast. The generator gives the clip before and after: the loss of a network that
is trained with pseudo-anomalies compares its output with the clean clip.

After Rai et al., *Video Anomaly Detection via Spatio-Temporal Pseudo-Anomaly Generation* (masks,
inpainting, mixed flow), and Astrid et al., *Learning not to reconstruct anomalies*, BMVC 2021
(patches, skipped frames). How the former draw the weight of the mixture is not known to us: here it
is uniform.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from feature_extraction.pseudo_anomalies.clips import Clip, ClipSource, Place
from feature_extraction.pseudo_anomalies.inpainting import Inpaint, fill, patch
from feature_extraction.pseudo_anomalies.masks import Mask, moving_mask, random_mask

Kind = Literal["inpaint", "patch", "mix", "skip"]

STEPS = (2, 3, 4, 5)
"""Steps by which frames are skipped, as in *Learning not to reconstruct anomalies*."""
LARGEST_SHARE_KEPT = 0.5
"""The mixed flow keeps at most this share of what was there."""
GAINS = 1.5, 4.0
"""Range of the factor of the speed of mixed-in flow."""
LEAST_SPEED_PX = 0.5
"""Mixed-in flow of a place where nothing moves gets this speed before it is multiplied."""


@dataclass(frozen=True)
class PseudoAnomaly:
    """A clip before and after.

    Attributes:
        kind: What was done to it.
        clean: The clip as it was.
        clip: The clip with the pseudo-anomaly; where the mask is ``False`` not a bit differs.
        mask: ``(t, height, width)``; all ``True`` for skipped frames.
        parameters: What was drawn: step, weight, gain and angle, or whether the mask is of what
            moves.
    """

    kind: Kind
    clean: Clip
    clip: Clip
    mask: Mask
    parameters: dict[str, float]


@dataclass(frozen=True)
class Generator:
    """Draws pseudo-anomalies from clips.

    Attributes:
        source: Draws the clips.
        region_px: Side of a region in reduced frames: about the size of things.
        inpaint: Fills masks of the kind ``inpaint``; ``patch`` has its own.
    """

    source: ClipSource
    region_px: int
    inpaint: Inpaint

    def draw(
        self, rng: np.random.Generator, place: Place, kind: Kind, *, instead: Kind = "mix"
    ) -> PseudoAnomaly:
        """A pseudo-anomaly at a place.

        Args:
            rng: Source of randomness.
            place: Where the clip is cut.
            kind: What is done to it.
            instead: Done instead of ``skip`` where the footage is too short for it.
        """
        if kind == "skip" and self.source.longest_step(place) < STEPS[0]:
            kind = instead
        if kind == "skip":
            return self._skip(rng, place)
        return self._mix(rng, place) if kind == "mix" else self._fill(rng, place, kind)

    def _skip(self, rng: np.random.Generator, place: Place) -> PseudoAnomaly:
        longest = self.source.longest_step(place)
        step = int(rng.choice([step for step in STEPS if step <= longest]))
        clean, clip = self.source.cut(place), self.source.cut(place, step=step)
        whole = np.ones(clean.frames.shape[:3], np.bool_)
        return PseudoAnomaly("skip", clean, clip, whole, {"step": float(step)})

    def _mask(self, rng: np.random.Generator, clean: Clip) -> tuple[Mask, bool]:
        """A mask, and whether it is of what moves."""
        found = moving_mask(rng, clean.flow, self.region_px) if rng.random() < 0.5 else None
        if found is not None:
            return found, True
        return random_mask(rng, clean.frames.shape[:3], self.region_px), False

    def _fill(self, rng: np.random.Generator, place: Place, kind: Kind) -> PseudoAnomaly:
        clean = self.source.cut(place)
        mask, is_moving = self._mask(rng, clean)
        other = self.source.cut(self.source.draw(rng)).frames
        if rng.random() < 0.5:
            other = other[:, ::-1] if rng.random() < 0.5 else other[:, :, ::-1]
        inpaint = patch if kind == "patch" else self.inpaint
        frames = fill(clean.frames, mask, other, inpaint, rng)
        parameters = {"is_moving": float(is_moving)}
        return PseudoAnomaly(kind, clean, Clip(frames, clean.flow), mask, parameters)

    def _mix(self, rng: np.random.Generator, place: Place) -> PseudoAnomaly:
        clean = self.source.cut(place)
        mask, is_moving = self._mask(rng, clean)
        weight = float(rng.uniform(0, LARGEST_SHARE_KEPT))
        gain = float(np.exp(rng.uniform(*np.log(GAINS))))
        angle = float(rng.uniform(-np.pi, np.pi))
        foreign = turn(moving_flow(self.source.cut(self.source.draw(rng)).flow), angle) * gain
        mixed = weight * clean.flow.astype(np.float32) + (1 - weight) * foreign
        flow = np.where(mask[:, None], mixed.astype(np.float16), clean.flow)
        parameters = {"weight": weight, "gain": gain, "angle": angle, "is_moving": float(is_moving)}
        return PseudoAnomaly("mix", clean, Clip(clean.frames, flow), mask, parameters)


def moving_flow(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    """The mean flow of what moves in each frame, everywhere in the frame.

    Args:
        flow: ``(t, 2, height, width)`` in px/frame.

    Returns:
        ``(t, 2, 1, 1)``; where nothing moves, ``LEAST_SPEED_PX`` to the right.
    """
    fine = flow.astype(np.float32)
    squares = (fine**2).sum(axis=1, keepdims=True)
    total = squares.sum(axis=(2, 3), keepdims=True)
    mean = (fine * squares).sum(axis=(2, 3), keepdims=True) / np.maximum(total, 1e-6)
    speed = np.sqrt((mean**2).sum(axis=1, keepdims=True))
    right = np.array([LEAST_SPEED_PX, 0], np.float32).reshape(1, 2, 1, 1)
    return np.where(speed < LEAST_SPEED_PX, right, mean)


def turn(flow: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
    """Flow ``(t, 2, ...)``, turned by an angle in radians."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    right, down = flow[:, 0], flow[:, 1]
    return np.stack([cosine * right - sine * down, sine * right + cosine * down], axis=1)
