"""Files and folders that settings name: in stamps their content counts, not the path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vadloc.files.digests import digests_of, files_below
from vadloc.weak_settings import text_digest

FOLDERS: Final = {
    "diffusion_folder": "an inpainting model as diffusers saves it",
    "features": "features of snippets, as extract_features --extractor snippets writes them",
}
"""Settings that name a folder, and what it holds."""


def named_files(settings: Mapping[str, Any]) -> list[str]:
    """The settings of a table that name a file or folder which is used."""
    found = [key for key in ("text", "features") if settings.get(key)]
    return found + ["diffusion_folder"] * (settings.get("inpainter") == "diffusion")


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
        return text_digest(path)
    files = files_below(Path(path), setting=key, content=FOLDERS[key])
    return list(digests_of(files, record).items())
