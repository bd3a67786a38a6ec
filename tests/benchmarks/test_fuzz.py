"""The fuzz program's own parts: valid examples, checksums, and what counts as a failure."""

import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from repository import ROOT

from vadloc.errors import VadlocError


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    path = ROOT / "benchmarks" / "fuzz.py"
    spec = importlib.util.spec_from_file_location("benchmarks_fuzz", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_reader_takes_its_valid_files_also_sealed_again(
    fuzz: ModuleType, tmp_path: Path
) -> None:
    for name, reader in fuzz.READERS.items():
        corpus = fuzz.valid_examples(reader, tmp_path / name)
        assert corpus, name
        for files in corpus if reader.seal else []:
            sealed = {path: reader.seal(path, content) for path, content in files.items()}
            fuzz.write(sealed, tmp_path / "sealed")
            reader.read(tmp_path / "sealed")


def test_sealed_content_is_judged_by_what_it_says(fuzz: ModuleType, tmp_path: Path) -> None:
    """A number changed under a right digest passes: the digest is no longer in the way."""
    [files] = fuzz.valid_examples(fuzz.READERS["json"], tmp_path / "valid")
    changed = files["a.json"].replace(b"0.5", b"0.7")
    fuzz.write({"a.json": changed}, tmp_path / "a")
    assert fuzz.attempt(fuzz.READERS["json"], tmp_path / "a").kind == "clear error"
    fuzz.write({"a.json": fuzz.seal_json("a.json", changed)}, tmp_path / "a")
    assert fuzz.attempt(fuzz.READERS["json"], tmp_path / "a").kind == "result"


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
    fuzz: ModuleType, tmp_path: Path, message: str, kind: str
) -> None:
    error = VadlocError(message.format(folder=tmp_path))
    reader = fuzz.Reader(lambda _: None, raising(error))
    assert fuzz.attempt(reader, tmp_path).kind == kind


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), RecursionError(), OSError("x")])
def test_any_other_exception_is_a_failure(
    fuzz: ModuleType, tmp_path: Path, error: Exception
) -> None:
    outcome = fuzz.attempt(fuzz.Reader(lambda _: None, raising(error)), tmp_path)
    assert outcome.failed
    assert type(error).__name__ in outcome.detail


def test_the_same_seed_makes_the_same_changes(fuzz: ModuleType) -> None:
    content = b'{"frames": [1, 2.5, "three"]}' * 20

    def changed(seed: int) -> list[bytes]:
        chance = random.Random(seed)
        return [fuzz.change(content, chance) for _ in range(50)]

    assert changed(1) == changed(1)
    assert changed(1) != changed(2)
    assert sum(c != content for c in changed(1)) > 45
