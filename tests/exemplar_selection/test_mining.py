"""Which frames and cells are mined, against numbers worked out by hand and plain loops."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from exemplar_selection.mining import (
    Fate,
    MinedSequence,
    MiningError,
    Scales,
    in_runs,
    kept_frames,
    learnt_volumes,
    mean_above,
    mine,
    scales_of_left_out,
    scales_of_range,
    volumes_that_reach,
)
from vadloc.mining import Mining

PLAIN = Scales((0.0, 1.0), (0.0, 1.0))
"""Scores are E, and frame means S."""


def maps_of(*frames: Sequence[float]) -> NDArray[np.float64]:
    """A map of one row of cells, a list for each frame."""
    return np.array(frames, np.float64)[:, None]


def by_hand() -> NDArray[np.float64]:
    """Four normal frames and an abnormal one.

    With eta_p = .02, RS of the normal frames is .1, .2, .3, .5 (cells at .02 and below do not
    count), so eta_p' is .1. FS is that of cells above .1: 0, .3, .3, .5.
    """
    return maps_of(
        (0.1, 0.1, 0.0), (0.1, 0.3, 0.02), (0.3, 0.3, 0.3), (0.7, 0.3, 0.01), (0.9, 0.9, 0.9)
    )


def hand_settings(**changes: object) -> Mining:
    return Mining.model_validate({"least_run": 1, **changes})


def test_the_thresholds_are_those_of_a_calculator() -> None:
    thresholds, [mined] = mine([by_hand()], PLAIN, hand_settings())
    assert mined.frame_error == pytest.approx([0.2 / 3, 0.42 / 3, 0.3, 1.01 / 3, 0.9])
    assert mined.is_abnormal.tolist() == [False, False, False, False, True]
    assert mined.coarse[:4] == pytest.approx([0.1, 0.2, 0.3, 0.5])
    assert thresholds.fine_floor == pytest.approx(0.1)
    assert mined.fine[:4] == pytest.approx([0.0, 0.3, 0.3, 0.5])
    x = (0 + 0.25 + 0.5 + 1) / 4
    assert thresholds.mean_coarse == pytest.approx(x)
    assert thresholds.threshold == pytest.approx(2 * (x - x**2))  # .4922
    assert thresholds.normalised(mined.fine[:4]) == pytest.approx([0, 0.6, 0.6, 1])


def test_only_frames_below_t_are_trusted() -> None:
    _, [mined] = mine([by_hand()], PLAIN, hand_settings())
    assert kept_frames(mined, abnormal=False).tolist() == [True, False, False, False, False]
    _, [more] = mine([by_hand()], PLAIN, hand_settings(alpha=3.0))  # T = .738
    assert kept_frames(more, abnormal=False).tolist() == [True, True, True, False, False]


def test_frames_of_which_nothing_is_learnt_are_not_kept_whatever_holds_them_back() -> None:
    others = sorted({*Fate} - {Fate.LEARNT})
    fate = np.array([[[Fate.LEARNT, other]] for other in others] + [[[f, f]] for f in others])
    of_frames = {name: np.zeros(len(fate)) for name in ("frame_error", "coarse", "fine")}
    is_abnormal = np.zeros(len(fate), bool)
    is_abnormal[0] = True
    content = {"sequence": "Test0", **of_frames, "is_abnormal": is_abnormal, "fate": fate}
    stored = MinedSequence.from_content(content)
    assert np.flatnonzero(kept_frames(stored, abnormal=True)).tolist() == [0]
    assert np.flatnonzero(kept_frames(stored, abnormal=False)).tolist() == [1, 2, 3, 4]


def test_cells_at_or_above_eta_a_are_masked_in_frames_of_both_kinds() -> None:
    normal = (0.1, 0.1), (0.1, 0.79), (0.1, 0.8), (0.1, 0.95)
    scores = maps_of(*normal, (1.0, 0.7), (1.0, 0.82), (0.9, 0.9))
    _, [mined] = mine([scores], PLAIN, hand_settings(alpha=4.0, cell_threshold=0.8))
    fates = mined.fate[:, 0].tolist()
    assert fates[:2] == [[Fate.LEARNT] * 2] * 2
    assert fates[2:4] == [[Fate.LEARNT, Fate.MASKED], [Fate.NOT_TRUSTED, Fate.MASKED]]
    assert fates[4:] == [[Fate.MASKED, Fate.LEARNT], [Fate.MASKED] * 2, [Fate.MASKED] * 2]
    by_frames = hand_settings(alpha=4.0, abnormal_mask="frame_threshold")
    _, [slack] = mine([scores], PLAIN, by_frames)
    assert slack.fate[5, 0].tolist() == [Fate.MASKED, Fate.LEARNT]  # .82 is below eta_s = .85


def test_the_order_of_the_sequences_changes_nothing() -> None:
    random = np.random.default_rng(0)
    maps = [random.uniform(0, 0.8, (20 + 3 * i, 3, 4)) ** 2 for i in range(4)]
    order = [2, 0, 3, 1]
    thresholds, mined = mine(maps, PLAIN, Mining())
    again, shuffled = mine([maps[i] for i in order], PLAIN, Mining())
    assert again.threshold == pytest.approx(thresholds.threshold)
    for place, i in enumerate(order):
        np.testing.assert_array_equal(shuffled[place].fate, mined[i].fate)


def test_an_injected_cyclist_is_masked() -> None:
    random = np.random.default_rng(1)
    calm = random.uniform(0, 0.4, (120, 6, 8)) * np.linspace(0.2, 1, 120)[:, None, None]
    ridden = calm.copy()
    for frame in range(40, 70):
        ridden[frame, 3, (frame - 40) // 4] = 1.5
    _, [mined] = mine([ridden], PLAIN, Mining())
    cyclist = ridden == 1.5
    assert (mined.fate[cyclist] == Fate.MASKED).all()
    assert (mined.fate[~cyclist] == Fate.LEARNT).any()


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 6))
def test_runs_are_those_of_a_plain_search(chosen: list[bool], least: int) -> None:
    def run_length(i: int) -> int:
        first = last = i
        while first > 0 and chosen[first - 1]:
            first -= 1
        while last + 1 < len(chosen) and chosen[last + 1]:
            last += 1
        return last - first + 1

    plain = [c and run_length(i) >= least for i, c in enumerate(chosen)]
    assert in_runs(np.array(chosen, bool), least).tolist() == plain


def test_short_runs_and_kinds_that_are_not_mined_are_held_back() -> None:
    frames = [(0.1, 0.1)] * 3 + [(0.5, 0.9)] + [(0.12, 0.1)] * 12 + [(0.9, 0.9)] * 2
    _, [mined] = mine([maps_of(*frames)], PLAIN, Mining(cell_threshold=2.0, alpha=4.0))
    assert (mined.fate[:3] == Fate.SHORT_RUN).all()
    assert (mined.fate[3] == Fate.NOT_TRUSTED).all()
    assert (mined.fate[4:16] == Fate.LEARNT).all()
    assert (mined.fate[16:] == Fate.SHORT_RUN).all()
    only = Mining(cell_threshold=2.0, alpha=4.0, least_run=2, kinds=["abnormal"])
    _, [abnormal] = mine([maps_of(*frames)], PLAIN, only)
    assert (abnormal.fate[4:16] == Fate.KIND).all()
    assert (abnormal.fate[16:] == Fate.LEARNT).all()


def test_a_mean_of_no_cells_is_0() -> None:
    assert mean_above(maps_of((0.1, 0.2), (0.3, 0.5)), 0.25).tolist() == [0.0, 0.4]


@pytest.mark.parametrize(
    ("scores", "settings", "message"),
    [
        (maps_of((0.9, 0.9), (0.95, 0.9)), {}, "every frame is abnormal"),
        (maps_of(*[(0.2, 0.3)] * 12), {}, "RS, .* 0.25 in all 12 normal frames"),
        (by_hand(), {"alpha": 0.0}, "T = alpha .* is 0, with .* alpha = 0 "),
        (by_hand(), {"least_run": 9}, "nothing is kept"),
        (by_hand(), {"most_kept": 0.1}, "1 of 5 frames are trusted and kept, more than .* 0.1"),
    ],
)
def test_nothing_is_learnt_of(
    scores: NDArray[np.float64], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(MiningError, match=message):
        mine([scores], PLAIN, hand_settings(**settings))


def test_t_is_0_where_the_errors_fall_into_two_ends() -> None:
    """X is 0 or 1 only if all errors are the same; near the ends T is next to nothing."""
    frames = [(0.1, 0.1)] * 400 + [(0.5, 0.5)]
    thresholds, _ = mine([maps_of(*frames)], PLAIN, Mining(most_kept=1.0))
    x = 1 / 401
    assert thresholds.threshold == pytest.approx(2 * (x - x**2))


def test_the_scale_of_left_out_video_is_its_quantile() -> None:
    left_out = [
        np.linspace(0, 1, 200).reshape(100, 1, 2),
        np.linspace(1, 2, 200).reshape(100, 1, 2),
    ]
    scales = scales_of_left_out(left_out, 0.5)
    assert scales.cell == (0.0, pytest.approx(1.0))
    assert scales.errors(np.array([0.5, 2.0])) == pytest.approx([0.5, 2.0])
    with pytest.raises(MiningError, match=r"quantile .* is 0"):
        scales_of_left_out([np.zeros((5, 2, 2))], 0.995)


def test_the_scale_of_the_paper_is_the_range_of_the_mined_video() -> None:
    scales = scales_of_range([maps_of((1.0, 3.0)), maps_of((2.0, 5.0), (3.0, 3.0))])
    assert scales == Scales((1.0, 5.0), (2.0, 3.5))
    assert scales.frame_errors(maps_of((1.0, 4.0))) == pytest.approx([1 / 3])
    with pytest.raises(MiningError, match="all scores are the same"):
        scales_of_range([np.full((4, 2, 2), 0.3)])


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4))
def test_volumes_reach_the_cells_that_they_hold(seed: int, side: int, length: int) -> None:
    random = np.random.default_rng(seed)
    cells = random.random((9, 4, 5)) < 0.05
    starts = np.arange(0, 9 - length + 1, 2)
    found = volumes_that_reach(cells, starts, frames_per_volume=length, cells_per_side=side)
    plain = [
        [
            cells[t : t + length, y : y + side, x : x + side].any()
            for y in range(4 - side + 1)
            for x in range(5 - side + 1)
        ]
        for t in starts
    ]
    assert found.tolist() == plain


def test_marks_decide_about_volumes() -> None:
    fate = np.full((4, 1, 6), Fate.MASKED, np.uint8)
    fate[:, :, 4:] = Fate.LEARNT
    fate[2, 0, 0] = Fate.MARKED_REAL
    confirmed = np.zeros(fate.shape, bool)
    confirmed[0, 0, 2] = confirmed[2, 0, 1] = True
    learnt = learnt_volumes(
        fate, confirmed, np.array([0, 2]), frames_per_volume=2, cells_per_side=2
    )
    # regions 0 to 4 hold cells (0, 1) to (4, 5)
    assert learnt.tolist() == [[False, True, True, False, True], [False, True, False, False, True]]
