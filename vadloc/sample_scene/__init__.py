"""A small street under a fixed camera, rendered: something to try every command on.

``python -m vadloc.sample_scene`` writes three training sequences with normal traffic and two test
sequences in which somebody crosses the road, a bicycle is on the pavement, a car goes the wrong way
and somebody runs, with their ground truth.
"""

import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vadloc.console import CommandParser, add_verbose_option, progress
from vadloc.errors import UsageError, VadlocError

if TYPE_CHECKING:
    from vadloc.sample_scene.film import Shot
    from vadloc.sample_scene.traffic import Script

__all__ = ["main", "render_sample_scene"]

logger = logging.getLogger(__name__)

_SCHEMA: Final = 1
"""Raised whenever the pictures change."""

_FRAME_COUNT: Final = 200
_FRAMES_PER_JOB: Final = 50
_JPEG_QUALITY: Final = 92
_SPLITS: Final = ("Train", "Test")
_STAMP: Final = "sample.json"


def render_sample_scene(datasets: Path, *, seed: int = 0, overwrite: bool = False) -> Path:
    """Render the sample data set, 1000 frames of 320 x 240 pixels, unless it is there already.

    Frames lie in ``sample/<split>/<sequence>/<frame>.jpg``, frame numbers from 001; the ground
    truth of a test sequence beside its frames in ``<sequence>_gt.txt``, in the format of Street
    Scene. The same seed gives the same bytes on the same machine and versions.

    Args:
        datasets: Folder of all data sets; made if missing.
        seed: Seeds traffic, textures, light and noise; 0 or more.
        overwrite: Whether to replace other or incomplete sequences.

    Returns:
        The folder of the data set, ``datasets/sample``.

    Raises:
        VadlocError: Other sequences are in the way, or the files cannot be written.
    """
    return _render(datasets, seed=seed, overwrite=overwrite, frame_count=_FRAME_COUNT, jobs=2)


def main(argv: list[str] | None = None) -> None:
    """Command line of the sample scene; prints the folder that it wrote."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("--datasets", type=Path, default=Path("datasets"), metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other traffic")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    from vadloc.cli import emit, exit_status

    with exit_status(verbose=args.verbose):
        emit(str(render_sample_scene(args.datasets, seed=args.seed, overwrite=args.overwrite)))


def _render(datasets: Path, *, seed: int, overwrite: bool, frame_count: int, jobs: int) -> Path:
    """Render into a temporary folder beside the data set, then move the result to its place."""
    if seed < 0:
        raise UsageError(f"--seed {seed}: expected 0 or more")
    scene = datasets / "sample"
    stamp = {"schema": _SCHEMA, "seed": seed, "frames": frame_count}
    if _is_complete(scene, stamp):
        if not overwrite:
            logger.info("%s: already there, seed %d", scene, seed)
            return scene
    elif not overwrite:
        _refuse_existing(scene, seed)
    try:
        with _temporary_folder(datasets) as folder:
            _render_sequences(folder, seed=seed, frame_count=frame_count, jobs=jobs)
            (folder / _STAMP).write_text(json.dumps(stamp) + "\n", encoding="utf-8")
            _move_into_place(folder, scene)
    except OSError as error:
        raise VadlocError(
            f"{error.filename or datasets}: {error.strerror or error}; "
            "name a folder with room to write in with --datasets"
        ) from error
    return scene


def _is_complete(scene: Path, stamp: dict[str, int]) -> bool:
    """Whether all files of this seed are there; the stamp is the last file to arrive."""
    try:
        found = json.loads((scene / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    frames = sum(1 for split in _SPLITS for _ in (scene / split).glob("*/*.jpg"))
    truths = sum(1 for _ in (scene / "Test").glob("*/*_gt.txt"))
    return bool(found == stamp and (frames, truths) == (5 * stamp["frames"], 2))


def _refuse_existing(scene: Path, seed: int) -> None:
    for folder in (scene / split for split in _SPLITS):
        if folder.exists():
            raise VadlocError(
                f"{folder}: exists but is not the complete sample scene of seed {seed}; "
                "--overwrite replaces it"
            )


@contextmanager
def _temporary_folder(datasets: Path) -> Iterator[Path]:
    """A new folder on the file system of the data sets, removed in the end."""
    datasets.mkdir(parents=True, exist_ok=True)
    prefix = f".sample.{socket.gethostname()}.{os.getpid()}."
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=datasets))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, scene: Path) -> None:
    """Exchange the sequences; other files of the data set, such as its README, stay."""
    scene.mkdir(exist_ok=True)
    (scene / _STAMP).unlink(missing_ok=True)
    for split in _SPLITS:
        if (scene / split).exists():
            (scene / split).rename(folder / f"old {split}")
        (folder / split).rename(scene / split)
    (folder / _STAMP).replace(scene / _STAMP)


def _render_sequences(folder: Path, *, seed: int, frame_count: int, jobs: int) -> None:
    """Write all frames and the ground truth; frames are independent: ``jobs`` changes no byte."""
    from joblib import Parallel, delayed

    from vadloc.sample_scene.traffic import write_scripts

    parts = [
        (script, range(frame_count)[first : first + _FRAMES_PER_JOB])
        for script in write_scripts(seed)
        for first in range(0, frame_count, _FRAMES_PER_JOB)
    ]
    for script, _ in parts:
        _sequence_folder(folder, script).mkdir(parents=True, exist_ok=True)
    rows = []
    with progress("vadloc.sample_scene", "sample_scene", total=len(parts), noun="part") as shown:
        work = (delayed(_render_part)(*part, folder, seed) for part in parts)
        for part_rows in Parallel(n_jobs=jobs, return_as="generator")(work):
            rows.append(part_rows)
            shown.step()
    for (script, _), part_rows in zip(parts, rows, strict=True):
        _append_ground_truth(_sequence_folder(folder, script), part_rows)


def _sequence_folder(folder: Path, script: "Script") -> Path:
    return folder / script.name.rstrip("0123456789") / script.name


def _render_part(script: "Script", frames: range, folder: Path, seed: int) -> list[str]:
    """Write some frames of a sequence; returns their rows of ground truth."""
    from vadloc.sample_scene.film import shoot
    from vadloc.sample_scene.street import build_street

    rows: list[str] = []
    with _one_opencv_thread():
        for shot in shoot(script, build_street(seed), frames, seed=seed):
            _write_frame(_sequence_folder(folder, script) / _frame_name(shot.frame), shot)
            rows += _shot_to_rows(shot)
    return rows


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """OpenCV's own threads would only fight with the other process over small pictures."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _append_ground_truth(sequence: Path, rows: list[str]) -> None:
    """Add rows to the ground truth of a test sequence."""
    if sequence.parent.name == "Test":
        with (sequence / f"{sequence.name}_gt.txt").open("a", encoding="utf-8") as file:
            file.writelines(f"{row}\n" for row in rows)


def _frame_name(frame: int) -> str:
    """File name of a frame; frames count from 0, files from 1."""
    return f"{frame + 1:03d}.jpg"


def _write_frame(path: Path, shot: "Shot") -> None:
    import cv2

    bgr = cv2.cvtColor(shot.image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path.write_bytes(data.tobytes())


def _shot_to_rows(shot: "Shot") -> list[str]:
    """Rows ``file track x_center y_center width height`` of the regions of a frame."""
    rows = []
    for region in shot.regions:
        x0, y0, x1, y1 = region.box_xyxy_px
        centre = f"{(x0 + x1) / 2:g} {(y0 + y1) / 2:g}"
        rows.append(f"{_frame_name(shot.frame)} {region.track} {centre} {x1 - x0} {y1 - y0}")
    return rows
