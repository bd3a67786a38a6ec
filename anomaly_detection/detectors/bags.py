"""Bags of instances, made of the features of a video, and which of them are held out.

The instances of a region bag are the volumes of all regions, in one series for each region. The
place of a region counts among its features: the camera is fixed, and what is normal here is an
anomaly there. Those of a snippet bag are its time steps, in a single series: the mean and the
maximum of each feature over all regions; or they are snippets of a folder (``snippet_input``).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.snippet_input import frames_of_a_snippet, read_snippet_instances
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError, VadlocError
from vadloc.features import load_features
from vadloc.inputs import Split
from vadloc.regions import RegionGrid
from vadloc.weak_labels import ANOMALOUS, NORMAL, name_to_label
from vadloc.weak_settings import MultipleInstance, RegionBags

LEAST_BAGS = 2
"""Of each class, so that one can be held out."""


@dataclass(frozen=True)
class Bag:
    """A training video.

    Attributes:
        sequence: Its name.
        is_anomalous: Whether it holds an anomaly somewhere.
        instances: ``(series, steps, width)`` float16.
        frame_count: Number of frames.
        label: The class of its anomaly, as far as it is known; ``normal`` for a normal one.
    """

    sequence: str
    is_anomalous: bool
    instances: NDArray[np.float16]
    frame_count: int
    label: str = ANOMALOUS

    def __len__(self) -> int:
        """Number of frames."""
        return self.frame_count


@dataclass(frozen=True)
class BagNames:
    """The training videos in two sets.

    Attributes:
        trained: Names of the normal and of the anomalous videos to train on.
        held_out: Those that are left out.
    """

    trained: tuple[list[str], list[str]]
    held_out: tuple[list[str], list[str]]


def to_instances(
    values: NDArray[np.float32], grid: RegionGrid, settings: MultipleInstance
) -> NDArray[np.float32]:
    """The instances of a bag.

    Args:
        values: Features ``(steps, regions, width)``.
        grid: The regions.
        settings: With the kind of bag.

    Returns:
        ``(series, steps, width)``: a series for each region, with row and column of the region from
        -1 to 1 after its features; or one of twice the width.
    """
    if isinstance(settings, RegionBags):
        places = np.broadcast_to(region_places(grid)[:, None], (*values.shape[1::-1], 2))
        return np.concatenate([values.transpose(1, 0, 2), places], axis=2)
    return np.concatenate([values.mean(axis=1), values.max(axis=1)], axis=1)[None]


def region_places(grid: RegionGrid) -> NDArray[np.float32]:
    """Row and column of each region, from -1 to 1, ``(regions, 2)``."""
    axes = [np.linspace(-1, 1, count) if count > 1 else np.zeros(1) for count in grid.regions]
    rows, columns = np.meshgrid(*axes, indexing="ij")
    return np.stack([rows.ravel(), columns.ravel()], axis=1).astype(np.float32)


def load_bag(artifacts: Artifacts, sequence: str, *, is_anomalous: bool) -> Bag:
    """The bag of a training video.

    Raises:
        VadlocError: Its features are missing, damaged or made from another config.
    """
    split: Split = "anomalous" if is_anomalous else "train"
    given, frame_count = _read_instances(artifacts, split, sequence)
    with np.errstate(over="ignore"):
        instances = given.astype(np.float16)
    if not np.isfinite(instances).all():
        raise VadlocError(
            f"{sequence}: its features have values that half precision cannot hold; they do not "
            "belong to the version's extractors, or are to be divided by a constant"
        )
    label = (name_to_label(sequence) or ANOMALOUS) if is_anomalous else NORMAL
    return Bag(sequence, is_anomalous, instances, frame_count, label)


def _read_instances(
    artifacts: Artifacts, split: Split, sequence: str
) -> tuple[NDArray[np.float32], int]:
    """Instances of a training video, and about how many frames they cover."""
    settings = artifacts.detector_settings
    if folder := getattr(settings, "features", ""):
        instances = read_snippet_instances(Path(folder), split, sequence)
        return instances, instances.shape[1] * frames_of_a_snippet(Path(folder))
    found = load_features(artifacts, split, sequence)
    grid = found.grid(artifacts.config.regions)
    return to_instances(found.values, grid, settings), found.frame_count


def split_bags(artifacts: Artifacts) -> BagNames:
    """Choose the held-out videos of each class by the seed.

    Raises:
        UsageError: The config names no anomalous videos, a class has too few of them, or a video
            has the name of one of the other class.
    """
    normal, anomalous = (
        [s.name for s in artifacts.sequences(split)] for split in ("train", "anomalous")
    )
    folders = [artifacts.split_folder(split) for split in ("train", "anomalous")]
    if twice := sorted(set(normal) & set(anomalous)):
        raise UsageError(
            f"{folders[1]}: {twice[0]} is also a video of {folders[0]}; a video is either normal "
            "or holds an anomaly, and names differ"
        )
    for folder, names in zip(folders, (normal, anomalous), strict=True):
        if len(names) < LEAST_BAGS:
            raise UsageError(
                f"{folder}: {len(names)} video; expected {LEAST_BAGS} or more of each class, since "
                "one of them is held out of the training"
            )
    return hold_out(normal, anomalous, artifacts.detector_settings)


def hold_out(normal: list[str], anomalous: list[str], settings: MultipleInstance) -> BagNames:
    """Choose the held-out videos of each class by the seed, at least one of each."""
    rng = np.random.default_rng(settings.seed)
    chosen = [_choose(names, settings.held_out, rng) for names in (normal, anomalous)]
    return BagNames(
        (_without(normal, chosen[0]), _without(anomalous, chosen[1])), (chosen[0], chosen[1])
    )


def _choose(names: list[str], share: float, rng: np.random.Generator) -> list[str]:
    number = min(max(1, round(share * len(names))), len(names) - 1)
    return sorted(names[i] for i in rng.permutation(len(names))[:number])


def _without(names: list[str], others: list[str]) -> list[str]:
    return [name for name in names if name not in others]


def check_width(sequence: str, instances: NDArray[np.float32], width: int) -> None:
    """Refuse features of another width than those that the model was trained on.

    Raises:
        VadlocError: The width differs.
    """
    if instances.shape[2] != width:
        raise VadlocError(
            f"{sequence}: instances of {instances.shape[2]} features, the model was "
            f"trained on {width}; extract them again with the model's config"
        )
