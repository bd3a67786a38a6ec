"""The numbers in the names of pictures, which give the order of the frames.

A name is split into words and the numbers between them: ``cam1_007.png`` has the words ``cam``,
``_`` and the numbers 1, 7. Pictures of one numbering have the same words.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

from vadloc.errors import VadlocError, one_line, some_of

_NUMBER = re.compile(r"(\d+)")
"""Digits of any script, not only 0 to 9."""
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.\d+(?![\d.])")
"""Decimal numbers, such as times in seconds, but not the parts of 192.168.0.1."""


def one_spelling(name: str) -> str:
    """A name in Unicode form NFC, in which names that look the same are equal."""
    return normalize("NFC", name)


def _stem(name: str) -> str:
    """The name without its suffix, as `PurePath.stem`, but faster."""
    return name.rpartition(".")[0] or name


def name_to_words(name: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The words of a file's name, without its suffix, and the numbers between them."""
    parts = _NUMBER.split(_stem(name))
    return tuple(parts[::2]), tuple(int(part) for part in parts[1::2])


def check_names(folder: Path, names: list[str]) -> None:
    """Refuse pictures if the order of the frames is not clear from their names.

    Args:
        folder: The folder of the pictures, for the message.
        names: File names of all pictures of a sequence.

    Raises:
        VadlocError: Only some names have a number, or two names have the same words and numbers.
    """
    read = [name_to_words(name) for name in names]
    numbered = [name for name, (_, numbers) in zip(names, read, strict=True) if numbers]
    if 0 < len(numbered) < len(names):
        others = sorted(set(names) - set(numbered))
        raise VadlocError(
            f"{folder}: {some_of(others)} without a number among {len(numbered)} frames with one, "
            f"such as {numbered[0]}; number what is a frame, and take what is none out of the "
            "folder"
        )
    first: dict[object, str] = {}
    twice = []
    for name, words in zip(names, read, strict=True):
        known = first.setdefault(words, name)
        if known != name:
            twice.append(f"{known} and {name}")
    if twice:
        more = f" (and so {len(twice) - 1} more)" if len(twice) > 1 else ""
        remedy = "keep one picture of each frame"
        if all(_DECIMAL.search(_stem(name)) for name in names):
            remedy += "; if these are times, give their fractions equally many digits"
        raise VadlocError(f"{folder}: {one_line(twice[0])} have the same number{more}; {remedy}")


def naming_findings(names: list[str]) -> Iterator[str]:
    """Doubtful points in the names of a sequence's pictures.

    Args:
        names: File names in natural order that ``check_names`` accepts.

    Yields:
        Messages about pictures whose names differ from most others, or gaps in the numbering.
    """
    if found := _fractions_finding(names):
        yield found
        return
    read = [name_to_words(name) for name in names]
    if not all(numbers for _, numbers in read):
        return  # without numbers there is nothing to check
    words, count = Counter(words for words, _ in read).most_common(1)[0]
    odd = [name for name, (own, _) in zip(names, read, strict=True) if own != words]
    if odd and 2 * count >= len(names):
        usual = next(name for name, (own, _) in zip(names, read, strict=True) if own == words)
        yield (
            f"{some_of(odd)}: named otherwise than the other {count} pictures, such as {usual}; "
            "take out of the folder what is no frame of this sequence"
        )
    if odd:
        return
    jumps = [(a, b) for a, b in pairwise(_frame_numbers([n for _, n in read])) if b != a + 1]
    if jumps:
        yield (
            f"the numbering of the frames jumps from {jumps[0][0]} to {jumps[0][1]}"
            f" ({len(jumps)} jumps); lost frames look like motion"
        )


def _fractions_finding(names: list[str]) -> str:
    """A message if names are decimal times whose natural order is not the order of time."""
    found = [_DECIMAL.search(_stem(name)) for name in names]
    times = [match for match in found if match]
    if len(times) < len(names) or len({match[1] for match in times}) < 2:
        return ""  # no decimals, or scene and frame: 1.9, 1.10
    for (first, second), (a, b) in zip(pairwise(names), pairwise(times), strict=True):
        if a[1] == b[1] and float(a[0]) > float(b[0]):
            return (
                f"{one_line(first)} is taken to be before {one_line(second)}, since what stands "
                "after a point counts as a whole number; if these are times, name the frames with "
                "equally many digits"
            )
    return ""


def _frame_numbers(numbers: list[tuple[int, ...]]) -> list[int]:
    """The frame number in each name; empty if no number counts the frames.

    Names with a date or a time of day have several numbers that change and restart at 0.
    """
    changing = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    if len(changing) == 1:
        return list(changing[0])
    for column in changing:
        steps = [b - a for a, b in pairwise(column)]
        if min(steps) > 0 and 2 * steps.count(1) > len(steps):
            return list(column)
    return []
