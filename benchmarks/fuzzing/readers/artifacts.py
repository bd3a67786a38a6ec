"""Artifacts: joblib, npy and JSON files with a stamp and a digest."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from fuzzing.reader import STAMP, Reader, only_file
from vadloc.files import storage


def make_joblib(folder: Path) -> None:
    """Arrays, numbers and text."""
    arrays = {
        name: np.arange(6).astype(name).reshape(2, 3) for name in ("f4", "f8", "i8", "?", "U3")
    }
    content = {"schema": 2, "nested": {"widths": [12, 3], "t": (1.5, None, True)}, **arrays}
    storage.write_joblib(folder / "plain" / "a.joblib", content, stamp=STAMP)
    columns = {"f": np.asfortranarray(np.eye(3)), "empty": np.zeros((0, 4)), "name": "\u00e9"}
    storage.write_joblib(folder / "columns" / "a.joblib", columns, stamp=STAMP)


def make_arrays(folder: Path) -> None:
    """A score map and a curve."""
    scores = np.arange(72, dtype=np.float32).reshape(6, 3, 4) / 72
    storage.write_array(folder / "map" / "a.npy", scores, stamp=STAMP)
    storage.write_array(folder / "curve" / "a.npy", np.linspace(0, 1, 9), stamp=STAMP)


def make_json(folder: Path) -> None:
    """A summary."""
    content = {"auc": 0.5, "none": None, "names": ["a", "\u00e9"], "nested": {"counts": [1, 2]}}
    storage.write_json(folder / "summary" / "a.json", content, stamp=STAMP)


def seal_artifact(_name: str, content: bytes) -> bytes:
    """Under the content's bytes the line that fits them."""
    body = re.sub(rb"\nvadloc stamp=[^\n]*\n?\Z", b"", content)
    digest = hashlib.sha256(body).hexdigest()
    return body + f"\nvadloc stamp={STAMP} sha256={digest}\n".encode()


def seal_json(_name: str, content: bytes) -> bytes:
    """A JSON object with its digest; other text as it is."""
    try:
        body = json.loads(content)
        body.pop("sha256", None)
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        return json.dumps({**body, "sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return content


JOBLIB = Reader(make_joblib, lambda folder: storage.read_joblib(only_file(folder)), seal_artifact)
NPY = Reader(make_arrays, lambda folder: storage.read_array(only_file(folder)), seal_artifact)
JSON = Reader(make_json, lambda folder: storage.read_json(only_file(folder)), seal_json)
