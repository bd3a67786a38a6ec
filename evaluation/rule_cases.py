"""Print the areas of nine small cases by each area rule, as a Markdown table.

    python -m evaluation.rule_cases

Each case has four frames of 40 x 40 px; by default objects appear in the last two of them.
Detections are a map or boxes. A map is 0 outside of detections; so at the lowest threshold each
frame is one detected region. Boxes are never merged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evaluation.criteria.areas import (
    AREA_RULES,
    area_under,
)
from evaluation.criteria.combination import combine
from evaluation.criteria.sequences import sequence_statistics
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.console import CommandParser, add_verbose_option
from vadloc.process import emit, exit_status
from vadloc.scores import (
    BoxScores,
    ScoreMap,
    Scores,
)

FRAMES = 4
SIDE_PX = 40
LAST_TWO = (2, 3)
EVERY = (0, 1, 2, 3)
Box = tuple[int, int, int, int]
OBJECT: Box = (4, 4, 12, 12)
SECOND_OBJECT: Box = (24, 4, 32, 12)
LARGE_OBJECT: Box = (4, 4, 14, 14)
SMALL_BESIDE_LARGE: Box = (14, 4, 17, 7)
AROUND_OBJECT: Box = (0, 0, 30, 30)
FALSE: Box = (24, 24, 32, 32)
SECOND_FALSE: Box = (4, 24, 12, 32)


class Annotated(NamedTuple):
    """An object of the ground truth; each object is one track."""

    box: Box
    frames: tuple[int, ...] = LAST_TWO


class Detected(NamedTuple):
    """A detection with one score in some frames."""

    box: Box
    score: float
    frames: tuple[int, ...] = LAST_TWO


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: Description of the case.
        scores: Scores of the detector.
        truth: Ground truth.
    """

    name: str
    scores: Scores
    truth: GroundTruth


def truth_of(name: str, objects: Sequence[Annotated]) -> GroundTruth:
    """The ground truth that consists of some objects."""
    rows = [(f, track, o.box) for track, o in enumerate(objects) for f in o.frames]
    rows.sort(key=lambda row: row[0])
    frame = np.array([row[0] for row in rows], np.int64)
    return GroundTruth(
        sequence=name,
        frame_count=FRAMES,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        frame=frame,
        track=np.array([row[1] for row in rows], np.int64),
        box_xyxy_px=np.array([row[2] for row in rows], np.float64),
        anomalous=np.isin(np.arange(FRAMES), frame),
    )


def map_case(name: str, objects: Sequence[Annotated], detections: Sequence[Detected]) -> Case:
    """A case with detections as a map: the highest score at each pixel, 0 outside."""
    scores = np.zeros((FRAMES, SIDE_PX, SIDE_PX), np.float32)
    for (x0, y0, x1, y1), score, frames in detections:
        for frame in frames:
            part = scores[frame, y0:y1, x0:x1]
            np.maximum(part, np.float32(score), out=part)
    score_map = ScoreMap(name, scores, 1, 1, height_px=SIDE_PX, width_px=SIDE_PX)
    return Case(name, score_map, truth_of(name, objects))


def box_case(name: str, objects: Sequence[Annotated], detections: Sequence[Detected]) -> Case:
    """A case with detections as boxes."""
    rows = [(frame, d.box, d.score) for d in detections for frame in d.frames]
    boxes = BoxScores(
        sequence=name,
        frame=np.array([row[0] for row in rows], np.int64),
        box_xyxy_px=np.array([row[1] for row in rows], np.float64),
        score=np.array([row[2] for row in rows], np.float64),
        frame_count=FRAMES,
        height_px=SIDE_PX,
        width_px=SIDE_PX,
    )
    return Case(name, boxes, truth_of(name, objects))


def all_cases() -> list[Case]:
    """The nine cases."""
    seen, found = Annotated(OBJECT), Detected(OBJECT, 1.0)
    weak, second_weak = Detected(FALSE, 0.3, EVERY), Detected(SECOND_FALSE, 0.3, EVERY)
    small = Annotated(SMALL_BESIDE_LARGE)
    return [
        map_case("perfect", [seen], [found]),
        map_case("perfect, and a weak false box in every frame", [seen], [found, weak]),
        map_case(
            "perfect, and two weak false boxes in every frame", [seen], [found, weak, second_weak]
        ),
        map_case("two tracks at once, one found", [seen, Annotated(SECOND_OBJECT)], [found]),
        map_case(
            "touching regions, the small one found",
            [Annotated(LARGE_OBJECT), small],
            [Detected(small.box, 1.0)],
        ),
        box_case(
            "strong box under a weak big one",
            [seen],
            [Detected(OBJECT, 0.9), Detected(AROUND_OBJECT, 0.3)],
        ),
        map_case(
            "found, then swallowed by a big one",
            [seen],
            [Detected(OBJECT, 0.9), Detected(AROUND_OBJECT, 0.5)],
        ),
        map_case(
            "found at .509, a false box in every frame at .501",
            [seen],
            [Detected(OBJECT, 0.509), Detected(FALSE, 0.501, EVERY)],
        ),
        map_case(
            "perfect, all frames anomalous",
            [Annotated(OBJECT, EVERY)],
            [Detected(OBJECT, 1.0, EVERY)],
        ),
    ]


def case_to_areas(case: Case) -> dict[str, tuple[float, float]]:
    """Region and track area of a case by each rule."""
    curves = combine([sequence_statistics(case.scores, case.truth)]).curves
    return {
        rule: (
            area_under(curves["region"].curve, rule=rule).value,
            area_under(curves["track"].curve, rule=rule).value,
        )
        for rule in AREA_RULES
    }


def cases_to_markdown(cases: Sequence[Case]) -> str:
    """A Markdown table with a row for each case: region / track area by each rule."""
    lines = [f"| case | detections | {' | '.join(AREA_RULES)} |", "|---|---|" + "---|" * 4]
    for case in cases:
        kind = "boxes" if isinstance(case.scores, BoxScores) else "map"
        areas = (f"{region:.2f} / {track:.2f}" for region, track in case_to_areas(case).values())
        lines.append(f"| {case.name} | {kind} | {' | '.join(areas)} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(
        description="Print region / track areas of nine small cases under every rule."
    )
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        emit(cases_to_markdown(all_cases()))


if __name__ == "__main__":
    main()
