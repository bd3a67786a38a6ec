"""All criteria: what must hold for any detector, drawn cases, and a plain implementation."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from random import Random

import numpy as np
import pytest
from evaluated_maps import evaluate_maps
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal, assert_equal
from numpy.typing import NDArray
from plain_criteria import (
    BoxVideo,
    Video,
    box_videos,
    distinct_scores,
    map_videos,
    painted_scores,
    pair_auc,
    pixel_rates,
    roc_area,
)

from evaluation.criteria.combination import CriteriaResult, combine
from evaluation.criteria.criterion import criterion_modules
from evaluation.criteria.curves import RateCurve
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.ranking import (
    RankedFrames,
    average_precision,
    false_alarm_rate,
    roc_result,
)
from evaluation.criteria.sequences import sequence_statistics
from evaluation.results import result_to_values
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.config import CURVES
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    ScoreMap,
    Scores,
)

HEIGHT_PX, WIDTH_PX = 12, 16


def truth_of(
    boxes: list[tuple[int, int, float, float, float, float]],
    *,
    frame_count: int,
    name: str = "drawn",
    also_anomalous: tuple[int, ...] = (),
) -> GroundTruth:
    """Ground truth from rows of frame, track, x0, y0, x1, y1."""
    table = np.array(boxes, np.float64).reshape(-1, 6)
    frame = table[:, 0].astype(np.int64)
    anomalous = np.isin(np.arange(frame_count), [*frame, *also_anomalous])
    track = table[:, 1].astype(np.int64)
    return GroundTruth(
        name, frame_count, HEIGHT_PX, WIDTH_PX, frame, track, table[:, 2:], anomalous
    )


def full_map(scores: NDArray[np.float32], *, name: str = "drawn") -> ScoreMap:
    return ScoreMap(name, scores, 1, 1, HEIGHT_PX, WIDTH_PX)


def perfect_map(truth: GroundTruth) -> ScoreMap:
    scores = np.zeros((truth.frame_count, HEIGHT_PX, WIDTH_PX), np.float32)
    for frame, (x0, y0, x1, y1) in zip(truth.frame, truth.box_xyxy_px.astype(int), strict=True):
        scores[frame, y0:y1, x0:x1] = 1
    return full_map(scores, name=truth.sequence)


def perfect_boxes(truth: GroundTruth) -> BoxScores:
    score = np.ones(truth.region_count)
    return BoxScores(
        truth.sequence,
        truth.frame,
        truth.box_xyxy_px,
        score,
        truth.frame_count,
        HEIGHT_PX,
        WIDTH_PX,
    )


AREA_NAMES = (
    "region_roc_auc",
    "track_roc_auc",
    "frame_roc_auc",
    "frame_macro_roc_auc",
    "pixel_roc_auc",
    "dual_pixel_roc_auc",
    "frame_average_precision",
)
ERROR_NAMES = ("frame_eer", "frame_macro_eer", "pixel_eer", "dual_pixel_eer")


def areas(result: CriteriaResult) -> list[float]:
    """Everything that is better when higher, in the order of ``AREA_NAMES``."""
    values = result_to_values(result)
    return [values[name].value for name in AREA_NAMES]


def errors(result: CriteriaResult) -> list[float]:
    """Everything that is better when lower."""
    values = result_to_values(result)
    return [values[name].value for name in ERROR_NAMES]


TWO_SEQUENCES = [
    truth_of(
        [(1, 0, 2, 3, 5, 7), (2, 0, 3, 3, 6, 7), (2, 1, 9, 1, 11, 3), (3, 1, 9, 2, 11, 4)],
        frame_count=6,
        name="a",
    ),
    truth_of([(0, 0, 0, 0, 2, 2), (1, 0, 14, 10, 16, 12)], frame_count=3, name="b"),
]


@pytest.mark.parametrize("detector", [perfect_map, perfect_boxes])
@pytest.mark.parametrize("strict", [False, True])
def test_perfect_detector_scores_exactly_one(detector: type, strict: bool) -> None:
    options = CriteriaOptions()
    if strict:
        options = CriteriaOptions(alpha=1, beta=1, pixel_share=1, dual_share=1)
    result = evaluate_maps(map(detector, TWO_SEQUENCES), TWO_SEQUENCES, options=options)
    assert areas(result) == [1.0] * 7
    assert errors(result) == [0.0] * 4
    assert result.numbers["false_alarm_rate"].value == 0


@pytest.mark.parametrize("detector", [perfect_map, perfect_boxes])
def test_inverted_detector_scores_nothing_at_frame_level(detector: type) -> None:
    # All normal frames above all anomalous ones.
    truth = TWO_SEQUENCES[0]
    wrong = replace(truth, frame=np.array([0, 0, 4, 5]), anomalous=truth.anomalous)
    result = evaluate_maps([detector(wrong)], [truth])
    assert result.curves["frame"].auc.value == 0
    assert result.curves["frame"].eer.value == 1
    assert result.curves["region"].auc.value == 0
    assert result.curves["track"].auc.value == 0
    assert result.numbers["false_alarm_rate"].value == 1


@settings(max_examples=60, deadline=None)
@given(map_videos(), st.randoms(use_true_random=False))
def test_increasing_rescaling_of_maps_changes_nothing(video: Video, random: Random) -> None:
    scores, truths = video
    old = np.array(distinct_scores(scores)[::-1], np.float32)
    new = np.cumsum([random.uniform(0.1, 10) for _ in old]).astype(np.float32) - 50
    rescaled = [replace(s, scores=new[np.searchsorted(old, s.scores)]) for s in scores]
    before, after = evaluate_maps(scores, truths), evaluate_maps(rescaled, truths)
    assert_equal(areas(after), areas(before))
    assert_equal(errors(after), errors(before))
    assert_array_equal(after.curves["region"].curve.rate, before.curves["region"].curve.rate)


@settings(max_examples=60, deadline=None)
@given(box_videos())
def test_increasing_rescaling_of_boxes_changes_nothing(video: BoxVideo) -> None:
    scores, truths = video
    rescaled = [replace(s, score=np.exp(7 * s.score) - 30) for s in scores]
    before, after = evaluate_maps(scores, truths), evaluate_maps(rescaled, truths)
    assert_equal(areas(after), areas(before))
    assert_equal(errors(after), errors(before))


def detection_areas(result: CriteriaResult) -> NDArray[np.float64]:
    return np.array([result.curves["region"].auc.value, result.curves["track"].auc.value])


@settings(max_examples=80, deadline=None)
@given(
    box_videos(), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), min_size=1, max_size=6)
)
def test_false_alarm_boxes_never_raise_an_area(
    video: BoxVideo, alarms: list[tuple[float, int]]
) -> None:
    scores, truths = video
    quiet = truth_of([], frame_count=10, name="quiet")
    none = perfect_boxes(quiet)
    loud = BoxScores(
        "quiet",
        np.array([frame for _, frame in alarms]),
        np.tile([3.0, 3.0, 5.0, 5.0], (len(alarms), 1)),
        np.array([score for score, _ in alarms]),
        10,
        HEIGHT_PX,
        WIDTH_PX,
    )
    before = areas(evaluate_maps([*scores, none], [*truths, quiet]))
    after = areas(evaluate_maps([*scores, loud], [*truths, quiet]))
    for name, old, new in zip(AREA_NAMES, before, after, strict=True):
        assert np.isnan(old) or new <= old + 1e-12, name


@settings(max_examples=60, deadline=None)
@given(map_videos(), st.integers(0, 2**32 - 1))
def test_false_alarms_of_maps_never_raise_an_area(video: Video, seed: int) -> None:
    """However regions of other frames merge and are lost; each alarm is the first of its frame."""
    scores, truths = video
    rng = np.random.default_rng(seed)
    quiet = truth_of([], frame_count=6, name="quiet")
    silent = np.full((6, HEIGHT_PX, WIDTH_PX), min(distinct_scores(scores)), np.float32)
    loud = silent.copy()
    for frame in range(int(rng.integers(1, 7))):
        loud[frame, 3:5, 3:5] = rng.choice(distinct_scores(scores)) + rng.choice([0, 0.01])
    before, after = (
        areas(evaluate_maps([*scores, full_map(part, name="quiet")], [*truths, quiet]))
        for part in (silent, loud)
    )
    for name, old, new in zip(AREA_NAMES, before, after, strict=True):
        assert np.isnan(old) or new <= old + 1e-12, name


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_isolated_false_alarms_never_raise_an_area(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = [(f, y, x) for f in range(4) for y in range(0, 12, 2) for x in range(0, 16, 2)]
    chosen = rng.permutation(len(places))
    regions = sorted(places[i] for i in chosen[:8])
    truth = truth_of(
        [(f, i % 3, x, y, x + 1, y + 1) for i, (f, y, x) in enumerate(regions)], frame_count=4
    )
    scores = np.zeros((4, HEIGHT_PX, WIDTH_PX), np.float32)
    for i in chosen[: rng.integers(4, 16)]:  # some regions and some places beside them
        scores[places[i]] = rng.integers(1, 10)
    louder = scores.copy()
    for i in chosen[16 : 16 + rng.integers(1, 8)]:
        louder[places[i]] = rng.integers(1, 10)
    before = evaluate_maps([full_map(scores)], [truth])
    after = evaluate_maps([full_map(louder)], [truth])
    assert (detection_areas(after) <= detection_areas(before) + 1e-12).all()


def rates_at(curve: RateCurve, threshold: float) -> tuple[float, float]:
    """The last point at or above a threshold."""
    i = int(np.count_nonzero(curve.thresholds >= threshold)) - 1
    return float(curve.fpr[i]), float(curve.rate[i])


def check_pixel_levels(
    scores: Sequence[Scores],
    truths: Sequence[GroundTruth],
    share: float,
    dual_share: float,
) -> None:
    options = CriteriaOptions(pixel_share=share, dual_share=dual_share)
    result = evaluate_maps(scores, truths, options=options)
    lowest = [-np.inf] * isinstance(scores[0], BoxScores)
    thresholds = [*distinct_scores(scores), *lowest]
    for roc, least in ((result.curves["pixel"], 0.0), (result.curves["dual_pixel"], dual_share)):
        points = [(0.0, 0.0)]
        for threshold in thresholds:
            points.append(pixel_rates(scores, truths, threshold, share=share, dual_share=least))
            assert_equal(rates_at(roc.curve, threshold), points[-1])
        if roc.curve.reason is None:
            assert roc.auc.value == pytest.approx(roc_area(points), abs=1e-12)
        else:
            assert np.isnan(points[-1]).any()
            assert np.isnan(roc.auc.value)


SHARES = st.sampled_from([0.05, 0.25, 0.4, 1.0])


@settings(max_examples=80, deadline=None)
@given(map_videos(), SHARES, SHARES)
def test_pixel_levels_of_maps_equal_counting(video: Video, share: float, dual: float) -> None:
    check_pixel_levels(*video, share, dual)


@settings(max_examples=80, deadline=None)
@given(box_videos(), SHARES, SHARES)
def test_pixel_levels_of_boxes_equal_counting(video: BoxVideo, share: float, dual: float) -> None:
    check_pixel_levels(*video, share, dual)


@settings(max_examples=80, deadline=None)
@given(st.one_of(map_videos(), box_videos()))
def test_frame_level_equals_counting_pairs(video: Video) -> None:
    scores, truths = video
    result = evaluate_maps(scores, truths)
    by_class: dict[bool, list[float]] = {False: [], True: []}
    for s, t in zip(scores, truths, strict=True):
        for frame in range(t.frame_count):
            by_class[bool(t.anomalous[frame])].append(float(painted_scores(s, frame).max()))
    normal, anomalous = by_class[False], by_class[True]
    assert (result.counts["normal_frames"], result.counts["anomalous_frames"]) == (
        len(normal),
        len(anomalous),
    )
    if normal and anomalous:
        assert result.curves["frame"].auc.value == pytest.approx(pair_auc(normal, anomalous))
    if normal:
        assert result.numbers["false_alarm_rate"].value == sum(n >= 0.5 for n in normal) / len(
            normal
        )
    if anomalous:
        assert result.numbers["frame_average_precision"].value == pytest.approx(
            plain_precision(normal, anomalous)
        )


def plain_precision(normal: list[float], anomalous: list[float]) -> float:
    """Precision where each anomalous frame is first found, averaged over anomalous frames."""
    precisions = []
    for score in anomalous:
        hits, alarms = (sum(s >= score for s in group) for group in (anomalous, normal))
        precisions.append(hits / (hits + alarms))
    return sum(precisions) / len(precisions)


def test_pixel_level_takes_the_kth_largest_score_inside() -> None:
    # Five anomalous pixels scoring 5, 4, 3, 2, 1: k = ceil(0.4 * 5) = 2, found from 4 on.
    truth = truth_of([(0, 0, 0, 0, 5, 1)], frame_count=2)
    scores = np.zeros((2, HEIGHT_PX, WIDTH_PX), np.float32)
    scores[0, 0, :5] = [1, 5, 2, 4, 3]
    statistics = sequence_statistics(full_map(scores), truth)
    assert statistics.parts["pixel"].pixel.found_score.tolist() == [4]
    assert statistics.parts["pixel"].pixel.normal_score.tolist() == [0]
    # All 192 pixels are detected at 0, of which 5 are less than 5 %: lost again.
    assert statistics.parts["pixel"].dual_pixel.found_score.tolist() == [4, 0]
    assert statistics.parts["pixel"].dual_pixel.found_change.tolist() == [1, -1]


def test_dual_pixel_level_is_lost_and_found_again() -> None:
    # Inside 9 (one of two), then 8 outside, then 7 inside: shares 1, 1/2, 2/3, and all at 0.
    truth = truth_of([(0, 0, 0, 0, 2, 1)], frame_count=2)
    scores = np.zeros((2, HEIGHT_PX, WIDTH_PX), np.float32)
    scores[0, 0, :3] = [9, 7, 8]
    statistics = sequence_statistics(
        full_map(scores), truth, options=CriteriaOptions(dual_share=0.6)
    )
    assert statistics.parts["pixel"].dual_pixel.found_score.tolist() == [9, 8, 7, 0]
    assert statistics.parts["pixel"].dual_pixel.found_change.tolist() == [1, -1, 1, -1]


def test_overlapping_annotations_count_each_pixel_once() -> None:
    # Boxes of 4 and 4 px share 2: 6 anomalous px, of which 2 detected are 1/3, 3 are 1/2.
    truth = truth_of([(0, 0, 0, 0, 4, 1), (0, 1, 2, 0, 6, 1)], frame_count=1)
    scores = np.zeros((1, HEIGHT_PX, WIDTH_PX), np.float32)
    scores[0, 0, :6] = [0, 0, 9, 8, 7, 0]
    assert sequence_statistics(full_map(scores), truth).parts[
        "pixel"
    ].pixel.found_score.tolist() == [7]


def test_anomalous_frames_without_pixels_are_left_out_and_counted() -> None:
    truth = truth_of([(0, 0, 0, 0, 4, 4)], frame_count=4, also_anomalous=(1,))
    empty = replace(
        truth,
        frame=np.array([0, 2]),
        track=np.array([0, 0]),
        box_xyxy_px=np.array([[0.0, 0, 4, 4], [0, 0, 1, 1]]),
        masks=(np.ones((4, 4), bool), np.zeros((1, 1), bool)),
        anomalous=np.array([True, True, True, False]),
    )
    result = evaluate_maps([perfect_map(truth)], [empty])
    assert result.counts["anomalous_frames_without_pixels"] == 2
    assert result.counts["anomalous_frames"] == 3
    assert result.curves["pixel"].auc.value == 1
    assert result.curves["frame"].auc.value == pytest.approx(1 / 3 + 2 / 3 / 2)


def ranked(normal: list[float], anomalous: list[float]) -> RankedFrames:
    ones = np.ones(len(anomalous), np.int64)
    return RankedFrames(np.array(normal), np.array(anomalous), ones, len(anomalous))


def test_frame_level_of_a_drawn_ranking() -> None:
    # From high to low:  A N A A N N: the ROC rises 1/3, steps 1/3, rises 2/3, steps on.
    frames = ranked(normal=[5, 2, 1], anomalous=[6, 4, 3])
    roc = roc_result(frames)
    assert roc.auc.value == pytest.approx(7 / 9)
    assert roc.eer.value == pytest.approx(1 / 3)
    assert roc.eer_threshold.value == 4
    assert average_precision(frames).value == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_false_alarm_rate_counts_scores_at_the_threshold() -> None:
    frames = ranked(normal=[0.2, 0.5, 0.7, 0.4], anomalous=[])
    assert false_alarm_rate(frames).value == 0.5
    assert false_alarm_rate(frames, threshold=0.6).value == 0.25


def test_false_alarms_of_normal_videos_leave_out_normal_frames_of_others() -> None:
    quiet = truth_of([], frame_count=4, name="quiet")
    truths = [*TWO_SEQUENCES, quiet]
    scores = [perfect_map(t) for t in truths]
    scores[2].scores[1, 0, 0] = 0.5
    result = evaluate_maps(scores, truths)
    assert result.numbers["normal_video_false_alarm_rate"].value == 1 / 4
    normal = result.counts["normal_frames"]
    assert result.numbers["false_alarm_rate"].value == 1 / normal < 1 / 4
    without = evaluate_maps(scores[:2], truths[:2]).numbers["normal_video_false_alarm_rate"]
    assert without.reason == "no sequence is without anomalies"


def test_macro_leaves_out_sequences_with_one_class_and_names_them() -> None:
    truths = [*TWO_SEQUENCES, truth_of([], frame_count=2, name="quiet")]
    scores = [perfect_map(t) for t in truths]
    b = scores[1].scores
    b[2, 0, 0] = 1  # in b, the normal frame ties with both anomalous ones: 1/2
    result = evaluate_maps(scores, truths)
    assert result.numbers["frame_macro_roc_auc"].value == 0.75
    assert result.numbers["frame_macro_eer"].value == 0.25
    by_sequence = result.criteria["frame"].auc_by_sequence
    assert (by_sequence["a"].value, by_sequence["b"].value) == (1.0, 0.5)
    assert by_sequence["quiet"].reason == "no anomalous frame"


def test_only_normal_frames() -> None:
    truth = truth_of([], frame_count=3)
    result = evaluate_maps([perfect_map(truth)], [truth])
    assert np.isnan([*areas(result), *errors(result)]).all()
    assert result.curves["region"].auc.reason == "no ground-truth region in the test set"
    assert result.curves["frame"].auc.reason == "no anomalous frame"
    assert result.numbers["frame_average_precision"].reason == "no anomalous frame"
    assert (
        result.numbers["frame_macro_roc_auc"].reason
        == "no sequence has both normal and anomalous frames"
    )
    assert result.numbers["false_alarm_rate"].value == 0


def test_only_anomalous_frames() -> None:
    truth = truth_of([(0, 0, 0, 0, 4, 4)], frame_count=1)
    result = evaluate_maps([perfect_map(truth)], [truth])
    assert result.curves["region"].auc.value == 1
    assert result.numbers["frame_average_precision"].value == 1
    for value in (
        result.curves["frame"].auc,
        result.curves["pixel"].eer,
        result.curves["dual_pixel"].eer_threshold,
    ):
        assert np.isnan(value.value)
        assert value.reason == "no normal frame"
    assert result.numbers["false_alarm_rate"].reason == "no normal frame"


def test_frames_without_detections_rank_last() -> None:
    truth = truth_of([(0, 0, 0, 0, 4, 4), (1, 0, 0, 0, 4, 4)], frame_count=4)
    boxes = replace(
        perfect_boxes(truth),
        frame=np.array([0, 3]),
        box_xyxy_px=np.array([[0.0, 0, 4, 4]] * 2),
        score=np.array([2.0, 1.0]),
    )
    result = evaluate_maps([boxes], [truth])
    # Pairs of frames 0, 1 with 2, 3: right, right, tied without boxes, wrong.
    assert result.curves["frame"].auc.value == 2.5 / 4
    assert result.curves["region"].auc.value == 0.5


def test_statistics_can_be_pickled_and_combined_in_any_order() -> None:
    rng = np.random.default_rng(0)
    scores = [
        full_map(rng.random((t.frame_count, HEIGHT_PX, WIDTH_PX), np.float32), name=t.sequence)
        for t in TWO_SEQUENCES
    ]
    whole = evaluate_maps(iter(scores), iter(TWO_SEQUENCES))
    parts = [sequence_statistics(s, t) for s, t in zip(scores, TWO_SEQUENCES, strict=True)]
    again = combine(pickle.loads(pickle.dumps(parts[::-1])))
    assert areas(again) == areas(whole)
    assert errors(again) == errors(whole)
    assert again.criteria["frame"].auc_by_sequence == whole.criteria["frame"].auc_by_sequence


def test_number_of_threads_changes_no_bit() -> None:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, HEIGHT_PX, (30, 2, 2)), axis=1).reshape(-1, 4)
    rows = np.column_stack([np.sort(rng.integers(0, 25, 30)), np.arange(30) % 4, corners])
    truth = truth_of(list(map(tuple, rows)), frame_count=25)
    scores = full_map(rng.random((25, HEIGHT_PX, WIDTH_PX), np.float32))
    one, several = (sequence_statistics(scores, truth, threads=n) for n in (1, 4))
    assert pickle.dumps(one) == pickle.dumps(several)


def test_every_sequence_is_given_once_and_one_at_least() -> None:
    maps = [perfect_map(t) for t in TWO_SEQUENCES]
    with pytest.raises(VadlocError, match="sequence 'a' was given twice"):
        evaluate_maps(chain(maps, maps), TWO_SEQUENCES * 2)
    with pytest.raises(VadlocError, match="no test frames"):
        evaluate_maps([], [])


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(VadlocError, match="pixel_share is 0, expected a share above 0"):
        CriteriaOptions(pixel_share=0)
    with pytest.raises(VadlocError, match="dual_share is nan"):
        CriteriaOptions(dual_share=float("nan"))
    with pytest.raises(VadlocError, match="connectivity is 5"):
        CriteriaOptions(connectivity=5)
    with pytest.raises(VadlocError, match="unknown area rule 'grid'"):
        CriteriaOptions(rule="grid")
    with pytest.raises(VadlocError, match="alarm_threshold is NaN"):
        CriteriaOptions(alarm_threshold=float("nan"))


def test_rule_decides_the_area_of_region_and_track_curves_only() -> None:
    maps = [perfect_map(t) for t in TWO_SEQUENCES]
    result = evaluate_maps(maps, TWO_SEQUENCES, options=CriteriaOptions(rule="ssvad"))
    # The flood at the lowest score is a false positive in every frame: a straight line to (1, 0).
    assert result.curves["region"].auc.value == 0.5
    assert result.curves["track"].auc.value == 0.5
    assert result.curves["frame"].auc.value == 1


def test_every_criterion_has_the_curves_that_the_config_names() -> None:
    result = evaluate_maps([perfect_map(t) for t in TWO_SEQUENCES], TWO_SEQUENCES)
    values = result_to_values(result)
    for name, module in criterion_modules().items():
        assert set(result.criteria[name].curves) == set(module.FIGURES) == set(CURVES[name])
        assert set(module.LABELS.values()) <= set(values)
