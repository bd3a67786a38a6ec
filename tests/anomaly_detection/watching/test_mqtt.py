"""Alarms published on a real broker (Mosquitto), with and without a password, and without it."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from watching_samples import alarm, wait_until

from anomaly_detection.watching.mqtt import Mqtt
from vadloc.errors import UsageError

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_paho = pytest.mark.skipif(find_spec("paho") is None, reason="paho-mqtt is not installed")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto on this machine")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def broker(folder: Path, port: int, *, password: str | None = None) -> Iterator[None]:
    """A broker on the loopback address; with a password, only the user ``cam`` may publish."""
    lines = [f"listener {port} 127.0.0.1", f"allow_anonymous {str(password is None).lower()}"]
    if password is not None:
        given = folder / "passwords"
        command = ["mosquitto_passwd", "-b", "-c", str(given), "cam", password]
        subprocess.run(command, check=True, capture_output=True)
        given.chmod(0o644)
        lines.append(f"password_file {given}")
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join([*lines, f"user {_user()}", ""]))
    process = subprocess.Popen([str(MOSQUITTO), "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port))
        yield
    finally:
        process.terminate()
        process.wait(20)


def _user() -> str:
    import getpass

    return getpass.getuser()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def subscribed(port: int, topic: str, *user: str) -> Iterator[list[Any]]:
    """The messages of a topic, as they come."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client, got, ready = Client(CallbackAPIVersion.VERSION2), [], []
    client.on_message = lambda _c, _d, message: got.append(message)
    client.on_subscribe = lambda *_: ready.append(True)
    client.on_connect = lambda c, *_: c.subscribe(topic, 1)
    if user:
        client.username_pw_set(*user)
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait_until(lambda: ready)
    yield got
    client.disconnect()
    client.loop_stop()


@needs_paho
@needs_broker
def test_records_arrive_in_order(tmp_path: Path) -> None:
    port, lost = free_port(), []
    with broker(tmp_path, port), subscribed(port, "site/gate 1") as got:
        sender = Mqtt(f"mqtt://127.0.0.1:{port}/site/gate%201", on_failure=lambda: lost.append(1))
        assert all(sender.offer(alarm(number)) for number in range(3))
        wait_until(lambda: len(got) == 3)
        sender.close(10)
    assert [json.loads(message.payload) for message in got] == [alarm(n) for n in range(3)]
    assert {(m.topic, m.qos, m.retain) for m in got} == {("site/gate 1", 1, False)}
    assert lost == []


@needs_paho
@needs_broker
def test_a_password_is_needed_and_never_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port, lost = free_port(), []
    options: dict[str, Any] = {"on_failure": lambda: lost.append(1), "retries": 1}
    options["first_pause_s"] = 0.01
    with broker(tmp_path, port, password="pa@ss"), subscribed(port, "t", "cam", "pa@ss") as got:
        wrong = Mqtt(f"mqtt://cam:guess-it@127.0.0.1:{port}/t", **options)
        wrong.offer(alarm(1))
        wait_until(lambda: lost == [1])
        wrong.close(10)
        right = Mqtt(f"mqtt://cam:pa%40ss@127.0.0.1:{port}/t", **options)
        right.offer(alarm(2))
        wait_until(lambda: len(got) == 1)
        right.close(10)
    assert json.loads(got[0].payload)["id"] == alarm(2)["id"]
    assert f"mqtt mqtt://127.0.0.1:{port}: message {alarm(1)['id']} is lost" in caplog.text
    assert "the broker refuses: " in caplog.text
    for secret in ("cam:", "guess-it", "pa@ss", "pa%40ss"):
        assert secret not in caplog.text


@needs_paho
@needs_broker
def test_a_broker_that_comes_later(tmp_path: Path) -> None:
    port, lost = free_port(), []
    sender = Mqtt(
        f"mqtt://127.0.0.1:{port}/t", retries=200, first_pause_s=0.05,
        on_failure=lambda: lost.append(1),
    )  # fmt: skip
    with broker(tmp_path, port), subscribed(port, "t") as got:
        sender.offer(alarm(1))
        wait_until(lambda: len(got) == 1)
    sender.close(10)
    assert lost == []


@needs_paho
def test_a_broker_that_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    lost: list[int] = []
    sender = Mqtt(
        f"mqtt://127.0.0.1:{free_port()}/t", retries=1, first_pause_s=0.01,
        on_failure=lambda: lost.append(1),
    )  # fmt: skip
    sender.offer(alarm(1))
    wait_until(lambda: lost == [1])
    sender.close(10)
    assert "is lost: Connection refused" in caplog.text


@needs_paho
def test_a_broker_that_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    lost: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"mqtt://127.0.0.1:{listening.getsockname()[1]}/t"
        sender = Mqtt(url, timeout_s=0.2, retries=0, on_failure=lambda: lost.append(1))
        sender.offer(alarm(1))
        wait_until(lambda: lost == [1])
        sender.close(10)
    assert "the broker does not answer within 0.2 s" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://host/secret", "mqtt:///secret", "mqtt://host:0/secret", "mqtt://host"),
        *("mqtt://host/", "mqtt://host/secret/%23", "mqtt://host/%2B/secret", "mqtt://host/a%00"),
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--mqtt: .*expected mqtt://") as caught:
        Mqtt(url, on_failure=lambda: None)
    assert "secret" not in str(caught.value)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(
        UsageError, match=r"paho-mqtt is not installed; run: pip install '\.\[mqtt\]'"
    ):
        Mqtt("mqtt://host/t", on_failure=lambda: None)
