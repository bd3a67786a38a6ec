"""A copy of the scripts in a folder of its own, with a Python of choice behind them."""

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
THIS_PYTHON = f'PYTHONPATH={ROOT} exec {sys.executable} "$@"'
"""The body of a script that stands for the Python which runs the tests."""

OURS = ("SLURM", "SBATCH", "VADLOC", "OMP_", "DRY_RUN", "MAX_PARALLEL", "PYTHON")
"""Beginnings of the variables that a script or a test would take from the surroundings."""


@dataclass(frozen=True)
class Project:
    """What a user has checked out and installed.

    Attributes:
        root: The folder that holds ``scripts/``.
        environment: Variables of the user's shell.
    """

    root: Path
    environment: dict[str, str]

    def run(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the root, as typed after ``NAME=value`` of the variables."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.root,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def bash(self, *words: object, **variables: str) -> str:
        """Run a script, which must succeed; its stdout."""
        done = self.run("bash", *words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout


def make_project(root: Path, *, python: str = THIS_PYTHON) -> Project:
    """A project whose environment is installed.

    Args:
        root: Folder to make.
        python: Body of a bash script that is installed as ``python``.
    """
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    write_script(root / ".venv" / "bin" / "python", python)
    content = b"".join((root / n).read_bytes() for n in ("pyproject.toml", "constraints.txt"))
    done = subprocess.run(["cksum"], input=content, capture_output=True, check=True)
    (root / ".venv" / "installed").write_bytes(done.stdout + b"networks\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return Project(root, environment)


def write_script(path: Path, body: str) -> None:
    """A bash script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
