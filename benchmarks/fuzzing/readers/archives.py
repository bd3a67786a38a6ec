"""Archives of official downloads."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from evaluation.preparation.sources import open_source
from fuzzing.reader import Reader, only_file

ZIP_METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA


def make_archives(folder: Path) -> None:
    """A few members in every kind of archive that is unpacked."""
    members = {f"Train/Train00{n}/001.jpg": bytes(range(256)) * (n + 1) for n in range(3)}
    for suffix in (".tar", ".tar.gz", ".tar.bz2", ".tar.xz"):
        (folder / suffix[1:]).mkdir()
        form = tarfile.PAX_FORMAT if suffix == ".tar.gz" else tarfile.GNU_FORMAT
        mode: Any = f"w:{suffix[5:]}"
        with tarfile.open(folder / suffix[1:] / f"a{suffix}", mode, format=form) as archive:
            for name, content in {**members, f"{'long' * 40}/\u00e9": b"x"}.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    for method in ZIP_METHODS:
        (folder / f"zip {method}").mkdir()
        with zipfile.ZipFile(folder / f"zip {method}" / "a.zip", "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)


def read_archives(folder: Path) -> None:
    """Unpack all members, and see that nothing is written elsewhere."""
    source = open_source(only_file(folder))
    with tempfile.TemporaryDirectory() as target:
        inside = Path(target, "inside")
        wanted = {m.path: inside / str(n) for n, m in enumerate(source.members())}
        list(source.place(wanted))
        assert {path.name for path in Path(target).iterdir()} <= {"inside"}


def seal_tar(name: str, content: bytes) -> bytes:
    """The headers of a plain tar file, every 512 bytes, with the checksums that fit them."""
    sealed = bytearray(content)
    for start in range(0, len(sealed) - 511, 512) if name.endswith(".tar") else ():
        if sealed[start + 257 : start + 262] == b"ustar":
            sealed[start + 148 : start + 156] = b" " * 8
            total = sum(sealed[start : start + 512])
            sealed[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(sealed)


ARCHIVES = Reader(make_archives, read_archives, seal_tar)
