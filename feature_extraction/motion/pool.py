"""The volumes that the motion network is trained and tested on, made once and kept in files."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.classes import LABELS
from feature_extraction.appearance.crops import read_crops
from feature_extraction.motion.real import (
    Volume,
    sequence_volumes,
    split_sequences,
)
from feature_extraction.motion.synthetic import synthetic_volume
from feature_extraction.motion.targets import (
    MotionTargets,
    flow_to_maps,
)
from feature_extraction.motion.textures import Textures
from vadloc.errors import counted
from vadloc.files.storage import (
    STAMP_LENGTH,
    read_joblib,
    write_joblib,
)

logger = logging.getLogger(__name__)

Half = Literal["train", "held_out"]
_SEEDS: Final[dict[Half, int]] = {"train": 0, "held_out": 1}
_CHUNK = 250
_STAMP: Final = "0" * STAMP_LENGTH
"""The stamp of all pools: what a pool is made from stands in the settings of its folder."""


@dataclass(frozen=True)
class Pool:
    """Volumes with their motion.

    Attributes:
        frames: uint8 ``(n, T, 64, 64)``.
        targets: The motion of the n volumes.
    """

    frames: NDArray[np.uint8]
    targets: MotionTargets

    def __len__(self) -> int:
        return len(self.frames)


def joined(pools: Iterable[Pool]) -> Pool:
    """Several pools as one."""
    listed = list(pools)
    if len(listed) == 1:
        return listed[0]
    return Pool(
        np.concatenate([pool.frames for pool in listed]),
        MotionTargets(
            np.concatenate([pool.targets.share for pool in listed]),
            np.concatenate([pool.targets.momentum for pool in listed]),
        ),
    )


def kept_pool(path: Path, make: Callable[[], Pool]) -> Pool:
    """The pool in a file, made first if there is none.

    Raises:
        VadlocError: The file is damaged.
    """
    if not path.exists():
        pool = make()
        maps = {"share": pool.targets.share, "momentum": pool.targets.momentum}
        halves = {name: array.astype(np.float16) for name, array in maps.items()}
        write_joblib(path, {"frames": pool.frames, **halves}, stamp=_STAMP)
    content = read_joblib(path)
    share, momentum = (content[name].astype(np.float32) for name in ("share", "momentum"))
    return Pool(content["frames"], MotionTargets(share, momentum))


def synthetic_pool(crops: Path | None, half: Half, count: int, *, seed: int, jobs: int) -> Pool:
    """Rendered volumes, textured by the crops of the same half of ``crops``.

    Args:
        crops: Folder as the appearance network is trained on; ``None`` for made-up textures alone.
        half: No crop and no random number is shared between halves.
        count: Number of volumes.
        seed: The seed of the pool.
        jobs: Processes.

    Raises:
        VadlocError: The crops are unreadable.
    """
    from joblib import Parallel, delayed

    textures = Textures() if crops is None else read_textures(crops, half)
    ranges = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    tasks = (delayed(_render)(textures, (seed, _SEEDS[half]), chunk) for chunk in ranges)
    logger.info("rendering %s (%s)", counted(count, "synthetic volume"), half)
    return joined(Parallel(n_jobs=jobs)(tasks))


def read_textures(crops: Path, half: Half) -> Textures:
    """Grey textures from the crops of the appearance network.

    Raises:
        VadlocError: The crops are unreadable.
    """
    found = read_crops(crops, "train" if half == "train" else "val")
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.stack([np.round(pixels @ luma) for pixels in found.pixels]).astype(np.uint8)
    moving = np.isin(found.labels, [LABELS.index(n) for n in ("person", "car", "cyclist", "dog")])
    return Textures(grey[moving], grey[~moving])


def _render(textures: Textures, seed: tuple[int, int], chunk: range) -> Pool:
    import cv2

    cv2.setNumThreads(1)
    volumes = []
    for index in chunk:
        frames, flow = synthetic_volume((*seed, index), textures)
        volumes.append(Volume(frames, *flow_to_maps(flow)))
    return _stacked(volumes)


def real_pool(videos: list[Path], half: Half, count: int, *, seed: int) -> Pool:
    """Volumes of real video, evenly from the training or the held-out sequences of folders.

    Raises:
        VadlocError: A folder or its frames cannot be used.
    """
    chosen = [split_sequences(video)[_SEEDS[half]] for video in videos]
    sequences = [sequence for half_of in chosen for sequence in half_of]
    each = -(-count // len(sequences))
    logger.info(
        "cutting %s (%s) from %s",
        counted(count, "real volume"),
        half,
        counted(len(sequences), "sequence"),
    )
    volumes = [
        volume
        for number, sequence in enumerate(sequences)
        for volume in sequence_volumes(sequence, each, seed=(seed, _SEEDS[half], number))
    ]
    return _stacked(volumes)


def _stacked(volumes: list[Volume]) -> Pool:
    return Pool(
        np.stack([volume.frames for volume in volumes]),
        MotionTargets(
            np.stack([volume.share for volume in volumes]),
            np.stack([volume.momentum for volume in volumes]),
        ),
    )
