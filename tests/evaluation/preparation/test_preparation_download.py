"""Downloads from a server on this machine that can break off, and ignore where to continue."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from evaluation.preparation.download import Download, fetch, file_md5
from vadloc.errors import VadlocError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Behaviour:
    """How the server answers, and the ranges it was asked for."""

    breaks_after: int = len(CONTENT)
    knows_ranges: bool = True
    content: bytes = CONTENT
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[tuple[str, Behaviour]]:
    behaviour = Behaviour()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            behaviour.asked.append(asked)
            start = int(asked[6:-1]) if asked and behaviour.knows_ranges else 0
            rest = behaviour.content[start:]
            if asked and behaviour.knows_ranges and not rest:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: behaviour.breaks_after])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/set/Archive.zip?download=1", behaviour
    httpd.shutdown()
    thread.join()
    httpd.server_close()


Server = tuple[str, Behaviour]


def test_complete(server: Server, tmp_path: Path) -> None:
    download = Download(server[0], MD5, len(CONTENT))
    path = fetch(download, tmp_path / "downloads")
    assert path == tmp_path / "downloads/Archive.zip"
    assert path.read_bytes() == CONTENT
    assert file_md5(path) == MD5
    fetch(download, tmp_path / "downloads")
    assert len(server[1].asked) == 1  # not fetched again
    assert [p.name for p in path.parent.iterdir()] == ["Archive.zip"]


@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_download_that_breaks_off_is_continued(
    server: Server, tmp_path: Path, *, knows_ranges: bool, size_bytes: int | None
) -> None:
    address, behaviour = server
    download = Download(address, MD5, size_bytes)
    behaviour.breaks_after, behaviour.knows_ranges = 1_000_000, knows_ranges
    with pytest.raises(VadlocError, match="the same command continues"):
        fetch(download, tmp_path)
    assert (tmp_path / "Archive.zip.part").read_bytes() == CONTENT[:1_000_000]
    assert not (tmp_path / "Archive.zip").exists()
    behaviour.breaks_after = len(CONTENT)
    assert fetch(download, tmp_path).read_bytes() == CONTENT
    assert behaviour.asked == [None, "bytes=1000000-"]


@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
def test_killed_after_the_last_byte(server: Server, tmp_path: Path, size_bytes: int | None) -> None:
    (tmp_path / "Archive.zip.part").write_bytes(CONTENT)
    assert fetch(Download(server[0], MD5, size_bytes), tmp_path).read_bytes() == CONTENT


def test_what_is_not_the_published_file_is_refused(server: Server, tmp_path: Path) -> None:
    address, behaviour = server
    behaviour.content = b"<html>moved</html>"
    with pytest.raises(VadlocError, match=f"md5 [0-9a-f]{{32}}, published is {MD5}"):
        fetch(Download(address, MD5), tmp_path)
    with pytest.raises(VadlocError, match=f"18 of {len(CONTENT)} bytes"):
        fetch(Download(address, MD5, len(CONTENT)), tmp_path)
    behaviour.content, behaviour.breaks_after = CONTENT + b"more", len(CONTENT) + 4
    (tmp_path / "Archive.zip.part").unlink()
    with pytest.raises(VadlocError, match="bytes came"):
        fetch(Download(address, MD5, len(CONTENT)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=len(CONTENT) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(VadlocError, match="GiB to come"):
        fetch(Download(server[0], MD5), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_server_and_no_address(tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match=r"http://127\.0\.0\.1:9/x\.zip: .*--source|as --source"):
        fetch(Download("http://127.0.0.1:9/x.zip", MD5), tmp_path)
    with pytest.raises(VadlocError, match="expected an address of http or https"):
        fetch(Download("file:///etc/passwd", MD5), tmp_path)
