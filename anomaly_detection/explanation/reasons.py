"""Why the exemplar detector detected something: the nearest exemplar, and what is normal there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.explanation.comparison import Comparison
from anomaly_detection.explanation.detections import Detection
from anomaly_detection.explanation.records import volume_to_record
from anomaly_detection.explanation.scene import Scene
from anomaly_detection.explanation.sentences import comparison_to_words
from anomaly_detection.explanation.unusual import Unusual
from exemplar_selection.volume_attributes import VolumeAttributes
from vadloc.features import SequenceFeatures


def volume_to_reason(detection: Detection, features: SequenceFeatures, scene: Scene) -> Reason:
    """Compare the most anomalous volume of a detection with the exemplars of its region."""
    step, region, comparison = peak_volume(detection, features, scene)
    peak = {
        "distance": round(comparison.nearest[1], 6),
        "shares": {k: round(share, 4) for k, share in comparison.shares.items()},
    }
    values, descriptors = volume_of(step, region, features)
    return comparison_to_reason(
        region,
        int(features.first_frame[step]),
        comparison,
        scene,
        scene.attributes_of(values, descriptors),
        peak,
        floor_px_per_frame=float(scene.floors_px_per_frame[region]),
    )


def comparison_to_reason(
    region: int,
    first_frame: int,
    comparison: Comparison,
    scene: Scene,
    shown: VolumeAttributes,
    peak: dict[str, Any],
    *,
    floor_px_per_frame: float,
) -> Reason:
    """The reason that a comparison of a volume with exemplars gives.

    Args:
        region: Region of the volume.
        first_frame: 0-based first frame of the volume.
        comparison: The volume and the exemplars of its region.
        scene: The exemplars of all regions.
        shown: What the volume shows.
        peak: ``distance`` and ``shares`` as the record holds them.
        floor_px_per_frame: Slower movement was not measured; 0 for no such limit.
    """
    known, attributes = scene.exemplars_of(region).known, shown.record(0)
    peak = {**peak, "attributes": attributes}
    details = {
        "nearest": _nearest(region, comparison, scene),
        "normal": known.ranges.record(),
        "unusual": Unusual(attributes, known, scene.classes, peak["shares"]).entries(),
    }
    words = comparison_to_words({"peak": peak, **details}, floor_px_per_frame=floor_px_per_frame)
    return Reason(region, first_frame, words, peak, details)


def peak_volume(
    detection: Detection, features: SequenceFeatures, scene: Scene
) -> tuple[int, int, Comparison]:
    """The volume with the largest distance among those that cover the peak of the detection.

    If several have the same distance, it is the first one.

    Returns:
        The time step and the region of the volume, and its comparison with the exemplars.
    """
    volumes = [
        (step, region, compare(step, region, features, scene))
        for step, region in volumes_over(detection, features, scene)
    ]
    return max(volumes, key=lambda volume: volume[2].nearest[1])


def volumes_over(
    detection: Detection, features: SequenceFeatures, scene: Scene
) -> list[tuple[int, int]]:
    """Time step and region of each volume over the peak of the score map."""
    frame, row, column = detection.peak
    length = scene.config.regions.frames_per_volume
    covering = (features.first_frame <= frame) & (frame < features.first_frame + length)
    regions = scene.grid.regions_over(row, column)
    return [(step, region) for step in np.flatnonzero(covering).tolist() for region in regions]


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
