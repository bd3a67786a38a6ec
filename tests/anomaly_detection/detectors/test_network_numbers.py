"""Formulas of trained detectors by hand: aggregate, sums, held-out video, words."""

import math

import numpy as np
import pytest

from anomaly_detection.detectors.combined import add_scores, scores_to_divisor
from anomaly_detection.detectors.held_out import Part, split_training, spread
from anomaly_detection.detectors.network_reason import motion_to_words, shares_to_words
from anomaly_detection.detectors.pseudo_anomalies import errors_to_published
from anomaly_detection.estimate_quality import count_found, mask_to_cells, separation
from vadloc.detector_settings import PUBLISHED_WEIGHTS, Mlad, PseudoAnomalies
from vadloc.errors import VadlocError


def test_the_published_aggregate() -> None:
    errors = np.array([[0.04, 0.2], [0.4, 0.1], [0.004, 0.3]], np.float32)
    # PSNR of 20, 10 and 30 dB with a peak of 2: appearance .5, 1, 0; motion .5, 0, 1
    expected = [0.5 * 0.65 + 0.5 * 0.25, 0.65, 0.25]
    np.testing.assert_allclose(errors_to_published(errors, [0.65, 0.25]), expected, rtol=1e-5)


def test_the_discriminators_probability_is_taken_as_it_is() -> None:
    errors = np.array([[0.04, 0.2, 0.7], [0.4, 0.1, 0.2], [0.004, 0.3, 0.9]], np.float32)
    expected = [0.325 + 0.125 + 0.07, 0.65 + 0.02, 0.25 + 0.09]
    found = errors_to_published(errors, list(PUBLISHED_WEIGHTS["ped2"]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_video_without_any_change_scores_nothing() -> None:
    assert not errors_to_published(np.full((4, 2), 0.1, np.float32), [0.5, 0.5]).any()


def test_published_weights_add_up_to_one() -> None:
    for weights in PUBLISHED_WEIGHTS.values():
        assert math.fsum(weights) == pytest.approx(1)


def test_what_exceeds_normal_video_is_added_at_right_angles_to_the_first_version() -> None:
    first, second = (
        np.array([[[3, 3, 0, 1.5]]], np.float32),
        np.array([[[10, 2, 10, 0]]], np.float32),
    )
    found = add_scores([first, second], [1.0, 2.0])
    np.testing.assert_allclose(found, [[[5, 3, 4, 1.5]]])
    third = add_scores([first, second, second], [1.0, 2.0, 2.0])
    np.testing.assert_allclose(third[0, 0, 2], math.sqrt(32))
    with pytest.raises(VadlocError, match="cannot be combined"):
        add_scores([first, second[..., :1]], [1, 1])


def test_a_divisor_is_the_mean_of_high_quantiles() -> None:
    maps = [np.arange(1001, dtype=np.float32).reshape(7, 11, 13) * factor for factor in (1, 3)]
    assert scores_to_divisor(maps) == pytest.approx(2 * 999)
    assert scores_to_divisor([np.zeros((2, 1, 1), np.float32)]) > 0


def test_held_out_sequences_are_chosen_by_the_seed() -> None:
    counts = {f"Train{i}": 10 for i in range(6)}
    video = split_training(counts, Mlad(held_out=2))
    names = [part.sequence for part in (*video.trained, *video.held_out)]
    assert sorted(names) == sorted(counts)
    assert len(video.held_out) == 2
    assert video == split_training(counts, Mlad(held_out=2))
    others = [split_training(counts, Mlad(held_out=2, seed=s)).held_out for s in range(5)]
    assert any(other != video.held_out for other in others)


@pytest.mark.parametrize("most", [2, 50, 64, 100, 640, 1000, 1999])
@pytest.mark.parametrize("lengths", [[2000], [20] * 100, [64, 1] * 40, [65] * 40, [1500, 3, 900]])
def test_no_more_frames_are_kept_than_allowed_and_they_are_spread(
    lengths: list[int], most: int
) -> None:
    parts = [Part(f"Train{i}", 5, 5 + n) for i, n in enumerate(lengths)]
    frames = [(part.sequence, n) for part in parts for n in range(part.first, part.end)]
    kept = [(part.sequence, n) for part in spread(parts, most) for n in range(part.first, part.end)]
    allowed = min(most, len(frames))
    assert kept == [frame for frame in frames if frame in set(kept)]
    assert allowed - 64 < len(kept) <= allowed
    assert kept
    is_kept = np.isin([frames.index(f) for f in frames], [frames.index(f) for f in kept])
    even = np.arange(1, len(frames) + 1) * allowed / len(frames)
    assert np.abs(np.cumsum(is_kept) - even).max() <= 2 * 64


def test_something_is_always_trained_on() -> None:
    video = split_training({"A": 10, "B": 10}, Mlad(held_out=9))
    assert [len(parts) for parts in (video.trained, video.held_out)] == [1, 1]
    video = split_training({"A": 100}, Mlad())
    assert video.trained == [Part("A", 0, 75)]
    assert video.held_out == [Part("A", 75, 100)]
    with pytest.raises(VadlocError, match="A: the only training sequence has 7 frames"):
        split_training({"A": 7}, Mlad())


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        ((0.1, 0.1), "no motion"),
        ((2.0, 0.1), "2.0 px/frame to the right"),
        ((-2.0, 0.0), "2.0 px/frame to the left"),
        ((0.0, 1.5), "1.5 px/frame down"),
        ((3.0, -3.0), "4.2 px/frame up and right"),
    ],
)
def test_motion_in_words(flow: tuple[float, float], words: str) -> None:
    assert motion_to_words(*flow) == words


def test_shares_in_words() -> None:
    found = shares_to_words({"frame": 0.2, "flow": 0.8})
    assert found == "unusual motion (80 %) and appearance (20 %)"
    found = shares_to_words({"appearance": 0.3, "motion": 0.5, "semantic": 0.2})
    assert found == "unusual motion (50 %), appearance (30 %) and content (20 %)"
    assert shares_to_words({"motion": 1.0}) == "unusual motion (100 %)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop_px": 40}, "crop_px = 40 must be a multiple of 32"),
        ({"clip_stride": 17}, "clip_stride = 17 exceeds clip_frames = 16"),
        ({"normalise": "video_minmax"}, 'needs form = "published"'),
        ({"inpainter": "diffusion"}, "needs diffusion_folder"),
        ({"channels": [1, 2, 3]}, "at least 4 items"),
        ({"clip_frames": 12}, "multiple of 8"),
        ({"appearance_kinds": ["skip"]}, 'discriminator = true needs "inpaint" or "patch"'),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PseudoAnomalies(**settings)


def test_squares_that_the_layers_cannot_halve_are_refused() -> None:
    message = "crop_px = 64 must be a multiple of 128, since each of the 7 layers"
    with pytest.raises(ValueError, match=message):
        Mlad(layers=7)
    assert Mlad(layers=7, crop_px=128).side_multiple == 128
    assert Mlad(layers=7, crop_px=0).side_multiple == 128


def test_separation_counts_pairs() -> None:
    assert separation([3, 1], [2, 1]) == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert separation([], [1.0]) is None


def test_counts_of_found_pseudo_anomalies() -> None:
    tried = [
        {"kind": "patch", "size": "large", "is_found": True},
        {"kind": "patch", "size": "small", "is_found": False},
        {"kind": "patch", "size": "large", "is_found": False},
    ]
    expected = {
        "patch small": {"tried": 1, "found": 0},
        "patch large": {"tried": 2, "found": 1},
    }
    assert count_found(tried) == expected
    assert list(count_found(tried)) == list(expected)


def test_cells_of_a_mask() -> None:
    mask = np.zeros((1, 5, 7), np.bool_)
    mask[0, 4, 6] = mask[0, 0, 3] = True
    found = mask_to_cells(mask, 4)[0]
    np.testing.assert_array_equal(found, [[True, False], [False, True]])
