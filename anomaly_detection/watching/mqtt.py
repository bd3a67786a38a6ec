"""Publishes each alarm record on an MQTT broker, as JSON. Needs the extra ``mqtt``."""

import importlib.util
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from anomaly_detection.watching.addresses import check_address, place_of
from anomaly_detection.watching.senders import FIRST_PAUSE_S, NotSentError, QueueSender
from vadloc.errors import UsageError, one_line

if TYPE_CHECKING:
    from paho.mqtt.client import Client

FORM = "mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC or mqtts://..."
PORTS = {"mqtt": 1883, "mqtts": 8883}
AT_LEAST_ONCE = 1
"""Quality of service: the broker says that it has the message."""
LONGEST_TOPIC = 65_535


class Mqtt:
    """Publishes alarm records, not retained, with quality of service 1; a `Sender`.

    Each record has a connection of its own: alarms are rare, and nothing has to be kept alive.
    Certificates of ``mqtts`` are verified against those of the system.

    Args:
        url: ``mqtt://`` or ``mqtts://``, with the topic as its path. Only scheme, host and port
            appear in logs.
        timeout_s: Longest time of connecting, of the broker's welcome, and of its receipt.
        retries: Number of further tries if the first one fails.
        queue: Largest number of records that wait.
        on_failure: Called for each record that is lost, from any thread.
        first_pause_s: About how long to wait before the second try.

    Raises:
        UsageError: The address is not one, or paho-mqtt is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5,
        retries: int = 5,
        queue: int = 100,
        on_failure: Callable[[], None],
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._target = check_address(url, option="--mqtt", form=FORM, schemes=PORTS)
        self._topic = _topic(self._target.path)
        if importlib.util.find_spec("paho") is None:
            raise UsageError(
                "--mqtt: the package paho-mqtt is not installed; run: pip install '.[mqtt]'"
            )
        self._timeout_s = timeout_s
        self._queue = QueueSender(
            self._send,
            name=f"mqtt {place_of(self._target)}",
            retries=retries,
            queue_size=queue,
            on_failure=on_failure,
            first_pause_s=first_pause_s,
        )

    def offer(self, record: Mapping[str, Any]) -> bool:
        """See `Sender.offer`."""
        return self._queue.offer(record)

    def close(self, timeout_s: float) -> None:
        """See `Sender.close`."""
        self._queue.close(timeout_s)

    def _send(self, record: Mapping[str, Any]) -> None:
        client, welcome = self._client()
        try:
            port = self._target.port or PORTS[self._target.scheme]
            client.connect(self._target.hostname or "", port)
            client.loop_start()
            welcome.wait(self._timeout_s)
            sent = client.publish(
                self._topic, json.dumps(record, allow_nan=False), qos=AT_LEAST_ONCE
            )
            sent.wait_for_publish(self._timeout_s)
            if not sent.is_published():
                raise NotSentError(f"no receipt within {self._timeout_s:g} s")
        except (OSError, ValueError, RuntimeError) as error:
            raise NotSentError(one_line(getattr(error, "strerror", None) or repr(error))) from None
        finally:
            client.disconnect()
            client.loop_stop()

    def _client(self) -> "tuple[Client, _Welcome]":
        """A client that is not yet connected, and what the broker will say to it."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client, welcome = Client(CallbackAPIVersion.VERSION2), _Welcome()
        client.connect_timeout = self._timeout_s
        client.on_connect = welcome.take
        if self._target.username is not None:
            password = unquote(self._target.password) if self._target.password else None
            client.username_pw_set(unquote(self._target.username), password)
        if self._target.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        return client, welcome


class _Welcome:
    """The answer of a broker to a connection."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._refused = ""

    def take(self, *said: Any) -> None:
        """Called by the client: itself, its data, flags, the reason code, and properties."""
        reason = said[3]
        self._refused = str(reason) if reason.is_failure else ""
        self._came.set()

    def wait(self, timeout_s: float) -> None:
        """Wait for the answer.

        Raises:
            NotSentError: It is a refusal, or does not come.
        """
        if not self._came.wait(timeout_s):
            raise NotSentError(f"the broker does not answer within {timeout_s:g} s")
        if self._refused:
            raise NotSentError(f"the broker refuses: {one_line(self._refused)}")


def _topic(path: str) -> str:
    """The topic in the path of an address.

    Raises:
        UsageError: There is none, or it is not one that can be published on (MQTT 3.1.1, 4.7).
    """
    topic = unquote(path.removeprefix("/"))
    usable = topic and len(topic.encode()) <= LONGEST_TOPIC and not set(topic) & set("+#\0")
    if not usable:
        raise UsageError(f"--mqtt: no topic, or one with + or #; expected {FORM}")
    return topic
