"""Frames and their flow, drawn from footage for the networks of ``mlad``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.training.tasks import TrainingData
from feature_extraction.footage import flow_to_input, frames_to_input
from feature_extraction.pseudo_anomalies.clips import Clip, ClipSource
from vadloc.detector_settings import Mlad


@dataclass(frozen=True)
class Drawn:
    """Some pictures.

    Attributes:
        of: ``frame`` and ``flow`` to ``(n, channels, height, width)`` in [-1, 1].
        learnt: ``(n, 1, height, width)``, 1 where a pixel is learnt; ``None`` if all are.
    """

    of: dict[str, NDArray[np.float32]]
    learnt: NDArray[np.float32] | None


@dataclass(frozen=True)
class PictureSource:
    """Draws pictures.

    Attributes:
        source: Where they are cut.
        flow_limit_px: As in `TrainingData`.
    """

    source: ClipSource
    flow_limit_px: float

    def draw(self, rng: np.random.Generator, count: int) -> Drawn:
        """So many pictures."""
        clips = [self.source.cut(self.source.draw(rng)) for _ in range(count)]
        frames = np.stack([frames_to_input(clip.frames)[:, 0] for clip in clips])
        flow = np.stack([flow_to_input(clip.flow[0], self.flow_limit_px) for clip in clips])
        return Drawn({"frame": frames, "flow": flow}, _learnt(clips))


def sources_of(data: TrainingData, settings: Mlad) -> tuple[PictureSource, PictureSource]:
    """Sources of pictures to train on, and of held-out ones."""
    trained, held_out = (
        ClipSource(footage, 1, settings.crop_px, settings.side_multiple)
        for footage in (data.trained, data.held_out)
    )
    limit_px = data.flow_limit_px
    return PictureSource(trained, limit_px), PictureSource(held_out, limit_px)


def _learnt(clips: list[Clip]) -> NDArray[np.float32] | None:
    if all(clip.learnt is None for clip in clips):
        return None
    whole = np.ones((1, *clips[0].frames.shape[1:3]), np.float32)
    parts = [whole if c.learnt is None else c.learnt.astype(np.float32) for c in clips]
    return np.stack(parts)
