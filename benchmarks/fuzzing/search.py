"""The search for files that a reader cannot cope with."""

import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.changes import change
from fuzzing.child import Child, Outcome, write
from fuzzing.reader import Files, Reader
from fuzzing.readers import READERS


def load(folder: Path) -> Files:
    """The files below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@dataclass
class Tally:
    """Counts of one reader.

    Attributes:
        kinds: Examples of each kind of outcome.
        failures: Folders of the first example of each failure.
        seconds: Duration.
        slowest_s: Processor time of the slowest example.
        largest_mib: Peak memory of the largest.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0
    largest_mib: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count an example."""
        self.kinds[outcome.kind] += 1
        self.slowest_s = max(self.slowest_s, outcome.seconds)
        self.largest_mib = max(self.largest_mib, outcome.memory_mib)

    def row(self, name: str) -> str:
        """A row of the table."""
        good = self.kinds["result"], self.kinds["clear error"]
        failed = self.kinds.total() - sum(good)
        return (
            f"| `{name}` | {self.kinds.total()} | {self.seconds:.0f} | {good[0]} | {good[1]} | "
            f"{failed} | {self.slowest_s:.1f} | {self.largest_mib:.0f} |"
        )


def examples(reader: Reader, corpus: list[Files], chance: random.Random) -> Iterator[Files]:
    """Endless changed files, half of them from valid ones; the corpus may grow meanwhile."""
    valid = list(corpus)
    while True:
        files = dict(chance.choice(chance.choice((valid, corpus))))
        names = [name for name in files if name.startswith(reader.below)]
        for name in {chance.choice(names) for _ in range(chance.choice((1, 1, 1, 2)))}:
            content = change(files[name], chance)
            is_sealed = reader.seal and chance.random() < 0.8
            files[name] = reader.seal(name, content) if reader.seal and is_sealed else content
        yield files


def fuzz(name: str, seconds: float, chance: random.Random, failures: Path) -> Tally:
    """Try a reader for some time."""
    tally, known = Tally(), set[str]()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        reader, child = READERS[name], Child(name, Path(scratch))
        corpus = valid_examples(reader, Path(scratch) / "valid")
        valid = corpus[0]
        child.start(valid)
        for files in examples(reader, corpus, chance):
            outcome = child.read(files)
            tally.add(outcome)
            if outcome.signature not in known:
                known.add(outcome.signature)
                if outcome.failed:
                    tally.failures.append(keep(files, outcome, failures / name))
                else:
                    corpus.append(files)
            if not child.is_alive:
                child.start(valid)
            tally.seconds = time.monotonic() - started
            if tally.seconds > seconds:
                child.stop()
                return tally
    raise AssertionError("examples do not end")


def valid_examples(reader: Reader, folder: Path) -> list[Files]:
    """The files that are to be changed.

    Raises:
        VadlocError: The reader does not take them as they are.
    """
    folder.mkdir()
    reader.make(folder)
    for kind in folder.iterdir():
        reader.read(kind)
    return [load(kind) for kind in sorted(folder.iterdir())]


def keep(files: Files, outcome: Outcome, folder: Path) -> Path:
    """Save an example that failed, and why, and tell of it at once."""
    target = folder / hashlib.sha256(outcome.signature.encode()).hexdigest()[:12]
    write(files, target)
    target.with_suffix(".txt").write_text(f"{outcome.kind}\n{outcome.detail}\n")
    print(f"{outcome.kind}: {target}", file=sys.stderr, flush=True)
    return target
