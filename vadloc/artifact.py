"""One file of results: whether it is there, what it holds, and the command that makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vadloc.errors import VadlocError
from vadloc.files import storage

State = Literal["done", "missing", "stale", "damaged"]
_READERS: dict[str, Callable[[Path], Any]] = {
    ".joblib": storage.read_joblib,
    ".npy": storage.read_array,
    ".json": storage.read_json,
}
_WRITERS: dict[str, Callable[..., None]] = {
    ".joblib": storage.write_joblib,
    ".npy": storage.write_array,
    ".json": storage.write_json,
    ".html": storage.write_page,
}


@dataclass(frozen=True)
class Artifact:
    """One file of results.

    Attributes:
        path: Where it is or will be.
        make_stamp: Computes `stamp`; not called as long as the file is missing.
        command: The command line that makes it.
        kind: What it holds, a key of ``contents.CONTENTS``; empty if no program reads it again.
    """

    path: Path
    make_stamp: Callable[[], str]
    command: str
    kind: str = ""

    @cached_property
    def stamp(self) -> str:
        """What its stamp must be under the present config and dataset."""
        return self.make_stamp()

    def is_done(self, *, overwrite: bool = False) -> bool:
        """Whether it exists as the present config would make it.

        Args:
            overwrite: Count a file that is damaged or was made otherwise as not done; the whole
                file is read for that, not only its stamp.

        Raises:
            VadlocError: It is damaged or was made otherwise, and ``overwrite`` is off.
        """
        state, detail = self.state(verify=overwrite)
        if state == "damaged" and not overwrite:
            raise VadlocError(f"{detail}; make it again: {self.command} --overwrite")
        if state == "stale" and not overwrite:
            raise VadlocError(
                f"{self.path}: made from another config, other frames or annotation, or by "
                f"another release ({detail}); to replace it: {self.command} --overwrite"
            )
        return state == "done"

    def state(self, *, verify: bool = False) -> tuple[State, str]:
        """What is at the path now, and a detail for what is stale or damaged.

        Args:
            verify: Read the whole file and compare its digest, not the stamp alone.
        """
        if not self.path.is_file():
            return "missing", ""
        try:
            stamp = storage.read_stamp(self.path)
            if verify:
                storage.verify(self.path)
        except storage.DamagedFileError as error:
            return "damaged", str(error)
        if stamp != self.stamp:
            return "stale", f"stamp {stamp}, expected {self.stamp}"
        return "done", ""

    def load(self) -> Any:
        """The content, checked against digest and stamp.

        Returns:
            A dict (``.joblib``, ``.json``) or an array (``.npy``).

        Raises:
            VadlocError: It is missing, damaged, was made from another config, or holds something
                else than its kind.
        """
        from vadloc.files.contents import check_content  # not for --help, which reads nothing

        if not self.is_done():
            raise VadlocError(f"{self.path}: missing; make it first: {self.command}")
        try:
            content = _READERS[self.path.suffix](self.path)
            check_content(content, self.kind, self.path)
        except storage.DamagedFileError as error:
            raise VadlocError(f"{error}; make it again: {self.command} --overwrite") from None
        return content

    def save(self, content: Any) -> Path:
        """Write the content under the expected stamp, atomically."""
        write = _WRITERS[self.path.suffix]
        write(self.path, content, stamp=self.stamp)
        return self.path
