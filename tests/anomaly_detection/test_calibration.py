"""The alarm threshold: counts against labelling at every score, the rule against its definition."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from anomaly_detection.calibration.alarm_curves import (
    AlarmCurve,
    alarm_curve,
    curves_to_threshold,
    sum_of_curves,
)
from exemplar_selection.left_out import split_in_time
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures

LEVELS = st.sampled_from([np.float32(k / 8) for k in range(9)])
MAPS = arrays(np.float32, st.tuples(*[st.integers(1, 4)] * 3), elements=LEVELS)


def count(scores: NDArray[np.float32], threshold: float, connectivity: int) -> int:
    """Components by labelling."""
    structure = ndimage.generate_binary_structure(3, 3 if connectivity == 8 else 1)
    return int(ndimage.label(scores >= threshold, structure)[1])


def alarms_at(curve: AlarmCurve, threshold: float) -> int:
    """What a curve says of a threshold."""
    above = np.flatnonzero(curve.scores >= threshold)
    return int(curve.alarms[above[-1]]) if len(above) else 0


@given(MAPS, st.sampled_from([4, 8]))
def test_counts_are_those_of_labelling(scores: NDArray[np.float32], connectivity: int) -> None:
    curve = alarm_curve(scores, connectivity=connectivity)
    for threshold in np.arange(-1, 18) / 16:
        assert alarms_at(curve, threshold) == count(scores, threshold, connectivity)


@given(st.lists(MAPS, min_size=1, max_size=3), st.integers(0, 4))
def test_threshold_is_the_smallest_that_keeps_its_promise(
    maps: list[NDArray[np.float32]], allowed: int
) -> None:
    curves = [alarm_curve(scores, connectivity=8) for scores in maps]
    value, alarms = curves_to_threshold(curves, allowed=allowed)

    def total(threshold: float) -> int:
        return sum(count(scores, threshold, 8) for scores in maps)

    levels = np.unique(np.concatenate([scores.ravel() for scores in maps]))
    assert all(total(t) <= allowed for t in [value, *levels[levels >= value]])
    assert total(value) == alarms
    below = levels[levels < value]
    if len(below):  # one score lower, the promise is broken there
        assert total(below[-1]) > allowed
    elif value > levels[0]:
        pytest.fail("a lower threshold would have kept the promise")


def test_none_allowed_lies_just_above_all_scores() -> None:
    scores = np.array([[[0.25, 0.75]]], np.float32)
    value, alarms = curves_to_threshold([alarm_curve(scores, connectivity=8)], allowed=0)
    assert (value, alarms) == (float(np.nextafter(np.float32(0.75), np.float32(1))), 0)


def test_the_number_of_alarms_is_not_monotone_and_the_rule_stays_above_the_crowd() -> None:
    # Three peaks that a low ridge joins: 1, 2, 3 alarms as the threshold falls, then 1 again.
    scores = np.array([[[0.9, 0.1, 0.8, 0.1, 0.7]]], np.float32)
    curve = alarm_curve(scores, connectivity=8)
    assert curve.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.1])
    assert curve.alarms.tolist() == [1, 2, 3, 1]
    value, alarms = curves_to_threshold([curve], allowed=2)
    assert alarms == 2
    assert 0.7 < value < 0.7001


def test_sequences_add_up() -> None:
    one = AlarmCurve(np.array([0.5, 0.2], np.float32), np.array([1, 3]))
    two = AlarmCurve(np.array([0.7, 0.5, 0.1], np.float32), np.array([2, 1, 4]))
    total = sum_of_curves([one, two])
    assert total.scores.tolist() == pytest.approx([0.7, 0.5, 0.2, 0.1])
    assert total.alarms.tolist() == [2, 2, 4, 7]


FEATURES = SequenceFeatures(
    sequence="Train0",
    frame_count=21,
    height_px=32,
    width_px=32,
    first_frame=np.array([0, 3, 6, 9, 12, 15, 17]),
    components=("momentum",),
    widths=(1,),
    values=np.arange(7, dtype=np.float32)[:, None, None],
    descriptors={"moving_share": np.arange(7, dtype=np.float32)[:, None, None]},
)


def test_halves_share_no_frame() -> None:
    first, second = split_in_time(FEATURES, 4)
    assert first.values.ravel().tolist() == [0, 1, 2]  # frames 0-9 of the first ten
    assert (first.first_frame.tolist(), first.frame_count) == ([0, 3, 6], 10)
    assert second.values.ravel().tolist() == [4, 5, 6]  # frames 12-20
    assert (second.first_frame.tolist(), second.frame_count) == ([0, 3, 5], 9)
    assert second.descriptors["moving_share"].ravel().tolist() == [4, 5, 6]


def test_a_sequence_too_short_to_be_halved() -> None:
    short = replace(
        FEATURES,
        frame_count=6,
        first_frame=np.array([0, 2]),
        values=np.zeros((2, 1, 1), np.float32),
    )
    with pytest.raises(VadlocError, match=r"Train0: 6 frames are too few.*threshold"):
        split_in_time(short, 4)
