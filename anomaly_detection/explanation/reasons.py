"""Why something was detected: what the volumes of a detection show, and what is normal there.

A version of parts compares each volume in all its parts; any other version counts as its only part.
The nearest exemplar is that of the part with the largest share of the distance. What a volume shows
and what is unusual about it is read from all parts together: the class from one, motion from
another.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.explanation.comparison import Comparison
from anomaly_detection.explanation.detections import Detection
from anomaly_detection.explanation.records import volume_to_record
from anomaly_detection.explanation.scene import Scene
from anomaly_detection.explanation.sentences import NAMED_SHARE, comparison_to_words
from anomaly_detection.explanation.unusual import Unusual
from exemplar_selection.parts_reader import PartsReader
from feature_extraction.registry import words_of
from vadloc.features import SequenceFeatures

FLOOR_MARGIN = 1.2
"""What is hardly faster than the least speed that a part measures is not called fast."""
FAR_SHARE = 0.5
"""Volumes are heard if their distance is at least this share of the largest."""


@dataclass(frozen=True)
class Compared:
    """One volume, compared with the exemplars of each part.

    Attributes:
        step: Its time step.
        region: Its region.
        comparisons: With the exemplars of each part.
        divisors: D of each part in the region.
        scene: The exemplars of the first part, with what is normal.
        shown: The record of what the volume shows.
        others: Component, speed and normal speeds of other parts that measure motion.
    """

    step: int
    region: int
    comparisons: Sequence[Comparison]
    divisors: Sequence[float]
    scene: Scene
    shown: dict[str, Any]
    others: Sequence[tuple[str, float, tuple[float, float]]] = ()

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """The square of the distance in each part, in its divisors."""
        distances = np.array([comparison.nearest[1] for comparison in self.comparisons])
        return np.asarray((distances / np.array(self.divisors)) ** 2)

    @property
    def distance(self) -> float:
        """The distance in all parts together."""
        return float(np.sqrt(self.squares.sum()))

    @cached_property
    def part_shares(self) -> NDArray[np.float64]:
        """The share of each part in the distance."""
        return squares_to_shares(self.squares)

    @cached_property
    def shares(self) -> dict[str, float]:
        """The share of each component in the distance."""
        return component_shares(self.comparisons, self.part_shares)

    @cached_property
    def unusual(self) -> list[dict[str, Any]]:
        """What is unusual about the volume."""
        known = self.scene.exemplars_of(self.region).known
        classes = self.scene.classes
        return Unusual(self.shown, known, classes, self.shares, self.others).entries()

    @cached_property
    def causes(self) -> dict[tuple[Any, ...], float]:
        """What is unusual, without numbers, and the share of each in the distance.

        The share of moving pixels depends on where in the region something is, and is no cause.
        """
        return {
            _cause(entry): entry["share"]
            for entry in self.unusual
            if entry["share"] >= NAMED_SHARE and entry["attribute"] != "moving_share"
        }


def _cause(entry: dict[str, Any]) -> tuple[Any, ...]:
    """An attribute, and on which side of its range or which word it is."""
    value, high = entry["value"], entry["high"]
    is_number = isinstance(value, float) and high is not None
    return entry["attribute"], value > high if is_number else value


def detection_to_reason(
    detection: Detection,
    features: Sequence[SequenceFeatures],
    scenes: Sequence[Scene],
    read: PartsReader,
    divisors: Mapping[str, NDArray[np.float64]],
) -> Reason:
    """Why something was detected.

    Args:
        detection: The detection.
        features: The features of the sequence, of each part.
        scenes: The exemplars of all regions, of each part.
        read: Reads what volumes show from the features of all parts.
        divisors: Name of each part to the divisor of its distance in each region, ``(regions,)``.
    """

    def compared(step: int, region: int) -> Compared:
        parts = zip(features, scenes, strict=True)
        shown = read([volume_of(step, region, of_part) for of_part in features])
        comparisons = [compare(step, region, *part) for part in parts]
        others = [
            other
            for number in read.other_motions
            for other in other_speed(step, region, features[number], scenes[number])
        ]
        over, first = [float(of_part[region]) for of_part in divisors.values()], scenes[0]
        return Compared(step, region, comparisons, over, first, shown.record(0), others)

    volume = most_telling(detection, features[0], scenes[0], compared)
    return _reason(volume, int(features[0].first_frame[volume.step]), scenes, read, list(divisors))


def other_speed(
    step: int, region: int, features: SequenceFeatures, scene: Scene
) -> Iterator[tuple[str, float, tuple[float, float]]]:
    """Component, speed and normal speeds of a volume in a part, if something moves there."""
    speed = scene.attributes_of(*volume_of(step, region, features)).record(0)["speed"]
    normal = scene.of_exemplars(region).ranges.speed or (0.0, 0.0)
    floor = float(scene.floors_px_per_frame[region])
    name = next(n for n in scene.model.components if "speed" in words_of(n).attributes)
    if speed is not None:
        yield name, speed, (0.0, max(normal[1], FLOOR_MARGIN * floor))


def most_telling(
    detection: Detection,
    features: SequenceFeatures,
    scene: Scene,
    compared: Callable[[int, int], Compared],
) -> Compared:
    """The volume that shows best why something was detected.

    A single volume may be read wrongly: it shows a part of an object, or two of them. So all
    volumes around the peak are heard in which something is unusual, and whose distance would be an
    alarm by itself and is at least ``FAR_SHARE`` of the largest. Each speaks for its causes, with
    the share that they have in the square of its distance. Of the volumes with the cause for which
    most is spoken, it is the farthest one. If none is heard, it is the farthest of all.
    """
    around = [compared(*volume) for volume in volumes_around(detection, features, scene)]
    heard = [v for v in around if v.distance >= detection.threshold and v.causes]
    least = FAR_SHARE * max((volume.distance for volume in heard), default=0.0)
    heard = [volume for volume in heard if volume.distance >= least]
    spoken: defaultdict[tuple[Any, ...], float] = defaultdict(float)
    for volume in heard:
        for cause, share in volume.causes.items():
            spoken[cause] += share * volume.distance**2
    most = max(spoken, key=lambda cause: spoken[cause], default=())
    telling = [volume for volume in heard if most in volume.causes] or around
    return max(telling, key=lambda volume: volume.distance)


def volumes_around(
    detection: Detection, features: SequenceFeatures, scene: Scene
) -> list[tuple[int, int]]:
    """Time step and region of the volumes that cover the peak, or are just before or after it."""
    frame, row, column = detection.peak
    length = scene.config.regions.frames_per_volume
    near = np.abs(features.first_frame + length // 2 - frame) <= length
    regions = scene.grid.regions_over(row, column)
    return [(step, region) for step in np.flatnonzero(near).tolist() for region in regions]


def _reason(
    volume: Compared,
    first_frame: int,
    scenes: Sequence[Scene],
    read: PartsReader,
    parts: Sequence[str],
) -> Reason:
    """The reason that a compared volume gives."""
    largest, region = int(volume.part_shares.argmax()), volume.region
    peak: dict[str, Any] = {
        "distance": round(volume.distance, 6),
        "shares": {name: round(share, 4) for name, share in volume.shares.items()},
        "attributes": volume.shown,
    }
    if len(parts) > 1:
        shares = np.round(volume.part_shares, 4).tolist()
        peak["part_shares"] = dict(zip(parts, shares, strict=True))
    details = {
        "nearest": _nearest(region, volume.comparisons[largest], scenes[largest]),
        "normal": scenes[largest].exemplars_of(region).known.ranges.record(),
        "unusual": volume.unusual,
    }
    floor = float(read.floors_px_per_frame[region])
    words = comparison_to_words({"peak": peak, **details}, floor_px_per_frame=floor)
    return Reason(region, first_frame, words, peak, details)


def compare(step: int, region: int, features: SequenceFeatures, scene: Scene) -> Comparison:
    """A volume, by its time step and region, with the exemplars of its region."""
    return Comparison(
        features=features.values[step, region],
        exemplars=scene.model.features[scene.exemplars_of(region).rows],
        distance=scene.model.distance,
        components=scene.model.components,
    )


def volume_of(
    step: int, region: int, features: SequenceFeatures
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """The features ``(1, dimension)`` of a volume, and its descriptors, name to ``(1, k)``."""
    descriptors = {name: v[step, region][None] for name, v in features.descriptors.items()}
    return features.values[step, region][None], descriptors


def _nearest(region: int, comparison: Comparison, scene: Scene) -> dict[str, Any]:
    """The nearest exemplar: where it comes from, its number of volumes, and what it shows."""
    model, exemplars, index = scene.model, scene.exemplars_of(region), comparison.nearest[0]
    row = int(exemplars.rows[index])
    length = scene.config.regions.frames_per_volume
    return {
        "sequence": model.sequences[model.sequence[row]],
        **volume_to_record(
            model.region_of(row), int(model.first_frame[row]), scene.grid, frames_per_volume=length
        ),
        "count": int(model.counts[row]),
        "attributes": exemplars.shown.record(index),
    }


def squares_to_shares(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each part in the distance; they add up to 1, and are equal if all are 0."""
    total = squares.sum()
    return squares / total if total > 0 else np.full(len(squares), 1 / len(squares))


def component_shares(
    comparisons: Sequence[Comparison], part_shares: NDArray[np.float64]
) -> dict[str, float]:
    """The share of each component in the distance; those of a part add up to the part's share."""
    found: dict[str, float] = {}
    for comparison, of_part in zip(comparisons, part_shares.tolist(), strict=True):
        for name, share in comparison.shares.items():
            found[name] = found.get(name, 0.0) + of_part * share
    return found
