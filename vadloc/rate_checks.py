"""Videos that tell another rate than the config does."""

import logging
from collections.abc import Iterator

from vadloc.artifacts import Artifacts, Split
from vadloc.errors import some_of
from vadloc.times import Clock

logger = logging.getLogger(__name__)
SPLITS: tuple[Split, ...] = ("train", "test")


def contradictions(clocks: dict[str, Clock], frames_per_second: float) -> Iterator[str]:
    """One line for each rate that is not the config's.

    Args:
        clocks: Of videos, by what a message calls them.
        frames_per_second: Of the config.
    """
    labels: dict[str, list[str]] = {}
    for label, clock in clocks.items():
        if clock.contradicts(frames_per_second):
            labels.setdefault(f"{clock.frames_per_second:.4g}", []).append(label)
    for rate, named in labels.items():
        yield (
            f"{some_of(named)}: {rate} frames per second on average, but [dataset] "
            f"frames_per_second = {frames_per_second:g}; where seconds are meant, the video's own "
            "times count. Set the config right, or encode again what tells a wrong rate"
        )


def log_contradictions(artifacts: Artifacts) -> None:
    """Warn of videos with another rate than the config; once a command, from what was computed."""
    files = {f"test {s.name}": artifacts.score_details(s.name) for s in artifacts.sequences("test")}
    for sequence in artifacts.sequences("train"):
        files[f"train {sequence.name}"] = artifacts.calibration(sequence.name)
    clocks = {}
    for label, file in files.items():
        content = file.load() if file.state()[0] == "done" else {}
        if content.get("duration_s"):
            clocks[label] = Clock(content["frame_count"] / content["duration_s"])
    for line in contradictions(clocks, artifacts.config.dataset.frames_per_second):
        logger.warning("%s", line)
