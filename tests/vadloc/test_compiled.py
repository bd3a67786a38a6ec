"""Compiled loops never outlive what they were compiled from."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

PACKAGES = ("vadloc", "feature_extraction", "exemplar_selection", "anomaly_detection", "evaluation")
SHOW = """
import numpy as np
from feature_extraction.motion.kernels import TilesAndCosts
pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64), dtype=np.uint8)
prepared = TilesAndCosts(pictures.shape)
prepared.look_at(pictures)
arrays = prepared.inputs(np.zeros((1, 2), int))
print(*(float(array.astype(float).sum()) for array in arrays))
"""


def compiled_modules() -> list[Path]:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return [file for file in files if "import njit" in file.read_text()]


def foreign_names(module: ast.Module) -> Iterator[str]:
    """What compiled functions take from other files of ours, which numba does not look at."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES
        for alias in node.names
    }
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef) and "njit" in map(
            ast.unparse, (getattr(d, "func", d) for d in function.decorator_list)
        ):
            names = (n for line in function.body for n in ast.walk(line))
            yield from (n.id for n in names if isinstance(n, ast.Name) and n.id in imported)


@pytest.mark.parametrize("file", compiled_modules(), ids=lambda file: file.stem)
def test_compiled_functions_take_nothing_from_other_files(file: Path) -> None:
    assert not list(foreign_names(ast.parse(file.read_text())))


def test_names_of_other_files_would_be_noticed() -> None:
    module = "from evaluation.criteria.basins import PEAK\n"
    module += "@njit(cache=True)\ndef f(x):\n    return x + PEAK"
    assert list(foreign_names(ast.parse(module))) == ["PEAK"]


def test_a_changed_constant_of_another_file_changes_what_is_computed(tmp_path: Path) -> None:
    for package in ("vadloc", "feature_extraction"):
        ignored = shutil.ignore_patterns("__pycache__", "weights")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)

    def shown(cache: str) -> str:
        variables = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / cache)}
        words = [sys.executable, "-c", SHOW]
        done = subprocess.run(
            words, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        return done.stdout

    before = shown("cache")
    file = tmp_path / "feature_extraction" / "motion" / "architecture.py"
    text = file.read_text()
    file.write_text(text.replace("SURROUND_PX: Final = 9", "SURROUND_PX: Final = 5"))
    assert file.read_text() != text
    after = shown("cache")
    assert after != before
    assert after == shown("empty")
