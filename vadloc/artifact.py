"""One file of results: whether it exists, what it holds, and the command that makes it."""

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
        path: Path of the file, which may not exist yet.
        make_stamp: Computes `stamp`; not called as long as the file is missing.
        command: The command line that makes the file.
        kind: Kind of the content, a key of ``contents.CONTENTS``; empty if no program reads it.
    """

    path: Path
    make_stamp: Callable[[], str]
    command: str
    kind: str = ""

    @cached_property
    def stamp(self) -> str:
        """The stamp that the file must have under the present config and dataset."""
        return self.make_stamp()

    def is_done(self, *, overwrite: bool = False) -> bool:
        """Whether the file exists and is as the present config would make it.

        Args:
            overwrite: Return ``False`` for a file that is damaged or has another stamp. To find
                damage, the whole file is read and not only its stamp.

        Raises:
            VadlocError: The file is damaged or has another stamp, and ``overwrite`` is off.
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
        """The state of the file, and in words why it is stale or damaged.

        Args:
            verify: Read the whole file and compare its digest, instead of the stamp only.
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
            VadlocError: The file is missing, damaged, made from another config, or its content is
                of another kind.
        """
        from vadloc.files.contents import check_content  # imported here so that --help is fast

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
