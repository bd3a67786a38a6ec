"""Frames from pictures and videos: the right pixels in the right order, or a clear refusal."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from tiny_scene import HEIGHT_PX, WIDTH_PX, film, save_frames, save_video

from vadloc.errors import VadlocError
from vadloc.video.frames import (
    Sequence,
    frame_files,
    list_frame_files,
    list_sequences,
    natural_key,
    read_frames,
    read_picture,
    sequence_size,
)

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
SUFFIX_AND_CODEC = [(".mp4", "mpeg4"), (".avi", "ffv1"), (".mkv", "ffv1"), (".mkv", "mpeg4")]


def frames_of(path: Path) -> NDArray[np.uint8]:
    return np.stack(list(read_frames(Sequence("some", path))))


def refusal(path: Path) -> str:
    """The one line with which a sequence is refused; it names the path."""
    with pytest.raises(VadlocError) as caught:
        frames_of(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_natural_order() -> None:
    names = ["10.jpg", "9.jpg", "1.jpg", "02.jpg", "b2", "b10", "b", "a10b2", "a10b10", "a9"]
    expected = ["1.jpg", "02.jpg", "9.jpg", "10.jpg", "a9", "a10b2", "a10b10", "b", "b2", "b10"]
    assert sorted(names, key=natural_key) == expected


@given(st.lists(st.integers(0, 10**20), unique=True), st.text(max_size=5))
def test_natural_order_is_that_of_the_numbers(numbers: list[int], prefix: str) -> None:
    prefix = prefix.rstrip("0123456789")
    names = sorted((f"{prefix}{n}.png" for n in numbers), key=natural_key)
    assert names == [f"{prefix}{n}.png" for n in sorted(numbers)]


def test_frames_come_in_natural_order(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        Image.fromarray(np.full((4, 5), number, np.uint8)).save(tmp_path / f"{number}.png")
    assert frames_of(tmp_path)[:, 0, 0].tolist() == [1, 2, 10]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF", ".PNG"])
def test_lossless_files_give_their_pixels(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(RAMP).save(tmp_path / f"1{suffix}")
    assert np.array_equal(frames_of(tmp_path), [RAMP])


def test_jpeg_is_close(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "1.jpg", quality=95)
    assert np.abs(frames_of(tmp_path).astype(int) - RAMP).max() <= 8


def test_grey_of_colours_is_luma(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    Image.fromarray(colours).save(tmp_path / "1.png")
    expected = colours @ [0.299, 0.587, 0.114]
    assert np.abs(read_picture(tmp_path / "1.png", colour="grey") - expected).max() <= 1
    assert np.array_equal(read_picture(tmp_path / "1.png", colour="rgb"), colours)


def test_other_kinds_of_picture_give_the_same_pixels(tmp_path: Path) -> None:
    grey = Image.fromarray(RAMP)
    palette = grey.convert("P")
    bits = Image.fromarray(RAMP > 100)
    kinds = {"alpha": grey.convert("RGBA"), "la": grey.convert("LA"), "palette": palette}
    for name, picture in kinds.items():
        picture.save(tmp_path / f"{name}.png")
        assert np.array_equal(read_picture(tmp_path / f"{name}.png", colour="grey"), RAMP), name
    palette.save(tmp_path / "clear.png", transparency=bytes(range(256)))
    assert np.array_equal(read_picture(tmp_path / "clear.png", colour="grey"), RAMP)
    bits.save(tmp_path / "bits.png")
    assert np.array_equal(read_picture(tmp_path / "bits.png", colour="grey"), (RAMP > 100) * 255)


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_cmyk_becomes_rgb(tmp_path: Path, suffix: str) -> None:
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, :16], inks[:, 16:32], inks[:, 32:] = (255, 0, 0, 0), (0, 100, 200, 0), (0, 0, 0, 128)
    Image.fromarray(inks, "CMYK").save(tmp_path / f"1{suffix}", quality=100)
    paper = 255 - inks.astype(float)
    expected = paper[..., :3] * paper[..., 3:] / 255
    got = read_picture(tmp_path / f"1{suffix}", colour="rgb").astype(float)
    middle = [8, 24, 40]  # JPEG blurs the edges
    assert np.abs(got[8, middle] - expected[8, middle]).max() <= 4
    grey = read_picture(tmp_path / f"1{suffix}", colour="grey")[8, middle]
    assert np.abs(grey - expected[8, middle] @ [0.299, 0.587, 0.114]).max() <= 4


def test_alpha_is_left_out(tmp_path: Path) -> None:
    colours = np.full((4, 4, 4), (10, 20, 30, 0), np.uint8)
    colours[:2, :, 3] = 128
    Image.fromarray(colours).save(tmp_path / "1.png")
    assert (read_picture(tmp_path / "1.png", colour="rgb") == (10, 20, 30)).all()
    Image.fromarray(colours[..., [0, 3]]).save(tmp_path / "2.png")
    assert (read_picture(tmp_path / "2.png", colour="grey") == 10).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_refused(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.arange(48 * channels, dtype=np.uint16).reshape(6, 8, channels) * 300
    assert cv2.imwrite(str(tmp_path / f"1{suffix}"), deep)
    message = refusal(tmp_path)
    assert "more than 8 bits a channel" in message
    assert "one fixed scale" in message


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_more_than_8_bits_are_refused(tmp_path: Path, dtype: type) -> None:
    Image.fromarray(RAMP.astype(dtype)).save(tmp_path / "1.tif")
    assert "more than 8 bits a channel" in refusal(tmp_path)


def test_few_bits_are_read(tmp_path: Path) -> None:
    few = np.arange(16, dtype=np.uint8).reshape(2, 8)
    packed = few[:, ::2] << 4 | few[:, 1::2]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 8, 2, 4, 0, 0, 0, 0),
        b"IDAT": zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed)),
        b"IEND": b"",
    }
    content = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks.items():
        content += struct.pack(">I", len(body)) + kind + body
        content += struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "1.png").write_bytes(content)
    assert np.array_equal(read_picture(tmp_path / "1.png", colour="grey"), few * 17)


def test_bitmaps_of_16_bits_a_pixel_are_read(tmp_path: Path) -> None:
    red, green, blue = 31 << 11, 63 << 5, 31
    pixels = struct.pack("<4H", red, green, blue, 0)
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 16, 3, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<3I", red, green, blue)
    start = 14 + len(header) + len(masks)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    (tmp_path / "1.bmp").write_bytes(head + header + masks + pixels)
    got = read_picture(tmp_path / "1.bmp", colour="rgb")
    assert got.tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]]


def test_cielab_is_refused(tmp_path: Path) -> None:
    Image.new("LAB", (4, 4)).save(tmp_path / "1.tif")
    assert "CIELAB" in refusal(tmp_path)


AS_SHOWN: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.T, 6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}  # fmt: skip
"""What stands at the top and left, by the orientation of the EXIF standard."""


@pytest.mark.parametrize("orientation", AS_SHOWN)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_pictures_are_turned_as_viewers_show_them(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    corners = np.zeros((16, 32), np.uint8)
    corners[:8, :16], corners[:8, 16:], corners[8:, :16] = 50, 110, 170
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(corners).save(tmp_path / f"1{suffix}", exif=tags, quality=95)
    expected = AS_SHOWN[orientation](corners)
    got = read_picture(tmp_path / f"1{suffix}", colour="grey")
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= 12
    assert read_picture(tmp_path / f"1{suffix}", colour="rgb").shape == (*expected.shape, 3)


@pytest.mark.parametrize("block", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_a_bad_exif_block_turns_nothing(tmp_path: Path, block: bytes) -> None:
    Image.fromarray(RAMP).save(tmp_path / "1.jpg", quality=95, exif=block)
    assert np.abs(read_picture(tmp_path / "1.jpg", colour="grey").astype(int) - RAMP).max() <= 8


@pytest.mark.parametrize("name", ["1.tif", "1.png"])
def test_several_pictures_in_one_file_are_refused(tmp_path: Path, name: str) -> None:
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (1, 2, 3)]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    assert "holds 3 pictures" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_pictures_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"1{suffix}"
    Image.fromarray(film(seed=0)[0]).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "not a readable picture" in refusal(tmp_path)


@settings(max_examples=150)
@given(st.data())
def test_damaged_pictures_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    suffix = data.draw(st.sampled_from([".png", ".jpg", ".bmp", ".tif"]))
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    Image.fromarray(RAMP).save(path)
    content = bytearray(path.read_bytes())
    places = st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place] = byte
    path.write_bytes(content)
    refused = ""
    try:
        picture = read_picture(path, colour="grey")
    except VadlocError as error:
        refused = str(error)
    assert str(path) in refused if refused else picture.dtype == np.uint8


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000, 2**31 - 1])
def test_a_picture_that_claims_to_be_huge_is_refused(tmp_path: Path, side: int) -> None:
    data = (
        struct.pack(">I", 4) + b"IDAT" + b"\0" * 4 + struct.pack(">I", zlib.crc32(b"IDAT\0\0\0\0"))
    )
    (tmp_path / "1.png").write_bytes(png_header(side, side) + data)
    message = refusal(tmp_path)
    assert "claims" in message or "exceeds limit" in message


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("hello")
    assert "not a readable picture" in refusal(tmp_path)
    (tmp_path / "1.png").unlink()
    (tmp_path / "1.png").mkdir()
    assert "no regular file" in refusal(tmp_path)


def test_frames_of_other_sizes_are_refused(tmp_path: Path) -> None:
    for number, shape in enumerate([(4, 6), (4, 6), (6, 4)], start=1):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / f"{number}.png")
    message = refusal(tmp_path)
    assert "3.png: 4 x 6 px" in message
    assert "began with 6 x 4" in message


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert "a sequence without frames" in refusal(tmp_path)


def test_sequences_in_order_without_hidden_and_ground_truth(tmp_path: Path) -> None:
    for name in ("Test10", "Test2", "Test2_gt", ".hidden", "Test03"):
        (tmp_path / name).mkdir()
    for name in ("Test1.AVI", ".x.mp4", "Test4_gt.txt", "README.md"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "Test5.mp4").mkdir()
    found = list_sequences(tmp_path)
    assert [s.name for s in found] == ["Test1", "Test2", "Test03", "Test5.mp4", "Test10"]
    assert [s.is_video for s in found] == [True, False, False, False, False]


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    for name in ("1.png", ".2.png", "._1.png", "Thumbs.db"):
        Image.fromarray(RAMP).save(tmp_path / name, format="png")
    assert [file.name for file in list_frame_files(tmp_path)] == ["1.png"]


@pytest.mark.parametrize("names", [("a", "a.mp4"), ("a.avi", "a.mkv"), ("01", "01.mp4", "1")])
def test_one_name_twice_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"") if "." in name else (tmp_path / name).mkdir()
    with pytest.raises(VadlocError, match="give one sequence name") as caught:
        list_sequences(tmp_path)
    assert all(name in str(caught.value) for name in names[:2])


def test_folders_without_sequences(tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match="no sequence in it"):
        list_sequences(tmp_path)
    for path in (tmp_path / "no", Path(__file__)):
        with pytest.raises(VadlocError, match=r"no (such )?folder.*--datasets") as caught:
            list_sequences(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(("suffix", "codec"), SUFFIX_AND_CODEC)
def test_videos(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    written = np.repeat(np.arange(10, 210, 20, dtype=np.uint8), 48 * 64).reshape(10, 48, 64)
    save_video(path, written, codec=codec)
    got = frames_of(path)
    assert got.shape == written.shape
    assert np.abs(got.astype(int) - written).max() <= (0 if codec == "ffv1" else 4)
    colour = next(read_frames(Sequence("a", path), colour="rgb"))
    assert colour.shape == (48, 64, 3)
    assert sequence_size(Sequence("a", path)) == (10, 48, 64)


@pytest.mark.parametrize(("suffix", "codec"), SUFFIX_AND_CODEC)
def test_videos_that_are_cut_off_are_refused(tmp_path: Path, suffix: str, codec: str) -> None:
    path, part = tmp_path / f"a{suffix}", tmp_path / f"part{suffix}"
    save_video(path, film(seed=0), codec=codec)
    data = path.read_bytes()
    for share in (0, 0.02, 0.3, 0.6, 0.9):
        part.write_bytes(data[: int(share * len(data))])
        message = refusal(part)
        reasons = ("an empty file", "cut off", "not readable as a video", "decoding failed")
        assert any(reason in message for reason in reasons)


def test_a_video_without_its_last_frame_is_refused(tmp_path: Path) -> None:
    save_video(tmp_path / "a.mkv", film(seed=0))
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(data[:-1000])
    assert "at least 1000 bytes are missing" in refusal(tmp_path / "a.mkv")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize(
    "text", ["hello\n" * 9, "ffconcat version 1.0\nfile real.mkv\n", "1\n00:00:01,0 --> 1\nx\n"]
)
def test_text_is_no_video(tmp_path: Path, suffix: str, text: str) -> None:
    save_video(tmp_path / "real.mkv", film(seed=0))
    (tmp_path / f"a{suffix}").write_text(text)
    assert "not readable as a video" in refusal(tmp_path / f"a{suffix}")


def test_damaged_videos_are_read_or_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix, codec in SUFFIX_AND_CODEC:
        path = tmp_path / f"a{suffix}"
        save_video(path, film(seed=0)[:6], codec=codec)
        content = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(25):
            damaged = content.copy()
            damaged[random.integers(len(damaged), size=8)] = random.integers(256, size=8)
            path.write_bytes(damaged.tobytes())
            refused = ""
            try:
                size = frames_of(path).shape[1:]
            except VadlocError as error:
                refused = str(error)
            assert str(path) in refused if refused else size == (HEIGHT_PX, WIDTH_PX)


def test_files_of_a_sequence(tmp_path: Path) -> None:
    save_frames(tmp_path / "a", film(seed=0)[:3])
    (tmp_path / "a" / ".DS_Store").write_bytes(b"")
    names = [file.name for file in frame_files(Sequence("a", tmp_path / "a"))]
    assert names == ["001.png", "002.png", "003.png"]
    assert frame_files(Sequence("b", tmp_path / "b.mkv")) == [tmp_path / "b.mkv"]


def test_size_of_a_folder(tmp_path: Path) -> None:
    save_frames(tmp_path / "a", film(seed=0)[:5])
    assert sequence_size(Sequence("a", tmp_path / "a")) == (5, HEIGHT_PX, WIDTH_PX)


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.png").symlink_to(tmp_path / "gone.png")
    assert "no regular file" in refusal(tmp_path)
    (tmp_path / "Test1").mkdir()
    (tmp_path / "Test2").symlink_to(tmp_path / "not mounted")
    with pytest.raises(VadlocError, match=r"(Test2|1\.png): a link to nowhere"):
        list_sequences(tmp_path)
