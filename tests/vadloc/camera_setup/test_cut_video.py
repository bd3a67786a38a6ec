"""A video in two parts shows the frames of the whole."""

from pathlib import Path

import av
import numpy as np
import pytest
from films import write_film
from tiny_scene import save_video

from vadloc.camera_setup.cut_video import (
    Entry,
    cut_place,
    cut_video,
)
from vadloc.errors import VadlocError
from vadloc.video.frames import (
    Sequence,
    read_frames,
)


def entries(times: list[int], keys: list[int]) -> list[Entry]:
    return [Entry(time, index in keys) for index, time in enumerate(times)]


def test_the_cut_is_at_the_key_frame_nearest_to_the_share() -> None:
    plain = entries(list(range(100)), keys=[0, 30, 60, 75, 90])
    assert cut_place(plain, 0.7) == 75
    assert cut_place(plain, 0.5) == 60
    assert cut_place(entries(list(range(100)), keys=[0, 30]), 0.8) is None
    assert cut_place(entries(list(range(100)), keys=[0]), 0.5) is None
    assert cut_place([], 0.5) is None


def test_no_cut_where_a_later_packet_is_shown_before() -> None:
    """The packet after the key frame at 5 is shown at 4, and needs frames from before it."""
    assert cut_place(entries([0, 1, 2, 3, 5, 4, 6, 7, 8, 9], keys=[0, 4]), 0.5) is None
    assert cut_place(entries([0, 1, 2, 4, 3, 5, 7, 6, 8, 9], keys=[0, 5]), 0.5) == 5


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "ffv1"), ("avi", "mpeg4"), ("mov", "mjpeg")]
)
def test_both_parts_together_are_the_whole(tmp_path: Path, suffix: str, codec: str) -> None:
    frames = np.zeros((48, 32, 48), np.uint8)
    for number, frame in enumerate(frames):
        frame[8:24, number % 40 : number % 40 + 8] = 200
    whole = tmp_path / f"whole.{suffix}"
    _save(whole, frames, codec)
    first, second = (tmp_path / f"{name}.{suffix}" for name in ("first", "second"))
    cut_video(whole, first, second, share=0.75)
    read = [list(read_frames(Sequence("v", path))) for path in (whole, first, second)]
    assert np.array_equal(read[0], read[1] + read[2])
    assert 6 <= len(read[2]) <= 18
    with av.open(str(second)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx(np.arange(len(times)) / 10, abs=0.11)


def _save(path: Path, frames: np.ndarray, codec: str) -> None:
    """With a key frame every 12 frames."""
    with av.open(str(path), "w") as container:
        options = {} if codec == "mjpeg" else {"g": "12"}
        stream = container.add_stream(codec, rate=10, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = {"ffv1": "gray", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())


def test_a_part_that_could_not_be_read_again_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "raw.avi", "rawvideo", "yuv420p")
    with pytest.raises(VadlocError, match="cut the video with ffmpeg"):
        cut_video(path, tmp_path / "a.avi", tmp_path / "b.avi", share=0.5)


def test_without_key_frames_nothing_is_cut(tmp_path: Path) -> None:
    save_video(tmp_path / "v.mp4", np.zeros((30, 32, 32), np.uint8), codec="libx264")
    with pytest.raises(VadlocError, match=r"no key frame near 50% .* cut it with ffmpeg"):
        cut_video(tmp_path / "v.mp4", tmp_path / "a.mp4", tmp_path / "b.mp4", share=0.5)
