"""Read rows of text and the numbers in them; every error names the line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vadloc.annotations.files import read_text
from vadloc.errors import VadlocError

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
MAX_MAGNITUDE = 1e9
"""Larger frame numbers, track ids or coordinates are refused."""
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Row:
    """One line of a file.

    Attributes:
        where: File and 1-based line number, for messages.
        fields: The fields of the row, without surrounding blanks.
    """

    where: str
    fields: tuple[str, ...]

    def number(self, column: int, name: str) -> float:
        """A field as a finite number.

        Raises:
            VadlocError: The field is no plain decimal number, or larger than ``MAX_MAGNITUDE``.
        """
        text = self.fields[column]
        value = float(text) if _NUMBER.fullmatch(text) else float("nan")
        if not abs(value) <= MAX_MAGNITUDE:
            is_decimal = len(self.fields) > 1 and _NUMBER.fullmatch(text.replace(",", "."))
            hint = " with a decimal point" if is_decimal else ""
            raise VadlocError(f"{self.where}: {name} is {_shown(text)}, expected a number{hint}")
        return value

    def whole(self, column: int, name: str) -> int:
        """A field as a whole number; ``7``, ``7.0`` and ``7e0`` are seven.

        Raises:
            VadlocError: The field is no whole number.
        """
        value = self.number(column, name)
        if not value.is_integer():
            text = _shown(self.fields[column])
            raise VadlocError(f"{self.where}: {name} is {text}, expected a whole number")
        return int(value)

    def track(self, column: int) -> int:
        """A field as a track id.

        Raises:
            VadlocError: The field is no whole number, or negative.
        """
        value = self.whole(column, "the track id")
        if value < 0:
            raise VadlocError(f"{self.where}: the track id is {value}, expected 0 or more")
        return value


def read_rows(path: Path, *, layout: str) -> Iterator[Row]:
    """Rows of a text file, without blank lines.

    The first row may be a header with the names of the layout; their order is then the order of
    the columns in all rows.

    Args:
        path: The file, UTF-8.
        layout: The columns as the format names them, with its separators (commas or blanks), such
            as ``"track_id,frame,x_min"``. Rows must have exactly these columns.

    Yields:
        Rows with their fields in the order of the layout.

    Raises:
        VadlocError: The file is unreadable or no text, a row has another number of columns, or
            the header has other names.
    """
    separator = "," if "," in layout else None
    names = [name.strip("<>") for name in layout.split(separator)]
    order: list[int] | None = None
    for number, line in enumerate(_lines(read_text(path, expected=layout)), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        fields = tuple(_unquoted(field) for field in line.split(separator))
        if order is None:
            order, is_header = _column_order(fields, names, where, layout)
            if is_header:
                continue
        if len(fields) != len(names):
            raise VadlocError(
                f"{where}: {len(fields)} fields in {_shown(line.strip())}, expected {len(names)}: "
                f"{layout}{_other_separator(line, separator, len(names))}"
            )
        yield Row(where, tuple(fields[column] for column in order))


def _lines(text: str) -> list[str]:
    """The lines of a text with Unix, Windows or old Mac line ends."""
    return re.split("\r\n|\r|\n", text)


def _unquoted(field: str) -> str:
    """A field without surrounding blanks and quotes."""
    text = field.strip()
    return text[1:-1].strip() if re.fullmatch("\".*\"|'.*'", text) else text


def _column_order(
    fields: tuple[str, ...], names: list[str], where: str, layout: str
) -> tuple[list[int], bool]:
    """The index of each layout column in a row, and whether the first row is a header."""
    found = [field.strip("<>\"'").lower() for field in fields]
    if sorted(found) == sorted(names):
        return [found.index(name) for name in names], True
    words = [re.fullmatch(r"[<\"']?[a-z][a-z0-9_ .-]*[>\"']?", field) for field in found]
    if len(names) > 1 and len(fields) > 1 and all(words):
        raise VadlocError(
            f"{where} is a header with other names: {_shown(', '.join(fields))}; expected "
            f"{layout} in any order, or no header"
        )
    return list(range(len(names))), False


def _other_separator(line: str, separator: str | None, width: int) -> str:
    """A hint for the message if another separator would give the expected number of columns."""
    for other, name in ((";", "semicolons"), (",", "commas"), (None, "blanks")):
        if width > 1 and other != separator and len(line.split(other)) == width:
            wanted = "commas" if separator else "blanks"
            return f"; the row is divided by {name}, write {wanted} (and decimal points)"
    return ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "...")
