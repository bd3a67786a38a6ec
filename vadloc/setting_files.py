"""Files and folders that settings name: in stamps their content counts, not the path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vadloc.errors import UsageError
from vadloc.files.digests import digests_of, file_digest, files_below

FILES: Final = {
    "text": "a .npy file of features of texts, one row for each of classes",
    "classes": "a list of the test sequences with their classes, such as 'Test001 robbery'",
}
"""Settings that name a file, and what it holds."""

FOLDERS: Final = {
    "diffusion_folder": "an inpainting model as diffusers saves it",
    "features": "features of snippets, as extract_features --extractor snippets writes them",
}
"""Settings that name a folder, and what it holds."""


def named_files(settings: Mapping[str, Any]) -> list[str]:
    """The settings of a table that name a file or folder which is used."""
    found = [key for key in ("text", "features") if settings.get(key)]
    return found + ["diffusion_folder"] * (settings.get("inpainter") == "diffusion")


def named_file_digest(key: str, path: Path) -> str:
    """SHA-256 of the file that a setting names.

    Raises:
        UsageError: There is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{key} = {str(path)!r}: no such file; expected {FILES[key]}")
    return file_digest(path)


def content_of(key: str, path: str, record: Path) -> Any:
    """Digests that stand for a path in stamps.

    Args:
        key: The setting, one of `named_files`.
        path: Its value.
        record: Where digests of the files of a folder are kept; see `vadloc.files.digests`.

    Raises:
        UsageError: There is no such file; or no such folder, or no file in it.
    """
    if key == "text":
        return named_file_digest(key, Path(path))
    files = files_below(Path(path), setting=key, content=FOLDERS[key])
    return list(digests_of(files, record).items())
