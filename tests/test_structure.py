"""What the folders promise: imports run along the data, commands exist, functions are short."""

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT
from tiny_scene import run

FRONT_ENDS = ("run.py", "status.py", "doctor.py", "new_dataset.py", "propose_regions.py")
"""Modules of vadloc that stand over all stages; they may import them."""
STAGES = ["feature_extraction", "exemplar_selection", "anomaly_detection", "evaluation"]
PACKAGES = ["vadloc", *STAGES]
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".sh", ".sbatch", ".yaml", ".yml", ""}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def committed_texts() -> list[Path]:
    """Text files that are not ignored: those at the root and in the folders we write."""
    folders = [*PACKAGES, "configs", "scripts", "tests", "benchmarks", ".ci"]
    below = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    below += [*ROOT.iterdir(), *ROOT.glob("datasets/*/README.md")]
    texts = [path for path in below if path.suffix in TEXT_SUFFIXES and path.is_file()]
    return [path for path in texts if "__pycache__" not in path.parts]


def documented_commands() -> set[str]:
    """Every X of ``python -m X`` that we tell people to type."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("datasets/*/*.md"), *ROOT.glob("docs/**/*.md")]
    documents += [path for path in (ROOT / "scripts").rglob("*") if path.is_file()]
    found = {
        name
        for path in documents
        for name in re.findall(r"python3? -m ([a-zA-Z_][\w.]*\w)", path.read_text())
    }
    return {name for name in found if name.split(".")[0] in PACKAGES}


def own_commands() -> set[str]:
    """Every module that can be run."""
    paths = [path for path in modules(*PACKAGES) if '__name__ == "__main__"' in path.read_text()]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__main__") for name in names}


def imports(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports, anywhere in it, also by ``import_module``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield ast.unparse(node.args[0]).strip("f'\"")


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, its docstring included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield f"{path.name}: {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_the_walk_sees_imports(tmp_path: Path) -> None:
    source = "import a.b\ndef f():\n    from c import d\n    import_module('evaluation.x')\n"
    (tmp_path / "m.py").write_text(source)
    assert set(imports(tmp_path / "m.py")) == {"a.b", "c", "evaluation.x"}


@pytest.mark.parametrize("folder", ["configs", "datasets", "scripts"])
def test_no_python_that_could_shadow_a_package(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert list((ROOT / folder).rglob("*.py")) == []


def test_nothing_imports_a_front_end_but_front_ends() -> None:
    wrong = [
        (path.name, name)
        for package in ("vadloc", *STAGES)
        for path in modules(package)
        if path.name not in FRONT_ENDS
        for name in imports(path)
        if name in {f"vadloc.{Path(file).stem}" for file in FRONT_ENDS}
    ]
    assert wrong == []


def test_vadloc_imports_no_stage() -> None:
    wrong = [
        (path.name, name)
        for path in modules("vadloc")
        if path.name not in FRONT_ENDS
        for name in imports(path)
        if name.split(".")[0] in STAGES
    ]
    assert wrong == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_a_later_one(stage: str) -> None:
    later = STAGES[STAGES.index(stage) + 1 :]
    wrong = [
        (path.name, name)
        for path in modules(stage)
        for name in imports(path)
        if name.split(".")[0] in later
    ]
    assert wrong == []


def test_packages_import_neither_tests_nor_benchmarks() -> None:
    outside = {path.stem for path in modules("tests", "benchmarks")} | {"tests", "benchmarks"}
    found = {name.split(".")[0] for path in modules(*PACKAGES) for name in imports(path)}
    assert found & outside == set()


def test_no_module_has_the_name_of_a_standard_one() -> None:
    names = {path.stem for path in modules(*PACKAGES, "tests", "benchmarks")} | set(PACKAGES)
    assert names & sys.stdlib_module_names - {"__init__", "__main__"} == set()


def test_documents_name_commands() -> None:
    assert {"vadloc.run", "feature_extraction.extract_features"} <= documented_commands()
    assert documented_commands() <= own_commands()


@pytest.mark.parametrize("module", sorted(documented_commands() | own_commands()))
def test_every_command_has_help(module: str) -> None:
    done = run(module, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert done.stderr == ""


def test_functions_are_short() -> None:
    lengths = dict(entry for path in modules(*PACKAGES) for entry in functions(path))
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert statistics.median(lengths.values()) <= 12


def test_no_function_of_tests_or_benchmarks_is_long() -> None:
    lengths = dict(entry for path in modules("tests", "benchmarks") for entry in functions(path))
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}


def test_no_path_of_somebodys_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(home|root|work|Users|mnt|scratch)/\w")
    assert pattern.search("see /" + "home/me")
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in committed_texts()
        if (match := pattern.search(path.read_text(errors="replace")))
    }
    assert found == {}
