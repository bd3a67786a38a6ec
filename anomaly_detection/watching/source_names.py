"""What a source is called where people read it: without user, password or query."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from anomaly_detection.watching.addresses import place_of
from vadloc.errors import UsageError

FROM_ENVIRONMENT = "env:"
HIDDEN = "***"
SHORTEST_SECRET = 3
"""Shorter parts of an address are not looked for in texts: they would be found everywhere."""


@dataclass(frozen=True)
class SourceName:
    """The address of a source, and what may be shown of it.

    Attributes:
        address: What is opened, with credentials.
        shown: The same for people, without credentials.
        short: A short name of letters, digits, dots, dashes and underscores, for ids and files.
        secrets: What never may be shown, the longest first.
    """

    address: str
    shown: str
    short: str
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: str, *, short: str = "") -> "SourceName":
        """The name of a source as ``--source`` gives it.

        Args:
            given: A path or an address; ``env:NAME`` stands for the content of a variable of the
                environment, so that no list of processes shows a password.
            short: The short name, if it is not to be made of the address.

        Raises:
            UsageError: The variable is not set, the address cannot be read, or the short name has
                other characters.
        """
        if short and short != _short(short):
            raise UsageError(
                f"--name {short!r}: expected at most 60 of the characters A-Z, a-z, 0-9, '_', '.' "
                "and '-', since files are named after it"
            )
        address = _from_environment(given) if given.startswith(FROM_ENVIRONMENT) else given
        if "://" not in address:
            path = Path(address)
            name = path.name if path.is_dir() else path.stem  # as sequences are named
            return cls(address, address, short or _short(name))
        try:
            parts = urlsplit(address)
            shown = place_of(parts) + parts.path
        except ValueError:
            raise UsageError(
                "--source: not a readable address; expected rtsp://[USER:PASSWORD@]HOST[:PORT]/PATH"
            ) from None
        name = short or _short(f"{parts.hostname or ''}{parts.path}")
        return cls(address, shown, name, _secrets(address, parts))

    def redact(self, text: object) -> str:
        """A text without any part of the address that is secret."""
        found = str(text)
        for secret in self.secrets:
            found = found.replace(secret, self.shown if secret == self.address else HIDDEN)
        return found

    def __repr__(self) -> str:
        return f"SourceName({self.shown!r})"


def _from_environment(given: str) -> str:
    name = given.removeprefix(FROM_ENVIRONMENT)
    address = os.environ.get(name, "")
    if not address:
        raise UsageError(f"--source {given}: the variable {name} is not set; export it")
    return address


def _secrets(address: str, parts: SplitResult) -> tuple[str, ...]:
    """The address, user and password, the password, and the query, in all their spellings."""
    login = parts.netloc.rpartition("@")[0]
    found = {address, login, parts.password or "", parts.query, parts.fragment}
    found |= {value for pair in parts.query.split("&") for value in pair.split("=")[1:]}
    found |= {change(secret) for secret in found for change in (unquote, quote)}
    return tuple(sorted((s for s in found if len(s) >= SHORTEST_SECRET), key=len, reverse=True))


def _short(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")
    return name[:60] or "source"
