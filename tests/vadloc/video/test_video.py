"""Videos: what is written can be decoded again, and nothing is left of what fails."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from vadloc.errors import VadlocError
from vadloc.video.writing import (
    pad_to_even,
    write_video,
)


def squares(count: int, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """A light square that moves over a dark coloured ground."""
    for frame in range(count):
        image = np.full((height, width, 3), (20, 40, 90), np.uint8)
        image[8:24, 2 * frame : 2 * frame + 16] = (230, 200, 60)
        yield image


def decode(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [f.to_ndarray(format="rgb24").astype(np.uint8) for f in frames]


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 64), (48, 63), (47, 63), (33, 1)])
def test_any_size_is_decoded_again(tmp_path: Path, height: int, width: int) -> None:
    frames = list(squares(7, height, width))
    path = tmp_path / "out" / "v.mp4"
    assert write_video(path, frames, 25) == 7
    decoded = decode(path)
    assert [f.shape for f in decoded] == [(height + height % 2, width + width % 2, 3)] * 7
    for image, source in zip(decoded, frames, strict=True):
        error = np.abs(image[:height, :width].astype(int) - source)
        assert np.median(error) < 6  # colours, in spite of compression
    assert [p.name for p in path.parent.iterdir()] == ["v.mp4"]


def test_the_last_row_and_column_are_repeated() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    padded = pad_to_even(image)
    np.testing.assert_array_equal(padded[:3, :3], image)
    np.testing.assert_array_equal(padded[3], padded[2])
    np.testing.assert_array_equal(padded[:, 3], padded[:, 2])
    np.testing.assert_array_equal(pad_to_even(padded), padded)


def test_players_are_told_format_colours_and_rate(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", squares(3, 48, 64), 30000 / 1001)
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", 3)
        assert str(stream.average_rate) == "30000/1001"
        assert stream.codec_context.colorspace == 1  # BT.709


def test_colours_survive(tmp_path: Path) -> None:
    """Encoded with one matrix and decoded with another, green would be off by 20 and more."""
    colour = (30, 200, 40)
    write_video(tmp_path / "v.mp4", [np.full((32, 32, 3), colour, np.uint8)], 10)
    (decoded,) = decode(tmp_path / "v.mp4")
    assert np.abs(decoded.astype(int) - colour).max() <= 4


def test_one_thread_encodes(tmp_path: Path) -> None:
    """With several, the bytes would depend on the cores of the machine; x264 notes its settings."""
    write_video(tmp_path / "v.mp4", squares(2, 480, 640), 10)
    assert b" threads=1 " in (tmp_path / "v.mp4").read_bytes()


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name, count in (("a", 9), ("b", 9), ("c", 8)):
        write_video(tmp_path / name, squares(count, 48, 64), 10)
    first, second, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second != other


def bad_frames(kind: str) -> list[NDArray[np.generic]]:
    good = np.zeros((4, 6, 3), np.uint8)
    bad: dict[str, NDArray[np.generic]] = {
        "size": np.zeros((4, 8, 3), np.uint8),
        "grey": np.zeros((4, 6), np.uint8),
        "alpha": np.zeros((4, 6, 4), np.uint8),
        "dtype": np.zeros((4, 6, 3), np.float32),
    }
    return [good, good, bad[kind]]


@pytest.mark.parametrize("kind", ["size", "grey", "alpha", "dtype"])
def test_a_frame_unlike_the_first_is_refused_and_no_file_left(tmp_path: Path, kind: str) -> None:
    with pytest.raises(VadlocError, match=r"frame 2 \(0-based\).*first frame \(4, 6, 3\)"):
        write_video(tmp_path / "v.mp4", bad_frames(kind), 10)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_no_frames_and_empty_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match="no frames"):
        write_video(tmp_path / "v.mp4", [], 10)
    with pytest.raises(VadlocError, match=r"\(0, 6, 3\)"):
        write_video(tmp_path / "v.mp4", [np.zeros((0, 6, 3), np.uint8)], 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_an_impossible_rate_is_refused(tmp_path: Path, rate: float) -> None:
    with pytest.raises(VadlocError, match="frames per second, expected"):
        write_video(tmp_path / "v.mp4", squares(2, 8, 8), rate)


def test_a_failing_source_leaves_the_old_video(tmp_path: Path) -> None:
    def failing() -> Iterator[NDArray[np.uint8]]:
        yield from squares(3, 48, 64)
        raise VadlocError("frame 3 is damaged")

    path = tmp_path / "v.mp4"
    path.write_bytes(b"old")
    with pytest.raises(VadlocError, match="frame 3 is damaged"):
        write_video(path, failing(), 10)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
