"""Mine normal data: choose frames and places of unlabelled video that are surely normal.

    python -m exemplar_selection.mine_normal --config configs/ped2.toml
    python -m exemplar_selection.mine_normal --config configs/ped2.toml --mine-from transductive
    python -m exemplar_selection.mine_normal --config configs/ped2.toml --mined 2 --mine-split New

reads the score maps of a version, of the video in which it mines, and writes what is to be learnt
of each sequence to ``mined/<version>+mined<round>-<where>/<sequence>.joblib``, thresholds and
counts to ``mined.json`` and a picture to ``mined.png`` beside it. No ground truth is read. See
`exemplar_selection.mining` for how it is chosen. Round 1 mines in the scores of the model as it was
trained, round 2 in those of the model that has learnt from round 1, and so on. ``merge_exemplars
--mined`` learns from it. With ``--marks``, give the threshold with which the marked alarms were
explained, if it is not the config's.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.marks import mark_to_boxes, paint_boxes, read_marks
from exemplar_selection.mining import (
    FATE_WORDS,
    Fate,
    MinedSequence,
    Scales,
    Thresholds,
    kept_frames,
    mine,
    scales_of_left_out,
    scales_of_range,
)
from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError, counted
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

logger = logging.getLogger(__name__)
COMMAND = "exemplar_selection.mine_normal"


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """Thresholds and counts, and what was mined of each sequence."""
    names = [sequence.name for sequence in artifacts.sequences("mined")]
    return [artifacts.mined_summary(), *map(artifacts.mined_frames, names)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Mine in all sequences together.

    Raises:
        VadlocError: Scores are missing or of another grid, nothing can be learnt, or marks do not
            fit.
    """
    from exemplar_selection.mining_picture import save_mining_picture

    artifacts = work.artifacts
    names = [sequence.name for sequence in artifacts.sequences("mined")]
    before = artifacts.at_round(artifacts.round - 1)
    maps = [_read_map(before, name) for name in names]
    settings = work.config.mining
    thresholds, mined = mine(maps, _scales(before, maps), settings)
    confirmed = _confirmed(artifacts, dict(zip(names, mined, strict=True)))
    for name, sequence in zip(names, mined, strict=True):
        yield artifacts.mined_frames(name), _content(artifacts, name, sequence, confirmed[name])
    summary = _summary(artifacts, names, thresholds, mined, confirmed)
    save_mining_picture(
        artifacts.mined_picture(), dict(zip(names, mined, strict=True)), thresholds, settings
    )
    yield artifacts.mined_summary(), summary
    numbers = "normal_frames", "kept_normal_frames", "kept_abnormal_frames"
    work.count(sequences=len(names), **{name: summary[name] for name in ("frames", *numbers)})


def _read_map(before: Artifacts, sequence: str) -> NDArray[np.float32]:
    """The score map of a sequence, of the grid that the config gives.

    Raises:
        VadlocError: It is missing, or has cells of another size.
    """
    details = before.score_details(sequence, "mined").load()
    cell_px = before.config.regions.stride_px
    found = details["cell_height_px"], details["cell_width_px"]
    if found != (cell_px, cell_px):
        raise VadlocError(
            f"{sequence}: a score map with cells of {found[1]} x {found[0]} px, but [regions] "
            f"stride_px is {cell_px}; nothing is learnt"
        )
    scores: NDArray[np.float32] = before.scores(sequence, "mined").load()
    return scores


def check_one_grid(maps: Sequence[NDArray[np.floating]], names: Sequence[str]) -> None:
    """Refuse maps of several grids.

    Raises:
        VadlocError: Two maps differ in rows or columns.
    """
    for name, scores in zip(names, maps, strict=True):
        if scores.shape[1:] != maps[0].shape[1:]:
            raise VadlocError(
                f"{name}: a score map of {scores.shape[1]} x {scores.shape[2]} cells, that of "
                f"{names[0]} has {maps[0].shape[1]} x {maps[0].shape[2]}; nothing is learnt"
            )


def _scales(before: Artifacts, maps: list[NDArray[np.float32]]) -> Scales:
    """The scales that the config asks for."""
    settings, train = before.config.mining, before.sequences("train")
    names = [sequence.name for sequence in before.sequences("mined")]
    check_one_grid(maps, names)
    if settings.scale == "test_minmax":
        return scales_of_range(maps)
    held = [s.name for s in train if _can_be_left_out(before, s.name)]
    left_out = [before.left_out(name).load() for name in held]
    check_one_grid([maps[0], *left_out], [names[0], *held])
    return scales_of_left_out(left_out, settings.quantile)


def _can_be_left_out(before: Artifacts, sequence: str) -> bool:
    """Whether a training sequence has scores; networks hold out only some of them."""
    return not before.detector.training or sequence in before.model().load()["held_out"]


def _confirmed(
    artifacts: Artifacts, mined: dict[str, MinedSequence]
) -> dict[str, NDArray[np.bool_]]:
    """The cells of alarms that were marked as false; cells marked as real get their fate.

    Returns:
        Sequence to ``(frames, rows, columns)``.
    """
    confirmed = {name: np.zeros(sequence.fate.shape, bool) for name, sequence in mined.items()}
    path = artifacts.mined.marks if artifacts.mined else None
    if path is None:
        return confirmed
    marked = artifacts.at_round(0)
    marks = read_marks(path, dataset=artifacts.config.dataset.name, version=marked.label)
    unused = [mark for mark in marks if mark.sequence not in mined]
    if len(unused) == len(marks):
        raise VadlocError(
            f"{path}: none of the marked alarms is of a sequence that is mined; those are "
            f"{', '.join(list(mined)[:3])}{' ...' if len(mined) > 3 else ''}. Nothing is learnt"
        )
    if unused:
        logger.info(
            "%s: %s of sequences that are not mined, such as %s; not used",
            path,
            counted(len(unused), "mark"),
            unused[0].sequence,
        )
    cell_px = artifacts.config.regions.stride_px
    explained = {name: marked.explanations(name) for name in {m.sequence for m in marks} & {*mined}}
    contents = {name: file.load() for name, file in explained.items()}
    for mark in (mark for mark in marks if mark.sequence in mined):
        first, boxes = mark_to_boxes(mark, contents[mark.sequence], path)
        cells = np.zeros_like(confirmed[mark.sequence])
        paint_boxes(cells, first, boxes, cell_px)
        if mark.mark == "real":
            mined[mark.sequence].fate[cells] = Fate.MARKED_REAL
        else:
            confirmed[mark.sequence][cells] = True
    return confirmed


def _content(
    artifacts: Artifacts, name: str, sequence: MinedSequence, confirmed: NDArray[np.bool_]
) -> dict[str, Any]:
    """The file of one sequence."""
    return {
        "schema": SCHEMAS["mined"],
        "sequence": name,
        "frame_count": len(sequence.fate),
        "cell_px": artifacts.config.regions.stride_px,
        "frame_error": sequence.frame_error,
        "coarse": sequence.coarse,
        "fine": sequence.fine,
        "is_abnormal": sequence.is_abnormal,
        "fate": sequence.fate,
        "confirmed": confirmed,
    }


def _summary(
    artifacts: Artifacts,
    names: list[str],
    thresholds: Thresholds,
    mined: list[MinedSequence],
    confirmed: dict[str, NDArray[np.bool_]],
) -> dict[str, Any]:
    """Thresholds and counts of all sequences together."""
    assert artifacts.mined is not None
    kept = [[kept_frames(s, abnormal=kind) for s in mined] for kind in (False, True)]
    either = [normal | abnormal for normal, abnormal in zip(*kept, strict=True)]
    cells = np.concatenate([s.fate[k].ravel() for s, k in zip(mined, either, strict=True)])
    all_cells = np.concatenate([s.fate.ravel() for s in mined])
    return {
        "schema": SCHEMAS["mined"],
        "protocol": artifacts.mined.protocol,
        "words": artifacts.mined.words,
        "round": artifacts.round,
        "sequences": names,
        "settings": artifacts.config.mining.model_dump(),
        "fine_floor": thresholds.fine_floor,
        "mean_coarse": thresholds.mean_coarse,
        "threshold": thresholds.threshold,
        "frames": sum(len(s.fate) for s in mined),
        "normal_frames": sum(int((~s.is_abnormal).sum()) for s in mined),
        "kept_normal_frames": sum(int(k.sum()) for k in kept[0]),
        "kept_abnormal_frames": sum(int(k.sum()) for k in kept[1]),
        "masked_share": float((cells == Fate.MASKED).mean()),
        "cells": {fate.name.lower(): int((all_cells == fate).sum()) for fate in Fate},
        "confirmed_cells": sum(int(c.sum()) for c in confirmed.values()),
    }


def _cells_to_words(cells: dict[str, int]) -> str:
    """The shares of the cells of all frames that are learnt, and that are held back by what."""
    total = sum(cells.values())
    shares = {fate: cells[fate.name.lower()] / total for fate in Fate}
    named = (f"{FATE_WORDS[f]} {100 * share:.1f} %" for f, share in shares.items() if share)
    return ", ".join(named)


def summary_to_text(summary: dict[str, Any], picture: Path) -> str:
    """Three lines: what was kept, what held the rest back, and the thresholds."""
    abnormal = summary["frames"] - summary["normal_frames"]
    marked = summary["confirmed_cells"]
    return (
        f"round {summary['round']}: {counted(summary['frames'], 'frame')} seen, "
        f"{summary['normal_frames']} normal and {abnormal} abnormal; kept "
        f"{summary['kept_normal_frames']} normal and {summary['kept_abnormal_frames']} abnormal; "
        f"{100 * summary['masked_share']:.1f} % of their cells masked"
        + (f"; {counted(marked, 'cell')} confirmed by marks" if marked else "")
        + f"\ncells: {_cells_to_words(summary['cells'])}"
        + f"\neta_p' = {summary['fine_floor']:.4f}, X = {summary['mean_coarse']:.4f}, "
        f"T = {summary['threshold']:.4f}; {picture}"
    )


def describe(artifacts: Artifacts, _dataset: str) -> str:
    """What was mined."""
    return summary_to_text(artifacts.mined_summary().load(), artifacts.mined_picture())


STAGE = Stage(COMMAND, outputs, compute, describe=describe)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Mine normal data in unlabelled video.", sequences=False, mining=True)
    parser.set_defaults(mined=1)
    add_alarm_options(parser)
    args = parser.parse_args(argv)
    if args.marks is None and (args.threshold, args.false_alarms_per_hour) != (None, None):
        parser.error(
            "--threshold and --false-alarms-per-hour are those of the report that was marked, and "
            "need --marks"
        )
    stage_main(STAGE, args)


if __name__ == "__main__":
    main()
