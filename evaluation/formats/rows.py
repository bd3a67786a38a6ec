"""Rows of text and their numbers, with the line in every message."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.formats.regions import read_bytes
from vadloc.errors import VadlocError

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
MAX_MAGNITUDE = 1e9
"""No frame, track or coordinate of a video is beyond this."""
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Row:
    """One line of a file.

    Attributes:
        where: File and 1-based line number.
        fields: Its fields, without surrounding blanks.
    """

    where: str
    fields: tuple[str, ...]

    def number(self, column: int, name: str) -> float:
        """A field as a finite number.

        Raises:
            VadlocError: It is no plain decimal number, or beyond ``MAX_MAGNITUDE``.
        """
        text = self.fields[column]
        value = float(text) if _NUMBER.fullmatch(text) else float("nan")
        if not abs(value) <= MAX_MAGNITUDE:
            raise VadlocError(f"{self.where}: {name} is {_shown(text)}, expected a number")
        return value

    def whole(self, column: int, name: str) -> int:
        """A field as a whole number; ``7``, ``7.0`` and ``7e0`` are seven.

        Raises:
            VadlocError: It is none.
        """
        value = self.number(column, name)
        if not value.is_integer():
            text = _shown(self.fields[column])
            raise VadlocError(f"{self.where}: {name} is {text}, expected a whole number")
        return int(value)

    def track(self, column: int) -> int:
        """A field as a track id.

        Raises:
            VadlocError: It is no whole number or negative.
        """
        value = self.whole(column, "the track id")
        if value < 0:
            raise VadlocError(f"{self.where}: the track id is {value}, expected 0 or more")
        return value


def read_rows(path: Path, *, layout: str) -> Iterator[Row]:
    """Rows of a text file, blank lines left out.

    Args:
        path: The file, UTF-8.
        layout: The columns as the format names them, with its separators (commas or blanks), such
            as ``"track_id,frame,x_min"``. Rows need exactly these columns.

    Raises:
        VadlocError: The file is unreadable or no text, or a row has other columns.
    """
    separator = "," if "," in layout else None
    width = len(layout.split(separator))
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VadlocError(f"{path}: byte {error.start} is no text; expected {layout}") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        fields = tuple(field.strip() for field in line.split(separator))
        if len(fields) != width:
            raise VadlocError(
                f"{path}, line {number}: {len(fields)} fields in {_shown(line.strip())}, "
                f"expected {width}: {layout}"
            )
        yield Row(f"{path}, line {number}", fields)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...")
