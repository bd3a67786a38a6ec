"""A server of HTTP whose clients cost little: few connections, each short and with small requests.

Each connection has a thread of its own, so that a slow client holds up nobody; there is a limit to
their number, to the time that each may take, and to the size of what it sends.
"""

import io
import logging
import socket
import threading
import time
from contextlib import suppress
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vadloc.errors import VadlocError, one_line

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 32
IDLE_S = 10.0
"""Time that a client may take for a part of its request, or to take a part of the answer."""
LONGEST_S = 60.0
"""Time after which every connection is cut."""
LARGEST_REQUEST = 16 << 10
"""Bytes of a request with all its headers and its content."""
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


class LimitedServer(ThreadingHTTPServer):
    """Answers requests in daemon threads, within the limits of this module.

    Args:
        address: Host and port; port 0 takes a free one.
        handler: Class of the handler of requests.
        most: Largest number of connections at a time; further ones are refused with status 503.
        longest_s: Time after which a connection is cut.

    Raises:
        VadlocError: The port is taken, or the host is not of this machine.
    """

    request_queue_size = 32
    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        *,
        most: int = MOST_CONNECTIONS,
        longest_s: float = LONGEST_S,
    ) -> None:
        self.most, self.longest_s = most, longest_s
        self._open_lock = threading.Lock()
        self._ends_at: dict[socket.socket, float] = {}
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            super().__init__(address, handler)
        except (OSError, OverflowError) as error:
            what = getattr(error, "strerror", None) or error
            raise VadlocError(
                f"--page {address[0]}:{address[1]}: cannot listen ({what}); name another port"
            ) from None

    def server_bind(self) -> None:
        """Bind without asking for the name of the host, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Whether a connection is taken; otherwise the client is told to come later."""
        with self._open_lock:
            if len(self._ends_at) < self.most:
                self._ends_at[request] = time.monotonic() + self.longest_s
                return True
        with suppress(OSError):
            request.settimeout(0)
            request.send(_BUSY)
        return False

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._open_lock:
            self._ends_at.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut the connections whose time is over; called again and again while the server runs."""
        now = time.monotonic()
        with self._open_lock:
            late = [each for each, ends_at in self._ends_at.items() if ends_at < now]
            for request in late:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def cut_all(self) -> None:
        """Cut all connections."""
        with self._open_lock:
            self._ends_at = dict.fromkeys(self._ends_at, 0.0)
        self.service_actions()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a handler did not expect; clients that go away are nothing unusual."""
        import sys

        error = sys.exc_info()[1]
        if isinstance(error, OSError | ValueError | LineTooLong):
            logger.debug("page: a connection ended early: %s", one_line(error))
        else:
            logger.error("page: a request failed: %s", one_line(repr(error)))


class LimitedReader(io.BufferedIOBase):
    """Reads at most so many bytes of a request; more is an error.

    Args:
        file: What the client sends.
        left: Number of bytes that may be read.
    """

    def __init__(self, file: io.BufferedIOBase, left: int) -> None:
        self._file, self._left = file, left

    def readline(self, size: int | None = -1) -> bytes:
        """A line, as `io.BufferedIOBase.readline`."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        line = self._file.readline(wanted)
        self._left -= len(line)
        if not self._left and not line.endswith(b"\n"):
            raise LineTooLong("request")
        return line

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, as `io.BufferedIOBase.read`."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        content = self._file.read(wanted)
        self._left -= len(content)
        return content

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
