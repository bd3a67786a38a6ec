"""Reads what networks learn from mined video, and the networks of the round before.

R. Wu, S. Li, C. Chen and A. Hao (see `exemplar_selection.mining`) train again on the training video
and on mined frames, of which masks hide what may be anomalous. All data are mined anew in each
round, by the networks of the round before.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from anomaly_detection.detectors.held_out import Part, spread
from exemplar_selection.mining import Fate
from feature_extraction.footage import Footage, reduce_frames
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError, one_line
from vadloc.files.storage import DamagedFileError, verify
from vadloc.regions import RegionGrid
from vadloc.sequence_input import load_frames
from vadloc.weights import NetworkWeights, read_weights


def read_mined(artifacts: Artifacts, *, most_frames: int) -> Iterator[Footage]:
    """Reduced frames that were mined in the latest round, in runs, with the pixels to learn.

    Args:
        artifacts: The results after the round.
        most_frames: Number of frames that are kept at most; of more, stretches are left out evenly.

    Raises:
        VadlocError: What was mined is missing, or of another number of frames or cells.
    """
    cells = {s.name: _learnt_cells(artifacts, s.name) for s in artifacts.sequences("mined")}
    parts = [part for name, learnt in cells.items() for part in learnt_runs(name, learnt)]
    kept = spread(parts, most_frames)
    for name, learnt in cells.items():
        yield from _read_parts(artifacts, [p for p in kept if p.sequence == name], learnt)


def _learnt_cells(artifacts: Artifacts, sequence: str) -> NDArray[np.bool_]:
    content = artifacts.mined_frames(sequence).load()
    fate, confirmed = content["fate"], content["confirmed"]
    frames = load_frames(artifacts, "mined", sequence)
    expected = frames.frame_count, *frames.grid(artifacts.config.regions).cells
    if fate.shape != expected:
        raise VadlocError(
            f"{sequence}: mined maps of shape {fate.shape}, its frames expect {expected}; nothing "
            f"is learnt. Mine again: {artifacts.mined_summary().command} --overwrite"
        )
    return np.asarray((fate == Fate.LEARNT) | (confirmed & (fate != Fate.MARKED_REAL)))


def learnt_runs(sequence: str, learnt: NDArray[np.bool_]) -> list[Part]:
    """The runs of frames of which some cell is learnt.

    Args:
        sequence: Name of the sequence.
        learnt: ``(frames, cell rows, cell columns)``.
    """
    some = learnt.any(axis=(1, 2)).astype(np.int8)
    edges = np.diff(np.concatenate(([0], some, [0])))
    starts, ends = (np.flatnonzero(edges == sign).tolist() for sign in (1, -1))
    return [Part(sequence, first, end) for first, end in zip(starts, ends, strict=True)]


def _read_parts(
    artifacts: Artifacts, parts: list[Part], learnt: NDArray[np.bool_]
) -> Iterator[Footage]:
    if not parts:
        return
    name, at = parts[0].sequence, 0
    sequence = load_frames(artifacts, "mined", name)
    grid = sequence.grid(artifacts.config.regions)
    seen = reduce_frames(sequence.steps(), grid, artifacts.detector_settings)
    for part in parts:
        footage = Footage.of(name, list(islice(seen, part.first - at, part.end - at)))
        mask = cells_to_pixels(learnt[part.first : part.end], grid, footage.frames.shape[1:3])
        yield Footage(name, footage.frames, footage.flow, mask)
        at = part.end
    artifacts.check_frames("mined", name)


def cells_to_pixels(
    learnt: NDArray[np.bool_], grid: RegionGrid, size: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The cells of reduced pixels: each pixel is as the cell in which its middle lies.

    Args:
        learnt: ``(frames, cell rows, cell columns)``.
        grid: Cells of the frames of the video.
        size: Height and width of reduced frames.
    """
    lengths = grid.height_px, grid.width_px
    rows, columns = (
        ((np.arange(count) + 0.5) * length / count / grid.stride_px).astype(np.int64)
        for count, length in zip(size, lengths, strict=True)
    )
    return np.asarray(learnt[:, rows[:, None], columns])


def read_start(before: Artifacts, networks: Sequence[str]) -> dict[str, NetworkWeights]:
    """The tensors with which the networks of the round before were kept.

    Raises:
        VadlocError: They are missing, damaged, or not those that the training wrote.
    """
    file = before.model()
    file.load()
    try:
        verify(file.path)
    except DamagedFileError as error:
        raise VadlocError(f"{error}; make it again: {file.command} --overwrite") from None
    folder = file.path.parent
    return {name: read_weights(folder / f"{name}.start.safetensors") for name in networks}


def masked_mean(errors: torch.Tensor, learnt: torch.Tensor | None) -> torch.Tensor:
    """The mean error of the pixels that are learnt: Eq. 5 of the mining paper.

    Args:
        errors: ``(n, channels, height, width)``.
        learnt: ``(n, 1, height, width)``, 1 where a pixel is learnt, else 0; ``None`` for all.
    """
    if learnt is None:
        return errors.mean()
    weights = learnt.expand_as(errors)
    return (errors * weights).sum() / weights.sum().clamp(min=1)


def load_start(modules: torch.nn.Module, start: NetworkWeights) -> None:
    """Begin with the tensors of an earlier training.

    Raises:
        VadlocError: They are those of other networks.
    """
    tensors = {name: torch.from_numpy(array) for name, array in start.tensors.items()}
    try:
        missing, _ = modules.load_state_dict(tensors, strict=False)
        lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    except RuntimeError as error:
        lacking = [one_line(error, limit=200)]
    if lacking:
        raise VadlocError(
            f"{start.source}: not of the networks that the config describes ({lacking[0]}); give "
            'the config of the round before, or mined_start = "scratch"'
        )
