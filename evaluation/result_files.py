"""Write the files of a result (curves, tables, ``summary.json``) and print its main numbers."""

import argparse
import json
from pathlib import Path
from typing import Any


def write_tables(folder: Path, summary: dict[str, Any]) -> None:
    """Write the tables of the numbers as CSV, Markdown and LaTeX.

    Raises:
        VadlocError: A file cannot be written.
    """
    from evaluation.results import TABLE_WRITERS
    from vadloc.files.storage import replacing

    for name, to_text in TABLE_WRITERS.items():
        with replacing(folder / name) as file:
            file.write(to_text(summary).encode())


def write_result(folder: Path, result: dict[str, Any]) -> Path:
    """Write curves, tables and, last, ``summary.json``, each completely or not at all.

    Args:
        folder: Folder to write to; it is created if it does not exist.
        result: Result from `evaluation.api.evaluate` or another function of that module.

    Returns:
        Path of ``summary.json``.

    Raises:
        VadlocError: A file cannot be written.
    """
    import numpy as np

    from vadloc.files.storage import replacing

    summary = {name: value for name, value in result.items() if name != "curves"}
    for name, curve in result["curves"].items():
        with replacing(folder / f"{name}.npy") as file:
            np.lib.format.write_array(file, curve, allow_pickle=False)
    write_tables(folder, summary)
    path = folder / "summary.json"
    with replacing(path) as file:
        file.write(json.dumps(summary, indent=2, allow_nan=False).encode() + b"\n")
    return path


def emit_summary(summary: dict[str, Any], *, all_rules: bool) -> None:
    """Print the main numbers and, with ``all_rules``, the areas under every rule."""
    from evaluation.results import rules_to_text, summary_to_text
    from vadloc.process import emit

    emit(summary_to_text(summary))
    if all_rules:
        emit(rules_to_text(summary))


def add_all_rules(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--all-rules``."""
    parser.add_argument(
        "--all-rules", action="store_true", help="also print the areas under every rule"
    )
