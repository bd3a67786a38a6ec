"""The report of a unit of work: counts, settings, time and memory."""

import json
import logging
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version as package_version
from typing import Any

from vadloc.artifacts import Artifacts
from vadloc.errors import counted
from vadloc.files.storage import replacing

logger = logging.getLogger(__name__)
NOUNS = {
    "frames": ("frame", ""),
    "normal_frames": ("normal frame", ""),
    "anomalous_frames": ("anomalous frame", ""),
    "anomalous_frames_without_pixels": ("anomalous frame", " without pixels"),
    "volumes": ("volume", ""),
    "volumes_computed": ("volume", " computed"),
    "exemplars": ("exemplar", ""),
    "sequences_exemplars": ("exemplar", " of sequences"),
    "sequences": ("sequence", ""),
    "regions": ("region", ""),
    "tracks": ("track", ""),
    "detections": ("alarm", ""),
    "extractors": ("extractor", " in one pass"),
}
"""Name of a count to the noun for one thing, and the words after it."""


@contextmanager
def stage_report(
    artifacts: Artifacts, command: str, unit: str, stamp: str
) -> Iterator[dict[str, Any]]:
    """Measure a unit of work, and write ``reports/<command>/<unit>.json`` when it succeeds.

    Yields:
        A dict that the stage fills with the counts of the unit.
    """
    logger.debug(
        "%s %s: vadloc %s, config %s, stamp %s",
        command,
        unit,
        package_version("vadloc"),
        artifacts.config.path,
        stamp,
    )
    started = time.monotonic()
    counts: dict[str, Any] = {}
    with suppress(OSError):  # if nothing can be written, saving raises the error
        artifacts.report(command, unit).unlink()  # the report of the old file
    yield counts
    seconds = time.monotonic() - started
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = {
        "stamp": stamp,
        "counts": counts,
        "seconds": round(seconds, 3),
        "peak_memory_mib": round(peak_mib, 1),
    }
    write_report(artifacts, command, unit, measured)
    words = counts_to_words(counts)
    logger.debug("%s %s: %s in %.1f s, %.0f MiB", command, unit, words, seconds, peak_mib)


def counts_to_words(counts: Mapping[str, Any]) -> str:
    """Counts in words: "1 frame, 312 volumes, threshold 0.162"."""
    return ", ".join(_count_to_words(name, value) for name, value in counts.items())


def _count_to_words(name: str, value: Any) -> str:
    if name in NOUNS:
        noun, after = NOUNS[name]
        return counted(value, noun) + after
    number = f"{value:.3f}" if isinstance(value, float) else str(value)
    return f"{name.replace('_', ' ')} {number}"


def write_report(artifacts: Artifacts, command: str, unit: str, measured: dict[str, Any]) -> None:
    """Write the report of a unit.

    Args:
        artifacts: The results.
        command: Module path of the stage.
        unit: Name of the report in the folder of the command.
        measured: What was measured, such as counts and time; settings and versions are added.
    """
    report = {
        "command": command,
        "unit": unit,
        "version": artifacts.label,
        **measured,
        "settings": artifacts.config.model_dump(mode="json"),
        "packages": {name: package_version(name) for name in ("vadloc", "numpy")},
    }
    with replacing(artifacts.report(command, unit)) as file:
        file.write(json.dumps(report, indent=2).encode() + b"\n")
