"""Scores frame by frame are those of the whole sequence, to the byte."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volumes import volume_starts

from anomaly_detection.detectors.detector import Detector, Scores
from anomaly_detection.detectors.exemplars import ExemplarStream, FrameScores, features_to_scores
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures
from vadloc.regions import RegionGrid

GRID = RegionGrid(20, 28, 8, 4)
LENGTH = 4
WIDTHS = 130, 3
"""Columns of two components; the distance compares long lists and short ones in two ways."""


class StreamOnly(Detector):
    """Has no more than a stream."""

    def __init__(self, model: Exemplars, config: Any) -> None:
        self.given = model, config

    def start_stream(self, grid: RegionGrid) -> ExemplarStream:
        model, config = self.given
        return ExemplarStream(model, grid, config)


def model_of(random: np.random.Generator) -> Exemplars:
    """Up to 40 exemplars in each region."""
    counts = random.integers(1, 40, GRID.region_count)
    total = int(counts.sum())
    return Exemplars(
        distance=FeatureDistance(WIDTHS, (2.0, 0.5), (1.0, 0.25)),
        components=("a", "b"),
        height_px=GRID.height_px,
        width_px=GRID.width_px,
        sequences=("Train",),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        features=random.normal(size=(total, sum(WIDTHS))).astype(np.float32),
        counts=np.ones(total, np.int64),
        sequence=np.zeros(total, np.int64),
        first_frame=np.arange(total),
    )


def features_of(random: np.random.Generator, frame_count: int, stride: int) -> SequenceFeatures:
    starts = np.array(volume_starts(frame_count, LENGTH, stride))
    values = random.normal(size=(len(starts), GRID.region_count, sum(WIDTHS)))
    return SequenceFeatures(
        sequence="Test",
        frame_count=frame_count,
        height_px=GRID.height_px,
        width_px=GRID.width_px,
        first_frame=starts,
        components=("a", "b"),
        widths=WIDTHS,
        values=values.astype(np.float32),
    )


def config_of(combine: str, neighbourhood: int) -> Any:
    return SimpleNamespace(
        scoring=SimpleNamespace(combine=combine, neighbourhood=neighbourhood),
        regions=SimpleNamespace(frames_per_volume=LENGTH),
    )


@settings(max_examples=20)
@given(
    st.integers(0, 100),
    st.integers(LENGTH, 40),
    st.sampled_from([1, 3]),
    st.sampled_from(["mean", "max"]),
    st.sampled_from([0, 1]),
)
def test_a_stream_gives_the_bytes_of_the_whole(
    seed: int, frame_count: int, stride: int, combine: str, neighbourhood: int
) -> None:
    random = np.random.default_rng(seed)
    model, features = model_of(random), features_of(random, frame_count, stride)
    config = config_of(combine, neighbourhood)
    whole = features_to_scores(features, model, GRID, config=config)
    streamed = StreamOnly(model, config).score_sequence(features, GRID)
    assert whole.shape == (frame_count, *GRID.cells)
    assert streamed.tobytes() == whole.tobytes()


@pytest.mark.parametrize("stride", [1, 3])
def test_frames_come_as_soon_as_no_later_volume_holds_them(stride: int) -> None:
    random = np.random.default_rng(0)
    frames = FrameScores(GRID, frames_per_volume=LENGTH, combine="mean")
    done = 0
    for first in volume_starts(50, LENGTH, stride):
        done += len(frames.push(first, random.random(GRID.region_count)))
        assert done == first + 1
        assert len(frames._volumes) <= -(-LENGTH // stride) + 1  # those that overlap
    assert len(frames.finish()) == 50 - done == LENGTH - 1


def test_a_stream_without_steps_has_no_scores() -> None:
    frames = FrameScores(GRID, frames_per_volume=LENGTH, combine="max")
    scores: Scores = frames.finish()
    assert scores.shape == (0, *GRID.cells)


def test_a_stream_of_frames_of_another_size_is_refused() -> None:
    model = model_of(np.random.default_rng(0))
    with pytest.raises(VadlocError, match=r"frames of 32 x 20 px, those of .* have 28 x 20"):
        StreamOnly(model, config_of("mean", 0)).start_stream(RegionGrid(20, 32, 8, 4))
