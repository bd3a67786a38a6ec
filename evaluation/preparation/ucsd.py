"""Functions for both Ped1 and Ped2 of the UCSD Anomaly Detection Dataset.

One archive has both, ``UCSD_Anomaly_Dataset.v1p2/UCSDped{1,2}/{Train,Test}/...``: frames as
``.tif``, masks as ``.bmp`` in folders ``TestNNN_gt``, and frame labels in a MATLAB script.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from evaluation.preparation.download import Download
from evaluation.preparation.layout import FRAMES, VIDEOS, Offers, Plan, plan_by_rules
from vadloc.errors import VadlocError, counted
from vadloc.files.storage import replacing
from vadloc.video.frames import list_sequences

DOWNLOAD = Download(
    "http://www.svcl.ucsd.edu/projects/anomaly/UCSD_Anomaly_Dataset.tar.gz",
    md5="5006421b89885f45a6f93b041145f2eb",
)
_INTERVALS = re.compile(r"gt_frame\s*=\s*\[([^\]]*)\]")
_INTERVAL = re.compile(r"([0-9]{1,6})(?::([0-9]{1,6}))?")


def plan_of(folder: str) -> Callable[[Offers], Plan]:
    """The plan of Ped1 or Ped2.

    Args:
        folder: Folder of the dataset in the archive. A source may also be this folder, or already
            have the layout.
    """
    inside = rf"(?:(?:.*/)?(?:UCSD)?{folder.removeprefix('UCSD')}/)?"
    return plan_by_rules(
        (rf"{inside}(Train|Test)/((?:Train|Test)\d{{3}}(?:_gt)?)/([^/]+\.{FRAMES})", r"\1/\2/\3"),
        (rf"{inside}(Train|Test)/((?:Train|Test)\d{{3}}\.{VIDEOS})", r"\1/\2"),
        (rf"{inside}Test/({folder}\.m)", r"Test/\1"),
        (r"(?:.*/)?(Test\d{3})_gt\.txt", r"Test/\1/\1_gt.txt"),
    )


def write_frame_labels(folder: Path, script: str) -> Iterator[str]:
    """Turn the MATLAB script of the labels into ``Test/frame_labels.csv``.

    Args:
        folder: Folder of the dataset.
        script: Name of the script in ``Test``.

    Raises:
        VadlocError: The script does not have one list of frames for each test sequence.
    """
    path = folder / "Test" / script
    if not path.is_file():
        return
    lists = _INTERVALS.findall(path.read_text(errors="replace"))
    names = [sequence.name for sequence in list_sequences(folder / "Test")]
    if len(lists) != len(names):
        raise VadlocError(
            f"{path}: {len(lists)} lists of anomalous frames for {len(names)} test sequences; "
            "expected a line TestVideoFile{end+1}.gt_frame = [61:180]; for each"
        )
    target = path.with_name("frame_labels.csv")
    rows = [row for name, text in zip(names, lists, strict=True) for row in _rows(path, name, text)]
    with replacing(target) as file:
        file.write(
            "\n".join(["sequence,first_anomalous_frame,last_anomalous_frame", *rows, ""]).encode()
        )
    yield f"{target}: frame labels of {counted(len(names), 'test sequence')}, from {script}"


def _rows(path: Path, name: str, text: str) -> Iterator[str]:
    """Rows of one sequence; ``5:90, 140:200`` are two intervals that include their last frames."""
    parts = [part for part in re.split(r"[,;\s]+", re.sub(r"\s*:\s*", ":", text)) if part]
    for part in parts:
        match = _INTERVAL.fullmatch(part)
        if match is None:
            raise VadlocError(f"{path}: {part[:40]!r} for {name}, expected frames such as 61:180")
        yield f"{name},{match[1]},{match[2] or match[1]}"
    if not parts:
        yield f"{name},,"
