"""Curves from hand-made events, areas of drawn staircases, and the plain 103-threshold count."""

from dataclasses import replace

import numpy as np
import pytest
from evaluated_maps import curve_at
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from plain_criteria import Video, counts, envelope_area, map_videos

from evaluation.criteria.areas import (
    AREA_RULES,
    area_under,
    envelope_path,
    equal_error_rate,
    roc_area,
)
from evaluation.criteria.curves import (
    NO_REGIONS,
    Events,
    RateCurve,
    detection_curve,
)
from evaluation.criteria.sweep import sequence_events
from vadloc.errors import VadlocError

NO_FRAMES = np.empty(0)


def events(
    *,
    frames: int = 1,
    track: tuple[int, ...] = (),
    false: tuple[tuple[float, int], ...] = (),
    found: tuple[tuple[float, int, int], ...] = (),
    name: str = "drawn",
) -> Events:
    """Events from (score, change) and (score, region, change)."""
    false_table = np.array(false).reshape(-1, 2)
    found_table = np.array(found).reshape(-1, 3)
    return Events(
        sequence=name,
        frame_score=np.zeros(frames),
        lowest_score=0.0,
        track=np.array(track, np.int64),
        false_positive_score=false_table[:, 0],
        false_positive_change=false_table[:, 1].astype(np.int64),
        region_score=found_table[:, 0],
        region=found_table[:, 1].astype(np.int64),
        region_change=found_table[:, 2].astype(np.int64),
    )


def curve(*points: tuple[float, float], reason: str | None = None) -> RateCurve:
    """Points (FPR, rate) at thresholds inf, 0.9, 0.8, ..., after "nothing detected"."""
    fpr, rate = np.array([(0.0, 0.0), *points]).T
    thresholds = np.append(np.inf, 1 - 0.1 * np.arange(1, len(fpr)))
    return RateCurve(thresholds, fpr, rate, lowest_score=0.0, reason=reason)


def test_counts_add_over_sequences_and_tracks_need_their_share() -> None:
    # Two sequences that both have a track 5: three tracks in all, of 2, 1 and 3 regions.
    a = events(
        frames=4,
        track=(5, 5, 8),
        false=((0.9, 2), (0.5, -1)),
        found=((0.8, 0, 1), (0.7, 2, 1), (0.4, 2, -1)),
    )
    b = events(
        frames=6,
        track=(5, 5, 5),
        false=((0.9, 1),),
        found=((0.8, 1, 1), (0.6, 2, 1), (0.5, 1, -1), (0.5, 0, 1)),
        name="other",
    )
    c = detection_curve([a, b], alpha=0.5)
    assert c.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    assert_array_equal(c.false_positives_per_frame * 10, [0, 3, 3, 3, 3, 2, 2])
    assert_array_equal(c.region_rate, np.array([0, 0, 2, 3, 4, 4, 3]) / 6)
    # a5 has 1 of 2 at 0.8; a8 from 0.7 until 0.4; b5 has 2 of 3 at 0.6 and swaps one at 0.5.
    assert_array_equal(c.track_rate, np.array([0, 0, 1, 2, 3, 3, 2]) / 3)
    assert_array_equal(
        detection_curve([a, b], alpha=1.0).track_rate, np.array([0, 0, 0, 1, 1, 1, 0]) / 3
    )
    assert (c.frame_count, c.region_count, c.track_count) == (10, 6, 3)


def test_order_of_sequences_has_no_effect() -> None:
    a = events(track=(1, 1), false=((0.3, 1),), found=((0.5, 0, 1), (0.4, 1, 1)))
    b = events(track=(1,), false=((0.3, 1), (0.2, -1)), found=((0.4, 0, 1),), name="other")
    one, two = detection_curve([a, b]), detection_curve([b, a])
    for field in ("thresholds", "false_positives_per_frame", "region_rate", "track_rate"):
        assert_array_equal(getattr(one, field), getattr(two, field))


def test_curve_between_its_events_keeps_the_last_state() -> None:
    c = detection_curve([events(track=(1,), false=((0.5, 1),), found=((0.5, 0, 1), (0.2, 0, -1)))])
    seen = curve_at(c, np.array([0.6, 0.5, 0.3, 0.2, -1.0, np.inf]))
    assert seen.false_positives_per_frame.tolist() == [0, 1, 1, 1, 1, 0]
    assert seen.region_rate.tolist() == [0, 1, 1, 0, 0, 0]
    assert seen.track_rate.tolist() == [0, 1, 1, 0, 0, 0]


def test_no_region_is_undefined_but_false_positives_are_counted() -> None:
    c = detection_curve([events(frames=2, false=((0.5, 1),))])
    assert c.false_positives_per_frame.tolist() == [0, 0.5]
    assert np.isnan(c.region_rate).all()
    assert np.isnan(c.track_rate).all()
    for name in AREA_RULES:
        area = area_under(c.track, rule=name)
        assert np.isnan(area.value)
        assert area.reason == NO_REGIONS


def test_no_detection_at_all_is_an_area_of_zero() -> None:
    c = detection_curve([replace(events(track=(1,)), lowest_score=float("nan"))])
    assert c.thresholds.tolist() == [np.inf]
    assert area_under(c.region).value == 0
    assert area_under(c.region, rule="hold").value == 0
    assert area_under(c.region, rule="ssvad").value == 0
    assert (
        area_under(c.region, rule="grid100").reason
        == "no score to lay the thresholds of grid100 on"
    )


# FPR 0 .25 .5 .75 1; areas counted in boxes of a drawing: a rate holds from its point to the right.
@pytest.mark.parametrize(
    ("points", "area"),
    [
        pytest.param([], 0, id="nothing found"),
        pytest.param([(0, 1)], 1, id="perfect"),
        pytest.param([(0, 1), (1, 0)], 1, id="perfect, then a flood"),
        pytest.param([(0.5, 0), (0.5, 1)], 0.5, id="steep"),
        pytest.param([(0.5, 1)], 0.5, id="nothing before the first point"),
        pytest.param([(1, 1)], 0, id="found only where the axis ends"),
        pytest.param([(2, 1)], 0, id="found only beyond 1"),
        pytest.param([(0.5, 0.5), (1.5, 1)], 0.25, id="beyond 1 after a step"),
        pytest.param([(0.5, 0.5)], 0.25, id="flat to 1"),
        pytest.param([(0.5, 0.5), (0.75, 0.25)], 0.25, id="a dominated point"),
        pytest.param([(0.5, 0.5), (0.75, 0.5), (1, 1)], 0.25, id="a step at the end"),
        pytest.param([(0.5, 0.5), (0.75, 0.75)], 0.125 + 0.1875, id="two steps"),
        pytest.param([(0.75, 0.25), (0.5, 0.5), (0.75, 1)], 0.375, id="false positives merged"),
        pytest.param([(0, 0.5), (3, 0.5), (0.5, 1)], 0.25 + 0.5, id="merged after 1"),
    ],
)
def test_envelope_of_drawn_curves(points: list[tuple[float, float]], area: float) -> None:
    c = curve(*points)
    assert area_under(c).value == pytest.approx(area, abs=1e-15)
    plain = list(zip(c.fpr.tolist(), c.rate.tolist(), strict=True))
    assert envelope_area(plain) == pytest.approx(area, abs=1e-15)


def test_the_corners_of_the_envelope_are_points_of_the_sweep() -> None:
    path = envelope_path(curve((0.5, 0.25), (0.25, 0.5), (0.5, 0.5), (0.75, 1.0), (0.75, 0.75)))
    assert path.fpr.tolist() == [0, 0.25, 0.75]
    assert path.rate.tolist() == [0, 0.5, 1.0]
    assert path.thresholds == pytest.approx([np.inf, 0.8, 0.6])


def test_a_line_between_points_does_not_count() -> None:
    # A further false alarm pushes (.25, 0) behind (.25, .5); a straight line to (.25, .5) in place
    # of the rise at .25 would make that a gain of 1/16.
    before = curve((0.25, 0), (0.25, 0.5), (0.5, 0.5))
    after = curve((0.5, 0), (0.25, 0.5), (0.5, 0.5))
    assert area_under(before).value == area_under(after).value == 0.375


POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 8)), min_size=1, max_size=12).map(
    lambda points: [(fpr / 8, rate / 8) for fpr, rate in points]
)


@settings(max_examples=200, deadline=None)
@given(POINTS)
def test_envelope_equals_the_best_rate_asked_piece_by_piece(
    points: list[tuple[float, float]],
) -> None:
    assert area_under(curve(*points)).value == pytest.approx(
        envelope_area([(0.0, 0.0), *points]), abs=1e-12
    )


@settings(max_examples=200, deadline=None)
@given(POINTS, st.data())
def test_a_dominated_point_changes_nothing(
    points: list[tuple[float, float]], data: st.DataObject
) -> None:
    fpr, rate = data.draw(st.sampled_from([(0.0, 0.0), *points]))
    worse = fpr + data.draw(st.integers(0, 8)) / 8, rate * data.draw(st.integers(0, 8)) / 8
    place = data.draw(st.integers(0, len(points)))
    more = [*points[:place], worse, *points[place:]]
    assert area_under(curve(*more)).value == area_under(curve(*points)).value


@settings(max_examples=200, deadline=None)
@given(POINTS, st.data())
def test_more_false_positives_never_raise_the_envelope(
    points: list[tuple[float, float]], data: st.DataObject
) -> None:
    more = [(fpr + data.draw(st.integers(0, 4)) / 16, rate) for fpr, rate in points]
    assert area_under(curve(*more)).value <= area_under(curve(*points)).value


@pytest.mark.parametrize(
    ("points", "area"),
    [
        pytest.param([(0, 1), (1, 0)], 0.5, id="a flood at 1 costs half"),
        pytest.param([(0.5, 0.5)], 0.125 + 0.25, id="flat to 1"),
        pytest.param([(0.5, 0.5), (1.5, 1)], 0.125 + 0.3125, id="crosses 1"),
        pytest.param([(0.5, 0.5), (1.5, 0.5), (0.5, 1)], 0.125 + 0.25, id="stops at 1"),
        pytest.param([(0.5, 0.5), (0.25, 0.5)], 0.0625 + 0.125 + 0.25, id="merged before 1"),
    ],
)
def test_hold_of_drawn_curves(points: list[tuple[float, float]], area: float) -> None:
    assert area_under(curve(*points), rule="hold").value == pytest.approx(area, abs=1e-15)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        pytest.param([(0, 1), (1, 0)], 0.5, id="perfect, then a flood"),
        pytest.param([(0.5, 0.5)], 0.125, id="nothing is added at the end"),
        pytest.param([(0.5, 0.5), (1.5, 1)], 0.125, id="beyond 1 is dropped"),
        pytest.param([(2, 1)], 0, id="only the start is left"),
    ],
)
def test_ssvad_of_drawn_curves(points: list[tuple[float, float]], area: float) -> None:
    assert area_under(curve(*points), rule="ssvad").value == pytest.approx(area, abs=1e-15)


def test_ssvad_sees_only_its_grid() -> None:
    # 0.505 and 0.502 lie between the thresholds 0.51 and 0.50: the state at 0.505 is never seen.
    c = RateCurve(np.array([np.inf, 0.505, 0.502]), np.array([0, 0.2, 0.4]), np.array([0, 1, 0.5]))
    assert area_under(c, rule="ssvad").value == pytest.approx(0.4 * 0.5 / 2)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        pytest.param([(0, 1), (1, 0)], 0.5, id="perfect, then a flood"),
        pytest.param([(0.5, 0.5)], 0.5 * 0.75, id="(1, 1) is added; no point before the highest"),
        pytest.param([(0.5, 0.5), (1.5, 1)], 0.5 * 0.625, id="crosses 1"),
        pytest.param([(2, 1)], 0, id="starts beyond 1"),
    ],
)
def test_grid100_of_drawn_curves(points: list[tuple[float, float]], area: float) -> None:
    assert area_under(curve(*points), rule="grid100").value == pytest.approx(area, abs=1e-15)


def test_unknown_rule_lists_the_known_ones() -> None:
    with pytest.raises(VadlocError, match="'envelop'; known rules: envelope, ssvad, grid100, hold"):
        area_under(curve(), rule="envelop")


def test_curve_needs_frames_and_a_share() -> None:
    with pytest.raises(VadlocError, match="no test frames"):
        detection_curve([])
    with pytest.raises(VadlocError, match="alpha is 0, expected a share above 0 and at most 1"):
        detection_curve([events()], alpha=0)


@pytest.mark.parametrize(
    ("points", "rate", "threshold"),
    [
        pytest.param([(0, 1), (1, 1)], 0, 0.9, id="perfect"),
        pytest.param([(1, 1)], 0.5, 0.9, id="chance"),
        pytest.param([(0.25, 0.75), (1, 1)], 0.25, 0.9, id="on a point"),
        pytest.param([(0, 0.5), (0.5, 0.5), (1, 1)], 0.5, 0.8, id="on a level piece"),
        pytest.param([(0.25, 0.5), (0.75, 1), (1, 1)], 0.375, 0.8, id="inside a slope"),
        pytest.param([(1, 0), (1, 1)], 1, 0.9, id="always wrong"),
        pytest.param([(0.1, 0.8), (0.4, 0.3), (1, 1)], 0.2, 0.9, id="a lifted point"),
    ],
)
def test_equal_error_rate_of_drawn_curves(
    points: list[tuple[float, float]], rate: float, threshold: float
) -> None:
    value, at = equal_error_rate(curve(*points))
    assert value.value == pytest.approx(rate, abs=1e-15)
    assert at.value == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        pytest.param([(0, 1), (1, 1)], 1, id="perfect"),
        pytest.param([(1, 1)], 0.5, id="all tied: half of the pairs"),
        pytest.param([(0.5, 0), (0.5, 1), (1, 1)], 0.5, id="steps"),
        pytest.param([(0, 0.5), (1, 1)], 0.75, id="the last half tied"),
        pytest.param([(0, 1), (0.5, 0.5), (1, 0)], 1, id="found and lost again"),
        pytest.param([(0.5, 1), (0.5, 0), (1, 0)], 0.75, id="lost where it was found"),
    ],
)
def test_roc_area_of_drawn_curves(points: list[tuple[float, float]], area: float) -> None:
    assert roc_area(curve(*points)).value == area


def test_equal_error_rate_is_undefined_where_it_is_not_reached() -> None:
    for c, reason in [
        (curve((0.2, 0.3)), "the curve ends before FPR = 1 - TPR"),
        (curve((1.0, np.nan), reason="no anomalous frame"), "no anomalous frame"),
    ]:
        for value in equal_error_rate(c):
            assert np.isnan(value.value)
            assert value.reason == reason


@settings(max_examples=40, deadline=None)
@given(map_videos())
def test_counts_on_the_grid_of_ssvad_equal_103_relabellings(video: Video) -> None:
    scores, truths = video
    thresholds = np.linspace(1.01, -0.01, 103)
    exact = detection_curve([sequence_events(s, t) for s, t in zip(scores, truths, strict=True)])
    seen = curve_at(exact, thresholds)
    plain = [counts(scores, truths, t, alpha=0.1, beta=0.1) for t in thresholds.tolist()]
    assert_array_equal(
        seen.false_positives_per_frame, [p.false_positives / exact.frame_count for p in plain]
    )
    if exact.region_count:
        assert_array_equal(seen.region_rate, [p.found_regions / exact.region_count for p in plain])
        assert_array_equal(seen.track_rate, [p.found_tracks / exact.track_count for p in plain])
