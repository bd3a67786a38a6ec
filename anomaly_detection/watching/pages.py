"""What the page of a watch answers to requests.

What may be asked stands in a table. No path of a request reaches the disk: the files of the page
are read when the server starts, and clips are found by the id of their alarm.
"""

import json
import logging
import os
import stat
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from anomaly_detection.report.page import source
from anomaly_detection.watching.access import Access
from anomaly_detection.watching.live_view import LiveView, to_json
from anomaly_detection.watching.marks import KINDS, UnmarkableError
from anomaly_detection.watching.metrics import CONTENT_TYPE, to_prometheus
from vadloc.errors import VadlocError

logger = logging.getLogger(__name__)

WORDS = "words", "theme", "outline"
"""The parts of the report's script that this page has too."""
SCRIPTS = "picture", "strip", "alarms", "start"
"""The parts of its own script, in their order; all share one scope."""
SILENT_S = 60.0
"""After so long without a word of the loop, ``/healthz`` says that it hangs."""
CLIP_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}
JSON = "application/json"


class Reply(NamedTuple):
    """An answer; ``file`` is sent instead of the content, from where it stands, if it is given."""

    content: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    file: IO[bytes] | None = None
    length: int = 0


class RefusedError(Exception):
    """A request that is not answered; carries the status and a line that says why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Request(NamedTuple):
    """What of a request its answer depends on.

    Attributes:
        path: Without the query, percent signs not decoded.
        query: The first value of each key of the query.
        headers: Its headers.
        content: What was sent with it.
    """

    path: str
    query: Mapping[str, str]
    headers: Any
    content: bytes = b""

    @classmethod
    def of(cls, target: str, headers: Any, content: bytes = b"") -> "Request":
        """Take apart the target of a request line.

        Raises:
            RefusedError: It is not one.
        """
        try:
            parts = urlsplit(target)
            fields = parse_qs(parts.query, max_num_fields=8, errors="strict")
        except ValueError:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "malformed target") from None
        if not target.startswith("/") or target.startswith("//"):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "malformed target")
        return cls(parts.path, {key: values[0] for key, values in fields.items()}, headers, content)


class Pages:
    """Answers requests.

    Args:
        view: What the page shows.
        access: Who may ask.
        clips: Folder below which clips lie.
    """

    def __init__(self, view: LiveView, access: Access, clips: Path) -> None:
        self.view, self.access, self.clips = view, access, clips
        self._answers: dict[str, Callable[[Request], Reply]] = {
            "/": fixed(page_file("index.html"), "text/html; charset=utf-8"),
            "/watch.css": fixed(style(), "text/css; charset=utf-8"),
            "/watch.js": fixed(script(), "text/javascript; charset=utf-8"),
            "/picture": self._picture,
            "/state": self._state,
            "/metrics": self._metrics,
        }

    def get(self, request: Request) -> Reply:
        """The answer to a GET.

        Raises:
            RefusedError: There is none for this client, or none at all.
        """
        self._check_host(request)
        if request.path == "/healthz":
            return self._health()
        if request.path == "/" and "token" in request.query and self.access.has_token:
            return self._take_token(request.query["token"])
        self._check_token(request)
        if request.path.startswith("/clips/"):
            return self._clip(request)
        if request.path not in self._answers:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        return self._answers[request.path](request)

    def post(self, request: Request) -> Reply:
        """The answer to a POST, which is a mark.

        Raises:
            RefusedError: It comes from another page, or is none.
        """
        self._check_host(request)
        hosts, origins = (request.headers.get_all(name, []) for name in ("Host", "Origin"))
        if not self.access.is_own_origin(origins, hosts):
            raise RefusedError(HTTPStatus.FORBIDDEN, "marks are taken only from this page itself")
        self._check_token(request)
        if request.path != "/marks":
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        if request.headers.get_content_type() != JSON:
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {JSON}")
        return self._mark(request.content)

    def _check_host(self, request: Request) -> None:
        if not self.access.is_own_host(request.headers.get_all("Host", [])):
            raise RefusedError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this page has another name; ask for it by the address that the watch printed",
            )

    def _check_token(self, request: Request) -> None:
        headers = request.headers
        if not self.access.may_ask(headers.get("Authorization"), headers.get("Cookie")):
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "open this page once by /?token=TOKEN")

    def _take_token(self, token: str) -> Reply:
        """Turn the token of an address into a cookie, so that it leaves the address at once."""
        if not self.access.is_token(token):
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "this is not the token")
        name, value = self.access.cookie_name, self.access.cookie
        cookie = f"{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
        headers = ("Location", "/"), ("Set-Cookie", cookie)
        return Reply(b"", status=HTTPStatus.SEE_OTHER, headers=headers)

    def _health(self) -> Reply:
        if self.view.state.snapshot().silent_s > SILENT_S:
            return Reply(b"the loop hangs\n", status=HTTPStatus.SERVICE_UNAVAILABLE)
        return Reply(b"ok\n")

    def _picture(self, request: Request) -> Reply:
        after = request.query.get("after", "-1")
        is_number = after.isascii() and after.isdigit() and len(after) < 16
        return Reply(self.view.picture(int(after) if is_number else -1), JSON)

    def _state(self, request: Request) -> Reply:
        return Reply(self.view.state_of_all(request.query.get("alarms", "")), JSON)

    def _metrics(self, _request: Request) -> Reply:
        return Reply(to_prometheus(self.view.state.snapshot()).encode(), CONTENT_TYPE)

    def _mark(self, content: bytes) -> Reply:
        try:
            given = json.loads(content)
            name, kind = given["id"], given["mark"]
        except (ValueError, RecursionError, TypeError, KeyError):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "this is no mark") from None
        if not isinstance(name, str) or kind not in (*KINDS, None):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "this is no mark")
        record = self.view.state.alarm(name)
        if record is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "this alarm is no longer listed")
        try:
            self.view.mark(record, kind)
        except UnmarkableError as error:
            raise RefusedError(HTTPStatus.CONFLICT, str(error)) from None
        except VadlocError as error:
            logger.error("%s", error)
            raise RefusedError(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from None
        return Reply(to_json({"id": name, "mark": kind}), JSON)

    def _clip(self, request: Request) -> Reply:
        """The clip of an alarm, whole or the range of bytes that is asked for."""
        record = self.view.state.alarm(unquote(request.path.removeprefix("/clips/")))
        opened = _open_clip(self.clips, record)
        if opened is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such clip")
        file, kind = opened
        size = os.fstat(file.fileno()).st_size
        accepts = ("Accept-Ranges", "bytes")
        wanted = byte_range(request.headers.get("Range"), size)
        if wanted is None:
            return Reply(b"", kind, headers=(accepts,), file=file, length=size)
        first, last = wanted
        file.seek(first)
        headers = accepts, ("Content-Range", f"bytes {first}-{last}/{size}")
        part = HTTPStatus.PARTIAL_CONTENT
        return Reply(b"", kind, part, headers, file, last - first + 1)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte that a ``Range`` header asks for, RFC 9110, section 14.

    Returns:
        None for the whole file: the header is missing, malformed, or asks for several parts or for
        none that there is; a server may then send everything.
    """
    unit, _, span = (header or "").partition("=")
    first, dash, last = span.strip().partition("-")
    numbers = [text for text in (first, last) if text]
    plain = all(text.isascii() and text.isdigit() and len(text) < 16 for text in numbers)
    if unit.strip() != "bytes" or not dash or not numbers or not plain:
        return None
    if not first:
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last or size), size - 1)
    return (begin, end) if begin <= end else None


def _open_clip(folder: Path, record: Mapping[str, Any] | None) -> tuple[IO[bytes], str] | None:
    """The file of an alarm's clip and its type, None if there is none below the folder."""
    name = PurePosixPath(str((record or {}).get("clip") or ""))
    kind = CLIP_TYPES.get(name.suffix)
    if kind is None or name.is_absolute() or ".." in name.parts:
        return None
    try:
        file = (folder / name).open("rb")
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file, kind
    file.close()
    return None


def fixed(content: bytes, kind: str) -> Callable[[Request], Reply]:
    """Answers every request with the same."""
    return lambda _request: Reply(content, kind)


def page_file(name: str) -> bytes:
    """One of the files in the folder ``web``."""
    return files("anomaly_detection.watching").joinpath("web", name).read_bytes()


def style() -> bytes:
    """The style of the report, and what this page has besides."""
    return source("report.css").encode() + page_file("watch.css")


def script() -> bytes:
    """The script of the page: the words of the report, and all own parts, inside one function."""
    parts = [source(f"{name}.js") for name in WORDS]
    parts += [page_file(f"{name}.js").decode() for name in SCRIPTS]
    return ('"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n").encode()
