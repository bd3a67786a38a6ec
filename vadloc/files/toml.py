"""Writes TOML: what ``tomli`` reads, in the forms that configs have."""

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

Content = Mapping[str, Any]


def to_toml(content: Content) -> str:
    """The text of a config.

    Args:
        content: As ``tomli.loads`` returns it.

    Returns:
        Text from which ``tomli.loads`` makes the same content.
    """
    return "\n".join(_table((), content)).strip() + "\n"


def _table(path: tuple[str, ...], content: Content) -> list[str]:
    """The lines of a table: its own values first, then the tables in it."""
    tables = {k: v for k, v in content.items() if isinstance(v, Mapping) or _is_tables(v)}
    lines = [f"{_key(k)} = {_value(v)}" for k, v in content.items() if k not in tables]
    for name, value in tables.items():
        inner = (*path, name)
        header = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            lines += ["", f"[{header}]", *_table(inner, value)]
            continue
        for entry in value:
            lines += ["", f"[[{header}]]", *_table(inner, entry)]
    return lines


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "_").isidentifier()
    return name if bare else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    assert isinstance(value, Mapping), f"TOML has no {type(value).__name__}"
    return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
