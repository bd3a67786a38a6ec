"""Archives of strangers: headers without end, much from little, broken streams, names that bite."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from evaluation.preparation import sources
from evaluation.preparation.sources import Member, Source, TarArchive, open_source
from feature_extraction.appearance.crops import read_crops
from vadloc.errors import VadlocError

FRAME = "Train/Train001/001.jpg"
MIB = 1 << 20


def tar_block(name: bytes, kind: bytes, size: int) -> bytes:
    """One header of a tar file."""
    info = tarfile.TarInfo(name.decode())
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def long_name(kind: bytes) -> bytes:
    """A header that announces a name (or records) of 64 MiB, and the name."""
    return tar_block(b"././@LongLink", kind, 64 * MIB) + b"a" * (64 * MIB)


def nested_headers() -> bytes:
    """Each record of the next member is followed by a record of the next member."""
    record = b"11 path=ab\n".ljust(512, b"\0")
    return (tar_block(b"x", tarfile.XHDTYPE, 11) + record) * 20_000


def endless_holes() -> bytes:
    """A sparse file whose list of holes is continued in every block."""
    first = bytearray(tar_block(b"holes", tarfile.GNUTYPE_SPARSE, 0))
    first[482] = 1  # is continued
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    more = b"00000000001\00000000000001\0" * 21 + b"\x01"
    return bytes(first) + more.ljust(512, b"\0") * 40_000


HEADERS: dict[str, Callable[[], bytes]] = {
    "long name": lambda: long_name(tarfile.GNUTYPE_LONGNAME),
    "long link": lambda: long_name(tarfile.GNUTYPE_LONGLINK),
    "records": lambda: long_name(tarfile.XHDTYPE),
    "records of all members": lambda: long_name(tarfile.XGLTYPE),
    "nested headers": nested_headers,
    "endless holes": endless_holes,
}


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("name", HEADERS)
def test_headers_without_end_are_not_read_to_their_end(
    tmp_path: Path, name: str, is_first: bool
) -> None:
    path = tmp_path / "a.tar.gz"
    before = b"" if is_first else tar_block(FRAME.encode(), tarfile.REGTYPE, 0)
    path.write_bytes(gzip.compress(before + HEADERS[name](), 1))
    source: Source = TarArchive(path)
    other = Member(PurePosixPath("other"), 1)
    for read in (
        source.members,
        lambda: source.read_text(other),
        lambda: list(source.place({other.path: tmp_path / "placed"})),
    ):
        with pytest.raises(VadlocError, match=r"header of more than 1 MiB|recursion") as caught:
            read()
        assert str(caught.value).startswith(f"{path}: a damaged archive")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_every_compression_is_read_and_its_damage_noticed(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    content = bytes(range(256)) * 8192  # more than a header may have
    body = tar_block(FRAME.encode(), tarfile.REGTYPE, len(content)) + content + bytes(1024)
    path, target = tmp_path / "a", tmp_path / "placed.jpg"
    whole = compress(body)
    path.write_bytes(whole)
    [member] = open_source(path).members()
    assert (str(member.path), member.size_bytes) == (FRAME, len(content))
    assert list(open_source(path).place({member.path: target})) == [target]
    assert target.read_bytes() == content
    target.unlink()
    if compress is bytes:
        return  # has no checksum
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * 99 + whole[len(whole) // 2 + 99 :])
    source = TarArchive(path)
    with pytest.raises(VadlocError, match="a damaged archive") as caught:
        list(source.place({source.members()[0].path: target}))
    assert str(caught.value).startswith(f"{path}: ")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_broken_member_of_a_zip_is_one_line(tmp_path: Path, method: int) -> None:
    path, target = tmp_path / "a.zip", tmp_path / "placed.jpg"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(FRAME, bytes(range(256)) * 400)
    content = bytearray(path.read_bytes())
    content[90:130] = b"\xff" * 40
    path.write_bytes(content)
    source = open_source(path)
    with pytest.raises(VadlocError, match="a damaged archive") as caught:
        list(source.place({source.members()[0].path: target}))
    assert str(caught.value).startswith(f"{path}: ")
    assert not target.exists()


def test_a_text_that_is_no_text_for_its_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.m", bytes(sources.MAX_TEXT_BYTES + 1))
        archive.writestr("small.m", "TestVideoFile{end+1}")
    large, small = open_source(path).members()
    with pytest.raises(VadlocError, match=r"labels\.m has 16777217 bytes"):
        open_source(path).read_text(large)
    assert open_source(path).read_text(small) == "TestVideoFile{end+1}"
    (tmp_path / "folder").mkdir()
    with (tmp_path / "folder" / "labels.m").open("wb") as file:
        file.truncate(1 << 40)
    [claimed] = open_source(tmp_path / "folder").members()
    with pytest.raises(VadlocError, match="as text at most"):
        open_source(tmp_path / "folder").read_text(claimed)


def test_a_name_that_clears_the_screen_is_shown_in_escapes(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_block(b"../\x1b[2J\n", tarfile.REGTYPE, 0) + bytes(1024))
    with pytest.raises(VadlocError, match="does not stay inside") as caught:
        open_source(path).members()
    assert str(caught.value).isprintable()
    assert "\\x1b[2J" in str(caught.value)


def test_a_name_in_no_encoding_is_one_line(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("\u00e9.jpg", b"x")
    path = tmp_path / "a.zip"
    path.write_bytes(buffer.getvalue().replace("\u00e9".encode(), b"\xff\xff"))
    with pytest.raises(VadlocError, match=r"a\.zip: a damaged archive"):
        open_source(path).members()


def test_a_bomb_of_crops_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "person.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(65):
            archive.writestr(f"{number}.png", bytes(MIB))
    with pytest.raises(VadlocError, match="pictures do not shrink so far"):
        read_crops(tmp_path, "train")


def test_crops_of_another_compression_that_are_broken_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "person.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("\x1b[2J.png", bytes(range(256)) * 8)
    content = path.read_bytes()
    at = content.index(b".png") + 4 + 9  # after the header of LZMA
    path.write_bytes(content[:at] + b"\xff" * 8 + content[at + 8 :])
    with pytest.raises(VadlocError, match=r"person\.zip: not a readable zip") as caught:
        read_crops(tmp_path, "train")
    assert str(caught.value).isprintable()


def test_sources_agree_on_what_a_member_is(tmp_path: Path) -> None:
    """A control: the archives of these tests are otherwise sound."""
    path = tmp_path / "a.tar.gz"
    whole = tar_block(FRAME.encode(), tarfile.REGTYPE, 3) + b"abc".ljust(512, b"\0") + bytes(1024)
    path.write_bytes(gzip.compress(whole))
    [member] = open_source(path).members()
    assert member == Member(member.path, 3)
    assert open_source(path).read_text(member) == "abc"
