"""Which volume explains a detection, from made-up volumes."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anomaly_detection.explanation.detections import Detection
from anomaly_detection.explanation.reasons import Compared, most_telling, volumes_around
from vadloc.regions import RegionGrid

LENGTH = 10
GRID = RegionGrid(40, 60, 20, 10)
SCENE: Any = SimpleNamespace(
    grid=GRID, config=SimpleNamespace(regions=SimpleNamespace(frames_per_volume=LENGTH))
)
FEATURES: Any = SimpleNamespace(first_frame=np.arange(0, 50, 5))


def detection(threshold: float = 1.0) -> Detection:
    return Detection(
        score=5.0,
        threshold=threshold,
        peak=(22, 0, 0),  # a corner, which one region covers
        first_frame=10,
        box_xyxy_px=np.array([[0, 0, 10, 10]] * 20),
    )


def test_volumes_cover_the_peak_or_are_beside_it() -> None:
    # The middle frames of these volumes are 15, 20, 25 and 30.
    assert volumes_around(detection(), FEATURES, SCENE) == [(2, 0), (3, 0), (4, 0), (5, 0)]


def told(
    distances: list[float], causes: list[dict[str, float]], *, threshold: float = 1.0
) -> tuple[int, float]:
    """Step and distance of the volume that explains, of the volumes of steps 2, 3, 4 and 5."""

    def compared(step: int, region: int) -> Compared:
        del region
        named = {(name, None): share for name, share in causes[step - 2].items()}
        volume: Any = SimpleNamespace(step=step, distance=distances[step - 2], causes=named)
        return volume  # type: ignore[no-any-return]

    found = most_telling(detection(threshold), FEATURES, SCENE, compared)
    return found.step, found.distance


SPEED, PLACE = {"speed": 0.8}, {"place": 0.9}


@pytest.mark.parametrize(
    ("distances", "causes", "expected"),
    [
        ([2, 3, 2, 2], [SPEED, PLACE, SPEED, SPEED], 2),  # .8 * 12 against .9 * 9
        ([2, 2, 2.5, 2], [SPEED, PLACE, SPEED, SPEED], 4),
        ([1.2, 3, 1.2, 1.2], [SPEED, PLACE, SPEED, SPEED], 3),  # less than half as far
        ([2, 9, 3, 2], [SPEED, {}, SPEED, PLACE], 4),  # the farthest shows nothing unusual
        ([0.5, 0.9, 0.5, 0.5], [SPEED, PLACE, SPEED, SPEED], 3),  # no alarm by itself
        ([2, 3, 2, 2], [{}, {}, {}, {}], 3),
    ],
)
def test_the_farthest_volume_with_the_most_spoken_cause(
    distances: list[float], causes: list[dict[str, float]], expected: int
) -> None:
    step, distance = told(distances, causes)
    assert (step, distance) == (expected, distances[expected - 2])
