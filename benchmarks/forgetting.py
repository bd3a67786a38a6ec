"""Size and time of a model that goes on learning: a thousand simulated rounds, with forgetting.

    python benchmarks/forgetting.py

Each round stands for a day, in which every region of a made-up scene gives some volumes. Most are
like those of yesterday; the middle of what is usual drifts slowly, and one volume in fifty is like
nothing before. A row gives the state after so many rounds: exemplars, megabytes of the file's
arrays, seconds of the last round, and the memory of the process.
"""

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np

from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.forgetting import forget
from exemplar_selection.mined_exemplars import learn_volumes
from exemplar_selection.select_exemplars import features_to_exemplars
from vadloc.features import SequenceFeatures
from vadloc.mining import Mining

WIDTH, REGIONS, VOLUMES, THRESHOLD = 12, 60, 100, 0.05
"""Columns of the features, regions, volumes of each region a day, and ``[exemplars] threshold``."""
DRIFT_A_DAY, SPREAD, NEW_SHARE = 0.003, 0.02, 0.02
DISTANCE = FeatureDistance((WIDTH,), (1.0,), (1.0,))


def day(random: np.random.Generator, number: int) -> SequenceFeatures:
    """The volumes of one day."""
    middle = np.zeros(WIDTH)
    middle[0] = DRIFT_A_DAY * number
    shape = VOLUMES, REGIONS, WIDTH
    values = middle + SPREAD / np.sqrt(WIDTH) * random.normal(size=shape)
    new = random.random(shape[:2]) < NEW_SHARE
    values[new] = random.uniform(0, 1, (int(new.sum()), WIDTH))
    return SequenceFeatures(
        sequence=f"Day{number:04d}", frame_count=10 * VOLUMES, height_px=60, width_px=100,
        first_frame=10 * np.arange(VOLUMES), components=("made_up",), widths=(WIDTH,),
        values=values.astype(np.float32),
    )  # fmt: skip


def rounds(settings: Mining, count: int) -> Iterator[tuple[int, Exemplars, float]]:
    """Number, model and seconds of each round."""
    random = np.random.default_rng(0)
    model = features_to_exemplars(day(random, 0), distance=DISTANCE, threshold=THRESHOLD)
    for number in range(1, count + 1):
        seen = day(random, number)
        started = time.perf_counter()
        model = forget(model, settings)
        learnt = np.ones(seen.values.shape[:2], bool)
        model = learn_volumes(model, seen, learnt, round_=number, threshold=THRESHOLD)
        model = forget(model, settings, days=0).without_unused_names()
        yield number, model, time.perf_counter() - started


def size_mb(model: Exemplars) -> float:
    """Megabytes of the arrays of a model."""
    arrays = model.features, model.counts, model.sequence, model.first_frame
    return sum(array.nbytes for array in arrays) / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    args = parser.parse_args()
    print("| forgetting | rounds | exemplars | MB | seconds a round | peak memory |")
    print("|---|---|---|---|---|---|")
    bounded = {"keep_days": 30.0, "max_per_region": 200}
    for given, count in ((bounded, args.rounds), ({}, min(args.rounds, 300))):
        words = ", ".join(f"`{key} = {value:g}`" for key, value in given.items()) or "none"
        for number, model, seconds in rounds(Mining.model_validate(given), count):
            if number in (1, 10, 30, 100, 300, 1000):
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                numbers = f"{number} | {len(model.counts)} | {size_mb(model):.1f}"
                print(f"| {words} | {numbers} | {seconds:.2f} | {peak:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
