"""A real HTTP server on the loopback address that answers POSTs as it is told."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = tuple[int, dict[str, str]]


class Receiver:
    """Keeps what is posted to it.

    Args:
        answers: Statuses, or statuses with headers, one for each request; the last one is repeated.
        before: Called in the thread of each request, before its answer.
        certificate: Certificate and key; with them it speaks https.

    Attributes:
        requests: Path, headers and content of each POST, in order.
        url: Address without a path.
    """

    def __init__(
        self,
        *answers: int | Answer,
        before: Callable[[], None] = lambda: None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self._answers = [each if isinstance(each, tuple) else (each, {}) for each in answers]
        self._before, self._lock = before, threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        scheme = "http"
        if certificate:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = self._http.server_port
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop; connections to it are refused from then on."""
        self._http.shutdown()
        self._http.server_close()

    @property
    def ids(self) -> list[str]:
        """The id of each record that came, in order."""
        return [content["id"] for _, _, content in self.requests]

    def _take(self, path: str, headers: dict[str, str], content: bytes) -> Answer:
        with self._lock:
            self.requests.append((path, headers, json.loads(content)))
            return self._answers[min(len(self.requests), len(self._answers)) - 1]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver._take(self.path, dict(self.headers), content)
                receiver._before()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
