"""Who may ask the page of a watch: the token, the names of the host, and the origin of marks."""

import hmac
import ipaddress
import socket
import stat
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from vadloc.errors import UsageError, about_file

LEAST_TOKEN = 16
"""Fewest characters of a token; it must not be found by trying."""


def read_token(path: Path) -> str:
    """The token in a file of one line.

    Raises:
        UsageError: The file cannot be read, others may read it, or it holds no token.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            token = file.read(4097).strip().decode("ascii")
    except OSError as error:
        raise UsageError(about_file(error)) from None
    except UnicodeDecodeError:
        token = ""
    if stat.S_ISREG(mode) and mode & 0o077:
        raise UsageError(f"{path}: others may read this token; run: chmod 600 {path}")
    check_token(token, str(path))
    return token


def check_token(token: str, where: str) -> None:
    """Check that a token can be sent in a header and cannot be guessed.

    Args:
        token: The token.
        where: Where it comes from, for the message, which does not show the token.

    Raises:
        UsageError: It is too short, too long, or has blanks or other signs.
    """
    if not LEAST_TOKEN <= len(token) <= 4096 or not all("!" <= sign <= "~" for sign in token):
        raise UsageError(
            f"{where}: no token: expected one line of {LEAST_TOKEN} to 4096 printable ASCII "
            f"characters without blanks; make one by: openssl rand -hex 32 > FILE"
        )


class Access:
    """Says of a request whether it may be answered.

    Args:
        host: Name or address on which the page listens.
        port: Its port.
        token: The token that requests must have, None for none.

    Raises:
        UsageError: The host is not a loopback address, and there is no token.
    """

    def __init__(self, *, host: str, port: int, token: str | None) -> None:
        self.host, self._token = host, token
        self.is_local = is_loopback(host)
        if token is not None:
            check_token(token, "--token-file")
        elif not self.is_local:
            raise UsageError(
                f"--page {host}: others can reach this address, so that the page needs a token; "
                "make one by: (umask 077; openssl rand -hex 32 > FILE), and name it: "
                "--token-file FILE"
            )
        self.cookie_name = f"vadloc-{port}"
        # Cookies go to all ports of a host: what is kept there must not be the token.
        self.cookie = hmac.digest((token or "").encode(), b"vadloc page", "sha256").hex()

    @property
    def has_token(self) -> bool:
        """Whether requests need a token."""
        return self._token is not None

    def is_token(self, given: str) -> bool:
        """Whether a text is the token, compared in constant time."""
        return self._token is None or _same(given, self._token)

    def may_ask(self, authorization: str | None, cookies: str | None) -> bool:
        """Whether a request has the token as its bearer, or the cookie that stands for it."""
        if self._token is None:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        try:
            kept = SimpleCookie(cookies or "").get(self.cookie_name)
        except CookieError:
            return False
        return kept is not None and _same(kept.value, self.cookie)

    def is_own_host(self, hosts: Sequence[str]) -> bool:
        """Whether the ``Host`` headers of a request name this machine.

        A page of another site may have its own name point to this address (DNS rebinding). Its
        requests then come from this machine, but name that site. Addresses cannot be pointed
        elsewhere; on the loopback address only its own are accepted.
        """
        if len(hosts) != 1:
            return False
        name = _name_in(hosts[0])
        if name is None:
            return False
        if name in {"localhost", self.host.lower()}:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return not self.is_local and name == socket.gethostname().lower()
        return address.is_loopback or not self.is_local

    def is_own_origin(self, origins: Sequence[str], hosts: Sequence[str]) -> bool:
        """Whether a request comes from a page of this server, by its ``Origin`` header."""
        if len(origins) != 1 or len(hosts) != 1:
            return False
        scheme, separator, netloc = origins[0].partition("://")
        return bool(separator) and scheme in {"http", "https"} and netloc == hosts[0].strip()


def is_loopback(host: str) -> bool:
    """Whether a name or address is of this machine alone.

    Raises:
        UsageError: There is no such host.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"--page {host}: no such host ({error.strerror})") from None
    return all(ipaddress.ip_address(str(each[4][0]).split("%")[0]).is_loopback for each in found)


def _name_in(host: str) -> str | None:
    """The name or address in a ``Host`` header, None if the header is malformed."""
    try:
        parts = urlsplit(f"//{host.strip()}")
        is_plain = parts.netloc == host.strip() and parts.port != 0
    except ValueError:
        return None
    return parts.hostname if is_plain and parts.username is None else None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())
