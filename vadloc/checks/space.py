"""Check whether the results fit on their disk."""

import os
import shutil
from collections.abc import Iterator

from vadloc.artifacts import Artifacts
from vadloc.checks.examination import Examination
from vadloc.regions import RegionGrid

SCORE_BYTES = 4
"""Bytes of the score of a cell in one frame."""


def needed_bytes(
    artifacts: Artifacts, examinations: list[Examination], *, bytes_per_volume: int
) -> int:
    """Approximate size of features and scores on disk.

    Args:
        artifacts: The results.
        examinations: The examinations of all sequences.
        bytes_per_volume: Size of one volume's features, of all extractors together.
    """
    regions = artifacts.config.regions
    total = 0
    for examination in (e for e in examinations if e.size_px):
        height, width = examination.size_px or (0, 0)
        grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
        frames = len(examination.digests)
        volumes = frames // regions.frame_stride * grid.region_count
        total += volumes * bytes_per_volume
        if examination.split == "test":
            total += frames * grid.cells[0] * grid.cells[1] * SCORE_BYTES
    return total


def check_space(artifacts: Artifacts, needed: int) -> Iterator[str]:
    """A finding if the results do not fit on their disk.

    Args:
        artifacts: The results.
        needed: Size of the results in bytes.
    """
    folder = artifacts.results.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        yield f"{folder}: a file where results need a folder; --results DIR names another folder"
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        yield f"{folder}: no permission to write; --results DIR names another folder"
    if needed > free:
        yield f"{folder}: {free / 2**20:.2f} MiB free, about {needed / 2**20:.2f} MiB needed"
