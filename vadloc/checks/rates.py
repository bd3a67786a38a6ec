"""Find videos whose frame rate is not that of the config."""

import logging
from collections.abc import Iterator

from vadloc.artifacts import Artifacts
from vadloc.errors import some_of

logger = logging.getLogger(__name__)
TOLERANCE = 0.01
"""Relative difference of rates up to which there is no warning."""


def contradictions(rates: dict[str, float | None], frames_per_second: float) -> Iterator[str]:
    """One line for each frame rate that differs from the config's.

    Args:
        rates: Frames per second of each video, ``None`` if unknown; keys are labels for messages.
        frames_per_second: Frame rate of the config.
    """
    labels: dict[str, list[str]] = {}
    for label, rate in rates.items():
        if rate and abs(rate / frames_per_second - 1) > TOLERANCE:
            labels.setdefault(f"{rate:.4g}", []).append(label)
    for shown, named in labels.items():
        yield (
            f"{some_of(named)}: {shown} frames per second, but [dataset] "
            f"frames_per_second = {frames_per_second:g}; where seconds are meant, the video's own "
            "times count. Set the config right, or encode again what tells a wrong rate"
        )


def log_contradictions(artifacts: Artifacts) -> None:
    """Warn of videos whose rate, as earlier stages have stored it, differs from the config's."""
    files = {f"test {s.name}": artifacts.score_details(s.name) for s in artifacts.sequences("test")}
    for sequence in artifacts.sequences("train"):
        files[f"train {sequence.name}"] = artifacts.calibration(sequence.name)
    rates = {}
    for label, file in files.items():
        content = file.load() if file.state()[0] == "done" else {}
        rates[label] = content.get("frames_per_second")
    for line in contradictions(rates, artifacts.config.dataset.frames_per_second):
        logger.warning("%s", line)
