"""Even and varying rates and holes: answers from how the times were made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadloc.video.rates import describe_rate

RATES = [5, 12.5, 15, 24, 30000 / 1001, 30, 60000 / 1001, 120, 240]
NUMBERS = np.arange(3000)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("rounded", [np.asarray, np.floor, np.rint])
def test_what_containers_round_is_no_variation(rate: float, rounded: np.ufunc) -> None:
    times = rounded(NUMBERS / rate * 1000) / 1000
    found = describe_rate(times)
    assert found.is_constant
    assert found.hole_count == 0
    assert found.longest_hole_s == 0
    assert found.frames_per_second == pytest.approx(rate, rel=1e-3)


@given(st.sampled_from(RATES), st.integers(1, 2997), st.integers(1, 50))
def test_missing_frames_are_a_hole(rate: float, first: int, missing: int) -> None:
    kept = np.delete(NUMBERS, np.arange(first, min(first + missing, 2999)))
    found = describe_rate(np.rint(kept / rate * 1000) / 1000)
    assert not found.is_constant
    assert found.hole_after_frame == first - 1
    assert found.hole_count == 1
    expected_s = (kept[first] - (first - 1)) / rate
    assert found.longest_hole_s == pytest.approx(expected_s, abs=1.1e-3)
    assert found.frames_per_second == pytest.approx(rate, rel=1e-3)


def test_the_longest_of_several_holes() -> None:
    kept = np.delete(NUMBERS, [100, *range(500, 520), 900, 901])
    found = describe_rate(kept / 25)
    assert (found.hole_count, found.hole_after_frame) == (3, 498)
    assert found.longest_hole_s == pytest.approx(21 / 25)


def test_a_rate_that_changes_halfway_varies() -> None:
    steps = np.repeat([1 / 30, 1 / 24], 500)
    found = describe_rate(np.cumsum(steps) - steps[0])
    assert not found.is_constant
    assert found.hole_count == 0


def test_pulldown_has_no_holes() -> None:
    steps = np.tile([2 / 60, 3 / 60], 500)
    assert describe_rate(np.cumsum(steps)).hole_count == 0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_have_no_rate(count: int) -> None:
    found = describe_rate(np.zeros(count))
    assert found.frames_per_second is None
    assert found.is_constant
