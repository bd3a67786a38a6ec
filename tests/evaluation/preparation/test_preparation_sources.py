"""Archives that are not to be trusted, and damaged ones: nothing is written, one line says why."""

import re
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import official_downloads as official
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.preparation import LAYOUTS, sources
from evaluation.preparation.sources import TarArchive, ZipArchive, open_source
from evaluation.prepare_dataset import run as prepare
from vadloc.errors import VadlocError

FRAME = "StreetScene/Train/Train001/001.jpg"
HOSTILE = [
    "../../StreetScene/Train/Train001/001.jpg",
    "StreetScene/../../Train/Train001/001.jpg",
    "/StreetScene/Train/Train001/001.jpg",
    "C:/StreetScene/Train/Train001/001.jpg",
    "StreetScene\\..\\..\\Train\\Train001\\001.jpg",
    "somewhere/else/..",
]
WRITERS = [official.write_zip, official.write_tar]
Write = Callable[[Path, official.Files], Path]


def refused(archive: Path, folder: Path, match: str) -> None:
    """The archive is refused, and neither in the folder nor around it is anything written."""
    folder.mkdir()
    before = official.placed(folder.parent)
    layout = LAYOUTS["street_scene"]
    with pytest.raises(VadlocError, match=match) as caught:
        prepare(layout, [archive], datasets=folder, subset=True)
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert official.placed(folder.parent) == before


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("write", WRITERS)
def test_names_that_leave_the_folder(tmp_path: Path, write: Write, name: str) -> None:
    archive = write(tmp_path / "archive", {FRAME: official.picture("JPEG"), name: b"x"})
    refused(archive, tmp_path / "here", "does not stay inside")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_tar(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("StreetScene/Train/Train001/002.jpg")
    link.type, link.linkname = kind, "../../../outside"
    files = {FRAME: official.picture("JPEG")}
    refused(official.write_tar(tmp_path / "a.tar", files, link), tmp_path / "here", "is a link")


def test_links_in_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo(FRAME)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", tmp_path / "here", "is a link")


def test_encrypted_members(tmp_path: Path) -> None:
    path = official.write_zip(tmp_path / "a.zip", {FRAME: official.picture("JPEG")})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the table of contents
    path.write_bytes(content)
    refused(path, tmp_path / "here", "is encrypted")


@pytest.mark.parametrize("write", WRITERS)
def test_bombs(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"StreetScene/Train/Train001/{n:03d}.jpg": bytes(2**20) for n in range(4)}
    archive = write(tmp_path / "archive", files)
    assert archive.stat().st_size * sources.BOMB_RATIO < 4 * 2**20
    assert len(open_source(archive).members()) == 4  # too little to be called a bomb
    monkeypatch.setattr(sources, "BOMB_BYTES", 3 * 2**20)
    refused(archive, tmp_path / "here", "unpacks to more than")


def test_a_zip_that_understates_a_size_writes_no_more_than_it_says(tmp_path: Path) -> None:
    path = official.write_zip(tmp_path / "a.zip", {FRAME: bytes(5000)})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    refused(path, tmp_path / "here", "damaged archive")


@pytest.mark.parametrize("write", WRITERS)
def test_archives_that_are_cut_off(tmp_path: Path, write: Write) -> None:
    """Refused, or complete: the last bytes of a tar are padding."""
    archive = write(tmp_path / "whole", official.street_scene())
    whole, path = archive.read_bytes(), tmp_path / "part"
    for length in range(0, len(whole) - 64, 97):
        path.write_bytes(whole[:length])
        try:
            open_source(path).members()
        except VadlocError as error:
            assert re.search("damaged archive|expected a folder", str(error))  # noqa: PT017
        else:
            assert open_source(path).members() == open_source(archive).members()
            assert length > len(whole) - 200


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(FRAME, bytes(1000))
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    refused(path, tmp_path / "here", "damaged archive")


@given(st.text(max_size=40))
def test_no_name_leaves_the_folder(name: str) -> None:
    try:
        path = sources._safe(Path("archive"), name)
    except VadlocError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert not PurePosixPath("/root", path).relative_to("/root").is_absolute()


def test_what_systems_leave_behind_is_left_out(tmp_path: Path) -> None:
    junk = {"a/.DS_Store": b"", "__MACOSX/a/001.jpg": b"", "a/._001.jpg": b"", "a/001.jpg": b"1"}
    for archive in (
        ZipArchive(official.write_zip(tmp_path / "a.zip", junk)),
        TarArchive(official.write_tar(tmp_path / "a.tar", junk)),
        open_source(official.write_folder(tmp_path / "a", junk)),
    ):
        assert [str(member.path) for member in archive.members()] == ["a/001.jpg"]
