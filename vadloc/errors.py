"""Exceptions for errors that users can correct, and helpers for their messages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only for annotations
    from pydantic import ValidationError


class VadlocError(Exception):
    """An input, config or artifact cannot be used.

    The message is one line for the user: what was found and where (file, key, frame), what was
    expected, what to do. Commands print it without a traceback and exit with status 1.
    """


class UsageError(VadlocError):
    """An argument or config cannot be used; commands exit with status 2."""


def one_line(text: object, *, limit: int = 300) -> str:
    """Text from outside the program as one line that is safe to print in a message.

    Args:
        text: An exception of a library, or text from a file.
        limit: Number of characters after which the line is cut.
    """
    line = " ".join(str(text).split())
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[:limit])
    return safe + "..." * (len(line) > limit)


def first_problem(error: "ValidationError") -> str:
    """The first error of a pydantic model: the key, what is wrong, and what was found."""
    problem = error.errors(include_url=False)[0]
    key = ""
    for step in problem["loc"]:
        key += f"[{step}]" if isinstance(step, int) else f".{step}"
    found = one_line(repr(problem["input"]), limit=60)
    shown = "" if problem["type"] in ("json_invalid", "missing") else f", not {found}"
    return f"{key.lstrip('.') or 'the file'}: {problem['msg']}{shown}"


def about_file(error: OSError) -> str:
    """An error of the operating system about a file, in the order of our messages."""
    if error.filename is None:
        return one_line(error)
    remedy = "; give yourself the right to it" if isinstance(error, PermissionError) else ""
    return f"{one_line(error.filename)}: {error.strerror}{remedy}"


def some_of(words: Sequence[str], *, limit: int = 3) -> str:
    """The first of several names, and the number of the others.

    Args:
        words: The names, at least one.
        limit: Largest number of names in the text.
    """
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(one_line(word, limit=100) for word in words[:limit]) + more


def counted(number: int, noun: str) -> str:
    """A number of things in words: "1 frame", "2 frames"."""
    return f"{number} {noun}" + "s" * (number != 1)
