"""Find out what source files import, and how long they and their functions are."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

MOST_LINES = 400
"""Most lines of a module whose docstring gives no reason for more."""
GAP = "\0"
"""Placeholder for the values that an f-string fills in."""
REASON = re.compile(r"^Long because \S", re.MULTILINE)
"""The line of a docstring that gives the reason for a long module."""


def module_name(path: Path, root: Path) -> str:
    """The import name of a file below the root."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def module_sources(root: Path, *packages: str) -> dict[str, str]:
    """The source of every module in some packages below the root, by the module's name."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return {module_name(path, root): path.read_text() for path in paths}


def imported_names(source: str) -> Iterator[str]:
    """Names in the import statements of a module, except those under ``TYPE_CHECKING``.

    ``from a import b`` gives ``a.b``, which may be a module or a name in ``a``.
    """
    for node in _executed(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def names_to_import(source: str) -> set[str]:
    """Strings that may be names for ``import_module``, if a module calls it.

    All strings of the module count, and each may fill the gap of an f-string.
    """
    nodes = list(_executed(ast.parse(source)))
    calls = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
    if not any(call.endswith("import_module") for call in calls):
        return set()
    texts = {_text(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)}
    words = {text for text in texts if text.isidentifier()}
    return texts | {text.replace(GAP, word) for text in texts if GAP in text for word in words}


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a syntax tree, except those under ``TYPE_CHECKING``."""
    yield node
    is_guard = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for child in node.orelse if is_guard else ast.iter_child_nodes(node):
        yield from _executed(child)


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """The string of a node, with `GAP` for the values of an f-string; empty for other constants."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(_text(v) if isinstance(v, ast.Constant) else GAP for v in node.values)


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """For each module, the other modules that it imports, by a statement or by ``import_module``.

    Importing a module does not count as importing the packages that contain it.
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
    """The module of that name, or else the module that contains the name; empty if neither is."""
    parent = name.rpartition(".")[0]
    return next((found for found in (name, parent) if found in modules), "")


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle, directly or through others."""
    reached = {module: _reached(module, graph) for module in graph}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
        if module in reached[module]
    }
    return sorted(list(group) for group in groups)


def _reached(module: str, graph: Mapping[str, set[str]]) -> set[str]:
    """All modules that a module imports, directly or through others."""
    found: set[str] = set()
    waiting = list(graph[module])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += graph[other]
    return found


def imports_outside(
    graph: Mapping[str, set[str]], package: str, allowed: Iterable[str]
) -> list[tuple[str, str]]:
    """Pairs of a module of a package and a module outside it that it must not import but does.

    Args:
        graph: Imports of each module.
        package: The package.
        allowed: Modules that may be imported, and packages, all of whose modules may be.
    """
    return [
        (module, name)
        for module in sorted(graph)
        if is_in(module, package)
        for name in sorted(graph[module])
        if not any(is_in(name, other) for other in (package, *allowed))
    ]


def is_in(module: str, package: str) -> bool:
    """Whether a module is the package or one of its modules."""
    return f"{module}.".startswith(f"{package}.")


def too_long(sources: Mapping[str, str]) -> dict[str, int]:
    """Number of lines of each module that is too long and gives no reason in its docstring."""
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
