"""What the fuzz program needs of a reader: valid files, how they are read, their checksums."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STAMP = "0123456789abcdef"
"""Stamp of the artifacts that are made."""
SEQUENCE = "Test001"
"""Name of the sequence that is made; an error that names it is clear."""
Files = dict[str, bytes]
"""Content of each file of an example by its path."""


@dataclass(frozen=True)
class Reader:
    """A reader to be tried.

    Attributes:
        make: Leaves a folder with valid files for each kind of input below the given one.
        read: Reads such a folder.
        seal: Makes the checksums of a changed file right again; its name and content to content.
        below: Only files below this folder are changed.
    """

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    seal: Callable[[str, bytes], bytes] | None = None
    below: str = ""


def only_file(folder: Path) -> Path:
    """The file of a folder that has one."""
    [path] = folder.iterdir()
    return path
