"""Marks that a person gives to alarms on the page: real or false.

The file has the form that a report exports (``exemplar_selection/marks.py`` reads it), so that the
mining command takes it. It is written anew, whole, at each mark.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from exemplar_selection.marks import Marks
from vadloc.errors import VadlocError, first_problem
from vadloc.files.storage import replacing

KINDS = "real", "false"
_FRAMES = "first_frame", "last_frame", "peak_frame", "region"
_LARGEST_BYTES = 64 << 20


class UnmarkableError(VadlocError):
    """An alarm cannot be marked; the message says why."""


class MarkFile:
    """The marks of a watch, in memory and in a file. Thread-safe.

    Args:
        path: The file. If it exists, its marks are kept; it is not made before the first mark.

    Raises:
        VadlocError: The file is no file of marks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._content = _read(path) if path.exists() else None

    def by_id(self) -> dict[str, str]:
        """The mark of each alarm that was marked on the page, by the alarm's id."""
        with self._lock:
            listed = self._content["marks"] if self._content else []
        return {str(mark["id"]): mark["mark"] for mark in listed if "id" in mark}

    def put(self, record: Mapping[str, Any], kind: str | None) -> None:
        """Mark an alarm, or take its mark away, and write the file.

        Args:
            record: The alarm record.
            kind: One of `KINDS`, or None for no mark.

        Raises:
            UnmarkableError: The alarm is not over, it is not about a place of the picture, or the
                file holds marks of another dataset or version.
            VadlocError: The file cannot be written; the former marks stay.
        """
        mark = _mark_of(record)
        with self._lock:
            content = self._content or _empty(record)
            _check_same(content, record, self.path)
            kept = [other for other in content["marks"] if _key(other) != _key(mark)]
            marks = [*kept, mark | {"mark": kind}] if kind else kept
            changed = content | {"marks": marks}
            with replacing(self.path) as file:
                file.write(json.dumps(changed, indent=2).encode() + b"\n")
            self._content = changed


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"larger than {_LARGEST_BYTES >> 20} MiB")
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        Marks.model_validate(content)
    except (OSError, ValueError, RecursionError) as error:  # a ValidationError is a ValueError
        what = first_problem(error) if isinstance(error, ValidationError) else error
        raise VadlocError(
            f"{path}: no file of marks: {what}; move it away, or name another file"
        ) from None
    return content


def _empty(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": 1,
        "dataset": record["dataset"],
        "version": record["version"],
        "frames": "0-based, inclusive",
        "marks": [],
    }


def _mark_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What names the alarm to the mining command, and its id and score."""
    if record["kind"] != "anomaly":
        raise UnmarkableError(
            f"an alarm of the kind {record['kind']} has no mark: it is about the camera"
        )
    if record["state"] != "ended" or any(record[key] is None for key in _FRAMES):
        raise UnmarkableError("this alarm is not over; mark it when it is")
    frames = {key: record[key] for key in _FRAMES}
    return {"sequence": record["source"], "id": record["id"], **frames, "score": record["score"]}


def _key(mark: Mapping[str, Any]) -> tuple[Any, ...]:
    return mark["sequence"], *(mark[key] for key in _FRAMES)


def _check_same(content: Mapping[str, Any], record: Mapping[str, Any], path: Path) -> None:
    named = content["dataset"], content["version"]
    if named != (record["dataset"], record["version"]):
        raise UnmarkableError(
            f"{path.name} holds marks of {named[0]}, version {named[1]}, not of "
            f"{record['dataset']}, version {record['version']}; name another file"
        )
