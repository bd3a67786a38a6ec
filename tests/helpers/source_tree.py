"""What the source files of the packages import, and how long they and their functions are."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

MOST_LINES = 400
"""Of a module that gives no reason for more."""
GAP = "\0"
"""Stands for what an f-string fills in."""
REASON = re.compile(r"^Long because \S", re.MULTILINE)
"""How a docstring gives it: a line that begins so."""


def module_name(path: Path, root: Path) -> str:
    """The name by which a file below the root is imported."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def module_sources(root: Path, *packages: str) -> dict[str, str]:
    """The text of every module below some folders of the root, by the module's name."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return {module_name(path, root): path.read_text() for path in paths}


def imported_names(source: str) -> Iterator[str]:
    """Names in the import statements of a module, but not in those for type checkers alone.

    ``from a import b`` gives ``a.b``, whether that is a module or something in ``a``.
    """
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def names_to_import(source: str) -> set[str]:
    """Texts that may be names for ``import_module``, if a module calls it.

    Every text counts, and may fill the gap of an f-string.
    """
    nodes = list(_executed(ast.parse(source)))
    calls = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    if not any(call.endswith("import_module") for call in calls):
        return set()
    texts = {_text(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)}
    words = {text for text in texts if text.isidentifier()}
    return texts | {text.replace(GAP, word) for text in texts if GAP in text for word in words}


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree without those that only type checkers see."""
    yield node
    is_guard = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for child in node.orelse if is_guard else ast.iter_child_nodes(node):
        yield from _executed(child)


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """A text, with `GAP` for what an f-string fills in; nothing for other values."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(_text(v) if isinstance(v, ast.Constant) else GAP for v in node.values)


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """For each module, those of the others that it imports, by statement or by name.

    A package that a name only passes through on its way to a module in it is not among them.
    """
    return {
        module: (
            {_module_of(name, sources) for name in imported_names(source)}
            | (names_to_import(source) & sources.keys())
        )
        - {"", module}
        for module, source in sources.items()
    }


def _module_of(name: str, modules: Collection[str]) -> str:
    """The module that a name means: itself, or the one that holds it; empty if there is none."""
    parent = name.rpartition(".")[0]
    return next((found for found in (name, parent) if found in modules), "")


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which imports, by way of others, all of its group."""
    reached = {module: _reached(module, graph) for module in graph}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return sorted(list(group) for group in groups)


def _reached(module: str, graph: Mapping[str, set[str]]) -> set[str]:
    """All that a module imports, by way of others too."""
    found: set[str] = set()
    waiting = list(graph[module])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += graph[other]
    return found


def imports_outside(
    graph: Mapping[str, set[str]], room: str, allowed: Iterable[str]
) -> list[tuple[str, str]]:
    """Modules of a package, each with what it imports that is neither of it nor allowed.

    Args:
        graph: Imports of each module.
        room: The package.
        allowed: Modules and packages; of a package all modules.
    """
    return [
        (module, name)
        for module in sorted(graph)
        if is_in(module, room)
        for name in sorted(graph[module])
        if not any(is_in(name, package) for package in (room, *allowed))
    ]


def is_in(module: str, package: str) -> bool:
    """Whether a module is the package or one of its modules."""
    return f"{module}.".startswith(f"{package}.")


def too_long(sources: Mapping[str, str]) -> dict[str, int]:
    """Lines of the modules that are long and whose docstrings give no reason."""
    lengths = {module: len(source.splitlines()) for module, source in sources.items()}
    return {
        module: lines
        for module, lines in lengths.items()
        if lines > MOST_LINES and not REASON.search(_docstring(sources[module]))
    }


def _docstring(source: str) -> str:
    return ast.get_docstring(ast.parse(source)) or ""


def function_lengths(source: str) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, its docstring included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1
