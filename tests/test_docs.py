"""What the pages say is there: links, anchors, commands with their options, files, config keys."""

import argparse
import importlib
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from repository import ROOT
from test_structure import PACKAGES, own_commands

from vadloc.config import Config, DetectorTables, Features

README_BYTES = 9000
FOREIGN_OPTIONS = {"--partition", "--gres", "--array", "--constraint", "--editable"}
"""Of sbatch and pip."""

NO_WORDS = re.compile(r"\b(issues?|sessions?)\b|\.\./shared|/work/", re.IGNORECASE)
COMMAND = re.compile(
    r"^(?:\w+=\S* )*\S*python3? (?P<name>-m (?P<package>\w+)\.[\w.]+|benchmarks/\w+\.py)"
)


class ParsedError(BaseException):
    """Ends a command once its arguments are read; no handler of errors stops it."""

    def __init__(self, options: set[str]) -> None:
        self.options = options


@cache
def pages() -> dict[str, str]:
    """Every page that we write, by its path."""
    folders = ["docs", "benchmarks", "scripts", "configs", "tests", *PACKAGES]
    paths = [*ROOT.glob("*.md"), *ROOT.glob("datasets/*/README.md")]
    paths += [path for folder in folders for path in (ROOT / folder).rglob("*.md")]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(paths)}


def blocks(text: str) -> Iterator[str]:
    """The fenced and the indented blocks of a page."""
    yield from re.findall(r"^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    prose = without_fences(text)
    yield from re.findall(r"(?:^|\n\n)((?: {4}.*\n)+)", prose)


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def spans(text: str) -> Iterator[str]:
    """Code inside sentences; it may go over the end of a line."""
    for span in re.findall(r"`([^`]+)`", without_fences(text)):
        yield " ".join(span.split())


def full_commands() -> list[tuple[str, str]]:
    """Page and line of each command that is printed to be typed."""
    found = [
        (page, line.strip())
        for page, text in pages().items()
        for block in blocks(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [(page, line) for page, line in found if is_ours(line)]


def named_commands() -> list[tuple[str, str]]:
    """Page and text of each command in a sentence, which may leave arguments out."""
    found = [(page, span) for page, text in pages().items() for span in spans(text)]
    return [(page, span) for page, span in found if is_ours(span)]


def is_ours(line: str) -> bool:
    match = COMMAND.match(line)
    return match is not None and match["package"] in (None, *PACKAGES)


def split_command(line: str) -> tuple[str, list[str]]:
    """Module or program of a command, and its arguments."""
    match = COMMAND.match(line)
    assert match is not None
    return match["name"].removeprefix("-m "), shlex.split(line[match.end() :], comments=True)


def slugs(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", without_fences(text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def links(text: str) -> list[str]:
    """Targets of the relative links and pictures of a page."""
    targets: list[str] = re.findall(r"\]\(([^)\s]+)\)", without_fences(text))
    return [target for target in targets if "://" not in target]


def test_slugs_are_those_of_github() -> None:
    text = "# A `b.py`: c-d\n```\n# no heading\n```\n## Same\n## Same\n## [x](y.md), z\n"
    assert slugs(text) == {"a-bpy-c-d", "same", "same-1", "x-z"}


def test_commands_are_found() -> None:
    text = "a `python -m vadloc.run --config\nX` b\n"
    text += "```bash\npython -m vadloc.run \\\n  --x 'a b' # c\n```\n"
    (block,) = blocks(text)
    assert list(spans(text)) == ["python -m vadloc.run --config X"]
    assert split_command(block.replace("\\\n", " ")) == ("vadloc.run", ["--x", "a b"])
    assert split_command("A=... python benchmarks/x.py --y") == ("benchmarks/x.py", ["--y"])
    assert list(blocks("text\n\n    one\n    two\n\ntext\n")) == ["    one\n    two\n"]
    assert len(full_commands()) > 40
    assert not is_ours("python -m venv x")


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for link in links(pages()[page]):
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent.joinpath(name).resolve() if name else ROOT / page
        if not target.exists() or (anchor and anchor not in slugs(target.read_text())):
            broken.append(link)
    assert broken == []


def test_readme_is_short_and_names_every_page() -> None:
    readme = pages()["README.md"]
    assert len(readme.encode()) <= README_BYTES
    unnamed = {page for page in pages() if page.startswith("docs/")} - set(links(readme))
    assert unnamed == set()


def test_pages_speak_of_the_product_alone() -> None:
    found = {page: match[0] for page, text in pages().items() if (match := NO_WORDS.search(text))}
    assert found == {}


def options_of(
    name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, *, whole: bool = False
) -> set[str]:
    """The options that a command knows.

    Args:
        name: The module; its ``main`` is called, and ended once it has read its arguments.
        arguments: Of the command.
        monkeypatch: Of the test.
        whole: Whether the arguments must be all that the command needs.
    """
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, args: list[str] | None = None) -> None:
        if whole:
            parse(parser, args)
        raise ParsedError(set(parser._option_string_actions))

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [name, *arguments])
        module = importlib.import_module(name)
        if not hasattr(module, "main"):
            module = importlib.import_module(f"{name}.__main__")
        with pytest.raises(ParsedError) as parsed:
            module.main()
    return parsed.value.options


@pytest.mark.parametrize(("page", "line"), full_commands())
def test_a_printed_command_can_be_typed(
    page: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, arguments = split_command(line)
    assert not {"&&", ";", ">", "|"} & set(arguments), f"{page}: one command a line: {line}"
    if name.endswith(".py"):
        assert_program_knows(name, arguments)
    else:
        options_of(name, arguments, monkeypatch, whole=True)


@pytest.mark.parametrize(("page", "line"), named_commands())
def test_a_named_command_knows_its_options(
    page: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, arguments = split_command(line)
    if name.endswith(".py"):
        assert_program_knows(name, arguments)
    else:
        options = {word for word in arguments if word.startswith("--")}
        assert options <= options_of(name, arguments, monkeypatch), page


def test_options_in_sentences_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {option for name in own_commands() for option in options_of(name, [], monkeypatch)}
    known |= options_of("evaluation.evaluate_scores", ["--predictions", "x"], monkeypatch)
    known |= FOREIGN_OPTIONS
    of_programs = re.compile("|".join(program_options(path) for path in programs()))
    unknown = {
        (page, option)
        for page, text in pages().items()
        for span in spans(text)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", span)
        if option not in known and not of_programs.fullmatch(option)
    }
    assert unknown == set()


def programs() -> list[Path]:
    """What can be run in ``benchmarks/`` and has options."""
    paths = (ROOT / "benchmarks").glob("*.py")
    return [path for path in paths if "ArgumentParser(" in path.read_text()]


def program_options(path: Path) -> str:
    """A pattern of the options in the source of a program, which imports too much to be run."""
    found = re.findall(r'"(--(?:[a-z-]|\{\w+\})+)"', path.read_text())
    return "|".join(["--help", *(re.sub(r"\{\w+\}", "[a-z-]+", option) for option in found)])


def assert_program_knows(name: str, arguments: list[str]) -> None:
    pattern = program_options(ROOT / name)
    options = [word for word in arguments if word.startswith("--")]
    assert [option for option in options if not re.fullmatch(pattern, option)] == []


def test_files_that_pages_and_sources_name_exist() -> None:
    texts = dict(pages())
    for folder in (*PACKAGES, "benchmarks", "configs", "scripts"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".toml", ".sh", ".sbatch"):
                texts[path.relative_to(ROOT).as_posix()] = path.read_text()
    pattern = re.compile(
        r"(?<![\w./<-])((?:docs|benchmarks|evaluation|feature_extraction|datasets/\w+|vadloc|scripts)"
        r"/[\w./]+\.(?:md|py|sh|sbatch|csv))"
    )
    missing = {
        (name, path)
        for name, text in texts.items()
        for path in pattern.findall(text)
        if not (ROOT / path).exists()
    }
    assert missing == set()


def config_keys(model: type[BaseModel] = Config) -> Iterator[str]:
    """Every key of a config that is no table."""
    if model in (Features, DetectorTables):  # whose tables are those of the entries
        model = model.table()  # type: ignore[attr-defined]
    for name, field in model.model_fields.items():
        types = (field.annotation, *get_args(field.annotation))
        tables = [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]
        for table in tables:
            yield from config_keys(table)
        if not tables and name != "path":
            yield name


def test_every_config_key_is_documented() -> None:
    text = "\n".join(text for page, text in pages().items() if page.startswith("docs/"))
    code = " ".join(re.findall(r"`([^`\n]+)`", text))
    assert [key for key in config_keys() if not re.search(rf"\b{key}\b", code)] == []
