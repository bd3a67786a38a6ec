"""Addresses to which alarms are sent: checked, and shown without what may be secret."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from vadloc.errors import UsageError


def check_address(url: str, *, option: str, form: str, schemes: Mapping[str, int]) -> SplitResult:
    """Take apart an address.

    Args:
        url: The address.
        option: Name of the option that gave it, for messages, which do not show the address.
        form: What is expected, for messages.
        schemes: The schemes that are allowed, and the usual port of each.

    Raises:
        UsageError: It is no address of this form.
    """
    try:
        target = urlsplit(url)
        usable = target.scheme in schemes and target.hostname and target.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            f"{option}: not an address (it is not shown, since it may hold a password); expected "
            f"{form}, in ASCII without blanks"
        )
    return target


def place_of(target: SplitResult) -> str:
    """Scheme, host and port of an address; path and query often hold secrets."""
    host, port = target.hostname or "", f":{target.port}" if target.port else ""
    return f"{target.scheme}://{f'[{host}]' if ':' in host else host}{port}"
