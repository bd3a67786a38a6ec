"""Compare greedy selection in blocks with the plain rule on 20,000 vectors of 128 numbers.

    python benchmarks/selection.py

Three programs find the same exemplars. The first works in blocks. The second compares one vector
at a time with all exemplars in one NumPy expression. The third computes one distance at a time, as
the rule is written; it is timed on the first 1,000 vectors and extrapolated by the counted number
of distances. The threshold sets the share of exemplars. The vectors are copies of 3,000 random
vectors with noise.
"""

import time

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.distance import FeatureDistance
from exemplar_selection.greedy import greedy_selection

COUNT, WIDTH, CENTRES, SAMPLE = 20_000, 128, 3_000, 1_000
THRESHOLDS = (4.0, 8.0, 12.0)


def plain_vectorised(vectors: NDArray[np.float64], threshold: float) -> list[int]:
    """Selection of one vector at a time, with all its distances at once."""
    kept: list[int] = []
    rows = np.empty_like(vectors)
    for index, vector in enumerate(vectors):
        known = rows[: len(kept)]
        if not kept or np.sqrt(((known - vector) ** 2).sum(axis=1)).min() > threshold:
            rows[len(kept)] = vector
            kept.append(index)
    return kept


def plain(vectors: NDArray[np.float64], threshold: float) -> tuple[list[int], int]:
    """Selection of one vector and one distance at a time, and the number of distances."""
    kept: list[int] = []
    distances = 0
    for index, vector in enumerate(vectors):
        for other in kept:
            distances += 1
            if np.sqrt(((vectors[other] - vector) ** 2).sum()) <= threshold:
                break
        else:
            kept.append(index)
    return kept, distances


def distances_until_covered(vectors: NDArray[np.float64], threshold: float) -> int:
    """Number of distances that ``plain`` computes for all vectors, found by vectorised code."""
    kept: list[int] = []
    rows = np.empty_like(vectors)
    total = 0
    for index, vector in enumerate(vectors):
        near = np.flatnonzero(np.sqrt(((rows[: len(kept)] - vector) ** 2).sum(axis=1)) <= threshold)
        total += int(near[0]) + 1 if len(near) else len(kept)
        if not len(near):
            rows[len(kept)] = vector
            kept.append(index)
    return total


def main() -> None:
    """Print the table."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(CENTRES, WIDTH))
    vectors = centres[random.integers(CENTRES, size=COUNT)]
    vectors = (vectors + random.normal(size=vectors.shape) * 0.5).astype(np.float32)
    distance = FeatureDistance((WIDTH,), (1.0,), (1.0,))
    ones = np.ones(COUNT, np.int64)
    exact = vectors.astype(np.float64)
    greedy_selection(vectors[:SAMPLE], ones, distance=distance, threshold=THRESHOLDS[-1])
    print("kept     blocks    plain, vectorised    plain (extrapolated)")
    for threshold in THRESHOLDS:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            kept, _ = greedy_selection(vectors, ones, distance=distance, threshold=threshold)
            times.append(time.perf_counter() - started)
        started = time.perf_counter()
        vectorised = plain_vectorised(exact, threshold)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        _, sample = plain(exact[:SAMPLE], threshold)
        each = (time.perf_counter() - started) / max(sample, 1)
        slow = each * distances_until_covered(exact, threshold)
        same = "same exemplars" if list(kept) == vectorised else "DIFFERENT EXEMPLARS"
        best = min(times)
        print(
            f"{len(kept):6d} {best:8.2f} s {seconds:8.1f} s ({seconds / best:3.0f} x) "
            f"{slow:10.0f} s ({slow / best:5.0f} x)  {same}"
        )


if __name__ == "__main__":
    main()
