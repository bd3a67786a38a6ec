"""Reading in a child process, under limits of time and memory."""

import multiprocessing
import os
import re
import resource
import shutil
import signal
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fuzzing.reader import SEQUENCE, Files, Reader
from fuzzing.readers import READERS
from vadloc.errors import VadlocError

LIMIT_S = 10
LIMIT_MIB = 1024
"""Limit of resident memory: twice the largest picture that is read, in colour."""
LIMIT_CLAIMED_MIB = 4096
"""Limit of address space: the kernel refuses more, and a reader must say so clearly."""
SILENCE_S = 180
"""A reader that does not answer for so long hangs, whatever its processor time."""


@dataclass(frozen=True)
class Outcome:
    """The result of reading an example.

    Attributes:
        kind: ``result``, ``clear error``, or what failed.
        detail: Text of the error.
        seconds: Processor time.
        memory_mib: Peak of the resident memory of the process.
    """

    kind: str
    detail: str = ""
    seconds: float = 0.0
    memory_mib: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.kind not in ("result", "clear error")

    @property
    def signature(self) -> str:
        """Kind and error without the numbers and quoted values in it."""
        return self.kind + re.sub(r"'[^']*'|[0-9]+", "#", self.detail)[:160]


def attempt(reader: Reader, folder: Path) -> Outcome:
    """Read a folder in this process."""
    try:
        reader.read(folder)
    except VadlocError as error:
        return judge(error, folder)
    except BaseException as error:
        detail = "".join(traceback.format_exception(error, limit=-6))
        return Outcome("traceback", detail.replace(str(folder), ""))
    return Outcome("result")


def judge(error: VadlocError, folder: Path) -> Outcome:
    """Whether an error is clear."""
    text = str(error)
    detail = text.replace(str(folder), "")
    is_named = str(folder) in text or SEQUENCE in text
    clear = text.isprintable() and is_named and len(detail) < 2000
    return Outcome("clear error" if clear else "unclear error", detail)


def serve(name: str, folder: Path, work: Connection) -> None:
    """Child process: read the folder whenever told to, under limits, and say what came of it."""
    with (folder.parent / "stderr").open("wb") as file:
        os.dup2(file.fileno(), 2)
    warnings.simplefilter("error")
    attempt(READERS[name], folder)  # what is loaded once does not count against the limits
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (LIMIT_CLAIMED_MIB << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    work.send(None)
    while work.recv():
        started = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(started) + 1 + LIMIT_S, hard))
        reset_peak()
        outcome = attempt(READERS[name], folder)
        seconds, memory_mib = time.process_time() - started, peak_mib()
        kind = "memory" if memory_mib > LIMIT_MIB else outcome.kind
        work.send(Outcome(kind, outcome.detail, seconds, memory_mib))


def reset_peak() -> None:
    """Let the peak of resident memory begin anew."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Peak of this process's resident memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Child:
    """A process that reads; it is replaced when it dies.

    Attributes:
        folder: Folder of the example that is read.
    """

    def __init__(self, name: str, scratch: Path) -> None:
        self.folder = scratch / "example"
        self._name, self._scratch = name, scratch

    def start(self, files: Files) -> None:
        """Begin with an example that is valid."""
        write(files, self.folder)
        spawn = multiprocessing.get_context("spawn")
        self._work, theirs = spawn.Pipe()
        arguments = (self._name, self.folder, theirs)
        self._process = spawn.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._work.recv()

    def read(self, files: Files) -> Outcome:
        """Read an example; after a failure that ends the process, it must be started again."""
        write(files, self.folder)
        self._work.send(True)
        try:
            if self._work.poll(SILENCE_S):
                outcome: Outcome = self._work.recv()
                return outcome
            kind = "hang"
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = -(self._process.exitcode or 0)
            kind = "hang" if code == signal.SIGXCPU else f"crash by signal {code}"
        self.stop()
        return Outcome(kind, (self._scratch / "stderr").read_text(errors="replace")[-500:])

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._work.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can read."""
        return self._process.is_alive()


def write(files: Files, folder: Path) -> None:
    """Make a folder hold these files and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
