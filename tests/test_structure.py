"""What the folders promise: imports run along the data, commands exist, functions are short."""

import re
import statistics
import sys
from pathlib import Path

import pytest
from repository import ROOT
from source_tree import (
    circles,
    function_lengths,
    import_graph,
    imported_names,
    imports_outside,
    is_in,
    module_sources,
    too_long,
)
from tiny_scene import run

FRONT_ENDS = {
    *("vadloc.run", "vadloc.status", "vadloc.doctor", "vadloc.new_dataset"),
    "vadloc.propose_regions",
}
"""Modules of vadloc that stand over all stages; they may import them."""
STAGES = ["feature_extraction", "exemplar_selection", "anomaly_detection", "evaluation"]
PACKAGES = ["vadloc", *STAGES]
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".sh", ".sbatch", ".yaml", ".yml", ""}


MAY_IMPORT = {
    "vadloc.files": ["vadloc.errors", "vadloc.config"],
    "vadloc.video": ["vadloc.errors", "vadloc.files"],
    "vadloc.annotations": [
        *("vadloc.errors", "vadloc.config", "vadloc.files", "vadloc.video", "vadloc.scores"),
    ],
    "vadloc.camera_setup": [
        *("vadloc.errors", "vadloc.config", "vadloc.versions", "vadloc.regions", "vadloc.video"),
    ],
    "vadloc.sample_scene": [
        *("vadloc.errors", "vadloc.console", "vadloc.process", "vadloc.camera_setup"),
    ],
    "evaluation.criteria": [
        *("vadloc.errors", "vadloc.config", "vadloc.scores", "vadloc.annotations"),
    ],
    "evaluation.predictions": ["vadloc"],
    "evaluation.preparation": ["vadloc"],
    "evaluation.figures": ["vadloc", "evaluation.criteria"],
    "anomaly_detection.views": ["vadloc"],
}
"""For each room, what its modules may import of the packages beside each other."""


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def committed_texts() -> list[Path]:
    """Text files that are not ignored: those at the root and in the folders we write."""
    folders = [*PACKAGES, "configs", "scripts", "tests", "benchmarks", ".ci"]
    below = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    below += [
        *(path for path in ROOT.iterdir() if path.name != ".git"),
        *ROOT.glob("datasets/*/README.md"),
    ]
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
    sources = module_sources(ROOT, *PACKAGES)
    names = [name for name, source in sources.items() if '__name__ == "__main__"' in source]
    return {name.removesuffix(".__main__") for name in names}


def lengths_of_functions(*folders: str) -> dict[str, int]:
    """Lines of each function, by module and name."""
    return {
        f"{module}: {name}": lines
        for module, source in module_sources(ROOT, *folders).items()
        for name, lines in function_lengths(source)
    }


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """The text of every module of the packages."""
    return module_sources(ROOT, *PACKAGES)


@pytest.fixture(scope="module")
def graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """What each module imports of the packages."""
    return import_graph(sources)


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import a.b
def f():
    from c import d
if TYPE_CHECKING:
    from only.types import T
else:
    import e
if True:
    import g.h as i
"""
    assert set(imported_names(source)) == {"a.b", "c.d", "e", "g.h"}


def test_imports_by_name_are_found() -> None:
    source = """
NAMES = {"first": "one"}
MODULES = ["b.two"]
def f(name):
    return importlib.import_module(f"a.{NAMES[name]}")
"""
    sources = {"m": source, "a": "", "a.one": "", "a.other": "", "b.two": ""}
    assert import_graph(sources)["m"] == {"a.one", "b.two"}
    assert import_graph({**sources, "m": source.replace("import_module", "print")})["m"] == set()


def test_a_name_means_a_module_or_what_holds_it() -> None:
    sources = {
        "a": "",
        "a.b": "import a\nfrom a import c",
        "m": "from a.b import f; import os.path",
    }
    assert import_graph(sources) == {"a": set(), "a.b": {"a"}, "m": {"a.b"}}


def test_circles_are_found() -> None:
    sources = {
        "a": "import b",
        "b": "def f():\n    import c",
        "c": "from a import x",
        "d": "import a",
        "e": "from f import x",
        "f": "if typing.TYPE_CHECKING:\n    from e import y",
    }
    assert circles(import_graph(sources)) == [["a", "b", "c"]]


def test_imports_from_elsewhere_are_found() -> None:
    graph = {"a": {"a.b"}, "a.b": {"c", "c.d", "cc"}, "c": {"e"}, "cc": set(), "ab": {"e"}}
    assert imports_outside(graph, "a", ["c"]) == [("a.b", "cc")]
    assert imports_outside(graph, "a", []) == [("a.b", "c"), ("a.b", "c.d"), ("a.b", "cc")]


def test_long_modules_are_found() -> None:
    code = "x = 1\n" * 400
    sources = {
        "short": code,
        "long": "y = 2\n" + code,
        "without": '"""Not Long because it says so elsewhere."""\n' + code,
        "reason": '"""A table.\n\nLong because each row has its own line.\n"""\n' + code,
    }
    assert too_long(sources) == {"long": 401, "without": 401}


def test_functions_are_measured() -> None:
    source = 'def f():\n    """Doc."""\n    return 1\nclass C:\n    def g(self): pass\n'
    assert dict(function_lengths(source)) == {"f": 3, "g": 1}


@pytest.mark.parametrize("folder", ["configs", "datasets", "scripts"])
def test_no_python_that_could_shadow_a_package(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert list((ROOT / folder).rglob("*.py")) == []


def test_nothing_imports_a_front_end_but_front_ends(graph: dict[str, set[str]]) -> None:
    for module in set(graph) - FRONT_ENDS:
        assert graph[module] & FRONT_ENDS == set(), module


def test_vadloc_imports_no_stage(graph: dict[str, set[str]]) -> None:
    shared = {module: graph[module] for module in set(graph) - FRONT_ENDS}
    assert imports_outside(shared, "vadloc", []) == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_a_later_one(stage: str, graph: dict[str, set[str]]) -> None:
    earlier = STAGES[: STAGES.index(stage)]
    assert imports_outside(graph, stage, ["vadloc", *earlier]) == []


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room: str, graph: dict[str, set[str]]) -> None:
    assert any(is_in(module, room) for module in graph)
    assert imports_outside(graph, room, MAY_IMPORT[room]) == []


def test_no_modules_import_each_other_in_a_circle(graph: dict[str, set[str]]) -> None:
    assert circles(graph) == []


def test_long_modules_give_a_reason(sources: dict[str, str]) -> None:
    assert too_long(sources) == {}


def test_no_benchmark_is_long_without_a_reason() -> None:
    assert too_long(module_sources(ROOT, "benchmarks")) == {}


def test_packages_import_neither_tests_nor_benchmarks(sources: dict[str, str]) -> None:
    outside = {path.stem for path in python_files("tests", "benchmarks")} | {"tests", "benchmarks"}
    found = {name.split(".")[0] for source in sources.values() for name in imported_names(source)}
    assert found & outside == set()


def test_no_module_has_the_name_of_a_standard_one() -> None:
    names = {path.stem for path in python_files(*PACKAGES, "tests", "benchmarks")} | set(PACKAGES)
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
    lengths = lengths_of_functions(*PACKAGES)
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert statistics.median(lengths.values()) <= 12


def test_no_function_of_tests_or_benchmarks_is_long() -> None:
    lengths = lengths_of_functions("tests", "benchmarks")
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
