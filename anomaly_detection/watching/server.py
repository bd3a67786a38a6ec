"""The page of a watch and its ``/metrics`` over HTTP."""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

from anomaly_detection.watching.access import Access
from anomaly_detection.watching.connections import (
    IDLE_S,
    LARGEST_REQUEST,
    LimitedReader,
    LimitedServer,
)
from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.live_view import LiveView
from anomaly_detection.watching.marks import MarkFile
from anomaly_detection.watching.pages import Pages, RefusedError, Reply, Request
from vadloc.errors import one_line

logger = logging.getLogger(__name__)

LARGEST_MARK = 4096
"""Bytes of a mark as the page sends it."""
CHUNK = 64 << 10
POLL_S = 0.1
"""Time between two looks for connections that have lasted too long, and for the end."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server:
    """A page that is served.

    Attributes:
        url: Its address, without a token.
    """

    def __init__(self, http: LimitedServer, url: str) -> None:
        self._http, self.url = http, url
        self._thread = threading.Thread(
            target=http.serve_forever, args=(POLL_S,), name="page", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop, and cut all connections."""
        self._http.shutdown()
        self._http.cut_all()
        self._http.server_close()
        self._thread.join()


def serve(
    state: LiveState,
    *,
    host: str = "127.0.0.1",
    port: int,
    token: str | None,
    clips: Path,
    marks: Path,
) -> Server:
    """Serve the page of a watch in daemon threads.

    Args:
        state: What is shown.
        host: Name or address to listen on.
        port: Port to listen on, 0 for a free one.
        token: What requests must have; needed if the host is not a loopback address.
        clips: Folder below which the clips of alarm records lie.
        marks: File of marks; those in it are kept.

    Raises:
        UsageError: The page could be reached from elsewhere without a token.
        VadlocError: The port is taken, or the file of marks cannot be used.
    """
    host = host.removeprefix("[").removesuffix("]")
    view = LiveView(state, MarkFile(marks))
    Access(host=host, port=port, token=token)  # before the port is opened
    http = LimitedServer((host, port), _Handler)
    bound = int(http.server_port)
    access = Access(host=host, port=bound, token=token)
    http.pages = Pages(view, access, clips)  # type: ignore[attr-defined]
    shown = f"[{host}]" if ":" in host else host
    return Server(http, f"http://{shown}:{bound}/")


class _Handler(BaseHTTPRequestHandler):
    """Reads one request of a connection, and sends the answer."""

    timeout = IDLE_S
    server_version = "vadloc"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = cast("Any", LimitedReader(cast("Any", self.rfile), LARGEST_REQUEST))

    @property
    def _pages(self) -> Pages:
        return cast("Pages", self.server.pages)  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        self._answer(lambda: self._pages.get(Request.of(self.path, self.headers)))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._answer(lambda: self._pages.post(Request.of(self.path, self.headers, self._content())))

    def _content(self) -> bytes:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) != 1:
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "expected one Content-Length")
        if not (lengths[0].isascii() and lengths[0].isdigit()):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "malformed Content-Length")
        if len(lengths[0]) > 9 or int(lengths[0]) > LARGEST_MARK:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this is no mark")
        return self.rfile.read(int(lengths[0]))

    def _answer(self, answer: Callable[[], Reply]) -> None:
        try:
            reply = answer()
        except RefusedError as error:
            reply = Reply(f"{error.why}\n".encode(), status=error.status)
        try:
            self._send(reply)
        finally:
            if reply.file:
                reply.file.close()

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(reply.length or len(reply.content)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(reply.content)
        left = reply.length if reply.file else 0
        while reply.file and left > 0 and (chunk := reply.file.read(min(CHUNK, left))):
            self.wfile.write(chunk)
            left -= len(chunk)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, form: str, *values: Any) -> None:  # noqa: ARG002
        """Log requests without their query, which may hold the token."""
        path = one_line(getattr(self, "path", "").partition("?")[0], limit=100)
        logger.debug("page: %s %s", one_line(self.command or "", limit=10), path)
