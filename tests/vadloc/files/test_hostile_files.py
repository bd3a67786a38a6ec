"""Small files that promise much, and names that mean something to somebody else."""

import html
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import joblib
import numpy as np
import pytest
from PIL import Image
from test_storage import sealed
from tiny_scene import FRAMES, film, save_video

from evaluation.compute_auc import run as compute_auc
from evaluation.figures.plots import save_score_plots
from vadloc.errors import UsageError, VadlocError, one_line
from vadloc.files.storage import (
    DamagedFileError,
    read_joblib,
)
from vadloc.video.frames import (
    Sequence,
    read_frames,
    read_picture,
)
from vadloc.weights import read_weights

SIDE = 60_000
MUCH = zlib.compress(bytes(1 << 28), 9)
"""A quarter of a MiB that unpacks to 256."""


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    """The content with its only such piece replaced by one of the same length."""
    assert content.count(old) == 1
    assert len(old) == len(new)
    return content.replace(old, new)


def huge_bitmap(content: bytes) -> bytes:
    return patched(content, struct.pack("<ii", 64, 48), struct.pack("<ii", SIDE, SIDE))


def huge_jpeg(content: bytes) -> bytes:
    return patched(content, struct.pack(">BHH", 8, 48, 64), struct.pack(">BHH", 8, SIDE, SIDE))


def huge_tiff(content: bytes) -> bytes:
    for tag, side in ((256, 64), (257, 48)):
        entry = struct.Struct("<HHII")
        content = patched(content, entry.pack(tag, 4, 1, side), entry.pack(tag, 4, 1, SIDE))
    return content


@pytest.mark.parametrize(
    ("suffix", "enlarge"), [(".bmp", huge_bitmap), (".jpg", huge_jpeg), (".tif", huge_tiff)]
)
def test_a_picture_that_claims_to_be_huge_is_refused(
    tmp_path: Path, suffix: str, enlarge: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"1{suffix}"
    Image.fromarray(film(seed=0)[0]).save(path)
    assert read_picture(path, colour="grey").shape == (48, 64)
    path.write_bytes(enlarge(path.read_bytes()))
    with pytest.raises(VadlocError, match=r"3600000000 pixels|60000 x 60000") as caught:
        read_picture(path, colour="grey")
    assert str(caught.value).startswith(f"{path}: ")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


@pytest.mark.parametrize(
    ("kind", "before"), [(b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")]
)
def test_a_chunk_that_unpacks_to_much_is_refused(
    tmp_path: Path, kind: bytes, before: bytes
) -> None:
    path = tmp_path / "1.png"
    Image.fromarray(film(seed=0)[0]).save(path)
    content = path.read_bytes()
    after_header = content.index(b"IDAT") - 4
    bomb = png_chunk(kind, before + MUCH)
    path.write_bytes(content[:after_header] + bomb + content[after_header:])
    with pytest.raises(VadlocError, match="too large"):
        read_picture(path, colour="grey")


def test_pixels_beyond_the_size_of_the_picture_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    pixels, end = png_chunk(b"IDAT", MUCH), png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + end)
    assert read_picture(path, colour="grey").tolist() == [[0] * 8] * 8


@pytest.mark.parametrize("compress", [("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3)])
def test_compressed_joblib_is_refused(tmp_path: Path, compress: tuple[str, int]) -> None:
    joblib.dump({"zeros": np.zeros(1 << 20)}, tmp_path / "body", compress=compress)
    path = sealed(tmp_path / "a.joblib", (tmp_path / "body").read_bytes())
    with pytest.raises(DamagedFileError) as caught:
        read_joblib(path)
    assert str(caught.value).startswith(f"{path}: ")


def many_frames_avi(content: bytes) -> bytes:
    main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
    for place in (main + 16, stream + 32):
        assert content[place : place + 4] == struct.pack("<I", FRAMES)
        content = content[:place] + struct.pack("<I", 10**9) + content[place + 4 :]
    return content


def many_frames_mp4(content: bytes) -> bytes:
    """The table of durations says that 10^9 frames last as long as each other."""
    table = struct.Struct(">4sIII")
    return patched(content, table.pack(b"stts", 0, 1, FRAMES), table.pack(b"stts", 0, 1, 10**9))


@pytest.mark.parametrize(
    ("suffix", "promise"), [(".avi", many_frames_avi), (".mp4", many_frames_mp4)]
)
def test_a_video_whose_header_counts_too_many_frames_is_read(
    tmp_path: Path, suffix: str, promise: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"a{suffix}"
    save_video(path, film(seed=0), codec="mpeg4")
    path.write_bytes(promise(path.read_bytes()))
    assert len(list(read_frames(Sequence("a", path)))) == FRAMES


@pytest.mark.parametrize(
    ("side", "message"),
    [(9_000, "claims 9000 x 9000 px"), (SIDE, "decoding failed after 0 frames")],
)
def test_a_video_that_claims_huge_frames_is_refused(
    tmp_path: Path, side: int, message: str
) -> None:
    path = tmp_path / "a.mkv"
    save_video(path, np.zeros((2, 300, 320), np.uint8))
    width, height = b"\xb0\x82" + struct.pack(">H", 320), b"\xba\x82" + struct.pack(">H", 300)
    content = patched(path.read_bytes(), width, width[:2] + struct.pack(">H", side))
    path.write_bytes(patched(content, height, height[:2] + struct.pack(">H", side)))
    with pytest.raises(VadlocError, match=message) as caught:
        list(read_frames(Sequence("a", path)))
    assert str(caught.value).startswith(f"{path}: ")


def test_a_frame_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to("/dev/zero")
    for name in ("1.png", "2.png"):
        with pytest.raises(VadlocError, match="no regular file"):
            read_picture(tmp_path / name, colour="grey")


NAMES = [
    "<script>alert(1)<",
    "--><script>",
    "a&b",
    '"onload="x',
    "$x",
    "$\\frac$",
    "a $b$ c",
    "^_%",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text_in_figures(tmp_path: Path, name: str) -> None:
    scores = np.linspace(0, 1, 6), np.zeros(6, np.bool_)
    for path in save_score_plots(tmp_path, {name: scores}):
        if path.suffix == ".svg":
            elements = [*ElementTree.parse(path).iter()]
            assert [e for e in elements if e.tag.endswith("script")] == []
            assert [e for e in elements if set(e.keys()) & {"onload", "onclick"}] == []
            assert name.replace("--", "- -") in html.unescape(path.read_text()), "as a comment"


def test_words_of_others_are_one_printable_line() -> None:
    assert one_line("two\nlines\tand  blanks") == "two lines and blanks"
    assert one_line("\x1b[2Jcl\u00e9\u202e\0") == "\\x1b[2Jcl\u00e9\\u202e\\x00"
    assert one_line("x" * 400, limit=5) == "xxxxx..."
    assert one_line(UsageError("as it is")) == "as it is"


@pytest.mark.parametrize(
    ("fpr", "tpr"),
    [([0, 1e308], [0, 1]), ([-1, 1], [0, 1]), ([0, 1], [0, 1e308]), ([0, 1], [-0.5, 1])],
)
def test_rates_that_no_curve_has_are_refused(
    tmp_path: Path, fpr: list[float], tpr: list[float]
) -> None:
    paths = tmp_path / "fpr.npy", tmp_path / "tpr.npy"
    for path, rates in zip(paths, (fpr, tpr), strict=True):
        np.save(path, np.array(rates))
    with pytest.raises(
        VadlocError, match="expected none below 0, and the latter up to 1"
    ) as caught:
        compute_auc(*paths)
    assert str(paths[0]) in str(caught.value)


def test_words_of_a_file_of_weights_are_one_short_printable_line(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for kind, name in (("\x1b[31m", "a"), ("9" * 5000, "a"), ("F64", "\x1b[2J" + "b" * 5000)):
        tensor = {"dtype": kind, "shape": [1], "data_offsets": [0, 8]}
        header = json.dumps({"__metadata__": {"vadloc": "{}"}, name: tensor}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
        with pytest.raises(DamagedFileError) as caught:
            read_weights(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < len(str(path)) + 500
