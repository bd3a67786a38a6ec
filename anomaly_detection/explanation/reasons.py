"""Why the exemplar detector detected something: the nearest exemplar, and what is normal there."""

from typing import Any

import numpy as np

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.explanation.comparison import Comparison
from anomaly_detection.explanation.detections import Detection
from anomaly_detection.explanation.records import volume_to_record
from anomaly_detection.explanation.scene import Scene
from anomaly_detection.explanation.sentences import comparison_to_words
from vadloc.features import SequenceFeatures


def volume_to_reason(detection: Detection, features: SequenceFeatures, scene: Scene) -> Reason:
    """Compare the most anomalous volume of a detection with the exemplars of its region."""
    step, region, comparison = peak_volume(detection, features, scene)
    peak = {
        "distance": round(comparison.nearest[1], 6),
        "shares": {k: round(share, 4) for k, share in comparison.shares.items()},
    }
    first_frame = int(features.first_frame[step])
    return comparison_to_reason(region, first_frame, comparison, scene, peak)


def comparison_to_reason(
    region: int,
    first_frame: int,
    comparison: Comparison,
    scene: Scene,
    peak: dict[str, Any],
    *,
    part_share: float = 1.0,
) -> Reason:
    """The reason that a comparison of a volume with exemplars gives.

    Args:
        region: Region of the volume.
        first_frame: 0-based first frame of the volume.
        comparison: The volume and the exemplars of its region.
        scene: The exemplars of all regions.
        peak: ``distance`` and ``shares`` as the record holds them.
        part_share: Share in the distance of the version's part that was compared; 1 if that is the
            whole version.
    """
    peak = {**peak, "attributes": comparison.shown.record(0)}
    details = {
        "nearest": _nearest(region, comparison, scene),
        "normal": comparison.normal.record(),
        "unusual": comparison.unusual(part_share=part_share),
    }
    floor = float(scene.floors_px_per_frame[region])
    words = comparison_to_words({"peak": peak, **details}, floor_px_per_frame=floor)
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
    exemplars = scene.exemplars_of(region)
    values = features.values[step, region]
    descriptors = {name: v[step, region][None] for name, v in features.descriptors.items()}
    return Comparison(
        features=values,
        exemplars=scene.model.features[exemplars.rows],
        distance=scene.model.distance,
        components=scene.model.components,
        shown=scene.attributes_of(values[None], descriptors),
        normal=exemplars.normal,
    )


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
