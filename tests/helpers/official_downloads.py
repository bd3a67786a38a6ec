"""Small downloads in the layouts of the official ones: a few drawn frames of a few pixels."""

import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from formats_helpers import save_avenue
from numpy.typing import NDArray
from PIL import Image
from tiny_scene import save_video

Files = dict[str, bytes]
MASK = np.zeros((8, 8), np.uint8)
MASK[1:6, 1:6] = 255
EMPTY = np.zeros_like(MASK)


def picture(form: str, *, shade: int = 90, pixels: NDArray[np.uint8] | None = None) -> bytes:
    """A grey picture of 8 x 8 px."""
    content = io.BytesIO()
    array = np.full((8, 8), shade, np.uint8) if pixels is None else pixels
    Image.fromarray(array).save(content, form)
    return content.getvalue()


def array_file(array: NDArray[np.generic]) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def ucsd(*, frames: int = 3) -> Files:
    """Ped1 (with a truncated frame in Test017) and Ped2 as in the official archive."""
    files = {"UCSD_Anomaly_Dataset.v1p2/README.txt": b"text"}
    for folder, train, tests in (("UCSDped1", 1, (1, 17)), ("UCSDped2", 2, (1, 2))):
        root = f"UCSD_Anomaly_Dataset.v1p2/{folder}"
        sequences = [f"Train/Train{n:03d}" for n in range(1, train + 1)]
        sequences += [f"Test/Test{n:03d}" for n in tests]
        for index, sequence in enumerate(sequences):
            for number in range(1, frames + 1):
                shade = 10 * index + number
                files[f"{root}/{sequence}/{number:03d}.tif"] = picture("TIFF", shade=shade)
                files[f"{root}/{sequence}/._{number:03d}.tif"] = b"resource fork"
        labels = ["TestVideoFile = {};", *("TestVideoFile{end+1}.gt_frame = [2:3];" for _ in tests)]
        files[f"{root}/Test/{folder}.m"] = "\n".join(labels).encode()
    for test in (1, 2):
        for number in range(1, frames + 1):
            mask = picture("BMP", pixels=MASK if number > 1 else EMPTY)
            files[f"UCSD_Anomaly_Dataset.v1p2/UCSDped2/Test/Test{test:03d}_gt/{number:03d}.bmp"] = (
                mask
            )
    bad = "UCSD_Anomaly_Dataset.v1p2/UCSDped1/Test/Test017"
    files[f"{bad}/141.tif"] = picture("TIFF", shade=141)
    files[f"{bad}/142.tif"] = picture("TIFF", shade=142)[:20]
    return files


def street_scene() -> Files:
    files = {
        f"StreetScene/{split}/{split}001/{n:03d}.jpg": picture("JPEG", shade=n)
        for split in ("Train", "Test")
        for n in (1, 2)
    }
    files["StreetScene/Test/Test001/Test001_gt.txt"] = b"002.jpg 0 3.5 3.5 5 5\n"
    files["StreetScene/README.md"] = b"text"
    return files


def avenue(scratch: Path) -> tuple[Files, Files]:
    """The archive of videos, and the archive of masks, which also contains the test videos."""
    video = _video(scratch / "video.avi")
    save_avenue(scratch / "label.mat", [EMPTY, MASK])
    videos = {
        "Avenue Dataset/training_videos/01.avi": video,
        "Avenue Dataset/testing_videos/01.avi": video,
        "Avenue Dataset/testing_vol/vol01.mat": b"not needed",
    }
    masks = {
        "ground_truth_demo/testing_label_mask/1_label.mat": (scratch / "label.mat").read_bytes(),
        "ground_truth_demo/testing_videos/01.avi": video,
    }
    return videos, masks


def shanghaitech(scratch: Path) -> Files:
    """Two scenes with training and test video, a third with training video only."""
    video = _video(scratch / "video.avi")
    files = {f"shanghaitech/training/videos/{s}_001.avi": video for s in ("01", "02", "13")}
    for name in ("01_0014", "02_0128"):
        for n in range(2):
            files[f"shanghaitech/testing/frames/{name}/{n:03d}.jpg"] = picture("JPEG", shade=n)
        labels = np.array([0, 1], np.int8)
        files[f"shanghaitech/testing/test_frame_mask/{name}.npy"] = array_file(labels)
        masks = np.stack([EMPTY, MASK])
        files[f"shanghaitech/testing/test_pixel_mask/{name}.npy"] = array_file(masks)
    return files


def ubnormal(scratch: Path) -> tuple[Files, Files]:
    """Clips of all splits, and the lists of the clips in each split."""
    video = _video(scratch / "video.mp4")
    training, validation = "normal_scene_2_scenario_1", "abnormal_scene_2_scenario_2"
    names = (training, validation, "abnormal_scene_2_scenario_9", "normal_scene_2_scenario_8")
    clips = {f"UBnormal/Scene2/{name}.mp4": video for name in names}
    for name in (validation, "abnormal_scene_2_scenario_9"):
        folder = f"UBnormal/Scene2/{name}_annotations"
        clips[f"{folder}/{name}_tracks.txt"] = b"1,1,1\n"
        clips[f"{folder}/{name}_0001_gt.png"] = picture("PNG", pixels=(MASK > 0).astype(np.uint8))
    lists = {
        "scripts/normal_training_video_names.txt": f"{training}\n".encode(),
        "scripts/normal_validation_video_names.txt": b"",
        "scripts/abnormal_validation_video_names.txt": f"{validation}\n".encode(),
        "scripts/abnormal_test_video_names.txt": b"abnormal_scene_2_scenario_9\n",
    }
    return clips, lists


def _video(path: Path) -> bytes:
    frames = np.stack([np.full((16, 16), shade, np.uint8) for shade in (40, 80)])
    save_video(path, frames, codec="mpeg4")
    return path.read_bytes()


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], *extra: tarfile.TarInfo) -> Path:
    """A ``.tar.gz``; ``extra`` are members without content, such as links."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in extra:
            archive.addfile(info)
    return path


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def placed(folder: Path) -> dict[str, bytes]:
    """All files below a folder that are not hidden, by relative path."""
    return dict(_files(folder))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix(), path.read_bytes()
