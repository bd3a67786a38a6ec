"""UCSD Ped2."""

from collections.abc import Iterator
from pathlib import Path

from evaluation.preparation import ucsd
from evaluation.preparation.layout import Counts, DatasetLayout
from vadloc.errors import counted
from vadloc.files.storage import replacing
from vadloc.video.frames import (
    list_sequences,
    sequence_size,
)

MIN_REGION_PX = 20
"""Mask components of fewer pixels are left out: they are stray pixels."""


def _finish(folder: Path) -> Iterator[str]:
    yield from ucsd.write_frame_labels(folder, "UCSDped2.m")
    yield from _derive_rows(folder)


def _derive_rows(folder: Path) -> Iterator[str]:
    """Derive region and track rows from the masks of sequences that have no annotated rows."""
    from vadloc.annotations import (
        masks,
        street_scene,
    )
    from vadloc.annotations.pairing import context_of
    from vadloc.annotations.regions import SequenceSize

    regions = tracks = 0
    for sequence in list_sequences(folder / "Test"):
        beside = sequence.path.parent if sequence.is_video else sequence.path
        path = beside / f"{sequence.name}_gt.txt"
        if path.exists() or not (folder / "Test" / f"{sequence.name}_gt").is_dir():
            continue
        size, context = SequenceSize(*sequence_size(sequence)), context_of(sequence)
        truth = masks.read(
            folder / "Test", sequence.name, size, min_pixels=MIN_REGION_PX, context=context
        )
        with replacing(path) as file:
            file.write(street_scene.to_rows(truth, frame_names=context.frame_names).encode())
        regions, tracks = regions + truth.region_count, tracks + len(truth.track_ids)
    if regions:
        derived = f"{counted(regions, 'region')} and {counted(tracks, 'track')}"
        yield f"{folder / 'Test'}: {derived} derived from the masks"


LAYOUT = DatasetLayout(
    name="ped2",
    title="UCSD Ped2",
    plan=ucsd.plan_of("UCSDped2"),
    counts={"Train": Counts(16, (2550,)), "Test": Counts(12, (2010,))},
    downloads=(ucsd.DOWNLOAD,),
    finish=_finish,
)
