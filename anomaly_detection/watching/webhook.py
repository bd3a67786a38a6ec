"""Sends each alarm record to an address by HTTP POST, as JSON."""

import base64
import email.utils
import http.client
import json
import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from anomaly_detection.watching.addresses import check_address, place_of
from anomaly_detection.watching.senders import FIRST_PAUSE_S, NotSentError, QueueSender
from vadloc.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

FORM = "http://HOST[:PORT]/PATH or https://..."
PORTS = {"http": 80, "https": 443}
MOST_REDIRECTS = 3
AGAIN = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
"""Refusals that may pass, besides all errors of the server."""
SAME_METHOD = {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}
"""Redirects after which a POST is still a POST, RFC 9110, section 15.4."""


class Webhook:
    """Posts alarm records; a `Sender`.

    Certificates of https are verified against those of the system (``SSL_CERT_FILE`` names others).
    Redirects are followed on the same host only. The proxies of the environment are not used.

    Args:
        url: ``http://`` or ``https://``; a user and password in it are sent as basic
            authentication. Only its scheme, host and port appear in logs.
        timeout_s: Longest time of one try, after it has connected; and of connecting.
        retries: Number of further tries if the first one fails for a reason that may pass.
        queue: Largest number of records that wait.
        on_failure: Called for each record that is lost, from any thread.
        first_pause_s: About how long to wait before the second try.

    Raises:
        UsageError: The address is not one.
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
        self._target = check_address(url, option="--webhook", form=FORM, schemes=PORTS)
        self._timeout_s = timeout_s
        self.name = f"webhook {place_of(self._target)}"
        self._context = ssl.create_default_context() if self._target.scheme == "https" else None
        self._queue = QueueSender(
            self._send,
            name=self.name,
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
        body = json.dumps(record, allow_nan=False).encode()
        key = f"{record.get('id')}-{record.get('state')}"
        headers = _headers(self._target) | {"Idempotency-Key": one_line(key)}
        target = self._target
        for _ in range(MOST_REDIRECTS + 1):
            status, answered = self._post(target, body, headers)
            if status not in SAME_METHOD:
                _judge(status, answered)
                return
            target = _followed(target, answered.get("location", ""))
        raise NotSentError(f"more than {MOST_REDIRECTS} redirects", again=False)

    def _post(
        self, target: SplitResult, body: bytes, sent: Mapping[str, str]
    ) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer, their names in lower case; its content is not read."""
        try:
            with self._connected(target) as connection:
                connection.request("POST", _path(target), body, dict(sent))
                with connection.getresponse() as answer:
                    headers = {name.lower(): value for name, value in answer.getheaders()}
                return answer.status, headers
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is not trusted: {error.verify_message}"
            raise NotSentError(why) from None
        except TimeoutError:
            raise NotSentError(f"no answer within {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotSentError(one_line(getattr(error, "strerror", None) or repr(error))) from None

    @contextmanager
    def _connected(self, target: SplitResult) -> "Iterator[http.client.HTTPConnection]":
        """A connection that is cut when the time is over, however slowly it goes on.

        The timeout of a socket begins anew at each byte; the timer does not.
        """
        host = target.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host, target.port, timeout=self._timeout_s, context=self._context
            )
            if self._context
            else http.client.HTTPConnection(host, target.port, timeout=self._timeout_s)
        )
        connection.connect()
        end_s = time.monotonic() + self._timeout_s
        timer = threading.Timer(self._timeout_s, _cut, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            yield connection
            if time.monotonic() >= end_s:  # headers that were cut look as if they were complete
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError):
            if time.monotonic() >= end_s:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
            connection.close()


def _headers(target: SplitResult) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "vadloc", "Connection": "close"}
    if target.username is not None:
        pair = f"{unquote(target.username)}:{unquote(target.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


def _path(target: SplitResult) -> str:
    return (target.path or "/") + (f"?{target.query}" if target.query else "")


def _judge(status: int, answered: Mapping[str, str]) -> None:
    """Raise `NotSentError` unless the answer says that the record was taken."""
    if 200 <= status < 300:
        return
    again = status >= 500 or status in AGAIN
    pause_s = retry_after_s(answered.get("retry-after"), now_s=time.time()) if again else None
    raise NotSentError(f"status {status}", again=again, pause_s=pause_s)


def retry_after_s(value: str | None, *, now_s: float) -> float | None:
    """How long a ``Retry-After`` header asks to wait, RFC 9110, section 10.2.3.

    Args:
        value: A number of seconds or a date, None for no header.
        now_s: Wall clock in seconds since 1970.

    Returns:
        At least 0, or None if the header says nothing.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        wait_s = email.utils.parsedate_to_datetime(text).timestamp() - now_s
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait_s) if math.isfinite(wait_s) else None


def _followed(target: SplitResult, location: str) -> SplitResult:
    """Where a redirect leads.

    Raises:
        NotSentError: To another host, port or scheme, which credentials are not meant for.
    """
    try:
        new = urlsplit(urljoin(target.geturl(), location))
        same = place_of(new) == place_of(target) and new.username in {None, target.username}
    except ValueError:
        same = False
    if not location or not same:
        raise NotSentError("it redirects to another place; name that one instead", again=False)
    return new


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
