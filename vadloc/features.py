"""Stored features of a sequence, with the components of a version side by side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadloc.artifacts import Artifacts, Split
from vadloc.errors import VadlocError
from vadloc.versions import EXTRACTOR_OF, extractors_of


@dataclass(frozen=True)
class SequenceFeatures:
    """Features of all video volumes of a sequence.

    Attributes:
        sequence: Its name.
        frame_count: Number of frames.
        height_px: Frame height.
        width_px: Frame width.
        first_frame: ``(v,)`` int64, 0-based first frame of the volumes of each time step.
        widths: Columns of each component of the version.
        values: ``(v, regions, sum of widths)`` float32.
    """

    sequence: str
    frame_count: int
    height_px: int
    width_px: int
    first_frame: NDArray[np.int64]
    widths: tuple[int, ...]
    values: NDArray[np.float32]


def load_features(artifacts: Artifacts, split: Split, sequence: str) -> SequenceFeatures:
    """Read the features of a sequence for the version at hand.

    Raises:
        VadlocError: A file is missing, damaged or made from another config.
    """
    files = {
        extractor: artifacts.features(extractor, split, sequence).load()
        for extractor in extractors_of(artifacts.version)
    }
    parts = [files[EXTRACTOR_OF[name]]["components"][name] for name in artifacts.components]
    any_file = next(iter(files.values()))
    return SequenceFeatures(
        sequence=sequence,
        frame_count=any_file["frame_count"],
        height_px=any_file["height_px"],
        width_px=any_file["width_px"],
        first_frame=any_file["first_frame"],
        widths=tuple(part.shape[2] for part in parts),
        values=parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2),
    )


def check_frame_size(features: SequenceFeatures, height_px: int, width_px: int, of: str) -> None:
    """Refuse a sequence whose frames differ in size from those it is compared with.

    Raises:
        VadlocError: They do.
    """
    if (features.height_px, features.width_px) != (height_px, width_px):
        raise VadlocError(
            f"{features.sequence}: frames of {features.width_px} x {features.height_px} px, those "
            f"of {of} have {width_px} x {height_px}; a model is of one camera view, bring all "
            "sequences to one size"
        )
