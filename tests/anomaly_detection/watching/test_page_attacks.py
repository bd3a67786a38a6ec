"""The live page as somebody attacks it: from the network, from other pages, and slowly."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watching_samples import (
    TOKEN,
    alarm,
    ask,
    mark,
    parsed,
    port_of,
    raw,
    serve_state,
    show,
    some_state,
    wait_until,
)

from anomaly_detection.watching import connections
from anomaly_detection.watching.access import Access, read_token
from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.server import Server
from vadloc.errors import UsageError, VadlocError

PATHS = ["/", "/watch.js", "/watch.css", "/picture", "/state", "/metrics", "/clips/x"]
SECRET = b"secret of the disk"


@pytest.fixture
def state() -> LiveState:
    return some_state()


@pytest.fixture
def server(tmp_path: Path, state: LiveState) -> Iterator[Server]:
    made = serve_state(tmp_path, state)
    yield made
    made.close()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Server]:
    """A page with a token."""
    made = serve_state(tmp_path, token=TOKEN)
    yield made
    made.close()


# Who may listen and ask


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_are_served_only_with_a_token(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match=r"needs a token.*--token-file FILE"):
        serve_state(tmp_path, host=host)


def test_it_listens_on_the_loopback_address_unless_told(server: Server) -> None:
    assert server.url == f"http://127.0.0.1:{port_of(server)}/"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses an address of this machine
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has only its loopback address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((address, port_of(server)), timeout=5)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Cookie": "vadloc-PORT="},
        {"Cookie": f"vadloc-PORT={TOKEN}"},
        {"Cookie": "vadloc-PORT=ab=cd;;;\"'\\"},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
def test_nothing_is_told_without_the_token(
    locked: Server, path: str, headers: dict[str, str]
) -> None:
    sent = {k: v.replace("PORT", str(port_of(locked))) for k, v in headers.items()}
    answer = ask(locked, path, **sent)
    assert answer.status == 401
    assert answer.body == b"open this page once by /?token=TOKEN\n"


def test_marks_need_the_token(locked: Server, tmp_path: Path) -> None:
    content = {"id": alarm()["id"], "mark": "real"}
    assert mark(locked, content).status == 401
    assert not (tmp_path / "marks.json").exists()
    assert mark(locked, content, Authorization=f"Bearer {TOKEN}").status == 200


def test_the_token_opens_everything(locked: Server) -> None:
    for path in PATHS[:-1]:
        assert ask(locked, path, Authorization=f"Bearer {TOKEN}").status == 200
        assert ask(locked, path, Authorization=f"bearer  {TOKEN}").status == 200


def test_the_token_of_an_address_becomes_a_cookie(locked: Server) -> None:
    answer = ask(locked, f"/?token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *settings = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(settings)
    assert TOKEN not in answer.headers["set-cookie"]
    assert ask(locked, "/state", Cookie=cookie).status == 200
    assert ask(locked, "/state", Cookie=f"other=1; {cookie}").status == 200
    assert ask(locked, "/state", Cookie=cookie[:-1]).status == 401


def test_the_cookie_outlives_a_restart_but_not_the_token(tmp_path: Path, locked: Server) -> None:
    cookie = ask(locked, f"/?token={TOKEN}").headers["set-cookie"].split("; ")[0].split("=")[1]
    for token, status in ((TOKEN, 200), (TOKEN[::-1], 401)):
        again = serve_state(tmp_path, token=token)
        sent = f"vadloc-{port_of(again)}={cookie}"
        assert ask(again, "/state", Cookie=sent).status == status
        again.close()


def test_a_wrong_token_makes_no_cookie(locked: Server) -> None:
    for token in ("", "wrong", TOKEN[:-1]):
        answer = ask(locked, f"/?token={token}")
        assert "set-cookie" not in answer.headers
        assert answer.status == 401


def test_only_the_first_page_takes_a_token(locked: Server) -> None:
    assert ask(locked, f"/state?token={TOKEN}").status == 401


def test_health_tells_nothing_else(locked: Server) -> None:
    assert ask(locked, "/healthz").body == b"ok\n"


def test_the_token_is_in_no_log(locked: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = ask(locked, f"/?token={TOKEN}").headers["set-cookie"].split(";")[0]
    ask(locked, f"/?token={TOKEN}x")
    ask(locked, f"/state?token={TOKEN}", Cookie=cookie, Authorization=f"Bearer {TOKEN}")
    raw(locked, f"GET /?token={TOKEN} NONSENSE\r\n\r\n".encode())
    wait_until(lambda: "page: GET /state" in caplog.text)
    assert TOKEN[:8] not in caplog.text
    assert cookie.split("=")[1] not in caplog.text


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"", 0o600, "no token"),
        (b"short\n", 0o600, "no token"),
        (TOKEN.encode() + b"\nsecond line\n", 0o600, "no token"),
        (b"\xff" * 20, 0o600, "no token"),
        (b"x" * 5000, 0o600, "no token"),
        (TOKEN.encode(), 0o644, "others may read this token; run: chmod 600"),
        (None, 0o600, "No such file"),
    ],
)
def test_token_files_that_are_refused(
    tmp_path: Path, content: bytes | None, mode: int, why: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(UsageError, match=why) as caught:
        read_token(path)
    assert TOKEN not in str(caught.value)


def test_a_token_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert read_token(path) == TOKEN


def test_the_port_is_taken(tmp_path: Path, server: Server) -> None:
    with pytest.raises(VadlocError, match=rf"--page 127\.0\.0\.1:{port_of(server)}: cannot listen"):
        serve_state(tmp_path, port=port_of(server))


# Other pages of the same browser


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1.evil.example:PORT",
        "localhost.evil.example",
        "evil.localhost:PORT",
        "127.0.0.1:PORT@evil.example",
        "127.0.0.1:PORT, evil.example",
        "192.0.2.7:PORT",
        "[::1",
        "127.0.0.1:notaport",
        "127.0.0.1:0",
        "",
    ],
)
def test_a_name_that_points_here_is_refused(server: Server, tmp_path: Path, host: str) -> None:
    host = host.replace("PORT", str(port_of(server)))
    for path in (*PATHS, "/healthz"):
        assert ask(server, path, Host=host).status == 421
    content = {"id": alarm()["id"], "mark": "real"}
    assert mark(server, content, Host=host, Origin=f"http://{host}").status == 421
    assert not (tmp_path / "marks.json").exists()


@pytest.mark.parametrize(
    "host", ["localhost:PORT", "LOCALHOST", "127.0.0.1", "[::1]:9", "127.1.2.3"]
)
def test_own_names_are_answered(server: Server, host: str) -> None:
    assert ask(server, "/state", Host=host.replace("PORT", str(port_of(server)))).status == 200


def test_two_hosts_are_refused(server: Server) -> None:
    lines = b"GET /state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert parsed(raw(server, lines)).status == 421


def test_names_beyond_the_loopback_address() -> None:
    access = Access(host="0.0.0.0", port=80, token=TOKEN)
    assert access.is_own_host(["192.0.2.7:80"])
    assert access.is_own_host([socket.gethostname()])
    assert not access.is_own_host(["evil.example"])


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:PORT",
        "http://127.0.0.1:PORT.evil.example",
        "http://127.0.0.1:PORT/",
        "http://evil.example@127.0.0.1:PORT",
        "file://127.0.0.1:PORT",
        "127.0.0.1:PORT",
    ],
)
def test_another_page_cannot_mark(server: Server, tmp_path: Path, origin: str | None) -> None:
    sent = "" if origin is None else origin.replace("PORT", str(port_of(server)))
    content = {"id": alarm()["id"], "mark": "real"}
    assert mark(server, content, Origin=sent).status == 403
    assert not (tmp_path / "marks.json").exists()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_cannot_mark(server: Server, tmp_path: Path, kind: str) -> None:
    content = {"id": alarm()["id"], "mark": "real"}
    assert mark(server, content, Content_Type=kind).status == 415
    assert not (tmp_path / "marks.json").exists()


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/healthz"])
def test_every_answer_is_closed_to_other_pages(server: Server, path: str) -> None:
    headers = ask(server, path, Origin="http://evil.example").headers
    assert "access-control-allow-origin" not in headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_errors_of_the_protocol_are_closed_too(server: Server) -> None:
    answer = ask(server, "/", method="<SCRIPT>")
    assert answer.status == 501
    assert b"<SCRIPT>" not in answer.body
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


# Paths and contents

ESCAPES = [
    "../secret.mp4",
    "..%2fsecret.mp4",
    "%2e%2e%2fsecret.mp4",
    "....//secret.mp4",
    "FOLDER/secret.mp4",
    "%2FFOLDER/secret.mp4",
    "a.mp4",
    "a.mp4%00",
    "./",
    "%ff",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_reaches_the_disk(server: Server, tmp_path: Path, path: str) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(SECRET)
    (tmp_path / "secret.mp4").write_bytes(SECRET)
    path = path.replace("FOLDER", str(tmp_path))
    for asked in (f"/clips/{path}", f"/{path}", f"//{path}", f"/state/{path}"):
        answer = ask(server, asked)
        assert answer.status in (400, 404)
        assert SECRET not in answer.body


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.mp4", "/FOLDER/secret.mp4", "sub/../../secret.mp4", "../clips", "."),
        *("a.mp4\0", "f.mp4", "marks.json", "secret"),
    ],
)
def test_no_record_leads_out_of_the_folder(
    state: LiveState, server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "clips" / "f.mp4").mkdir(parents=True)
    (tmp_path / "secret.mp4").write_bytes(SECRET)
    record = alarm(clip=name.replace("/FOLDER", str(tmp_path)))
    state.add_alarm(record)
    assert ask(server, f"/clips/{record['id']}").status == 404


def test_clips_whole_and_in_parts(state: LiveState, server: Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(content)
    state.add_alarm(alarm(clip="a.mp4"))
    path = f"/clips/{alarm()['id']}"
    whole = ask(server, path)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, content, "video/mp4")
    for asked, first, last in (
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, 255_999),
        ("bytes=-1", 255_999, 255_999),
        ("bytes=255990-999999", 255_990, 255_999),
        ("bytes=-999999", 0, 255_999),
    ):
        part = ask(server, path, Range=asked)
        assert (part.status, part.body) == (206, content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/256000"
        assert part.headers["content-length"] == str(last - first + 1)
    for asked in ("bytes=9-1", "bytes=256000-", "bytes=-0", "bytes=0-1,3-4", "lines=0-1", "bytes=-",
                  "bytes=٣-٤", f"bytes={'9' * 5000}-"):  # fmt: skip
        answer = ask(server, path, Range=asked.encode().decode("latin-1"))
        assert (answer.status, answer.body) == (200, content)
    assert ask(server, path, method="HEAD").body == b""


def test_names_of_files_are_not_told(state: LiveState, server: Server) -> None:
    state.add_alarm(alarm(clip="a.mp4"))
    told = ask(server, "/state").json["alarms"][0]
    assert told["has_clip"] is True
    assert "clip" not in told


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 411),
        (b"{", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"{}", 400),
        (b"[" * 4000, 400),
        ({"id": alarm()["id"]}, 400),
        ({"id": alarm()["id"], "mark": "perhaps"}, 400),
        ({"id": alarm()["id"], "mark": ["real"]}, 400),
        ({"id": 1, "mark": "real"}, 400),
        ({"id": "nobody", "mark": "real"}, 404),
        (b'{"id":"' + b"x" * 5000 + b'","mark":"real"}', 413),
    ],
)
def test_what_is_no_mark(server: Server, tmp_path: Path, content: Any, status: int) -> None:
    assert mark(server, content).status == status
    assert not (tmp_path / "marks.json").exists()


def test_an_alarm_that_goes_on_is_not_marked(state: LiveState, server: Server) -> None:
    state.add_alarm(alarm(2, state="begun", last_frame=None))
    answer = mark(server, {"id": alarm(2)["id"], "mark": "real"})
    assert (answer.status, answer.body) == (409, b"this alarm is not over; mark it when it is\n")


def test_lengths_that_lie(server: Server) -> None:
    origin = "Origin: http://localhost\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for length, status in (
        ("-1", 400),
        ("9" * 400, 413),
        ("1e3", 400),
        ("5000", 413),
        ("5\r\nContent-Length: 6", 411),
        ("5\r\nTransfer-Encoding: chunked", 411),
    ):
        sent = f"POST /marks HTTP/1.1\r\n{origin}Content-Length: {length}\r\n\r\n".encode()
        assert parsed(raw(server, sent + b'{"a":1}')).status == status


# Much and slowly


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"x" * 1_000_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
        b"\0" * 1_000_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"Cookie: a=b\r\n" * 99 + b"\r\n",
    ],
)
def test_large_requests_end_early(
    server: Server, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        answer = raw(server, sent)
    except ConnectionError:  # cut while it was still sending
        answer = b""
    assert len(answer) < 10_000 or parsed(answer).status == 200
    assert ask(server, "/healthz").status == 200
    assert "failed" not in caplog.text


@pytest.mark.parametrize(
    "target",
    [
        *("x", "http://[", "/?" + "&".join("a=1" for _ in range(50)), "/?a=%ff", "/%00", "*"),
        *("//evil.example/", "/state?alarms=" + "9" * 5000),
        *("/picture?after=-9", "/picture?after=" + "9" * 5000),
    ],
)
def test_odd_targets(server: Server, target: str, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(server, target).status in (200, 400, 404)
    assert "failed" not in caplog.text


def test_connections_are_bounded_and_slow_ones_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections.LimitedServer.__init__, "__kwdefaults__",
                        {"most": 4, "longest_s": 3.0})  # fmt: skip
    state = some_state()
    server = serve_state(tmp_path, state)
    address = "127.0.0.1", port_of(server)
    before = threading.active_count()
    slow = [socket.create_connection(address, timeout=30) for _ in range(4)]
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nHost: local")
    wait_until(lambda: threading.active_count() == before + 4)
    with socket.create_connection(address, timeout=30) as late:
        assert late.recv(100).startswith(b"HTTP/1.0 503 ")
    assert threading.active_count() == before + 4
    show(state, 3)  # the loop does not notice
    assert state.serial == 4
    ends: list[bytes] = []
    for client in slow:  # one more byte each time would keep a timeout of the socket from passing
        with client:
            ends += _drip(client)
    assert ends == [b""] * 4
    wait_until(lambda: threading.active_count() <= before)
    assert ask(server, "/healthz").status == 200
    server.close()


def _drip(client: socket.socket) -> list[bytes]:
    """Send a byte now and then until the server ends the connection."""
    client.settimeout(0.2)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return [client.recv(100)]
        except TimeoutError:
            client.sendall(b"h")
        except ConnectionError:
            return [b""]
    return [b"not ended"]


def test_a_client_that_does_not_read_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomaly_detection.watching.server._Handler.timeout", 0.5)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"x" * 30_000_000)
    state = some_state()
    state.add_alarm(alarm(clip="a.mp4"))
    server = serve_state(tmp_path, state)
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as client:
        client.sendall(f"GET /clips/{alarm()['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        client.recv(10)
        wait_until(lambda: threading.active_count() <= before)
        assert ask(server, "/healthz").status == 200
    server.close()


def test_closing_ends_all_connections(tmp_path: Path) -> None:
    server = serve_state(tmp_path)
    before = threading.active_count()
    client = socket.create_connection(("127.0.0.1", port_of(server)), timeout=30)
    wait_until(lambda: threading.active_count() == before + 1)
    server.close()
    with client:
        assert _drip(client) == [b""]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port_of(server)), timeout=5)


def test_a_loop_that_hangs_is_told(
    server: Server, state: LiveState, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("anomaly_detection.watching.live_state.clock.monotonic", lambda: now + 61)
    assert ask(server, "/healthz").status == 503
    state.measure("source_up", 0)
    assert ask(server, "/healthz").status == 200
