"""The one exception that users cause and can mend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # of messages only
    from pydantic import ValidationError


class VadlocError(Exception):
    """Input, config or artifact that cannot be used.

    The message is one line for the person at the keyboard: what was found and where (file, key,
    frame), what was expected, what to do. Commands print it without a traceback and exit with 1.
    """


class UsageError(VadlocError):
    """An unusable argument or config: commands exit with 2."""


def one_line(text: object, *, limit: int = 300) -> str:
    """Somebody else's words for a message: one line that is safe to print.

    Args:
        text: An exception of another library, or what a file says.
        limit: Number of characters after which it is cut.
    """
    line = " ".join(str(text).split())
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[:limit])
    return safe + "..." * (len(line) > limit)


def first_problem(error: "ValidationError") -> str:
    """The first thing that a pydantic model refused: its key, what is wrong, and what was found."""
    problem = error.errors(include_url=False)[0]
    key = ""
    for step in problem["loc"]:
        key += f"[{step}]" if isinstance(step, int) else f".{step}"
    found = one_line(repr(problem["input"]), limit=60)
    shown = "" if problem["type"] in ("json_invalid", "missing") else f", not {found}"
    return f"{key.lstrip('.') or 'the file'}: {problem['msg']}{shown}"


def about_file(error: OSError) -> str:
    """What the system says of a file, in the order of our messages."""
    if error.filename is None:
        return one_line(error)
    remedy = "; give yourself the right to it" if isinstance(error, PermissionError) else ""
    return f"{one_line(error.filename)}: {error.strerror}{remedy}"


def some_of(words: Sequence[str], *, limit: int = 3) -> str:
    """The first of several names, and how many more there are.

    Args:
        words: At least one.
        limit: Most that are named.
    """
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(one_line(word, limit=100) for word in words[:limit]) + more


def counted(number: int, noun: str) -> str:
    """A number of things in words: "1 frame", "2 frames"."""
    return f"{number} {noun}" + "s" * (number != 1)
