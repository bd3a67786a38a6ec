"""When frames are: at even intervals, or as the stream says."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from vadloc.times import Clock
from vadloc.video import write_video

HOLE_S = np.concatenate([np.arange(20), np.arange(20) + 35]) / 10
"""Ten frames a second, and 1.5 s without a frame after the twentieth."""


def clock_of(times_s: NDArray[np.float64] | None) -> Clock:
    return Clock.of(times_s, frames_per_second=10)


def test_pictures_follow_the_config() -> None:
    clock = clock_of(None)
    assert [clock.seconds(frame) for frame in (0, 1, 25)] == [0, 0.1, 2.5]
    assert clock.to_record() == {"frames_per_second": 10}


@pytest.mark.parametrize("rate", [25, 30, 30000 / 1001, 24000 / 1001, 12.5, 0.5])
@pytest.mark.parametrize("digits", [3, 9])
def test_even_times_give_their_rate(rate: float, digits: int) -> None:
    """Matroska keeps whole milliseconds."""
    clock = clock_of(np.round(7 + np.arange(500) / rate, digits))
    assert clock.times_s is None
    assert clock.frames_per_second == pytest.approx(rate, rel=1e-4)
    assert clock.contradicts(10)
    assert not clock.contradicts(rate * 1.005)


def test_a_hole_is_kept() -> None:
    clock = clock_of(HOLE_S + 1.4)  # transport streams begin anywhere
    assert [round(clock.seconds(f), 6) for f in (0, 19, 20, 39)] == [0, 1.9, 3.5, 5.4]
    assert clock.frames_per_second == pytest.approx(39 / 5.4)
    assert clock.seconds(40) == pytest.approx(5.4 + 5.4 / 39)
    stored = json.loads(json.dumps(clock.to_record()))
    assert stored["times_s"] == HOLE_S.tolist()
    assert Clock.of_record(stored).seconds(20) == 3.5


@pytest.mark.parametrize("times", [[], [3.0], [2.0, 2.0, 2.0], [0.0, 1e-6, 2e-6], [0.0, 1e7]])
def test_times_of_no_video_are_not_believed(times: list[float]) -> None:
    assert clock_of(np.array(times)) == Clock(10)


def test_a_video_is_written_with_uneven_times(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (40, 32, 48, 3)).astype(np.uint8)
    path = tmp_path / "v.mp4"
    clock = clock_of(HOLE_S)
    assert write_video(path, frames, clock.frames_per_second, times_s=clock.times_s) == 40
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.allclose(times, HOLE_S, atol=1e-4)
