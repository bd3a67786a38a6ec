"""Alarms sent to a real HTTP server that is slow, failing, gone, or sends them elsewhere."""

import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receivers import Receiver
from watching_samples import alarm, wait_until

from anomaly_detection.watching import senders
from anomaly_detection.watching.senders import QueueSender
from anomaly_detection.watching.webhook import Webhook, retry_after_s
from vadloc.errors import UsageError

FAST = 0.01


class Lost:
    """Counts records that are lost."""

    def __init__(self) -> None:
        self.count, self._lock = 0, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self.count += 1


@pytest.fixture
def lost() -> Lost:
    return Lost()


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    made: list[Receiver] = []
    yield made
    for each in made:
        each.close()


def sends(receiver: Receiver, lost: Lost, path: str = "/alarms", **options: Any) -> Webhook:
    usual = {"timeout_s": 5, "first_pause_s": FAST, "on_failure": lost}
    return Webhook(receiver.url + path, **(usual | options))


def test_a_record_arrives_as_json(receivers: list[Receiver], lost: Lost) -> None:
    receivers.append(Receiver(204))
    hook = sends(receivers[0], lost, "/a/b?c=d")
    assert hook.offer(alarm(1))
    hook.close(10)
    [(path, headers, content)] = receivers[0].requests
    assert (path, content) == ("/a/b?c=d", alarm(1))
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{receivers[0].port}"
    assert "Authorization" not in headers
    assert lost.count == 0


def test_records_keep_their_order(receivers: list[Receiver], lost: Lost) -> None:
    receivers.append(Receiver(500, 200, 503, 200))
    hook = sends(receivers[0], lost)
    for number in (1, 2, 3):
        hook.offer(alarm(number))
    hook.close(10)
    expected = [alarm(number)["id"] for number in (1, 1, 2, 2, 3)]
    assert (receivers[0].ids, lost.count) == (expected, 0)
    keys = [headers["Idempotency-Key"] for _, headers, _ in receivers[0].requests]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_it_gives_up_after_its_retries(
    receivers: list[Receiver], lost: Lost, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.append(Receiver(status, status, status, 200))
    hook = sends(receivers[0], lost, retries=2)
    hook.offer(alarm(1))
    hook.offer(alarm(2))
    hook.close(10)
    assert receivers[0].ids == [alarm(n)["id"] for n in (1, 1, 1, 2)]
    assert lost.count == 1
    assert f"message {alarm(1)['id']} is lost: status {status}" in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 301, 302, 303, 304])
def test_what_will_not_pass_is_not_tried_again(
    receivers: list[Receiver], lost: Lost, status: int
) -> None:
    receivers.append(Receiver((status, {"Location": "/elsewhere"}), 200))
    hook = sends(receivers[0], lost)
    hook.offer(alarm(1))
    hook.close(10)
    assert (len(receivers[0].requests), lost.count) == (1, 1)


def test_a_receiver_that_is_gone_and_comes_back(receivers: list[Receiver], lost: Lost) -> None:
    gone = Receiver(200)
    gone.close()
    hook = sends(gone, lost, retries=0)
    hook.offer(alarm(1))
    wait_until(lambda: lost.count == 1)
    receivers.append(Receiver(200))
    again = sends(receivers[0], lost)
    again.offer(alarm(2))
    again.close(10)
    hook.close(10)
    assert (receivers[0].ids, lost.count) == ([alarm(2)["id"]], 1)


def test_a_silent_receiver_is_given_up(lost: Lost, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        hook = Webhook(url, timeout_s=0.2, retries=1, on_failure=lost, first_pause_s=FAST)
        hook.offer(alarm(1))
        wait_until(lambda: lost.count == 1)
        hook.close(10)
    assert "is lost: no answer within 0.2 s" in caplog.text


@pytest.mark.parametrize(
    ("start", "expected"), [(b"HTTP/1.1 200 OK\r\nX: ", 1), (b"HTTP/1.1 200 OK\r\n\r\n", 0)]
)
def test_a_dripping_receiver_is_given_up(lost: Lost, start: bytes, expected: int) -> None:
    """Each byte would begin a timeout of the socket anew."""
    stop = threading.Event()

    def drip(listening: socket.socket) -> None:
        client, _ = listening.accept()
        with client:
            client.sendall(start)
            while not stop.wait(0.05):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening,))
        dripping.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        hook = Webhook(url, timeout_s=0.5, retries=0, on_failure=lost)
        hook.offer(alarm(1))
        hook.close(20)
        dripping.join(20)
        assert not dripping.is_alive()  # the connection was cut
        stop.set()
    assert lost.count == expected


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 99])
def test_a_receiver_that_does_not_speak_http(lost: Lost, said: bytes) -> None:
    def answer(listening: socket.socket) -> None:
        for _ in range(2):
            client, _ = listening.accept()
            with client:
                client.recv(65536)
                client.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer, args=(listening,))
        answering.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        hook = Webhook(url, timeout_s=5, retries=1, on_failure=lost, first_pause_s=FAST)
        hook.offer(alarm(1))
        hook.close(20)
        answering.join(20)
    assert lost.count == 1


def test_offering_never_waits(
    receivers: list[Receiver], lost: Lost, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    receivers.append(Receiver(200, before=lambda: release.wait(30) and None))
    hook = sends(receivers[0], lost, timeout_s=60, queue=3)
    hook.offer(alarm(0))
    wait_until(lambda: receivers[0].requests)  # it is being sent; three more may wait
    taken = [hook.offer(alarm(number)) for number in range(1, 9)]
    assert taken == [True] * 3 + [False] * 5
    assert lost.count == 5
    told = [r for r in caplog.records if "wait already" in r.getMessage()]
    assert len(told) == 1
    assert "1 message lost, 3 wait already" in told[0].getMessage()
    release.set()
    hook.close(10)
    assert receivers[0].ids == [alarm(number)["id"] for number in range(4)]


def test_closing_does_not_wait_longer_than_it_may(
    receivers: list[Receiver], lost: Lost, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.append(Receiver(500))
    hook = sends(receivers[0], lost, first_pause_s=3600)
    for number in range(3):
        hook.offer(alarm(number))
    wait_until(lambda: receivers[0].requests)
    hook.close(0.3)
    assert not hook.offer(alarm(9))
    wait_until(lambda: lost.count >= 4)
    assert lost.count == 4
    assert "not sent before the end" in caplog.text


def test_an_idle_sender_loses_nothing_at_the_end(
    receivers: list[Receiver], lost: Lost, caplog: pytest.LogCaptureFixture
) -> None:
    receivers.append(Receiver(200))
    sends(receivers[0], lost).close(0.0)
    assert lost.count == 0
    assert "not sent" not in caplog.text


def test_pauses_double_and_jitter(lost: Lost) -> None:
    sender = QueueSender(
        lambda _: None, name="x", retries=9, queue_size=1, on_failure=lost, first_pause_s=1
    )
    sender.close(5)
    for failed, longest in enumerate((1, 2, 4, 8, 16, 32, 60, 60)):
        pauses = {sender._pause_s(failed, None) for _ in range(50)}
        assert longest / 2 <= min(pauses)
        assert max(pauses) <= longest
        assert len(pauses) > 10
    assert sender._pause_s(0, 90) == 90
    assert sender._pause_s(0, 1e9) == senders.LONGEST_ASKED_S


NOW_S = 1_000_000_000.0  # Sunday 9 September 2001, 01:46:40 UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("7", 7),
        (" 120 ", 120),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("9" * 400, None),
        ("soon", None),
        ("Sun, 09 Sep 2001 01:47:40 GMT", 60),
        ("Sun, 09 Sep 2001 01:45:40 GMT", 0),
        ("Sun, 99 Sep 2001 01:45:40 GMT", None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value, now_s=NOW_S) == expected


def test_a_receiver_may_ask_for_a_pause(receivers: list[Receiver], lost: Lost) -> None:
    times: list[float] = []
    receivers.append(
        Receiver((503, {"Retry-After": "1"}), 200, before=lambda: times.append(time.monotonic()))
    )
    hook = sends(receivers[0], lost)
    hook.offer(alarm(1))
    wait_until(lambda: len(times) == 2)
    hook.close(10)
    assert times[1] - times[0] >= 1  # not a limit on speed: it must not come earlier


def test_redirects_on_the_same_host_are_followed(receivers: list[Receiver], lost: Lost) -> None:
    receivers.append(Receiver((308, {"Location": "/new?x=1"}), (307, {"Location": "z"}), 200))
    hook = sends(receivers[0], lost)
    hook.offer(alarm(1))
    hook.close(10)
    assert [path for path, _, _ in receivers[0].requests] == ["/alarms", "/new?x=1", "/z"]
    assert [content for _, _, content in receivers[0].requests] == [alarm(1)] * 3


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:OTHER/", "//127.0.0.1:OTHER/", "http://localhost:SAME/", "http://[", "",
     "https://127.0.0.1:SAME/", "http://someone@127.0.0.1:SAME/", "file:///etc/passwd"],
)  # fmt: skip
def test_redirects_elsewhere_are_not(
    receivers: list[Receiver], lost: Lost, location: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = Receiver(200)
    location = location.replace("OTHER", str(other.port))
    first = Receiver(200)
    location = location.replace("SAME", str(first.port))
    first._answers = [(307, {"Location": location})]
    receivers += [first, other]
    hook = sends(first, lost)
    hook.offer(alarm(1))
    hook.close(10)
    assert (len(first.requests), len(other.requests), lost.count) == (1, 0, 1)
    assert "it redirects to another place" in caplog.text


def test_redirects_without_end(receivers: list[Receiver], lost: Lost) -> None:
    receivers.append(Receiver((307, {"Location": "/again"})))
    hook = sends(receivers[0], lost)
    hook.offer(alarm(1))
    hook.close(10)
    assert (len(receivers[0].requests), lost.count) == (4, 1)


def test_credentials_are_sent_and_never_told(
    receivers: list[Receiver], lost: Lost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receivers.append(Receiver(500, 404, (307, {"Location": "http://192.0.2.1/"}), 500))
    url = f"http://user:pa%40ss@127.0.0.1:{receivers[0].port}/hook-secret?key=query-secret"
    hook = Webhook(url, retries=1, queue=1, on_failure=lost, first_pause_s=FAST)
    for number in range(1, 4):
        wait_until(lambda number=number: hook.offer(alarm(number)))
        wait_until(lambda number=number: len(receivers[0].requests) > number)
    hook.close(10)
    authorization = {headers["Authorization"] for _, headers, _ in receivers[0].requests}
    assert authorization == {"Basic dXNlcjpwYUBzcw=="}  # base64 of user:pa@ss
    assert f"webhook http://127.0.0.1:{receivers[0].port}: message" in caplog.text
    for secret in ("user", "pa%40ss", "pa@ss", "hook-secret", "query-secret", "dXNlcj"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.org/secret", "ftp://example.org/secret", "http:///secret"),
        *("http://a b/secret", "http://a:0/secret", "http://a:99999/secret", "http://[/secret"),
        *("http://a/secret\n", "http://ä/secret"),
    ],
)
def test_what_is_no_address(lost: Lost, url: str) -> None:
    with pytest.raises(
        UsageError, match=r"^--webhook: not an address .* expected http://HOST"
    ) as e:
        Webhook(url, on_failure=lost)
    assert "secret" not in str(e.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that it has signed itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command += f" -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def test_certificates_are_verified(
    receivers: list[Receiver],
    lost: Lost,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receivers.append(Receiver(200, certificate=certificate))
    hook = sends(receivers[0], lost, retries=0)
    hook.offer(alarm(1))
    hook.close(10)
    assert (len(receivers[0].requests), lost.count) == (0, 1)
    assert "its certificate is not trusted" in caplog.text
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    trusting = sends(receivers[0], lost, retries=0)
    trusting.offer(alarm(2))
    trusting.close(10)
    assert (receivers[0].ids, lost.count) == ([alarm(2)["id"]], 1)
