"""The fuzz program's own parts: valid examples, checksums, and what counts as a failure."""

import importlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from repository import BENCHMARKS

from vadloc.errors import VadlocError


class Fuzzing(NamedTuple):
    """The parts of the program."""

    reader: ModuleType
    readers: ModuleType
    artifacts: ModuleType
    changes: ModuleType
    child: ModuleType
    search: ModuleType


@pytest.fixture
def fuzzing(monkeypatch: pytest.MonkeyPatch) -> Fuzzing:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    names = ("reader", "readers", "readers.artifacts", "changes", "child", "search")
    return Fuzzing(*(importlib.import_module(f"fuzzing.{name}") for name in names))


def test_every_reader_takes_its_valid_files_also_sealed_again(
    fuzzing: Fuzzing, tmp_path: Path
) -> None:
    for name, reader in fuzzing.readers.READERS.items():
        corpus = fuzzing.search.valid_examples(reader, tmp_path / name)
        assert corpus, name
        for files in corpus if reader.seal else []:
            sealed = {path: reader.seal(path, content) for path, content in files.items()}
            fuzzing.child.write(sealed, tmp_path / "sealed")
            reader.read(tmp_path / "sealed")


def test_sealed_content_is_judged_by_what_it_says(fuzzing: Fuzzing, tmp_path: Path) -> None:
    """A number changed under a right digest passes: the digest is no longer in the way."""
    [files] = fuzzing.search.valid_examples(fuzzing.readers.READERS["json"], tmp_path / "valid")
    changed = files["a.json"].replace(b"0.5", b"0.7")
    fuzzing.child.write({"a.json": changed}, tmp_path / "a")
    assert (
        fuzzing.child.attempt(fuzzing.readers.READERS["json"], tmp_path / "a").kind == "clear error"
    )
    fuzzing.child.write({"a.json": fuzzing.artifacts.seal_json("a.json", changed)}, tmp_path / "a")
    assert fuzzing.child.attempt(fuzzing.readers.READERS["json"], tmp_path / "a").kind == "result"


def raising(error: Exception) -> Callable[[Path], object]:
    def read(_: Path) -> object:
        raise error

    return read


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("{folder}/a: cut off", "clear error"),
        ("Test001: cut off", "clear error"),
        ("cut off", "unclear error"),
        ("{folder}/a: two\nlines", "unclear error"),
        ("{folder}/a: \x1b[2J", "unclear error"),
        ("{folder}/a: " + "x" * 5000, "unclear error"),
    ],
)
def test_an_error_is_one_printable_line_that_names_the_file(
    fuzzing: Fuzzing, tmp_path: Path, message: str, kind: str
) -> None:
    error = VadlocError(message.format(folder=tmp_path))
    reader = fuzzing.reader.Reader(lambda _: None, raising(error))
    assert fuzzing.child.attempt(reader, tmp_path).kind == kind


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), RecursionError(), OSError("x")])
def test_any_other_exception_is_a_failure(
    fuzzing: Fuzzing, tmp_path: Path, error: Exception
) -> None:
    outcome = fuzzing.child.attempt(fuzzing.reader.Reader(lambda _: None, raising(error)), tmp_path)
    assert outcome.failed
    assert type(error).__name__ in outcome.detail


def test_the_same_seed_makes_the_same_changes(fuzzing: Fuzzing) -> None:
    content = b'{"frames": [1, 2.5, "three"]}' * 20

    def changed(seed: int) -> list[bytes]:
        chance = random.Random(seed)
        return [fuzzing.changes.change(content, chance) for _ in range(50)]

    assert changed(1) == changed(1)
    assert changed(1) != changed(2)
    assert sum(c != content for c in changed(1)) > 45


def test_the_command_prints_a_row_for_the_reader(tmp_path: Path) -> None:
    """From a folder of its own, so that nothing of the tests is found by chance."""
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), "--reader", "predictions"]
    done = subprocess.run(
        [*command, "--minutes", "0.02"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("| `predictions` | ")
