"""Cameras that send video over HTTP: MJPEG in parts as cheap ones do, and MPEG-TS."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from tiny_scene import film

from vadloc.errors import VadlocError
from vadloc.video.frames import Sequence, read_frames_as
from vadloc.video.live import read_camera

FILM = film(seed=10, anomaly_column=10)
Respond = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def http_camera(respond: Respond) -> Iterator[str]:
    """The address of a server that answers every request in this way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://viewer:secret-word@127.0.0.1:{server.server_port}/video?key=s3cret"
    finally:
        server.shutdown()
        server.server_close()


def head(request: BaseHTTPRequestHandler, kind: str) -> None:
    request.send_response(200)
    request.send_header("Content-Type", kind)
    request.send_header("Connection", "close")
    request.end_headers()


def jpeg(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=95)
    return file.getvalue()


def send_parts(request: BaseHTTPRequestHandler, *, has_length: bool) -> None:
    """The film as pictures in parts (multipart/x-mixed-replace)."""
    head(request, "multipart/x-mixed-replace; boundary=--camera")
    for picture in map(jpeg, FILM):
        length = b"Content-Length: %d\r\n" % len(picture) if has_length else b""
        request.wfile.write(b"--camera\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n")
        request.wfile.write(picture + b"\r\n")
    request.wfile.write(b"--camera--\r\n")


def seen(address: str, **options: float) -> list[tuple[np.ndarray, ...]]:
    """The frames until the stream ends; its end may be an error, as that of a camera may."""
    found: list[tuple[np.ndarray, ...]] = []
    with suppress(VadlocError):
        found.extend(read_camera(address, ("grey", "rgb"), **options))
    return found


@pytest.mark.parametrize("has_length", [True, False])
def test_pictures_in_parts(has_length: bool) -> None:
    with http_camera(lambda request: send_parts(request, has_length=has_length)) as address:
        found = seen(address)
    assert len(found) >= len(FILM) - 1  # without a length, the last picture may not be complete
    for (grey, rgb), frame in zip(found, FILM, strict=False):
        expected = np.array(Image.open(io.BytesIO(jpeg(frame))).convert("L"), int)
        assert np.abs(grey - expected).max() <= 2
        assert rgb.shape == (48, 64, 3)


def test_a_transport_stream_has_the_frames_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in FILM:
            picture = av.VideoFrame.from_ndarray(np.stack([frame] * 3, axis=2), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())

    def send(request: BaseHTTPRequestHandler) -> None:
        head(request, "video/mp2t")
        request.wfile.write(path.read_bytes())

    with http_camera(send) as address:
        found = seen(address)
    video = path.rename(tmp_path / "film.mkv")  # the content says what it is
    expected = [*read_frames_as(Sequence("film", video), ("grey", "rgb"))]
    # If the connection ends with an error, what the decoder still holds is lost.
    assert len(FILM) - 3 <= len(found) <= len(expected) == len(FILM)
    for pictures, others in zip(found, expected, strict=False):
        assert all((a == b).all() for a, b in zip(pictures, others, strict=True))


def test_a_camera_that_says_nothing_more_is_gone() -> None:
    over = threading.Event()

    def send(request: BaseHTTPRequestHandler) -> None:
        head(request, "multipart/x-mixed-replace; boundary=camera")
        for picture in map(jpeg, FILM):
            request.wfile.write(b"--camera\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n")
        over.wait(30)

    with http_camera(send) as address:
        frames = read_camera(address, ("grey",), timeout_s=1)
        with pytest.raises(VadlocError, match=r"timed out|[Ii]mmediate exit"):
            for _ in frames:
                pass
        over.set()


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_is_said_without_the_password(status: int) -> None:
    with (
        http_camera(lambda request: request.send_error(status)) as address,
        pytest.raises(VadlocError) as failure,
    ):
        next(read_camera(address, ("grey",), timeout_s=5))
    assert str(status) in str(failure.value) or "5XX" in str(failure.value)
    assert "secret" not in str(failure.value)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(VadlocError, match="No such file or directory"):
        next(read_camera("/dev/video-of-nobody", ("grey",)))
