"""What training video shows in each region: which class, how fast and where to, counted together.

The parts of a version have exemplars of their own, which know either classes or motion. That cars
move to the right, and persons to both sides, is known only from the volumes themselves. They are
counted by class, direction, speed and share of moving pixels, the last two in steps. So the table
is small however long the video is, and one sequence after the other is read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.mined_exemplars import mined_volumes
from exemplar_selection.normal_ranges import NormalSightings
from exemplar_selection.parts_reader import PartsReader
from exemplar_selection.volume_attributes import DIRECTIONS, Sightings
from feature_extraction.attributes import CLASSES
from vadloc.artifacts import Artifacts
from vadloc.features import FusedFeatures, load_fused_features

SPEED_STEP = 1.05
"""Speeds are counted in steps of this factor."""
SLOWEST_PX_PER_FRAME, FASTEST_PX_PER_FRAME = 0.01, 1000.0
"""Slower and faster volumes are counted as if they were this fast."""
SHARE_STEPS = 20
"""Shares of moving pixels are counted in so many steps."""

_SPEEDS = 2 + int(np.log(FASTEST_PX_PER_FRAME / SLOWEST_PX_PER_FRAME) / np.log(SPEED_STEP))
_SHAPE = (len(CLASSES) + 2, len(DIRECTIONS) + 2, _SPEEDS + 1, SHARE_STEPS + 2)
"""Steps of class, direction, speed and share; the first step of each is "unknown", and the second
of class and direction "none", the first of speed also "nothing moves"."""


def sightings_to_keys(seen: Sightings, region: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each volume, the same for those that show the same in the same region.

    Args:
        seen: What n volumes show.
        region: ``(n,)``: their regions.
    """
    columns = [region, *[np.zeros_like(region)] * 4]
    if seen.class_index is not None:
        columns[1] = seen.class_index + 2
    if seen.direction is not None:
        columns[2] = seen.direction + 2
    if seen.speed_px_per_frame is not None:
        columns[3] = _speed_steps(seen.speed_px_per_frame)
    if seen.moving_share is not None and seen.is_moving is not None:
        steps = np.rint(np.clip(seen.moving_share, 0, 1) * SHARE_STEPS).astype(np.int64)
        columns[4] = 1 + np.where(seen.is_moving, np.maximum(steps, 1), 0)
    shape = int(region.max()) + 1, *_SHAPE
    return np.asarray(np.ravel_multi_index(tuple(columns), shape), np.int64)


def _speed_steps(speed: NDArray[np.float64]) -> NDArray[np.int64]:
    known = np.clip(np.nan_to_num(speed), SLOWEST_PX_PER_FRAME, FASTEST_PX_PER_FRAME)
    steps = 1 + np.rint(np.log(known / SLOWEST_PX_PER_FRAME) / np.log(SPEED_STEP)).astype(np.int64)
    return np.where(np.isnan(speed), 0, steps)


def keys_to_sightings(keys: NDArray[np.int64]) -> tuple[Sightings, NDArray[np.int64]]:
    """What volumes show, and their regions, from their numbers.

    Speeds and shares are the middles of their steps.
    """
    region, of_region = np.divmod(keys, np.prod(_SHAPE))
    classes, directions, speeds, shares = np.unravel_index(of_region, _SHAPE)
    motion_is_known = not (shares == 0).any()
    speed = SLOWEST_PX_PER_FRAME * SPEED_STEP ** (speeds - 1.0)
    seen = Sightings(
        class_index=None if (classes == 0).any() else classes - 2,
        direction=directions - 2 if motion_is_known else None,
        speed_px_per_frame=np.where(speeds == 0, np.nan, speed) if motion_is_known else None,
        moving_share=(shares - 1.0) / SHARE_STEPS if motion_is_known else None,
    )
    return seen, region


def count_sightings(artifacts: Artifacts) -> dict[str, Any]:
    """What the training volumes of a version of parts show, counted sequence by sequence.

    Returns:
        A dict with ``regions``, the number of regions; ``keys`` ``(rows,)`` int64, rising: region
        and what is seen, see ``keys_to_sightings``; and ``counts`` ``(rows,)`` int64: in how many
        volumes.
    """
    keys, counts = np.zeros((2, 0), np.int64)
    read, regions = None, 0
    for sequence in artifacts.sequences("train"):
        features = load_fused_features(artifacts, "train", sequence.name)
        if read is None:
            grid = features.parts[0].grid(artifacts.config.regions)
            read, regions = PartsReader.of(artifacts, grid), grid.region_count
        keys, counts = _add(keys, counts, _keys(features, read))
    return {"regions": regions, "keys": keys, "counts": counts}


def add_sightings(artifacts: Artifacts) -> dict[str, Any]:
    """The sightings of training video, and of the volumes that were mined in all rounds.

    Returns:
        As ``count_sightings``.
    """
    content = artifacts.at_round(0).sightings().load()
    keys, counts = content["keys"], content["counts"]
    read = None
    for _, learnt, features in mined_volumes(artifacts):
        grid = features.parts[0].grid(artifacts.config.regions)
        read = read or PartsReader.of(artifacts, grid)
        found = _keys(features, read)[learnt.ravel()]
        keys, counts = _add(keys, counts, found)
    return {"regions": content["regions"], "keys": keys, "counts": counts}


def _add(
    keys: NDArray[np.int64], counts: NDArray[np.int64], found: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys and counts with those of further volumes."""
    keys, rows = np.unique(np.concatenate((keys, found)), return_inverse=True)
    weights = np.concatenate((counts, np.ones_like(found)))
    return keys, np.bincount(rows, weights).astype(np.int64)


def _keys(features: FusedFeatures, read: PartsReader) -> NDArray[np.int64]:
    """The number of each volume of a sequence, region by region within each time step."""
    steps, regions = features.parts[0].values.shape[:2]
    count = steps * regions
    rows = [
        (p.values.reshape(count, -1), {k: v.reshape(count, -1) for k, v in p.descriptors.items()})
        for p in features.parts
    ]
    return sightings_to_keys(read(rows).sightings, np.tile(np.arange(regions), steps))


@dataclass(frozen=True)
class SceneSightings:
    """What training video shows in all regions.

    Attributes:
        offsets: ``(regions + 1,)``: the first row of each region, and the number of rows.
        seen: What is seen, in each row.
        counts: ``(rows,)``: in how many volumes.
    """

    offsets: NDArray[np.int64]
    seen: Sightings
    counts: NDArray[np.int64]

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> "SceneSightings":
        """From a dict that ``count_sightings`` made."""
        seen, region = keys_to_sightings(content["keys"])
        offsets = np.searchsorted(region, np.arange(content["regions"] + 1))
        return cls(offsets, seen, content["counts"])

    def of(self, region: int, *, exemplars: int) -> NormalSightings:
        """What training video shows in a region that has so many exemplars."""
        rows = slice(*self.offsets[region : region + 2])
        return NormalSightings(self.seen.take(rows), self.counts[rows], exemplars)
