"""What a phase of work costs, as one line of JSON for ``benchmarks/peers.py``.

Standard library alone, since programs of other environments import it too.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PHASES = {"train": "Train", "test": "Test"}
"""Phase to the folder of its sequences."""


def phase_parser(description: str) -> argparse.ArgumentParser:
    """Options that the program of every peer takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("phase", choices=sorted(PHASES))
    parser.add_argument("--frames", type=Path, required=True, help="holds Train/ and Test/")
    parser.add_argument("--state", type=Path, required=True, help="where training leaves its model")
    return parser


def frame_files(frames: Path, phase: str) -> list[Path]:
    """All frames of a phase, sequence by sequence, by names of equal length."""
    return sorted(file for file in (frames / PHASES[phase]).glob("*/*") if file.suffix != ".txt")


@contextmanager
def measured(frames: int) -> Iterator[None]:
    """Print seconds, processor seconds and peak memory of a block as the last line of stdout.

    Args:
        frames: How many the block reads.
    """
    began_at, began, cpu_began = time.time(), time.perf_counter(), time.process_time()
    yield
    cost = {
        "frames": frames,
        "began_at": began_at,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "peak_mib": _peak_mib(),
    }
    print(json.dumps(cost), flush=True)


def _peak_mib() -> float:
    """Of this program alone: ``getrusage`` also counts what its parent had when it was started."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak_kib] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak_kib) / 1024
