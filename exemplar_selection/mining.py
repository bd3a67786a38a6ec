"""What of unlabelled video is surely normal: the thresholds and masks of the mining paper.

R. Wu, S. Li, C. Chen and A. Hao (*Improving video anomaly detection performance by mining useful
data from unseen video frames*, Neurocomputing, 2021, whose sections and equations are named here)
take the error maps of a model on video that it has not learnt from, and choose frames and places to
learn from.
Nothing here knows where the maps come from, so any detector with score maps can mine. E of a cell
is its score and S of a frame the mean of its cells' scores, each brought to a scale on which 1 is
about the highest that normal video reaches (see `Scales`).

1. A frame is abnormal if S >= eta_s, otherwise normal (Fig. 3).
2. RS of a normal frame is the mean of those of its cells' E that exceed eta_p (section 3.3).
3. eta_p' is the least RS of all normal frames. FS is the mean of those E that exceed eta_p'.
4. N brings RS and FS of the n normal frames of all sequences to the range 0 to 1. With X the mean
   of N(RS), the threshold is T = alpha (X - X^2) (Eq. 3). Frames with N(FS) < T are trusted.
5. Trusted frames, and abnormal frames, are kept in runs of at least FN_min frames of their kind.
6. The mask of a kept frame (Eq. 5) has the cells with E < eta_a.

The frames of all sequences together give RS, FS and T; no order matters but that of frames within a
sequence, for runs. Where the paper leaves something open, see `vadloc.mining.Mining`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError
from vadloc.mining import Mining

Maps = Sequence[NDArray[np.floating]]
"""Score maps of sequences, each ``(frames, cell rows, cell columns)``; all of one grid."""


class MiningError(VadlocError):
    """Nothing can be learnt from these maps; the message says which threshold prevents it."""


class Fate(IntEnum):
    """What becomes of a cell in a frame: whether it is learnt, or what holds it back."""

    LEARNT = 0
    MASKED = 1
    NOT_TRUSTED = 2
    SHORT_RUN = 3
    KIND = 4
    MARKED_REAL = 5


FATE_WORDS = {
    Fate.LEARNT: "learnt",
    Fate.MASKED: "score too high (eta_a)",
    Fate.NOT_TRUSTED: "frame not trusted (T)",
    Fate.SHORT_RUN: "run of frames too short (FN_min)",
    Fate.KIND: "frame of a kind that is not mined",
    Fate.MARKED_REAL: "marked as real",
}


@dataclass(frozen=True)
class Scales:
    """What brings scores to E, and frame means to S: ``(score - low) / (high - low)``.

    Attributes:
        cell: Low and high of cell scores.
        frame: Low and high of frame means.
    """

    cell: tuple[float, float]
    frame: tuple[float, float]

    def errors(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """E of cells."""
        return _scaled(scores, self.cell)

    def frame_errors(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """S of the frames of a map, ``(frames,)``: the mean of their cells, scaled."""
        return _scaled(frame_means(scores), self.frame)


def _scaled(values: NDArray[np.floating], ends: tuple[float, float]) -> NDArray[np.float64]:
    low, high = ends
    return (np.asarray(values, np.float64) - low) / (high - low)


def frame_means(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of the cells of each frame, ``(frames,)``: the L1 norm of Fig. 3 by its size."""
    return np.asarray(scores.mean(axis=(1, 2), dtype=np.float64))


def scales_of_left_out(left_out: Maps, quantile: float) -> Scales:
    """Scales on which 1 is a quantile of normal video, and 0 is the score 0.

    Args:
        left_out: Maps of training sequences, each by a model that has not learnt from it.
        quantile: The quantile, of all cells and of all frames.

    Raises:
        MiningError: The quantile is 0.
    """
    cells = np.concatenate([scores.ravel() for scores in left_out])
    frames = np.concatenate([frame_means(scores) for scores in left_out])
    high = float(np.quantile(cells, quantile)), float(np.quantile(frames, quantile))
    if min(high) <= 0:
        raise MiningError(
            f"the {quantile:g} quantile of the scores of left-out training sequences is 0, which "
            'gives no scale; nothing is learnt. [mining] scale = "test_minmax" needs none'
        )
    return Scales((0.0, high[0]), (0.0, high[1]))


def scales_of_range(maps: Maps) -> Scales:
    """Scales on which the maps themselves reach from 0 to 1, as in the paper.

    Raises:
        MiningError: All scores are the same.
    """
    frames = np.concatenate([frame_means(scores) for scores in maps])
    ends = [
        (min(float(v.min()) for v in values), max(float(v.max()) for v in values))
        for values in (maps, [frames])
    ]
    if any(low == high for low, high in ends):
        raise MiningError("all scores are the same, which gives no scale; nothing is learnt")
    return Scales(*ends)


@dataclass(frozen=True)
class Thresholds:
    """What the frames of all sequences together give.

    Attributes:
        fine_floor: eta_p', the least RS of the normal frames.
        mean_coarse: X, the mean of N(RS).
        threshold: T.
        lowest: The least FS of the normal frames.
        highest: The largest FS of the normal frames.
    """

    fine_floor: float
    mean_coarse: float
    threshold: float
    lowest: float
    highest: float

    def normalised(self, fine: NDArray[np.float64]) -> NDArray[np.float64]:
        """N(FS)."""
        return (fine - self.lowest) / (self.highest - self.lowest)


@dataclass(frozen=True)
class MinedSequence:
    """What was mined of one sequence.

    Attributes:
        frame_error: ``(frames,)``: S.
        coarse: ``(frames,)``: RS.
        fine: ``(frames,)``: FS.
        is_abnormal: ``(frames,)`` bool: S >= eta_s.
        fate: ``(frames, rows, columns)`` uint8: a `Fate`; 0 is the mask of Eq. 5.
    """

    frame_error: NDArray[np.float64]
    coarse: NDArray[np.float64]
    fine: NDArray[np.float64]
    is_abnormal: NDArray[np.bool_]
    fate: NDArray[np.uint8]

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Self:
        """What was mined of a sequence, from its file of results."""
        return cls(**{field.name: content[field.name] for field in fields(cls)})


def mine(maps: Maps, scales: Scales, settings: Mining) -> tuple[Thresholds, list[MinedSequence]]:
    """Choose what is surely normal.

    Args:
        maps: Score maps of the sequences.
        scales: What brings scores to E and S.
        settings: Thresholds and options.

    Returns:
        The thresholds, and what was mined of each sequence.

    Raises:
        MiningError: Nothing can be learnt: no frame is normal, all normal frames have the same
            error, T is 0, nothing is kept, or too much is kept to mean anything.
    """
    errors = [scales.errors(scores) for scores in maps]
    frame_errors = [scales.frame_errors(scores) for scores in maps]
    abnormal = [s >= settings.frame_threshold for s in frame_errors]
    coarse = [mean_above(e, settings.floor) for e in errors]
    normal_coarse = _of_normal(coarse, abnormal, settings)
    floor = float(normal_coarse.min())
    fine = [mean_above(e, floor) for e in errors]
    found = _thresholds(normal_coarse, _of_normal(fine, abnormal, settings), settings)
    mined = [
        MinedSequence(s, rs, fs, is_abnormal, _fates(e, found.normalised(fs), is_abnormal,
                                                     found.threshold, settings))
        for s, rs, fs, is_abnormal, e in zip(
            frame_errors, coarse, fine, abnormal, errors, strict=True
        )
    ]  # fmt: skip
    check_kept(mined, settings)
    return found, mined


def mean_above(errors: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """RS or FS: the mean of those errors of each frame that exceed the floor; 0 if none does.

    Args:
        errors: ``(frames, rows, columns)``: E.
        floor: eta_p or eta_p'.
    """
    above = np.asarray(errors > floor)
    counts = above.sum(axis=(1, 2))
    sums = np.where(above, errors, 0.0).sum(axis=(1, 2))
    return np.asarray(np.divide(sums, counts, out=np.zeros(len(errors)), where=counts > 0))


def _of_normal(
    values: Sequence[NDArray[np.float64]], abnormal: Sequence[NDArray[np.bool_]], settings: Mining
) -> NDArray[np.float64]:
    """The values of the normal frames of all sequences."""
    found = np.concatenate([v[~is_abnormal] for v, is_abnormal in zip(values, abnormal,
                                                                      strict=True)])  # fmt: skip
    if not len(found):
        raise MiningError(
            "every frame is abnormal by [mining] frame_threshold (eta_s) = "
            f"{settings.frame_threshold:g}; nothing is learnt"
        )
    return found


def _thresholds(
    coarse: NDArray[np.float64], fine: NDArray[np.float64], settings: Mining
) -> Thresholds:
    """X and T from RS and FS of the normal frames of all sequences, Eq. 3."""
    for name, values in (("RS", coarse), ("FS", fine)):
        if values.min() == values.max():
            raise MiningError(
                f"{name}, the mean error of a frame's suspicious cells, is {values[0]:.6g} in all "
                f"{len(values)} normal frames, which separates none; nothing is learnt"
            )
    x = float(((coarse - coarse.min()) / (coarse.max() - coarse.min())).mean())
    threshold = settings.alpha * (x - x**2)
    if threshold <= 0:
        raise MiningError(
            f"T = alpha (X - X^2) is 0, with [mining] alpha = {settings.alpha:g} and X = {x:.4f}, "
            "so that no frame is trusted; nothing is learnt"
        )
    return Thresholds(float(coarse.min()), x, threshold, float(fine.min()), float(fine.max()))


def _fates(
    errors: NDArray[np.float64],
    fine: NDArray[np.float64],
    is_abnormal: NDArray[np.bool_],
    threshold: float,
    settings: Mining,
) -> NDArray[np.uint8]:
    """Steps 4 to 6 for one sequence; ``fine`` is N(FS)."""
    trusted = ~is_abnormal & (fine < threshold)
    fate = np.full(errors.shape, Fate.LEARNT, np.uint8)
    kinds = {"normal": trusted, "abnormal": is_abnormal}
    fate[~is_abnormal & ~trusted] = Fate.NOT_TRUSTED
    for kind, frames in kinds.items():
        fate[frames & ~in_runs(frames, settings.least_run)] = Fate.SHORT_RUN
        if kind not in settings.kinds:
            fate[frames] = Fate.KIND
    limits = np.where(is_abnormal, _abnormal_limit(settings), settings.cell_threshold)
    fate[errors >= limits[:, None, None]] = Fate.MASKED
    return fate


def _abnormal_limit(settings: Mining) -> float:
    """The threshold of the masks of abnormal frames."""
    by_cells = settings.abnormal_mask == "cell_threshold"
    return settings.cell_threshold if by_cells else settings.frame_threshold


def in_runs(chosen: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Those of the chosen frames that are in a run of at least so many chosen frames."""
    steps = np.diff(np.concatenate(([0], chosen.astype(np.int8), [0])))
    kept = np.zeros_like(chosen)
    for first, end in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
        kept[first:end] = end - first >= least
    return kept


def check_kept(mined: Sequence[MinedSequence], settings: Mining) -> None:
    """Refuse to learn nothing, or nearly everything.

    Raises:
        MiningError: No cell is kept, or more than ``most_kept`` of the frames as normal.
    """
    if not any((sequence.fate == Fate.LEARNT).any() for sequence in mined):
        raise MiningError(
            "nothing is kept: no cell is below [mining] cell_threshold (eta_a) in a run of "
            f"{settings.least_run} frames (least_run) that are trusted (T) or abnormal (eta_s)"
        )
    seen = sum(len(sequence.fate) for sequence in mined)
    kept = sum(int(kept_frames(sequence, abnormal=False).sum()) for sequence in mined)
    if kept > settings.most_kept * seen:
        raise MiningError(
            f"{kept} of {seen} frames are trusted and kept, more than [mining] most_kept = "
            f"{settings.most_kept:g}: T has separated nothing, and nothing is learnt. If the video "
            "is known to be normal, set most_kept = 1"
        )


def kept_frames(sequence: MinedSequence, *, abnormal: bool) -> NDArray[np.bool_]:
    """``(frames,)``: the kept frames of one kind, those of which some cell is learnt."""
    learnt = (sequence.fate == Fate.LEARNT).any(axis=(1, 2))
    return np.asarray(learnt & (sequence.is_abnormal == abnormal))


def learnt_volumes(
    fate: NDArray[np.uint8],
    confirmed: NDArray[np.bool_],
    first_frame: NDArray[np.int64],
    *,
    frames_per_volume: int,
    cells_per_side: int,
) -> NDArray[np.bool_]:
    """The volumes that are learnt.

    They are those all of whose cells are learnt in all of their frames; and those that reach a
    confirmed cell, unless they also reach one that is marked as real.

    Args:
        fate: ``(frames, rows, columns)``.
        confirmed: The same shape: cells of alarms that a person marked as false.
        first_frame: ``(v,)``: first frame of the volumes of each time step.
        frames_per_volume: T.
        cells_per_side: Cells along one side of a region.

    Returns:
        ``(v, regions)`` bool.
    """

    def reach(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return volumes_that_reach(
            cells, first_frame, frames_per_volume=frames_per_volume, cells_per_side=cells_per_side
        )

    certain = reach(confirmed) & ~reach(fate == Fate.MARKED_REAL)
    return np.asarray(certain | ~reach(fate != Fate.LEARNT))


def volumes_that_reach(
    cells: NDArray[np.bool_],
    first_frame: NDArray[np.int64],
    *,
    frames_per_volume: int,
    cells_per_side: int,
) -> NDArray[np.bool_]:
    """The volumes that hold any of the given cells, ``(v, regions)``.

    Args:
        cells: ``(frames, rows, columns)``.
        first_frame: ``(v,)``.
        frames_per_volume: T.
        cells_per_side: Cells along one side of a region.
    """
    rows, columns = (max(1, size - cells_per_side + 1) for size in cells.shape[1:])
    found = np.zeros((len(first_frame), rows, columns), bool)
    for step, first in enumerate(first_frame.tolist()):
        seen = np.asarray(cells[first : first + frames_per_volume].any(axis=0))
        for y in range(min(cells_per_side, cells.shape[1])):
            for x in range(min(cells_per_side, cells.shape[2])):
                found[step] |= seen[y : y + rows, x : x + columns]
    return found.reshape(len(first_frame), -1)
