"""Which sequences a scene has whose training videos are labelled as a whole.

Each seed of a scene gives some normal sequences, and others with one or two anomalies each. Here
the sequences of several seeds, before the same backdrop, are put together: so many normal ones
(``Train``), as many with anomalies (``Anomalous``), and for the test those of one more seed and
half as many normal ones. The truth of the videos in ``Anomalous`` is written nowhere.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from vadloc.sample_scene.routes import Script

SEED_STEP: Final = 7919
"""Distance of the seeds of traffic, so that two neighbouring seeds of scenes share no traffic."""
NUMBER_STEP: Final = 100
"""Distance of the numbers of the sequences of two seeds; numbers seed light and noise."""

WriteScripts = Callable[[int], list[Script]]


def weak_counts(each_class: int, tests: int) -> dict[str, int]:
    """Number of sequences by split.

    Args:
        each_class: Training videos of each class.
        tests: Anomalous sequences of one seed.
    """
    return {"Train": each_class, "Anomalous": each_class, "Test": tests + tests // 2}


def write_weak_scripts(
    write: WriteScripts, *, seed: int, each_class: int, tests: int
) -> list[Script]:
    """Scripts of all sequences: normal, anomalous, then those of the test.

    Args:
        write: Writes the scripts of a seed, the normal ones are called ``Train<number>``.
        seed: Seed of the scene.
        each_class: Training videos of each class.
        tests: Anomalous sequences of one seed.
    """
    normal: list[Script] = []
    anomalous: list[Script] = []
    counts = weak_counts(each_class, tests)
    wanted = counts["Train"] + counts["Test"] - tests, counts["Anomalous"] + tests
    number = 0
    while len(normal) < wanted[0] or len(anomalous) < wanted[1]:
        for script in write(seed + SEED_STEP * number):
            other = replace(script, number=script.number + NUMBER_STEP * number)
            (normal if script.name.startswith("Train") else anomalous).append(other)
        number += 1
    return [
        *_named("Train", normal[:each_class]),
        *_named("Anomalous", anomalous[:each_class]),
        *_named("Test", [*anomalous[each_class : wanted[1]], *normal[each_class : wanted[0]]]),
    ]


def _named(split: str, scripts: list[Script]) -> list[Script]:
    return [replace(s, name=f"{split}{i:03d}") for i, s in enumerate(scripts, start=1)]
