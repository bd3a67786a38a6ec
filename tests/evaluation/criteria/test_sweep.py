"""Events of detected regions: drawings, and a plain implementation on random videos."""

from collections.abc import Sequence

import numpy as np
import pytest
from evaluated_maps import curve_at
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from plain_criteria import BoxVideo, Video, box_videos, counts, distinct_scores, map_videos

from evaluation.criteria.curves import (
    detection_curve,
)
from evaluation.criteria.ordering import descending_order
from evaluation.criteria.sweep import (
    box_events,
    sequence_events,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    ScoreMap,
    Scores,
)


def scores_from(*pictures: str) -> ScoreMap:
    """One frame a picture, a digit a pixel."""
    frames = np.array([[list(line) for line in p.split()] for p in pictures], np.float32)
    return ScoreMap("drawn", frames, 1, 1, *frames.shape[1:])


def truth_from(*pictures: str) -> GroundTruth:
    """One frame a picture, a letter a region: the box around it, the same letter is one track."""
    grids = [np.array([list(line) for line in p.split()]) for p in pictures]
    frame, track, boxes = [], [], []
    for f, grid in enumerate(grids):
        for letter in sorted(set(grid.ravel()) - {"."}):
            rows, columns = np.nonzero(grid == letter)
            frame.append(f)
            track.append(ord(letter))
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return GroundTruth(
        "drawn",
        len(grids),
        len(grids[0]),
        len(grids[0][0]),
        np.array(frame, np.int64),
        np.array(track, np.int64),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.isin(np.arange(len(grids)), frame),
    )


def history(
    scores: ScoreMap, truth: GroundTruth, *, beta: float, connectivity: int = 8
) -> tuple[dict[float, int], list[tuple[float, int, int]]]:
    """False positive changes by score, and (score, region, change) of found regions."""
    e = sequence_events(scores, truth, beta=beta, connectivity=connectivity)
    false = dict(
        zip(e.false_positive_score.tolist(), e.false_positive_change.tolist(), strict=True)
    )
    found = zip(e.region_score.tolist(), e.region.tolist(), e.region_change.tolist(), strict=True)
    return false, list(found)


def test_drawn_blob_grows_over_a_region_and_floods() -> None:
    scores = scores_from("""
        00000002
        09900002
        09900000
        00070000""")
    truth = truth_from("""
        ........
        .AA.....
        .AA.....
        ........""")
    # 9: exactly A. 7: touches A's corner, 4 of 5 pixels. 2: a blob of its own. 0: 4 of 32 pixels.
    assert history(scores, truth, beta=0.5) == ({2: 1}, [(9, 0, 1), (0, 0, -1)])
    # Corners do not join: 7 is a blob of its own until the flood of 0 makes one of all.
    false, found = history(scores, truth, beta=0.5, connectivity=4)
    assert false == {7: 1, 2: 1, 0: -1}
    assert found == [(9, 0, 1), (0, 0, -1)]
    # 4 / 32 is still a match at beta 0.125: the flood is no false positive.
    assert history(scores, truth, beta=0.125) == ({2: 1, 0: -1}, [(9, 0, 1)])


def test_drawn_regions_one_in_the_other() -> None:
    scores = scores_from("""
        0000
        0880
        0880
        0000""")
    truth = truth_from(
        """
        ....
        .AB.
        .AB.
        ....""",
    )
    # One blob of 4 pixels, half of it A and half of it B: both are found by it.
    assert history(scores, truth, beta=0.5) == (
        {0: 1},
        [(8, 0, 1), (8, 1, 1), (0, 0, -1), (0, 1, -1)],
    )


def test_drawn_two_blobs_find_one_region_and_one_stays() -> None:
    scores = scores_from("""
        90030
        90030
        00000""")
    truth = truth_from("""
        AAAA.
        AAAA.
        .....""")
    # Each column is 2 of 8 pixels; 3 adds a second match, which changes nothing. 0: 8 of 15.
    assert history(scores, truth, beta=0.25) == ({}, [(9, 0, 1)])
    assert history(scores, truth, beta=0.26) == ({9: 1, 3: 1, 0: -2}, [(0, 0, 1)])


def test_drawn_tie_enters_at_once() -> None:
    scores = scores_from("5555", "0000")
    truth = truth_from("AAAA", "....")
    # No prefix of the four fives is ever seen, although two of them alone would not match.
    assert history(scores, truth, beta=1.0) == ({0: 1}, [(5, 0, 1)])


def test_drawn_ring_joins_itself_once() -> None:
    scores = scores_from("""
        777
        717
        777""")
    truth = truth_from("""
        ...
        .A.
        ...""")
    # 7: the ring misses A. 1: the ring closes over it, 1 of 9 pixels.
    assert history(scores, truth, beta=0.1) == ({7: 1, 1: -1}, [(1, 0, 1)])
    assert history(scores, truth, beta=0.1, connectivity=4) == ({7: 1, 1: -1}, [(1, 0, 1)])


def test_cells_weigh_what_the_frame_leaves_of_them() -> None:
    # Cells of 4 x 4 px in a frame of 6 x 5 px: 16, 4 / 8, 2 px. A is the right column of pixels.
    scores = ScoreMap("drawn", np.array([[[1, 5], [2, 3]]], np.float32), 4, 4, 6, 5)
    truth = GroundTruth(
        "drawn",
        1,
        6,
        5,
        np.array([0]),
        np.array([7]),
        np.array([[4.0, 0.0, 5.0, 6.0]]),
        np.array([True]),
    )
    # 5: 4 of 6 px. 3: 6 of 6. 2: 6 of 14. 1: 6 of 30.
    assert history(scores, truth, beta=1.0) == ({5: 1, 3: -1, 2: 1}, [(3, 0, 1), (2, 0, -1)])
    assert history(scores, truth, beta=4 / 6) == ({2: 1}, [(5, 0, 1), (2, 0, -1)])
    assert history(scores, truth, beta=6 / 14) == ({1: 1}, [(5, 0, 1), (1, 0, -1)])


def check_against_plain(
    scores: Sequence[Scores],
    truths: Sequence[GroundTruth],
    *,
    alpha: float,
    beta: float,
    connectivity: int = 8,
) -> None:
    events = [
        box_events(s, t, beta=beta)
        if isinstance(s, BoxScores)
        else sequence_events(s, t, beta=beta, connectivity=connectivity)
        for s, t in zip(scores, truths, strict=True)
    ]
    curve = detection_curve(events, alpha=alpha)
    thresholds = distinct_scores(scores)
    assert set(curve.thresholds.tolist()) <= {np.inf, *thresholds}
    seen = curve_at(curve, np.array(thresholds))
    for i, threshold in enumerate(thresholds):
        plain = counts(scores, truths, threshold, alpha=alpha, beta=beta, connectivity=connectivity)
        assert seen.false_positives_per_frame[i] == plain.false_positives / curve.frame_count
        if curve.region_count:
            assert seen.region_rate[i] == plain.found_regions / curve.region_count
            assert seen.track_rate[i] == plain.found_tracks / curve.track_count


SHARES = st.sampled_from([0.1, 0.25, 0.5, 1.0])


@settings(max_examples=80, deadline=None)
@given(video=map_videos(), alpha=SHARES, beta=SHARES, connectivity=st.sampled_from([4, 8]))
def test_maps_equal_relabelling_at_every_score(
    video: Video, alpha: float, beta: float, connectivity: int
) -> None:
    check_against_plain(*video, alpha=alpha, beta=beta, connectivity=connectivity)


@settings(max_examples=80, deadline=None)
@given(video=box_videos(), alpha=SHARES, beta=SHARES)
def test_boxes_equal_counting_at_every_score(video: BoxVideo, alpha: float, beta: float) -> None:
    check_against_plain(*video, alpha=alpha, beta=beta)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("levels", [3, 10_000])
def test_one_larger_noisy_frame_equals_relabelling(connectivity: int, levels: int) -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, levels, (1, 17, 23)).astype(np.float32)
    scores = ScoreMap("noise", values, 1, 1, 17, 23)
    boxes = np.array([[2.0, 3.0, 9.0, 11.0], [5.0, 5.0, 20.0, 16.0], [1.5, 0.25, 3.0, 16.75]])
    truth = GroundTruth(
        "noise", 1, 17, 23, np.zeros(3, np.int64), np.array([4, 4, 9]), boxes, np.array([True])
    )
    check_against_plain([scores], [truth], alpha=0.6, beta=0.1, connectivity=connectivity)


@given(
    st.lists(st.floats(allow_nan=False, width=32), min_size=1),
    st.sampled_from([np.float32, np.float64]),
)
def test_order_falls_and_holds_every_cell(values: list[float], dtype: type[np.float32]) -> None:
    scores: NDArray[np.float32] = np.array(values, dtype)
    order = descending_order(scores)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert scores[order].tolist() == sorted(values, reverse=True)


def test_float64_scores_are_not_rounded() -> None:
    close = np.array([[[1.0, 0.0, 1.0 + 1e-12]]])
    e = sequence_events(ScoreMap("drawn", close, 1, 1, 1, 3), truth_from("..."))
    assert e.false_positive_score.tolist() == [0.0, 1.0, 1.0 + 1e-12]
    assert e.false_positive_change.tolist() == [-1, 1, 1]


def test_scores_are_read_a_frame_at_a_time() -> None:
    class Recorder:
        shape = (3, 1, 2)
        frames: list[int] = []  # noqa: RUF012

        def __getitem__(self, frame: int) -> NDArray[np.float32]:
            self.frames.append(frame)
            return np.array([[frame, 0]], np.float32)

    recorder = Recorder()
    sequence_events(ScoreMap("drawn", recorder, 1, 1, 1, 2), truth_from("..", "..", ".."))  # type: ignore[arg-type]
    assert recorder.frames == [0, 1, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    scores = scores_from("12", "34")
    scores.scores[1, 0, 1] = bad
    with pytest.raises(VadlocError, match=r"drawn: the scores of frame 1 \(0-based\)"):
        sequence_events(scores, truth_from("..", ".."))


def test_of_several_threads_the_first_bad_frame_is_named() -> None:
    scores = scores_from(*["12"] * 40)
    scores.scores[7:, 0, 1] = np.nan
    with pytest.raises(VadlocError, match=r"drawn: the scores of frame 7 \(0-based\)"):
        sequence_events(scores, truth_from(*[".."] * 40), threads=4)


def test_options_out_of_range_are_refused() -> None:
    scores, truth = scores_from("12"), truth_from("A.")
    with pytest.raises(VadlocError, match="beta is 0"):
        sequence_events(scores, truth, beta=0)
    with pytest.raises(VadlocError, match=r"beta is 1\.5"):
        box_events(boxes_from([]), truth, beta=1.5)
    with pytest.raises(VadlocError, match="connectivity is 6, expected 4 or 8"):
        sequence_events(scores, truth, connectivity=6)


def test_scores_of_another_video_are_refused() -> None:
    with pytest.raises(VadlocError, match="drawn: scores for 1 frames, ground truth for 2"):
        sequence_events(scores_from("12"), truth_from("..", ".."))
    with pytest.raises(VadlocError, match="frames of 1 x 3 px, ground truth for 1 x 2 px"):
        sequence_events(scores_from("123"), truth_from(".."))
    other = ScoreMap("other", np.zeros((1, 1, 2), np.float32), 1, 1, 1, 2)
    with pytest.raises(VadlocError, match="'other' meet the ground truth of 'drawn'"):
        sequence_events(other, truth_from(".."))


def test_maps_that_do_not_tile_the_frame_are_refused() -> None:
    with pytest.raises(VadlocError, match=r"shape \(1, 2, 2\), expected \(frames, 2, 3\)"):
        ScoreMap("drawn", np.zeros((1, 2, 2), np.float32), 4, 4, 8, 9)
    with pytest.raises(VadlocError, match="at least 1 px"):
        ScoreMap("drawn", np.zeros((1, 2, 2), np.float32), 0, 4, 8, 9)


def boxes_from(rows: list[tuple[int, float, float, float, float, float]]) -> BoxScores:
    """Rows of frame, x0, y0, x1, y1, score in one frame of 1 x 2 px."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return BoxScores("drawn", table[:, 0].astype(np.int64), table[:, 1:5], table[:, 5], 1, 1, 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 0, 0, 1, 1, 0.5), "frame outside of the sequence's 1 frames"),
        ((0, 1, 0, 1, 1, 0.5), "box that is empty, inverted or leaves the frame"),
        ((0, 0, 0, 3, 1, 0.5), "box that is empty, inverted or leaves the frame"),
        ((0, 0, np.nan, 1, 1, 0.5), "box that is empty, inverted or leaves the frame"),
        ((0, 0, 0, 1, 1, np.nan), "score that is not a finite number"),
    ],
)
def test_unusable_boxes_are_refused(
    row: tuple[int, float, float, float, float, float], message: str
) -> None:
    with pytest.raises(VadlocError, match=f"drawn: box 1 .*: {message}"):
        boxes_from([(0, 0, 0, 1, 1, 0.5), row])


def test_box_lists_of_different_length_are_refused() -> None:
    with pytest.raises(VadlocError, match=r"2 frame numbers, boxes of shape \(1, 4\)"):
        BoxScores("drawn", np.zeros(2, np.int64), np.ones((1, 4)), np.ones(2), 1, 1, 2)
