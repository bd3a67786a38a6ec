"""A scene of moving squares on which each stage runs in a second, and functions to run stages.

Normal squares move right by 2 px/frame in the upper half. In the test sequences there are also
anomalous squares, which move down by 4 px/frame. One training sequence is a video, the others are
folders of pictures.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT_PX, WIDTH_PX, FRAMES, SQUARE_PX = 48, 64, 24, 10
ANOMALY = range(8, 16)
"""0-based frames of the anomaly in each test sequence."""

CONFIG = """
version = "momentum"
[dataset]
name = "tiny"
train = "Train"
test = "Test"
ground_truth = "Test"
frames_per_second = 10

[regions]
size_px = 16
stride_px = 8
frames_per_volume = 4
frame_stride = 3

[features.momentum]  # its textures are noise of single pixels, which enlarged frames lose
flow_region_px = 0
"""


def make_scene(folder: Path) -> Path:
    """Write three training and two test sequences, the annotation and ``tiny.toml``."""
    (folder / "tiny.toml").write_text(CONFIG)
    for index in range(2):
        save_frames(folder / "Train" / f"Train{index}", film(seed=index))
    save_video(folder / "Train" / "Train2.mkv", film(seed=2))
    for index in range(2):
        sequence = folder / "Test" / f"Test{index}"
        save_frames(sequence, film(seed=10 + index, anomaly_column=10 + 30 * index))
        rows = [f"{f + 1:03d}.png 0 {x} {y} 10 10\n" for f, x, y in anomaly(10 + 30 * index)]
        (sequence / f"{sequence.name}_gt.txt").write_text("".join(rows))
    return folder


def anomaly(column: int) -> list[tuple[int, int, int]]:
    """Frame and centre of the anomalous square, in each frame in which it is visible."""
    return [(f, column + 5, 4 * (f - ANOMALY.start) + 9) for f in ANOMALY]


def film(*, seed: int, anomaly_column: int | None = None) -> NDArray[np.uint8]:
    """Frames ``(24, 48, 64)`` of a textured background with textured squares."""
    random = np.random.default_rng(seed)
    background = random.integers(90, 130, (HEIGHT_PX, WIDTH_PX))
    normal, other = random.integers(0, 256, (2, SQUARE_PX, SQUARE_PX))
    frames = np.repeat(background[None], FRAMES, axis=0)
    for f, frame in enumerate(frames):
        left = (2 * f + 7 * seed) % (WIDTH_PX - SQUARE_PX)
        frame[6 : 6 + SQUARE_PX, left : left + SQUARE_PX] = normal
        if anomaly_column is not None and f in ANOMALY:
            top = 4 * (f - ANOMALY.start) + 4
            frame[top : top + SQUARE_PX, anomaly_column : anomaly_column + SQUARE_PX] = other
    return frames.astype(np.uint8)


def shaken(frames: NDArray[np.uint8], *, seed: int = 0) -> NDArray[np.uint8]:
    """The frames of a camera that is shaken by up to two pixels; the first frame stays."""
    moves = np.random.default_rng(seed).integers(-2, 3, (len(frames), 2))
    moves[0] = 0
    wide = np.pad(frames, ((0, 0), (2, 2), (2, 2)), "reflect")
    height, width = frames.shape[1:]
    pairs = zip(wide, (2 - moves).tolist(), strict=True)
    return np.stack([frame[y : y + height, x : x + width] for frame, (y, x) in pairs])


def save_frames(folder: Path, frames: NDArray[np.uint8]) -> None:
    """Save frames as ``001.png``, ``002.png`` and so on."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(folder / f"{number:03d}.png")


def save_video(path: Path, frames: NDArray[np.uint8], *, codec: str = "ffv1") -> None:
    """Save grey frames as a video; ``ffv1`` is lossless."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "gray" if codec == "ffv1" else "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        container.mux(stream.encode())


def copy_scene(scene: Path, target: Path) -> Path:
    """Copy a scene so that a test may change it; its frames are links to the same files."""
    shutil.copytree(scene, target, copy_function=os.link)
    config = target / "tiny.toml"
    config.unlink()
    config.write_text(CONFIG)
    return target


def command(module: str, *options: object) -> list[str]:
    """The command line that runs a module with this Python."""
    return [sys.executable, "-m", module, *map(str, options)]


def run(module: str, *options: object, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command the way a user does."""
    words = command(module, *options)
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)


def run_scene(module: str, scene: Path, results: Path, *options: object) -> str:
    """Run a command on the scene, check that it succeeds, and return its stdout."""
    done = run(module, *scene_options(scene, results), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def scene_options(scene: Path, results: Path) -> list[object]:
    """Options that every command on the scene needs."""
    return ["--config", scene / "tiny.toml", "--datasets", scene, "--results", results]


def one_line(done: subprocess.CompletedProcess[str], *, status: int) -> str:
    """The one error line of a command that failed with this exit status, without the time."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 1, done.stderr
    return lines[0].split(" ERROR ")[-1]


def artifact_bytes(results: Path) -> dict[str, bytes]:
    """All artifacts by relative path, except reports and records of inputs, which hold times."""
    files = [file for file in results.rglob("*") if file.is_file()]
    relative = {str(file.relative_to(results)): file for file in files}
    timed = "reports/", "inputs/"
    return {n: f.read_bytes() for n, f in relative.items() if not any(t in n for t in timed)}
