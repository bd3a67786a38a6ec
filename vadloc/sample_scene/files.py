"""Writes the files of a rendered scene: frames or videos, ground truth, causes, config."""

import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vadloc.console import progress
from vadloc.errors import VadlocError
from vadloc.sample_scene.options import SMALL_NAME, Options

if TYPE_CHECKING:
    from vadloc.sample_scene.backdrop import Backdrop
    from vadloc.sample_scene.encoding import Write
    from vadloc.sample_scene.film import Shot
    from vadloc.sample_scene.routes import Script
    from vadloc.sample_scene.sensor import Sensor

logger = logging.getLogger(__name__)

_SCHEMA: Final = 1
"""Number that is raised whenever the pictures change."""

_FRAMES_PER_JOB: Final = 50
SPLITS: Final = ("Train", "Anomalous", "Test")
_STAMP: Final = "sample.json"
CAUSES: Final = "causes.json"
CLASSES: Final = "classes.txt"
SEQUENCES: Final = {
    "sample": (5, 2),
    "street": (7, 4),
    "walkway": (9, 5),
    "junction": (8, 4),
    "hall": (8, 4),
}
"""Scene to its number of sequences, and the number of test sequences among them."""

_CONFIG: Final = """\
# The rendered scene "{name}". Made by
# {origin}

[dataset]
name = "{name}"
train = "{name}/Train"
{anomalous}test = "{name}/Test"
ground_truth = "{name}/Test"
ground_truth_format = "street_scene"
frames_per_second = {rate:g}

[regions]
size_px = {size}
stride_px = {stride}
frames_per_volume = 10
frame_stride = 5
"""


def render(
    options: Options, datasets: Path, *, overwrite: bool, jobs: int, origin: str = ""
) -> Path:
    """Render into a temporary folder beside the data set, then move the result there."""
    scene = datasets / options.name
    stamp = _stamp(options)
    if _is_complete(scene, stamp, options):
        if not overwrite:
            logger.info("%s: already there, seed %d", scene, options.seed)
            return scene
    elif not overwrite:
        _refuse_existing(scene, options.seed)
    try:
        with _temporary_folder(datasets, options.name) as folder:
            _render_sequences(folder, options, jobs=jobs)
            if not options.is_small:
                text = _config_text(options, origin)
                (folder / f"{options.name}.toml").write_text(text, encoding="utf-8")
            (folder / _STAMP).write_text(json.dumps(stamp) + "\n", encoding="utf-8")
            _move_into_place(folder, scene)
    except OSError as error:
        raise VadlocError(
            f"{error.filename or datasets}: {error.strerror or error}; "
            "name a folder with room to write in with --datasets"
        ) from error
    return scene


def config_path(options: Options, datasets: Path) -> Path:
    """Path of the config of a rendered scene."""
    if options.is_small:
        return Path("configs/sample.toml")
    return datasets / options.name / f"{options.name}.toml"


def _config_text(options: Options, origin: str) -> str:
    size = options.region_px
    settings = {"rate": options.frames_per_second, "size": size, "stride": size // 2}
    keys = {"anomalous": "Anomalous", "classes": CLASSES} if options.weak else {}
    anomalous = "".join(f'{key} = "{options.name}/{path}"\n' for key, path in keys.items())
    return _CONFIG.format(name=options.name, origin=origin, anomalous=anomalous, **settings)


def _stamp(options: Options) -> dict[str, Any]:
    small = {"schema": _SCHEMA, "seed": options.seed, "frames": options.frame_count}
    return small if options.is_small else {**small, **options.stamp()}


def _is_complete(scene: Path, stamp: dict[str, Any], options: Options) -> bool:
    """Whether all files exist and have this stamp; the stamp is the last file that is written."""
    try:
        found = json.loads((scene / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    pattern = "*.mp4" if options.kbit_per_s else "*/*.jpg"
    frames = sum(1 for split in SPLITS for _ in (scene / split).glob(pattern))
    truths = sum(1 for _ in (scene / "Test").rglob("*_gt.txt"))
    sequences, tests = _counts(options)
    wanted = sequences * (1 if options.kbit_per_s else options.frame_count)
    return bool(found == stamp and (frames, truths) == (wanted, tests))


def _counts(options: Options) -> tuple[int, int]:
    """Number of sequences, and of test sequences among them."""
    sequences, tests = SEQUENCES[options.name if options.is_small else options.scene]
    if not options.weak:
        return sequences, tests
    from vadloc.sample_scene.weak import weak_counts

    counts = weak_counts(options.weak, tests)
    return sum(counts.values()), counts["Test"]


def _refuse_existing(scene: Path, seed: int) -> None:
    for folder in (scene / split for split in SPLITS):
        if folder.exists():
            raise VadlocError(
                f"{folder}: exists but is not the complete sample scene of seed {seed}; "
                "--overwrite replaces it"
            )


@contextmanager
def _temporary_folder(datasets: Path, name: str) -> Iterator[Path]:
    """A new folder on the file system of the data sets, which is removed at the end."""
    datasets.mkdir(parents=True, exist_ok=True)
    prefix = f".{name}.{socket.gethostname()}.{os.getpid()}."
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=datasets))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, scene: Path) -> None:
    """Replace the sequences; other files of the data set, such as its README, stay."""
    scene.mkdir(exist_ok=True)
    (scene / _STAMP).unlink(missing_ok=True)
    for split in SPLITS:
        if (scene / split).exists():
            (scene / split).rename(folder / f"old {split}")
        if (folder / split).exists():
            (folder / split).rename(scene / split)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for file in sorted(files, key=lambda path: path.name == _STAMP):
        file.replace(scene / file.name)


def _render_sequences(folder: Path, options: Options, *, jobs: int) -> None:
    """Write all frames and the ground truth. Frames are independent, so jobs change no byte."""
    from joblib import Parallel, delayed

    scripts = _scripts(options)
    count = options.frame_count
    step = count if options.kbit_per_s else _FRAMES_PER_JOB
    parts = [
        (script, range(count)[first : first + step])
        for script in scripts
        for first in range(0, count, step)
    ]
    for script in scripts:
        _truth_folder(folder, script, options).mkdir(parents=True, exist_ok=True)
    rows = []
    with progress("vadloc.sample_scene", "sample_scene", total=len(parts), noun="part") as shown:
        work = (delayed(_render_part)(*part, folder, options) for part in parts)
        for part_rows in Parallel(n_jobs=jobs, return_as="generator")(work):
            rows.append(part_rows)
            shown.step()
    for (script, _), part_rows in zip(parts, rows, strict=True):
        _append_ground_truth(_truth_folder(folder, script, options), script, part_rows)
    tests = [script for script in scripts if split_of(script) == "Test"]
    _write_causes(folder / CAUSES, tests)
    if options.weak:
        _write_classes(folder / CLASSES, tests)


def _scripts(options: Options) -> "list[Script]":
    from vadloc.sample_scene.routes import Clock
    from vadloc.sample_scene.scenes import scene_named
    from vadloc.sample_scene.weak import write_weak_scripts

    clock = Clock(options.frame_count, options.frames_per_second)
    scene = scene_named(options.scene)
    if options.weak:
        return write_weak_scripts(
            lambda seed: scene.write_scripts(seed, clock, options.density),
            seed=options.seed,
            each_class=options.weak,
            tests=SEQUENCES[options.scene][1],
        )
    scripts = scene.write_scripts(options.seed, clock, options.density)
    return scripts[: SEQUENCES[SMALL_NAME][0]] if options.is_small else scripts


def split_of(script: "Script") -> str:
    """``Train``, ``Anomalous`` or ``Test``."""
    return script.name.rstrip("0123456789")


def _truth_folder(folder: Path, script: "Script", options: Options) -> Path:
    """Folder of the frames and the ground truth of a sequence; videos share a folder."""
    split = folder / split_of(script)
    return split if options.kbit_per_s else split / script.name


def _render_part(script: "Script", frames: range, folder: Path, options: Options) -> list[str]:
    """Write some frames of a sequence. Returns their rows of ground truth."""
    from vadloc.sample_scene.film import shoot

    sensor = _sensor(options)
    place = _truth_folder(folder, script, options)
    rows: list[str] = []
    with _one_opencv_thread(), _writer(place, script, options) as write:
        backdrop = _backdrop(options, sensor.margin_px)
        for shot in shoot(script, backdrop, frames, seed=options.seed, sensor=sensor):
            write(shot.frame, shot.image)
            rows += _shot_to_rows(shot)
    return rows


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Use one OpenCV thread; with small pictures, more would only disturb the other processes."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _writer(place: Path, script: "Script", options: Options) -> "AbstractContextManager[Write]":
    from vadloc.sample_scene.encoding import picture_writer, video_writer

    if not options.kbit_per_s:
        return picture_writer(place)
    path = place / f"{script.name}.mp4"
    return video_writer(path, options.frames_per_second, options.kbit_per_s)


def _append_ground_truth(place: Path, script: "Script", rows: list[str]) -> None:
    """Add rows to the ground truth of a test sequence."""
    if split_of(script) == "Test":
        with (place / f"{script.name}_gt.txt").open("a", encoding="utf-8") as file:
            file.writelines(f"{row}\n" for row in rows)


def _shot_to_rows(shot: "Shot") -> list[str]:
    """Rows ``file track x_center y_center width height`` of the regions of a frame."""
    from vadloc.sample_scene.encoding import frame_name

    rows = []
    for region in shot.regions:
        x0, y0, x1, y1 = region.box_xyxy_px
        centre = f"{(x0 + x1) / 2:g} {(y0 + y1) / 2:g}"
        rows.append(f"{frame_name(shot.frame)} {region.track} {centre} {x1 - x0} {y1 - y0}")
    return rows


def _write_causes(path: Path, scripts: "list[Script]") -> None:
    """Write why each track of the test sequences is anomalous."""
    sequences = {
        script.name: {
            str(anomaly.track): {
                "what": anomaly.what,
                "class": anomaly.class_name,
                "causes": list(anomaly.causes),
            }
            for anomaly in sorted(
                (actor.anomaly for actor in script.actors if actor.anomaly),
                key=lambda anomaly: anomaly.track,
            )
        }
        for script in scripts
    }
    content = {"schema": _SCHEMA, "sequences": sequences}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _write_classes(path: Path, scripts: "list[Script]") -> None:
    """Write the kinds of anomalies of each test sequence, joined by ``+``; see `weak_labels`."""
    lines = []
    for script in scripts:
        kinds = {actor.anomaly.what.replace(" ", "-") for actor in script.actors if actor.anomaly}
        lines.append(f"{script.name} {'+'.join(sorted(kinds)) or 'normal'}\n")
    path.write_text("".join(lines), encoding="utf-8")


def _sensor(options: Options) -> "Sensor":
    from vadloc.sample_scene.sensor import Sensor

    return Sensor(options.noise, options.shake_px, options.light, options.grey)


def _backdrop(options: Options, margin_px: int) -> "Backdrop":
    from vadloc.sample_scene.scenes import scene_named

    scene = scene_named(options.scene)
    camera = scene.camera.resized(*options.size_px)
    return scene.build(options.seed, camera.with_margin(margin_px))
