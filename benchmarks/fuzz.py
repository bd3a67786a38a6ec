"""Damaged files for every reader: each must end in a result or in one clear line.

    python benchmarks/fuzz.py --reader all --minutes 10

takes valid files, changes some of their bytes, and has a child process read them. A failure is a
traceback, a crash, more than ``LIMIT_S`` seconds of processor time, more than ``LIMIT_MIB`` of
memory, or an error that is not one printable line with the name of file or sequence. What failed is
kept, and

    python benchmarks/fuzz.py --reader pictures --replay FOLDER

reads it again. Files whose error is a new one are changed further, so that the search goes deeper
than the first check of a reader. Where a checksum guards the content, most examples get the right
one. The same seed makes the same examples as long as the readers say the same.
"""

import argparse
import hashlib
import io
import json
import logging
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anomaly_detection import visualize_anomalies
from anomaly_detection.calibration import calibrate_threshold as calibration
from evaluation import evaluate_scores
from evaluation.compute_auc import run as compute_auc
from evaluation.predictions.known_size import KnownSize
from evaluation.predictions.readers import (
    list_folder,
    open_prediction,
)
from evaluation.preparation.sources import open_source
from feature_extraction.appearance.crops import (
    LABELS,
    read_crops,
)
from vadloc.annotations import READERS as TRUTH_READERS
from vadloc.artifacts import Artifacts
from vadloc.cli import RunOptions, Stage, run_units
from vadloc.config import Alarms, load_config
from vadloc.errors import VadlocError
from vadloc.files import storage
from vadloc.run import stages as run_stages
from vadloc.video.frames import (
    Sequence,
    list_sequences,
    read_frames,
)
from vadloc.weights import read_weights, write_weights

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))  # whose small valid files are the seeds
ZIP_METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
LIMIT_S = 10
LIMIT_MIB = 1024
"""Of resident memory; twice the largest picture that is read, in colour."""
LIMIT_CLAIMED_MIB = 4096
"""Of address space: more is refused by the kernel, and a reader must say so clearly."""
SILENCE_S = 180
"""No answer for so long, whatever the processor time, is a hang."""
STAMP = "0123456789abcdef"
SEQUENCE = "Test001"
Files = dict[str, bytes]
"""Content of each file of an example by its path."""


@dataclass(frozen=True)
class Reader:
    """A reader to be tried.

    Attributes:
        make: Leaves a folder with valid files for each kind of input below the given one.
        read: Reads such a folder.
        seal: Makes the checksums of a changed file right again; its name and content to content.
        below: Only files below this folder are changed.
    """

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    seal: Callable[[str, bytes], bytes] | None = None
    below: str = ""


# Valid files and how they are read


def only_file(folder: Path) -> Path:
    """The file of a folder that has one."""
    [path] = folder.iterdir()
    return path


def make_configs(folder: Path) -> None:
    """A small config, and one that is shipped."""
    from tiny_scene import CONFIG

    for name, text in (("small", CONFIG), ("ped2", (ROOT / "configs/ped2.toml").read_text())):
        (folder / name).mkdir()
        (folder / name / "a.toml").write_text(text)


def make_joblib(folder: Path) -> None:
    """Arrays, numbers and text."""
    arrays = {
        name: np.arange(6).astype(name).reshape(2, 3) for name in ("f4", "f8", "i8", "?", "U3")
    }
    content = {"schema": 2, "nested": {"widths": [12, 3], "t": (1.5, None, True)}, **arrays}
    storage.write_joblib(folder / "plain" / "a.joblib", content, stamp=STAMP)
    columns = {"f": np.asfortranarray(np.eye(3)), "empty": np.zeros((0, 4)), "name": "\u00e9"}
    storage.write_joblib(folder / "columns" / "a.joblib", columns, stamp=STAMP)


def make_arrays(folder: Path) -> None:
    """A score map and a curve."""
    scores = np.arange(72, dtype=np.float32).reshape(6, 3, 4) / 72
    storage.write_array(folder / "map" / "a.npy", scores, stamp=STAMP)
    storage.write_array(folder / "curve" / "a.npy", np.linspace(0, 1, 9), stamp=STAMP)


def make_json(folder: Path) -> None:
    """A summary."""
    content = {"auc": 0.5, "none": None, "names": ["a", "\u00e9"], "nested": {"counts": [1, 2]}}
    storage.write_json(folder / "summary" / "a.json", content, stamp=STAMP)


def make_pictures(folder: Path) -> None:
    """Two frames in every format and in several modes."""
    from tiny_scene import film

    for suffix in (".jpg", ".png", ".tif", ".bmp"):
        for mode in ("L", "RGB", "P", "1", "CMYK", "RGBA"):
            target = folder / f"{mode}{suffix}"
            target.mkdir()
            try:
                for number, frame in enumerate(film(seed=0)[:2]):
                    Image.fromarray(frame).convert(mode).save(target / f"{number}{suffix}")
            except OSError:  # no such mode in this format
                shutil.rmtree(target)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4", "packbits"):
        target = folder / compression
        target.mkdir()
        frame = Image.fromarray(film(seed=0)[0]).convert("1" if compression == "group4" else "L")
        frame.save(target / "0.tif", compression=compression)


def make_videos(folder: Path) -> None:
    """Six frames in every container."""
    from tiny_scene import film, save_video

    for suffix, codec in ((".mp4", "mpeg4"), (".mp4", "libx264"), (".avi", "ffv1"),
                          (".avi", "mpeg4"), (".mkv", "ffv1"), (".mkv", "libx264"),
                          (".mov", "libx264"), (".webm", "libvpx-vp9"), (".ts", "libx264"),
                          (".wmv", "wmv2"), (".flv", "flv")):  # fmt: skip
        save_video(folder / f"{codec}{suffix}" / f"a{suffix}", film(seed=0)[:6], codec=codec)


def make_predictions(folder: Path) -> None:
    """Maps in all their forms, frame scores and boxes as JSON and as rows."""
    from prediction_files import MAP_FORMS, box_frames, cell_maps, document, save_json

    for name, save in MAP_FORMS.items():
        (folder / name).mkdir()
        save(folder / name, SEQUENCE, cell_maps(0))
    boxes = box_frames([[((1.0, 2, 5, 6.5), 0.5)]] * 6)
    save_json(folder / "boxes" / f"{SEQUENCE}.json", document(boxes))
    scored = [{"frame_level_score": number / 6} for number in range(6)]
    save_json(folder / "frames" / f"{SEQUENCE}.json", document(scored))
    for name in ("rows", "frame scores"):
        (folder / name).mkdir()
    (folder / "rows" / f"{SEQUENCE}.csv").write_text("0,1,2,5,6.5,0.5\n3,0,0,16,12,-2e3\n")
    np.save(folder / "frame scores" / f"{SEQUENCE}.npy", np.linspace(0, 1, 6))


def read_predictions(folder: Path) -> None:
    """Every frame of every prediction."""
    for sequence, path in list_folder(folder).predictions.items():
        scores = open_prediction(path, sequence, KnownSize(6, 12, 16)).scores
        for frame in range(scores.frame_count if scores else 0):
            assert scores
            scores.cells(frame)


def make_weights(folder: Path) -> None:
    """Two tensors."""
    tensors = {"a.weight": np.eye(3, dtype=np.float32), "b": np.arange(4.0)}
    write_weights(folder / "two" / "a.safetensors", tensors, {"network": "motion"})


def make_curves(folder: Path) -> None:
    """Two curves as other programs write them."""
    (folder / "curves").mkdir()
    np.save(folder / "curves" / "fpr.npy", np.linspace(0, 1, 5))
    np.save(folder / "curves" / "tpr.npy", np.linspace(0, 1, 5, dtype=np.float32) ** 0.5)


def make_archives(folder: Path) -> None:
    """A few members in every kind of archive that is unpacked."""
    members = {f"Train/Train00{n}/001.jpg": bytes(range(256)) * (n + 1) for n in range(3)}
    for suffix in (".tar", ".tar.gz", ".tar.bz2", ".tar.xz"):
        (folder / suffix[1:]).mkdir()
        form = tarfile.PAX_FORMAT if suffix == ".tar.gz" else tarfile.GNU_FORMAT
        mode: Any = f"w:{suffix[5:]}"
        with tarfile.open(folder / suffix[1:] / f"a{suffix}", mode, format=form) as archive:
            for name, content in {**members, f"{'long' * 40}/\u00e9": b"x"}.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    for method in ZIP_METHODS:
        (folder / f"zip {method}").mkdir()
        with zipfile.ZipFile(folder / f"zip {method}" / "a.zip", "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)


def read_archives(folder: Path) -> None:
    """Unpack all members, and see that nothing is written elsewhere."""
    source = open_source(only_file(folder))
    with tempfile.TemporaryDirectory() as target:
        inside = Path(target, "inside")
        wanted = {m.path: inside / str(n) for n, m in enumerate(source.members())}
        list(source.place(wanted))
        assert {path.name for path in Path(target).iterdir()} <= {"inside"}


def make_crops(folder: Path) -> None:
    """A zip of pictures for each class."""
    for method in ZIP_METHODS:
        for label in LABELS:
            path = folder / str(method) / "train" / f"{label}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(path, "w", method) as archive:
                for suffix in ("png", "jpeg"):
                    file = io.BytesIO()
                    Image.new("RGB", (64, 64), (len(label), 90, 200)).save(file, suffix)
                    archive.writestr(f"1.{suffix}", file.getvalue())


def make_results(folder: Path) -> None:
    """All that a run leaves of a small scene of videos."""
    from tiny_scene import CONFIG, anomaly, film, save_video

    whole = folder / "whole"
    for split, count in (("Train", 2), ("Test", 1)):
        for number in range(count):
            column = 10 if split == "Test" else None
            path = whole / "data" / split / f"{SEQUENCE}{number}.mkv"
            save_video(path, film(seed=number, anomaly_column=column))
    rows = "".join(f"{f + 1:03d}.png 0 {x} {y} 10 10\n" for f, x, y in anomaly(10))
    (whole / "data" / "Test" / f"{SEQUENCE}0_gt.txt").write_text(rows)
    (whole / "data" / "a.toml").write_text(f"{CONFIG}[alarms]\nthreshold = 0.3\n")
    logging.disable(logging.INFO)
    artifacts = results_below(whole)
    for stage in all_stages(artifacts):
        run_units(stage, artifacts, stage.units(artifacts), RunOptions())
    shutil.rmtree(artifacts.folder / "reports")
    shutil.rmtree(artifacts.inputs, ignore_errors=True)  # of files this young there are none


def results_below(folder: Path) -> Artifacts:
    """The results of a small scene."""
    return Artifacts(load_config(folder / "data" / "a.toml"), folder / "results", folder / "data")


def all_stages(artifacts: Artifacts) -> list[Stage]:
    """Those of a run, with the calibration, which a fixed threshold does without."""
    stages = run_stages(artifacts.config)
    return [*stages[:-2], calibration.STAGE, *stages[-2:]]


def read_results(folder: Path) -> None:
    """Read each kind of file as the stage after it does, the last stage first.

    Of views a frame is drawn and of the evaluation the input is read: what follows is slow and
    looks at no file.
    """
    artifacts = results_below(folder)
    config = artifacts.config
    with redirect_stdout(io.StringIO()):
        evaluate_scores.print_summary(artifacts)
    for sequence in artifacts.sequences("test"):
        evaluate_scores.load_scores(artifacts, artifacts.ground_truths[0], sequence.name)
        next(visualize_anomalies.draw_sequence(config, artifacts, sequence.name)[1])
    per_hour = config.model_copy(update={"alarms": Alarms(false_alarms_per_hour=5)})
    calibration.alarm_threshold(per_hour, replace(artifacts, config=per_hour))
    stages = [s for s in all_stages(artifacts)[2:] if s.command != evaluate_scores.COMMAND]
    for stage in reversed(stages):
        for unit in stage.units(artifacts):
            for file in stage.outputs(artifacts, unit):
                file.path.unlink(missing_ok=True)
            stage.run(config, artifacts, unit)


def truth_reader(name: str) -> Reader:
    """The reader of a ground-truth format and files of it."""
    from formats_helpers import MAKERS, SIZE, sequence_of

    def make(folder: Path) -> None:
        for form, maker in MAKERS:
            if form == name:
                (folder / maker.__name__).mkdir()
                maker(folder / maker.__name__)

    def read(folder: Path) -> object:
        return TRUTH_READERS[name](folder, sequence_of(name), **SIZE)

    return Reader(make, read, seal_pictures)


# Checksums


def seal_artifact(_name: str, content: bytes) -> bytes:
    """Under the content's bytes the line that fits them."""
    body = re.sub(rb"\nvadloc stamp=[^\n]*\n?\Z", b"", content)
    digest = hashlib.sha256(body).hexdigest()
    return body + f"\nvadloc stamp={STAMP} sha256={digest}\n".encode()


def seal_result(name: str, content: bytes) -> bytes:
    """As the two others, under the stamp that the file has; other files as they are."""
    if name.endswith(".json"):
        return seal_json(name, content)
    if not name.endswith((".joblib", ".npy")):
        return content
    stamp = re.search(rb"\nvadloc stamp=([0-9a-f]{16})", content)
    sealed = seal_artifact(name, content)
    return sealed.replace(f"stamp={STAMP}".encode(), b"stamp=" + stamp[1]) if stamp else sealed


def seal_tar(name: str, content: bytes) -> bytes:
    """The headers of a plain tar file, every 512 bytes, with the checksums that fit them."""
    sealed = bytearray(content)
    for start in range(0, len(sealed) - 511, 512) if name.endswith(".tar") else ():
        if sealed[start + 257 : start + 262] == b"ustar":
            sealed[start + 148 : start + 156] = b" " * 8
            total = sum(sealed[start : start + 512])
            sealed[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(sealed)


def seal_json(_name: str, content: bytes) -> bytes:
    """A JSON object with its digest; other text as it is."""
    try:
        body = json.loads(content)
        body.pop("sha256", None)
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        return json.dumps({**body, "sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return content


def seal_pictures(name: str, content: bytes) -> bytes:
    """The chunks of a PNG with the checksums that fit them; other files as they are."""
    start, sealed = 8, bytearray(content)
    while name.endswith(".png") and start + 12 <= len(sealed):
        end = start + 8 + int.from_bytes(sealed[start : start + 4], "big")
        sealed[end : end + 4] = zlib.crc32(sealed[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(sealed)


def seal_header(_name: str, content: bytes) -> bytes:
    """Weights whose first bytes give the length of their header."""
    end = re.search(rb"\}\} *", content[8:])
    return (end.end() if end else 0).to_bytes(8, "little") + content[8:]


READERS: dict[str, Reader] = {
    "config": Reader(make_configs, lambda folder: load_config(only_file(folder))),
    "joblib": Reader(make_joblib, lambda f: storage.read_joblib(only_file(f)), seal_artifact),
    "npy": Reader(make_arrays, lambda f: storage.read_array(only_file(f)), seal_artifact),
    "json": Reader(make_json, lambda f: storage.read_json(only_file(f)), seal_json),
    "pictures": Reader(
        make_pictures,
        lambda f: [*read_frames(Sequence("a", f)), *read_frames(Sequence("a", f), colour="rgb")],
        seal_pictures,
    ),
    "videos": Reader(
        make_videos, lambda folder: [list(read_frames(s)) for s in list_sequences(folder)]
    ),
    "predictions": Reader(make_predictions, read_predictions),
    "weights": Reader(make_weights, lambda f: read_weights(only_file(f)), seal_header),
    "archives": Reader(make_archives, read_archives, seal_tar),
    "crops": Reader(make_crops, lambda f: read_crops(f, "train")),
    "results": Reader(make_results, read_results, seal_result, below="results/"),
    "curves": Reader(make_curves, lambda f: compute_auc(f / "fpr.npy", f / "tpr.npy")),
    **{f"truth_{name}": truth_reader(name) for name in TRUTH_READERS},
}


# Changes

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
           10**9, 60_000, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
TEXTS = (b"0", b"-1", b"1e999", b"-1e308", b"nan", b"inf", b"9" * 20, b"9" * 5000, b"2147483648",
         b"0.5", b"1_0", b"0x10", b"null", b"true", b"[]", b"{}", b'""', b"[" * 3000, b'"\\u0000"',
         b'"../../a.npy"', b'"/dev/zero"', b'"\\u001b[31m"', b"\x1b[2J", b"\xef\xbb\xbf", b"\r",
         b"\xc2\x85", b"\xe2\x80\xa8", b"\0", b"\n", b",", b" ", b'"', b"<script>")  # fmt: skip
VALUE = re.compile(rb'"[^"\n]{0,80}"|-?[0-9][0-9.e+-]*|true|false|null')
LARGEST = 1 << 20
"""Examples do not grow beyond so many bytes."""
Change = Callable[[bytes, int, random.Random], bytes]


def overwrite(content: bytes, at: int, piece: bytes) -> bytes:
    """The content with other bytes at a place."""
    return content[:at] + piece + content[at + len(piece) :]


def flip(content: bytes, at: int, chance: random.Random) -> bytes:
    """One bit."""
    return overwrite(content, at, bytes([content[at] ^ (1 << chance.randrange(8))]))


def scatter(content: bytes, at: int, chance: random.Random) -> bytes:
    """A few random bytes."""
    return overwrite(content, at, chance.randbytes(chance.randint(1, 8)))


def number(content: bytes, at: int, chance: random.Random) -> bytes:
    """A number at which programs stumble, of 1 to 8 bytes in either order."""
    size = chance.choice((1, 2, 4, 8))
    value = (chance.choice(NUMBERS) + chance.randint(-1, 1)) % (1 << 8 * size)
    return overwrite(content, at, value.to_bytes(size, chance.choice(("big", "little"))))


def insert(content: bytes, at: int, chance: random.Random) -> bytes:
    """A text or random bytes in between."""
    piece = chance.choice((chance.choice(TEXTS), chance.randbytes(chance.randint(1, 16))))
    return content[:at] + piece + content[at:]


def remove(content: bytes, at: int, chance: random.Random) -> bytes:
    """Some bytes taken out."""
    return content[:at] + content[at + chance.choice((1, 2, 4, 8, 64)) :]


def cut(content: bytes, at: int, _chance: random.Random) -> bytes:
    """The end."""
    return content[:at]


def repeat(content: bytes, at: int, chance: random.Random) -> bytes:
    """A piece several times."""
    piece = content[at : at + chance.choice((1, 4, 16, 64, 1024))]
    return content[:at] + piece * chance.choice((2, 3, 100)) + content[at:]


def copy(content: bytes, at: int, chance: random.Random) -> bytes:
    """A piece over another one."""
    source = chance.randrange(len(content))
    return overwrite(content, at, content[source : source + chance.choice((2, 4, 8, 32))])


def value(content: bytes, at: int, chance: random.Random) -> bytes:
    """Another value of a text: a number, string or word, or another one of the file."""
    found = list(VALUE.finditer(content, max(0, at - 400), at + 400))
    if not found:
        return scatter(content, at, chance)
    old, other = chance.choice(found), chance.choice(found)
    new = chance.choice((chance.choice(TEXTS), other[0]))
    return content[: old.start()] + new + content[old.end() :]


CHANGES: tuple[Change, ...] = (
    flip, scatter, number, number, insert, remove, cut, repeat, copy, value, value
)  # fmt: skip


def change(content: bytes, chance: random.Random) -> bytes:
    """The content after one change or a few; half of them in the first bytes, the header."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if not content:
            break
        reach = chance.choice((len(content), min(len(content), 200)))
        content = chance.choice(CHANGES)(content, chance.randrange(reach), chance)[:LARGEST]
    return content


# Reading in a child process


@dataclass(frozen=True)
class Outcome:
    """What became of an example.

    Attributes:
        kind: ``result``, ``clear error``, or what failed.
        detail: The error.
        seconds: Processor time.
        memory_mib: Peak of the resident memory of the process.
    """

    kind: str
    detail: str = ""
    seconds: float = 0.0
    memory_mib: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.kind not in ("result", "clear error")

    @property
    def signature(self) -> str:
        """Kind and error without the numbers and quoted values in it."""
        return self.kind + re.sub(r"'[^']*'|[0-9]+", "#", self.detail)[:160]


def attempt(reader: Reader, folder: Path) -> Outcome:
    """Read a folder in this process."""
    try:
        reader.read(folder)
    except VadlocError as error:
        return judge(error, folder)
    except BaseException as error:
        detail = "".join(traceback.format_exception(error, limit=-6))
        return Outcome("traceback", detail.replace(str(folder), ""))
    return Outcome("result")


def judge(error: VadlocError, folder: Path) -> Outcome:
    """Whether an error is clear."""
    text = str(error)
    detail = text.replace(str(folder), "")
    is_named = str(folder) in text or SEQUENCE in text
    clear = text.isprintable() and is_named and len(detail) < 2000
    return Outcome("clear error" if clear else "unclear error", detail)


def serve(name: str, folder: Path, work: Connection) -> None:
    """Child process: read the folder whenever told to, under limits, and say what came of it."""
    with (folder.parent / "stderr").open("wb") as file:
        os.dup2(file.fileno(), 2)
    warnings.simplefilter("error")
    attempt(READERS[name], folder)  # what is loaded once does not count against the limits
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (LIMIT_CLAIMED_MIB << 20),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    work.send(None)
    while work.recv():
        started = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(started) + 1 + LIMIT_S, hard))
        reset_peak()
        outcome = attempt(READERS[name], folder)
        seconds, memory_mib = time.process_time() - started, peak_mib()
        kind = "memory" if memory_mib > LIMIT_MIB else outcome.kind
        work.send(Outcome(kind, outcome.detail, seconds, memory_mib))


def reset_peak() -> None:
    """Let the peak of resident memory begin anew."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Peak of this process's resident memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Child:
    """A process that reads; it is replaced when it dies.

    Attributes:
        folder: Where an example is to lie.
    """

    def __init__(self, name: str, scratch: Path) -> None:
        self.folder = scratch / "example"
        self._name, self._scratch = name, scratch

    def start(self, files: Files) -> None:
        """Begin with an example that is valid."""
        write(files, self.folder)
        spawn = multiprocessing.get_context("spawn")
        self._work, theirs = spawn.Pipe()
        arguments = (self._name, self.folder, theirs)
        self._process = spawn.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._work.recv()

    def read(self, files: Files) -> Outcome:
        """What becomes of an example; after a failure that ends the process, it must be started."""
        write(files, self.folder)
        self._work.send(True)
        try:
            if self._work.poll(SILENCE_S):
                outcome: Outcome = self._work.recv()
                return outcome
            kind = "hang"
        except (EOFError, ConnectionResetError):
            self._process.join()
            code = -(self._process.exitcode or 0)
            kind = "hang" if code == signal.SIGXCPU else f"crash by signal {code}"
        self.stop()
        return Outcome(kind, (self._scratch / "stderr").read_text(errors="replace")[-500:])

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._work.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can read."""
        return self._process.is_alive()


def write(files: Files, folder: Path) -> None:
    """Make a folder hold these files and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def load(folder: Path) -> Files:
    """The files below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# The search


@dataclass
class Tally:
    """Counts of one reader.

    Attributes:
        kinds: Examples of each kind of outcome.
        failures: Where the first example of each failure is kept.
        seconds: Duration.
        slowest_s: Processor time of the slowest example.
        largest_mib: Peak memory of the largest.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0
    largest_mib: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count an example."""
        self.kinds[outcome.kind] += 1
        self.slowest_s = max(self.slowest_s, outcome.seconds)
        self.largest_mib = max(self.largest_mib, outcome.memory_mib)

    def row(self, name: str) -> str:
        """A row of the table."""
        good = self.kinds["result"], self.kinds["clear error"]
        failed = self.kinds.total() - sum(good)
        return (
            f"| `{name}` | {self.kinds.total()} | {self.seconds:.0f} | {good[0]} | {good[1]} | "
            f"{failed} | {self.slowest_s:.1f} | {self.largest_mib:.0f} |"
        )


def examples(reader: Reader, corpus: list[Files], chance: random.Random) -> Iterator[Files]:
    """Endless changed files, half of them from valid ones; the corpus may grow meanwhile."""
    valid = list(corpus)
    while True:
        files = dict(chance.choice(chance.choice((valid, corpus))))
        names = [name for name in files if name.startswith(reader.below)]
        for name in {chance.choice(names) for _ in range(chance.choice((1, 1, 1, 2)))}:
            content = change(files[name], chance)
            is_sealed = reader.seal and chance.random() < 0.8
            files[name] = reader.seal(name, content) if reader.seal and is_sealed else content
        yield files


def fuzz(name: str, seconds: float, chance: random.Random, failures: Path) -> Tally:
    """Try a reader for some time."""
    tally, known = Tally(), set[str]()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        reader, child = READERS[name], Child(name, Path(scratch))
        corpus = valid_examples(reader, Path(scratch) / "valid")
        valid = corpus[0]
        child.start(valid)
        for files in examples(reader, corpus, chance):
            outcome = child.read(files)
            tally.add(outcome)
            if outcome.signature not in known:
                known.add(outcome.signature)
                if outcome.failed:
                    tally.failures.append(keep(files, outcome, failures / name))
                else:
                    corpus.append(files)
            if not child.is_alive:
                child.start(valid)
            tally.seconds = time.monotonic() - started
            if tally.seconds > seconds:
                child.stop()
                return tally
    raise AssertionError("examples do not end")


def valid_examples(reader: Reader, folder: Path) -> list[Files]:
    """The files that are to be changed.

    Raises:
        VadlocError: The reader does not take them as they are.
    """
    folder.mkdir()
    reader.make(folder)
    for kind in folder.iterdir():
        reader.read(kind)
    return [load(kind) for kind in sorted(folder.iterdir())]


def keep(files: Files, outcome: Outcome, folder: Path) -> Path:
    """Save an example that failed, and why, and tell of it at once."""
    target = folder / hashlib.sha256(outcome.signature.encode()).hexdigest()[:12]
    write(files, target)
    target.with_suffix(".txt").write_text(f"{outcome.kind}\n{outcome.detail}\n")
    print(f"{outcome.kind}: {target}", file=sys.stderr, flush=True)
    return target


def replay(name: str, folder: Path) -> None:
    """Read an example in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        print(READERS[name].read(folder))


def main() -> None:
    """Print the table; status 1 if anything failed."""
    parser = argparse.ArgumentParser(description="Damaged files for every reader.")
    parser.add_argument("--reader", choices=["all", *READERS], default="all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, default=Path("results/fuzz"))
    parser.add_argument("--replay", type=Path, help="read the files of this folder instead")
    args = parser.parse_args()
    if args.replay:
        if args.reader == "all" or not args.replay.is_dir():
            parser.error("--replay: expected the folder of one example, and its --reader NAME")
        replay(args.reader, args.replay)
        return
    print("| reader | examples | seconds | results | clear errors | failures | most s | most MiB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    failed = False
    for name in READERS if args.reader == "all" else [args.reader]:
        chance = random.Random(f"{args.seed} {name}")
        tally = fuzz(name, 60 * args.minutes, chance, args.failures)
        print(tally.row(name), flush=True)
        failed |= bool(tally.failures)
    sys.exit(failed)


if __name__ == "__main__":
    main()
