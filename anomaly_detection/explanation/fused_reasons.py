"""Why a version of parts detected something: the shares of its parts, and what they know together.

The nearest exemplar is that of the part with the largest share. What the volume shows, what is
normal there and what is unusual is read from all parts: the class from one, motion from another.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.explanation.comparison import Comparison
from anomaly_detection.explanation.detections import Detection
from anomaly_detection.explanation.reasons import (
    compare,
    comparison_to_reason,
    volume_of,
    volumes_over,
)
from anomaly_detection.explanation.scene import Scene
from exemplar_selection.parts_reader import PartsReader
from vadloc.features import SequenceFeatures


def fused_volume_to_reason(
    detection: Detection,
    features: Sequence[SequenceFeatures],
    scenes: Sequence[Scene],
    read: PartsReader,
    divisors: Mapping[str, float],
) -> Reason:
    """Compare the most anomalous volume of a detection with the exemplars of each part.

    Args:
        detection: The detection.
        features: The features of the sequence, of each part.
        scenes: The exemplars of all regions, of each part, with what all parts have seen.
        read: Reads what volumes show from the features of all parts.
        divisors: Name of each part to the divisor of its distance.
    """
    compared = [
        (
            step,
            region,
            [compare(step, region, *part) for part in zip(features, scenes, strict=True)],
        )
        for step, region in volumes_over(detection, features[0], scenes[0])
    ]
    over = np.array(list(divisors.values()))
    squares = [(_distances(comparisons) / over) ** 2 for _, _, comparisons in compared]
    farthest = int(np.argmax([square.sum() for square in squares]))
    step, region, comparisons = compared[farthest]
    shares = squares_to_shares(squares[farthest])
    largest = int(shares.argmax())
    peak = {
        "distance": round(float(np.sqrt(squares[farthest].sum())), 6),
        "shares": component_shares(comparisons, shares),
        "part_shares": {
            name: round(share, 4) for name, share in zip(divisors, shares.tolist(), strict=True)
        },
    }
    return comparison_to_reason(
        region,
        int(features[0].first_frame[step]),
        comparisons[largest],
        scenes[largest],
        read([volume_of(step, region, of_part) for of_part in features]),
        peak,
        floor_px_per_frame=float(read.floors_px_per_frame[region]),
    )


def _distances(comparisons: Sequence[Comparison]) -> NDArray[np.float64]:
    """Distance of the volume in each part."""
    return np.array([comparison.nearest[1] for comparison in comparisons])


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
    return {name: round(share, 4) for name, share in found.items()}
