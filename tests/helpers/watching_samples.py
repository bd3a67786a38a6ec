"""Alarm records, a state that shows something, and plain requests, for tests of the live page."""

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.server import Server, serve

HEIGHT_PX, WIDTH_PX, CELL_PX = 48, 64, 16
TOKEN = "0123456789abcdef-a-token"


def alarm(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An alarm that is over."""
    record = {
        "schema": 1,
        "id": f"gate-20260102T030405678-{number}",
        "kind": "anomaly",
        "state": "ended",
        "source": "Test001",
        "began": "2026-01-02T03:04:05.678Z",
        "ended": "2026-01-02T03:04:09.678Z",
        "first_frame": 10 * number,
        "last_frame": 10 * number + 5,
        "peak_frame": 10 * number + 2,
        "region": 3,
        "box": [16, 16, 48, 48],
        "score": 1.5,
        "threshold": 1.0,
        "sentence": "At 0.4 s, in the middle: something new.",
        "clip": None,
        "dataset": "yard",
        "version": "momentum",
    }
    return record | changes


def show(state: LiveState, frame: int, top: float | None = 0.5, *, grey: int = 90) -> None:
    """Show a grey frame whose cell in row 1, column 2 has a score; the others have 0."""
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), grey, np.uint8)
    scores = None
    if top is not None:
        scores = np.zeros((HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX), np.float32)
        scores[1, 2] = top
    state.show(rgb, scores, frame=frame, seconds=frame / 10, time=1_800_000_000 + frame / 10)


def some_state(**changes: Any) -> LiveState:
    """The state of a watch that has shown three frames and raised one alarm."""
    state = LiveState(**({"name": "gate", "threshold": 1.0, "cell_px": CELL_PX} | changes))
    for frame in range(3):
        show(state, frame)
    state.add_alarm(alarm())
    state.count("frames_read", 3)
    return state


def serve_state(folder: Path, state: LiveState | None = None, **options: Any) -> Server:
    """The page of a state on a free port; clips and marks lie in the folder."""
    usual = {"port": 0, "token": None, "clips": folder / "clips", "marks": folder / "marks.json"}
    return serve(state or some_state(), **(usual | options))


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def port_of(server: Server) -> int:
    return int(server.url.rstrip("/").rsplit(":", 1)[1])


def raw(server: Server, sent: bytes, *, timeout_s: float = 10) -> bytes:
    """All that comes back when these bytes are sent, and nothing after them."""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=timeout_s) as client:
        client.sendall(sent)
        with suppress(OSError):  # the server may have ended the connection already
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def ask(
    server: Server, target: str, *, method: str = "GET", body: bytes = b"", **headers: str
) -> Answer:
    """One request, written by hand, so that nothing is tidied up on the way.

    Args:
        server: The server.
        target: Target of the request line.
        method: Its method.
        body: Content that is sent.
        headers: Further headers, with ``_`` for ``-``; ``Host`` replaces the usual one.
    """
    usual = {"Host": f"127.0.0.1:{port_of(server)}"}
    if body:
        usual["Content-Length"] = str(len(body))
    lines = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = f"{method} {target} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return parsed(raw(server, head.encode("latin-1") + b"\r\n" + body))


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Answer(int(first.split()[1]), {k.lower(): v.strip() for k, _, v in pairs}, body)


def mark(server: Server, content: Any, **headers: str) -> Answer:
    """Send a mark as the page does, unless headers say otherwise."""
    usual = {
        "Origin": f"http://127.0.0.1:{port_of(server)}",
        "Content_Type": "application/json",
    }
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return ask(server, "/marks", method="POST", body=body, **(usual | headers))


def wait_until(is_true: Any, *, timeout_s: float = 20) -> None:
    """Wait until a call gives something true; fail if that takes too long."""
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
