"""A short scene, the results of an undisturbed run, and the comparison of other runs with it."""

import hashlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from vadloc.sample_scene import render_sample_scene

ROOT = Path(__file__).resolve().parent.parent
FRAMES_KEPT = 30
SAME, CLEAR, WRONG, KILLED = "same bytes", "clear error", "WRONG", "killed"
TIMED = frozenset({"reports", "inputs"})
"""Folders of results whose files hold times, and therefore differ between runs."""


@dataclass
class Scene:
    """A short scene, and the results of an undisturbed run.

    Attributes:
        folder: Folder of everything that is written.
        expected: Digest of each result of the undisturbed run, by its path.
        seconds: Duration of the undisturbed run.
        messages: Number of lines in its log.
    """

    folder: Path
    expected: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    messages: int = 0

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / "sample.toml"

    def command(self, results: Path, *options: str) -> list[str]:
        """The whole pipeline as a command line."""
        words = [sys.executable, "-m", "vadloc.run", "--verbose", "--config", str(self.config)]
        return [*words, "--datasets", str(self.folder), "--results", str(results), *options]

    def run(self, results: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the whole pipeline to its end."""
        command = self.command(results, *options)
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def judge(self, results: Path, process: subprocess.CompletedProcess[str]) -> str:
        """The outcome of a run, which must succeed or end with a clear error."""
        if process.returncode == 0:
            other = differing(digests(results), self.expected)
            return complain(f"other bytes: {other}\n{process.stderr}") if other else SAME
        lines = [line for line in process.stderr.splitlines() if " ERROR " in line]
        clear = process.returncode == 1 and lines and "Traceback" not in process.stderr
        return CLEAR if clear else complain(process.stderr)

    def unfinished(self, results: Path) -> list[str]:
        """Files under a final name that differ from those of the undisturbed run."""
        found = digests(results)
        return [k for k, v in found.items() if not is_temporary(k) and self.expected.get(k) != v]


def complain(text: str) -> str:
    """Print an output that no user should ever see, and return its outcome."""
    print(text[-2000:], file=sys.stderr, flush=True)
    return WRONG


def differing(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Paths of files that differ between two results or exist in only one."""
    paths = sorted(found.keys() | expected.keys())
    return [path for path in paths if found.get(path) != expected.get(path)]


def is_temporary(path: str) -> bool:
    """Whether a path is, or lies in, a temporary file or folder, which the next run removes."""
    return any(part.endswith(".part") for part in Path(path).parts)


def digests(results: Path) -> dict[str, str]:
    """SHA-256 of every file of results outside `TIMED`, temporary files included."""
    files = [f for f in results.rglob("*") if f.is_file() and TIMED.isdisjoint(f.parts)]
    return {str(f.relative_to(results)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def make_scene(folder: Path) -> Scene:
    """Render the sample scene, keep its first frames, and do the undisturbed run."""
    render_sample_scene(folder)
    for frame in folder.glob("sample/*/*/*.jpg"):
        if int(frame.stem) > FRAMES_KEPT:
            frame.unlink()
    for rows in folder.glob("sample/Test/*/*_gt.txt"):
        kept = [r for r in rows.read_text().splitlines() if int(r.split(".")[0]) <= FRAMES_KEPT]
        rows.write_text("".join(f"{row}\n" for row in kept))
    scene = Scene(folder)
    shutil.copy(ROOT / "configs" / "sample.toml", scene.config)
    results = folder / "undisturbed"
    started = time.perf_counter()
    undisturbed = scene.run(results)
    undisturbed.check_returncode()
    scene.messages = len(undisturbed.stderr.splitlines())
    scene.seconds = time.perf_counter() - started
    scene.expected = digests(results)
    return scene


def copy_undisturbed(scene: Scene, results: Path) -> None:
    """Copy the results of the undisturbed run into another folder."""
    shutil.rmtree(results, ignore_errors=True)
    shutil.copytree(scene.folder / "undisturbed", results)
