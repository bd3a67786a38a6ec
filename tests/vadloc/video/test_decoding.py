"""Videos of every codec and container: right pixels and times, or a refusal that is deserved."""

import gc
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from films import HEIGHT_PX, LEVELS, RATE, WIDTH_PX, grey_frames, levels_of, write_film
from numpy.typing import NDArray
from tiny_scene import film, save_video

from vadloc.errors import VadlocError
from vadloc.video.decoding import (
    VIDEO_SUFFIXES,
    Colour,
    frame_times_s,
    read_video,
    video_info,
    video_streams,
)
from vadloc.video.frames import Sequence as Frames
from vadloc.video.frames import (
    list_sequences,
    read_frames,
    sequence_size,
    sequence_times_s,
)
from vadloc.video.rates import describe_rate

ANY = ((2, 2), (3, 5), (17, 16), (16, 31), (158, 238))
EVEN = ((2, 2), (18, 16), (158, 238))
DEEP = ((18, 16), (158, 238))
"""At a width of 18 px these encoders now and then write other pixels; the cause is not known."""
CODECS = [
    ("libx264", "yuv420p", ".mp4", EVEN),
    ("libx264", "yuv420p10le", ".mkv", DEEP),
    ("libx264", "yuvj420p", ".mov", EVEN),
    ("libx264", "yuv444p", ".mp4", ANY),
    ("libx265", "yuv420p", ".mp4", DEEP),
    ("libx265", "yuv420p10le", ".mkv", DEEP),
    ("libx265", "gray", ".mkv", ((17, 16), (158, 238))),
    ("libvpx", "yuv420p", ".webm", ((2, 2), (3, 5), (17, 16))),
    ("libvpx-vp9", "yuv420p", ".webm", ANY),
    ("libsvtav1", "yuv420p10le", ".mp4", ((17, 16), (16, 31))),
    ("mpeg4", "yuv420p", ".avi", ANY),
    ("mpeg4", "yuv420p", ".3gp", EVEN),
    ("mpeg2video", "yuv420p", ".ts", ((158, 238),)),
    ("mpeg2video", "yuv420p", ".mpg", EVEN),
    ("mjpeg", "yuvj420p", ".avi", ANY),
    ("mjpeg", "yuvj444p", ".mov", ANY),
    ("ffv1", "gray", ".mkv", ANY),
    ("ffv1", "gray16le", ".mkv", ANY),
    ("ffv1", "bgr0", ".avi", ANY),
    ("rawvideo", "bgr24", ".avi", ANY),
    ("wmv2", "yuv420p", ".wmv", EVEN),
    ("flv", "yuv420p", ".flv", ANY),
]
FIRST = LEVELS[:4]


def read(path: Path, colour: Colour = "grey") -> list[NDArray[np.uint8]]:
    return [frame for _, (frame,) in read_video(path, (colour,))]


def refusal(path: Path) -> str:
    with pytest.raises(VadlocError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}")
    assert "\n" not in message
    return message


# Pixels


@pytest.mark.parametrize(("codec", "pixels", "suffix", "sizes"), CODECS)
def test_frames_of_every_codec_and_size(
    tmp_path: Path, codec: str, pixels: str, suffix: str, sizes: Sequence[tuple[int, int]]
) -> None:
    for height, width in sizes:
        path = tmp_path / f"{height}{suffix}"
        # These two take no other rate.
        rate = 25 if codec == "mpeg2video" else RATE
        write_film(path, codec, pixels, frames=grey_frames(FIRST, height, width), ticks_per_s=rate)
        count = 0
        for (_, (grey, rgb)), level in zip(read_video(path, ("grey", "rgb")), FIRST, strict=True):
            count += 1
            assert grey.shape == (height, width)
            assert rgb.shape == (height, width, 3)
            assert {grey.dtype, rgb.dtype} == {np.dtype(np.uint8)}
            assert grey.flags.c_contiguous
            assert rgb.flags.c_contiguous
            assert np.abs(grey.astype(int) - level).max() <= 4
            assert np.abs(rgb.astype(int) - level).max() <= 5
        info = video_info(path)
        assert (info.height_px, info.width_px) == (height, width)
        times = frame_times_s(path)
        assert np.abs(times - np.arange(count) / rate).max() <= 1.1e-3
        assert sequence_size(Frames("a", path)) == (count, height, width)


def test_the_suffixes_are_those_that_are_tried() -> None:
    assert {suffix for _, _, suffix, _ in CODECS} == VIDEO_SUFFIXES - {".m4v", ".mpeg"}


def planes(pixels: str, values: Sequence[int], **tags: int) -> av.VideoFrame:
    """A frame of one colour, given as it is stored."""
    frame = av.VideoFrame(16, 8, pixels)
    wide = np.uint16 if "10" in pixels else np.uint8
    for plane, value in zip(frame.planes, values, strict=False):
        content = np.full(plane.buffer_size // np.dtype(wide).itemsize, value, wide)
        plane.update(content.tobytes())
    for name, value in tags.items():
        setattr(frame, name, value)
    return frame


BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)
RED_AND_BLUE_WEIGHT = {1: BT709, 2: BT601, 5: BT601, 6: BT601, 9: BT2020}
"""Of ISO/IEC 23091-4 by the number of the matrix; 2 says nothing and is taken as BT.601."""


@pytest.mark.parametrize("matrix", RED_AND_BLUE_WEIGHT)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv422p10le"])
def test_colours_follow_the_tags(tmp_path: Path, pixels: str, full: bool, matrix: int) -> None:
    luma, blue, red = 126.0, 100.0, 170.0
    tags = {"color_range": 2 if full else 1, "colorspace": matrix}
    scale = 4 if "10" in pixels else 1
    frame = planes(pixels, [int(scale * v) for v in (luma, blue, red)], **tags)
    path = write_film(tmp_path / "a.mkv", "ffv1", pixels, frames=[frame], context=tags)
    y = luma if full else (luma - 16) * 255 / 219
    b, r = ((v - 128) * (1 if full else 255 / 224) for v in (blue, red))
    red_weight, blue_weight = RED_AND_BLUE_WEIGHT[matrix]
    expected_red, expected_blue = y + 2 * (1 - red_weight) * r, y + 2 * (1 - blue_weight) * b
    rest = y - red_weight * expected_red - blue_weight * expected_blue
    expected = [expected_red, rest / (1 - red_weight - blue_weight), expected_blue]
    assert np.abs(read(path)[0] - y).max() <= 1
    assert np.abs(read(path, "rgb")[0] - expected).max() <= 3


@pytest.mark.parametrize("level", [0, 1, 16, 128, 235, 254, 255])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_black_and_white_keep_their_places(
    tmp_path: Path, pixels: str, full: bool, level: int
) -> None:
    scale = 4 if "10" in pixels else 1
    tags = {"color_range": 2 if full else 1}
    frame = planes(pixels, [scale * v for v in (level, 128, 128)], **tags)
    path = write_film(tmp_path / "a.mkv", "ffv1", pixels, frames=[frame], context=tags)
    expected = np.clip(float(level) if full else (level - 16) * 255 / 219, 0, 255)
    assert np.abs(read(path)[0] - expected).max() <= 1


def test_grey_of_rgb_is_luma(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(256, size=(12, 18, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    path = write_film(tmp_path / "a.mkv", "ffv1", "bgr0", frames=[frame])
    assert np.array_equal(read(path, "rgb")[0], picture)
    assert np.abs(read(path)[0] - picture @ [0.299, 0.587, 0.114]).max() <= 1


@pytest.mark.parametrize("pixels", ["bgra", "yuva420p"])
def test_alpha_is_left_out(tmp_path: Path, pixels: str) -> None:
    picture = np.full((8, 16, 4), 90, np.uint8)
    picture[:, 8:, 3] = 0
    frame = av.VideoFrame.from_ndarray(picture, format="rgba")
    path = write_film(tmp_path / "a.mkv", "ffv1", pixels, frames=[frame])
    assert np.abs(read(path, "rgb")[0].astype(int) - 90).max() <= 2


@pytest.mark.parametrize(("codec", "options"), [
    ("mpeg2video", {"flags": "+ildct+ilme", "qscale": "1"}),
    ("libx264", {"x264-params": "interlaced=1:qp=1"}),
])  # fmt: skip
def test_fields_stay_woven(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    lines = np.repeat(np.tile(np.array([60, 180], np.uint8), 16)[:, None], 48, axis=1)
    frames = [av.VideoFrame.from_ndarray(lines, format="gray") for _ in range(6)]
    path = write_film(
        tmp_path / "a.mkv", codec, frames=frames, ticks_per_s=25, options=options,
        context={"max_b_frames": 0},
    )  # fmt: skip
    got = read(path)
    assert len(got) == 6
    assert np.abs(got[-1].astype(int) - lines).max() <= 12
    assert np.allclose(frame_times_s(path), np.arange(6) / 25, atol=1.1e-3)


def test_a_matrix_that_is_not_read_is_refused_in_colour(tmp_path: Path) -> None:
    tags = {"colorspace": 8}  # YCgCo
    frame = planes("yuv444p", [126, 128, 128], **tags)
    path = write_film(tmp_path / "a.mkv", "ffv1", "yuv444p", frames=[frame], context=tags)
    assert abs(int(read(path)[0][0, 0]) - 128) <= 1
    with pytest.raises(VadlocError, match=r"frame 0: colours in matrix 8 .* BT.709"):
        read(path, "rgb")


# Orientation

CORNERS = np.zeros((16, 32), np.uint8)
CORNERS[:8, :16], CORNERS[:8, 16:], CORNERS[8:, :16] = 50, 110, 170


@pytest.mark.parametrize("degrees", [0, 90, 180, -90, 270])
@pytest.mark.parametrize("mirrored", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_frames_are_turned_as_players_show_them(
    tmp_path: Path, suffix: str, degrees: int, mirrored: tuple[bool, bool]
) -> None:
    frame = av.VideoFrame.from_ndarray(CORNERS, format="gray")
    path = write_film(
        tmp_path / f"a{suffix}", "mjpeg", "yuvj420p", frames=[frame], turn=(degrees, *mirrored)
    )
    expected = np.rot90(CORNERS, degrees // 90)
    expected = expected[:, ::-1] if mirrored[0] else expected
    expected = expected[::-1] if mirrored[1] else expected
    grey, rgb = next(read_video(path, ("grey", "rgb")))[1]
    assert grey.shape == expected.shape
    assert np.abs(grey.astype(int) - expected).max() <= 12
    assert np.abs(rgb[..., 1].astype(int) - expected).max() <= 12
    assert grey.flags.c_contiguous
    assert rgb.flags.c_contiguous
    info = video_info(path)
    assert (info.height_px, info.width_px) == expected.shape


@pytest.mark.parametrize("degrees", [45, 10, 89])
def test_an_odd_angle_is_refused(tmp_path: Path, degrees: int) -> None:
    path = write_film(tmp_path / "a.mp4", turn=(degrees, False, False))
    assert "multiples of 90" in refusal(path)
    with pytest.raises(VadlocError, match="multiples of 90"):
        video_info(path)


def test_stretched_pixels_are_as_stored(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", context={"sample_aspect_ratio": 2})
    assert read(path)[0].shape == (HEIGHT_PX, WIDTH_PX)
    assert video_info(path).width_px == WIDTH_PX


# Sound files that count wrong, or do not count


def patched(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(("first", "count"), [(0, 12), (5, 7), (1, 11), (3, 4), (0, 5)])
@pytest.mark.parametrize("options", [{"bf": "0", "g": "99"}, {"bf": "2", "g": "99"}])
def test_edit_lists_are_followed(
    tmp_path: Path, options: dict[str, str], first: int, count: int
) -> None:
    path = write_film(tmp_path / "a.mp4", options=options)
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 12
    _, media_time, _ = struct.unpack(">IiI", content[place : place + 12])
    ticks_per_frame = struct.unpack(">I", content[content.index(b"mdhd") + 16 :][:4])[0] // RATE
    edit = (1000 * count // RATE, media_time + first * ticks_per_frame, 1 << 16)
    content[place : place + 12] = struct.pack(">IiI", *edit)
    path.write_bytes(content)
    got = read(path)
    assert levels_of(got) == list(LEVELS[first : first + count])
    assert np.allclose(frame_times_s(path), np.arange(count) / RATE)


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
def test_dropped_frames_of_avi(tmp_path: Path, codec: str) -> None:
    ticks = [0, 1, 2, 12, 13, 14, 15, 19, 20, 21, 22, 23]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_film(tmp_path / "a.avi", codec, pixels, ticks=ticks)
    assert levels_of(read(path)) == list(LEVELS)
    times = frame_times_s(path)
    assert np.allclose(times, np.array(ticks) / RATE)
    rate = describe_rate(times)
    assert (rate.hole_after_frame, rate.hole_count, rate.is_constant) == (2, 2, False)
    assert rate.frames_per_second == pytest.approx(RATE)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
@pytest.mark.parametrize("duration_s", [0.01, 1e4])
def test_a_wrong_duration_is_no_damage(tmp_path: Path, suffix: str, duration_s: float) -> None:
    path = write_film(tmp_path / f"a{suffix}", "libvpx-vp9")
    content = path.read_bytes()
    place = content.index(b"\x44\x89\x88") + 3
    wrong = struct.pack(">d", duration_s * 1000)
    path.write_bytes(content[:place] + wrong + content[place + 8 :])
    assert len(read(path)) == len(LEVELS)


@pytest.mark.parametrize(("suffix", "options"), [
    (".mkv", {"live": "1"}), (".webm", {"live": "1"}), (".mp4", {"movflags": "frag_keyframe"}),
    (".mov", {"movflags": "empty_moov+default_base_moof"}), (".mp4", {"movflags": "faststart"}),
])  # fmt: skip
def test_recordings_without_a_length_are_read(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = write_film(tmp_path / f"a{suffix}", codec, container_options=options)
    assert levels_of(read(path)) == list(LEVELS)
    assert np.allclose(frame_times_s(path), np.arange(len(LEVELS)) / RATE, atol=1.1e-3)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_recording_that_was_never_closed_is_read(tmp_path: Path, size: int) -> None:
    path = write_film(tmp_path / "a.avi", "mpeg4")
    content = bytearray(path.read_bytes())
    del content[content.index(b"idx1") :]
    content[4:8] = struct.pack("<I", size)
    path.write_bytes(content)
    assert levels_of(read(path)) == list(LEVELS)


@pytest.mark.parametrize(("suffix", "audio"), [
    (".mp4", "aac"), (".mkv", "libopus"), (".webm", "libopus"), (".avi", "mp2"), (".ts", "aac"),
    (".mov", "aac"),
])  # fmt: skip
def test_sound_beside_the_frames(tmp_path: Path, suffix: str, audio: str) -> None:
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(suffix, "libx264")
    path = write_film(tmp_path / f"a{suffix}", codec, audio=audio)
    assert levels_of(read(path)) == list(LEVELS)
    assert np.allclose(frame_times_s(path), np.arange(len(LEVELS)) / RATE, atol=1.1e-3)


# Files that are cut off

ASF_INDEX = bytes.fromhex("90080033b1e5cf1189f400a0c90349cb")
BEHIND = {".mp4": b"udta", ".mov": b"udta", ".wmv": ASF_INDEX}
"""What stands behind all frames, if it stands behind them, and is not needed for them."""
REASONS = (
    "cut off",
    "not readable as a video",
    "decoding failed",
    "no video stream in it",
    "no frame in it",
    "no known codec",
)


@pytest.mark.parametrize(("suffix", "codec", "options"), [
    (".mp4", "libx264", {}), (".mp4", "libx264", {"movflags": "faststart"}),
    (".mov", "mjpeg", {"movflags": "faststart"}), (".avi", "mpeg4", {}), (".mkv", "libx264", {}),
    (".webm", "libvpx-vp9", {}), (".ts", "libx264", {}), (".ts", "mpeg2video", {}),
    (".wmv", "wmv2", {}),
])  # fmt: skip
def test_cut_files_are_refused(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    rate = 25 if codec == "mpeg2video" else RATE
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_film(
        tmp_path / f"a{suffix}", codec, pixels, ticks_per_s=rate, container_options=options
    )
    content = path.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in [1, 10, *np.linspace(50, len(content) - 10, 20).astype(int).tolist()]:
        cut.write_bytes(content[: length + (suffix == ".ts" and length % 188 == 0)])
        if length > content.find(BEHIND.get(suffix, b"no box")) > content.find(b"mdat"):
            assert levels_of(read(cut)) == list(LEVELS)
        else:
            message = refusal(cut)
            assert any(word in message for word in REASONS), length


def test_a_cut_fragment_is_refused(tmp_path: Path) -> None:
    options = {"movflags": "frag_every_frame+empty_moov"}
    path = write_film(tmp_path / "a.mp4", "mjpeg", "yuvj420p", container_options=options)
    content = path.read_bytes()
    last = content.rindex(b"mdat")
    for length in (last + 8, last + 100):
        path.write_bytes(content[:length])
        assert "cut off" in refusal(path)


def test_the_refusal_of_a_cut_file_comes_before_its_frames(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.avi"):
        options = {"movflags": "faststart"} if name == "a.mp4" else {}
        path = write_film(tmp_path / name, "mpeg4", container_options=options)
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(VadlocError, match="cut off, at least"):
            next(read_video(path, ("grey",)))


# Time


def shown_ticks(path: Path) -> NDArray[np.float64]:
    """Times of the frames by decoding them all with PyAV alone."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return np.array(times) - times[0]


VARYING = [0, 40, 80, 140, 150, 1500, 1540, 1580, 1581, 1700, 2300, 2333]
"""Milliseconds."""


@pytest.mark.parametrize(("suffix", "codec", "options"), [
    (".mp4", "libx264", {"bf": "3"}), (".mov", "mjpeg", {}), (".mkv", "libx264", {"bf": "3"}),
    (".mkv", "ffv1", {}), (".webm", "libvpx-vp9", {}), (".webm", "libvpx", {}),
    (".ts", "libx264", {"bf": "2"}), (".mp4", "libx265", {"x265-params": "bframes=3:log-level=0"}),
    (".mp4", "libsvtav1", {}), (".flv", "flv", {}), (".mp4", "mpeg4", {"bf": "2"}),
])  # fmt: skip
def test_times_of_a_varying_rate(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_film(
        tmp_path / f"a{suffix}", codec, pixels, ticks=[700 + t for t in VARYING],
        ticks_per_s=1000, options=options,
        frames=grey_frames(LEVELS, 64, 64),
    )  # fmt: skip
    got = read(path)
    assert levels_of(got) == list(LEVELS)
    times = frame_times_s(path)
    assert np.allclose(times, np.array(VARYING) / 1000, atol=1e-4)
    assert np.allclose(times, shown_ticks(path))
    rate = describe_rate(times)
    assert not rate.is_constant
    assert rate.hole_after_frame == 4
    assert rate.longest_hole_s == pytest.approx(1.35, abs=1e-4)


def test_times_of_a_stream_that_begins_amid_others(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.ts", options={"bf": "2", "g": "5"})
    content = path.read_bytes()
    for start in range(0, len(content) // 2, 188):
        path.write_bytes(content[:564] + content[564 + start :])
        assert len(frame_times_s(path)) == len(read(path)), start


def test_a_known_number_of_frames_is_believed_more_than_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(tmp_path / "a.mkv")
    monkeypatch.setattr("vadloc.video.decoding._packet_ticks", lambda _: [0, 1, 2])
    assert len(frame_times_s(path)) == 3
    assert len(frame_times_s(path, frame_count=3)) == 3
    times = sequence_times_s(Frames("a", path), frame_count=len(LEVELS))
    assert times is not None
    assert np.allclose(times, np.arange(len(LEVELS)) / RATE, atol=1.1e-3)
    assert sequence_times_s(Frames("a", tmp_path)) is None


def test_times_that_go_back_are_not_used(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.ts")
    path.write_bytes(2 * path.read_bytes())
    assert levels_of(read(path)) == 2 * list(LEVELS)
    times = frame_times_s(path)
    assert np.allclose(times, np.arange(2 * len(LEVELS)) / RATE)


def test_times_of_frames_out_of_order_without_times(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.avi", "mpeg4", options={"bf": "2"})
    assert levels_of(read(path)) == list(LEVELS)
    assert np.allclose(frame_times_s(path), np.arange(len(LEVELS)) / RATE)


# What is no video, or another one halfway


def test_another_size_halfway_is_refused_with_the_frame(tmp_path: Path) -> None:
    small = write_film(tmp_path / "small.ts")
    large = write_film(tmp_path / "large.ts", frames=grey_frames(LEVELS, 64, 80))
    path = tmp_path / "a.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(VadlocError, match=r"a\.ts, frame 12: 80 x 64 px, .* began with 48 x 32"):
        list(read_frames(Frames("a", path)))


def test_a_colon_in_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_film(Path("a.mkv")).rename("rec:12:30.mkv")
    assert len(read(Path("rec:12:30.mkv"))) == len(LEVELS)


def test_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    assert "no regular file" in refusal(tmp_path / "a.mp4")
    assert "no regular file" in refusal(tmp_path / "b.mp4")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert refusal(tmp_path / "a.mp4").endswith("an empty file; copy it again, or remove it")


def test_video_streams_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        for _ in range(2):
            stream = container.add_stream("ffv1", RATE)
            stream.height, stream.width, stream.pix_fmt = HEIGHT_PX, WIDTH_PX, "gray"
        for stream in container.streams.video:
            for frame in grey_frames(LEVELS[:2], HEIGHT_PX, WIDTH_PX):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    assert video_streams(path) == 2


def test_only_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libopus", 48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "no video stream in it" in refusal(tmp_path / "a.mkv")


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile real.mkv\n", "#EXTM3U\n#EXTINF:1,\nreal.mkv\n", "v=0\n" * 30],
)
def test_text_that_names_other_files_is_no_video(tmp_path: Path, suffix: str, text: str) -> None:
    write_film(tmp_path / "real.mkv")
    (tmp_path / f"a{suffix}").write_text(text)
    assert "not readable as a video" in refusal(tmp_path / f"a{suffix}")


def test_all_suffixes_are_sequences(tmp_path: Path) -> None:
    for number, suffix in enumerate(sorted(VIDEO_SUFFIXES)):
        (tmp_path / f"{number}{suffix.upper()}").write_bytes(b"")
    assert all(sequence.is_video for sequence in list_sequences(tmp_path))
    assert len(list_sequences(tmp_path)) == len(VIDEO_SUFFIXES)


def test_frames_that_were_read_leave_memory_at_once(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    save_video(path, film(seed=1))
    gc.collect()
    gc.disable()
    try:
        count = sum(1 for _ in read_video(path, ("grey", "rgb")))
        left = [each for each in gc.get_objects() if type(each) is av.VideoFrame]
    finally:
        gc.enable()
    assert count == 24
    assert len(left) <= 2  # the last ones, if at all
