"""UCSD Ped1."""

from collections.abc import Iterator
from pathlib import Path

from evaluation.preparation import ucsd
from evaluation.preparation.layout import Counts, DatasetLayout
from vadloc.errors import VadlocError
from vadloc.files.storage import replacing
from vadloc.video.frames import read_picture

KNOWN_BAD_FRAMES = {"Test/Test017/142.tif": "Test/Test017/141.tif"}
"""Frames that are truncated in the official archive, and the frames that replace them.

Several public loaders report this damage. Without the frame, the labels of all later frames would
shift.
"""


def _finish(folder: Path) -> Iterator[str]:
    yield from _replace_bad_frames(folder)
    yield from ucsd.write_frame_labels(folder, "UCSDped1.m")


def _replace_bad_frames(folder: Path) -> Iterator[str]:
    for bad, stand_in in KNOWN_BAD_FRAMES.items():
        path, source = folder / bad, folder / stand_in
        if not path.is_file() or not source.is_file() or _is_readable(path):
            continue
        with replacing(path) as file:
            file.write(source.read_bytes())
        yield f"{path}: unreadable in the official archive, replaced by {stand_in}"


def _is_readable(path: Path) -> bool:
    try:
        read_picture(path, colour="grey")
    except VadlocError:
        return False
    return True


LAYOUT = DatasetLayout(
    name="ped1",
    title="UCSD Ped1",
    plan=ucsd.plan_of("UCSDped1"),
    counts={"Train": Counts(34, (6800,)), "Test": Counts(36, (7200,))},
    downloads=(ucsd.DOWNLOAD,),
    finish=_finish,
)
