"""A second, simple implementation of the criteria, for tests to compare with.

Every score map, box and mask is painted on a grid of quarter pixels, so that every area is a count.
At every threshold the components of the grid are labelled again. This module shares only the input
classes with ``evaluation``. Box edges must be multiples of a quarter pixel. The last functions
make small random videos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import (
    BoxScores,
    ScoreMap,
    Scores,
)

FINE = 4  # quarter pixels
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Counts at one threshold over a test set."""

    false_positives: int
    found_regions: int
    found_tracks: int


def fine(length_px: float) -> int:
    position = length_px * FINE
    assert position == int(position)
    return int(position)


def paint_box(box: NDArray[np.float64], height_px: int, width_px: int) -> Mask:
    x0, y0, x1, y1 = (fine(edge) for edge in box)
    mask = np.zeros((height_px * FINE, width_px * FINE), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def annotated_regions(truth: GroundTruth, frame: int) -> dict[int, Mask]:
    """The quarter pixels of each annotated region of a frame, by its row."""
    regions = {}
    for row in np.flatnonzero(truth.frame == frame).tolist():
        mask = paint_box(truth.box_xyxy_px[row], truth.height_px, truth.width_px)
        if truth.masks is not None:
            mask[mask] = np.kron(truth.masks[row], np.ones((FINE, FINE), bool)).ravel()
        regions[row] = mask
    return regions


def painted_scores(scores: Scores, frame: int) -> NDArray[Any]:
    """Score of every quarter pixel."""
    if isinstance(scores, BoxScores):
        painted = np.full((scores.height_px * FINE, scores.width_px * FINE), -np.inf)
        for i in np.flatnonzero(scores.frame == frame):
            inside = paint_box(scores.box_xyxy_px[i], scores.height_px, scores.width_px)
            painted[inside] = np.maximum(painted[inside], scores.score[i])
        return painted
    cell = np.ones((scores.cell_height_px * FINE, scores.cell_width_px * FINE))
    painted = np.kron(np.asarray(scores.scores[frame], np.float64), cell)
    return painted[: scores.height_px * FINE, : scores.width_px * FINE]


def detected_regions(scores: Scores, frame: int, threshold: float, connectivity: int) -> list[Mask]:
    if isinstance(scores, BoxScores):
        rows = np.flatnonzero((scores.frame == frame) & (scores.score >= threshold))
        return [paint_box(scores.box_xyxy_px[i], scores.height_px, scores.width_px) for i in rows]
    structure = ndimage.generate_binary_structure(2, 2 if connectivity == 8 else 1)
    labels, count = ndimage.label(painted_scores(scores, frame) >= threshold, structure)
    return [labels == label for label in range(1, count + 1)]


def matches(a: Mask, b: Mask, beta: float) -> bool:
    return int((a & b).sum()) / int((a | b).sum()) >= beta


def counts(
    scores: Sequence[Scores],
    truths: Sequence[GroundTruth],
    threshold: float,
    *,
    alpha: float,
    beta: float,
    connectivity: int = 8,
) -> Counts:
    """False positives, found regions and found tracks of a test set at one threshold."""
    false_positives = found_regions = found_tracks = 0
    for score, truth in zip(scores, truths, strict=True):
        found = set()
        for frame in range(truth.frame_count):
            annotated = annotated_regions(truth, frame)
            for region in detected_regions(score, frame, threshold, connectivity):
                hit = {row for row, mask in annotated.items() if matches(region, mask, beta)}
                found |= hit
                false_positives += not hit
        found_regions += len(found)
        for track in set(truth.track.tolist()):
            rows = np.flatnonzero(truth.track == track).tolist()
            found_tracks += len(found.intersection(rows)) / len(rows) >= alpha
    return Counts(false_positives, found_regions, found_tracks)


def distinct_scores(scores: Sequence[Scores]) -> list[float]:
    """All scores of the test set, from high to low."""
    values: set[float] = set()
    for s in scores:
        values |= set(np.ravel(s.score if isinstance(s, BoxScores) else s.scores).tolist())
    return sorted(values, reverse=True)


def frame_is_found(
    painted: NDArray[Any], anomalous: Mask, threshold: float, *, share: float, dual_share: float
) -> bool:
    """Pixel level (``dual_share`` 0) and dual pixel level for an anomalous frame."""
    detected = painted >= threshold
    both = int((detected & anomalous).sum())
    return both / int(anomalous.sum()) >= share and both / max(int(detected.sum()), 1) >= dual_share


def pixel_rates(
    scores: Sequence[Scores],
    truths: Sequence[GroundTruth],
    threshold: float,
    *,
    share: float,
    dual_share: float,
) -> tuple[float, float]:
    """False and true positive rate at one threshold; NaN for a class without frames."""
    normal, found = [], []
    for score, truth in zip(scores, truths, strict=True):
        for frame in range(truth.frame_count):
            painted = painted_scores(score, frame)
            masks = list(annotated_regions(truth, frame).values())
            if not truth.anomalous[frame]:
                normal.append(bool((painted >= threshold).any()))
            elif masks and (anomalous := np.any(masks, axis=0)).any():
                found.append(
                    frame_is_found(
                        painted, anomalous, threshold, share=share, dual_share=dual_share
                    )
                )
    return _mean(normal), _mean(found)


def pair_auc(normal: list[float], anomalous: list[float]) -> float:
    """Share of (anomalous, normal) pairs in the right order, half of the ties."""
    pairs = [(a > n) + 0.5 * (a == n) for a in anomalous for n in normal]
    return sum(pairs) / len(pairs)


def envelope_area(points: list[tuple[float, float]]) -> float:
    """Area under the function "best rate at FPR <= x", summed over the steps between all FPRs."""
    edges = sorted({0.0, 1.0, *(fpr for fpr, _ in points if fpr < 1)})
    area = Fraction(0)
    for left, right in pairwise(edges):
        best = max((rate for fpr, rate in points if fpr <= left), default=0.0)
        area += Fraction(best) * (Fraction(right) - Fraction(left))
    return float(area)


def roc_area(points: list[tuple[float, float]]) -> float:
    """Area under straight lines through (FPR, best rate so far), from the highest threshold on."""
    area, x, best = 0.0, 0.0, 0.0
    for fpr, rate in points:
        height = max(best, rate)
        area += (fpr - x) * (best + height) / 2
        x, best = fpr, height
    return area + (1 - x) * best


def _mean(values: list[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")


Video = tuple[list[ScoreMap], list[GroundTruth]]
BoxVideo = tuple[list[BoxScores], list[GroundTruth]]


def random_boxes(
    rng: np.random.Generator, n: int, height_px: int, width_px: int, *, step: float = 0.25
) -> NDArray[np.float64]:
    """``(n, 4)`` boxes, not empty, with edges at multiples of ``step``."""
    edges = np.empty((n, 4))
    for axis, length in ((0, width_px), (1, height_px)):
        places = np.arange(0, length + step / 2, step)
        low = rng.integers(0, len(places) - 1, n)
        edges[:, axis] = places[low]
        edges[:, axis + 2] = places[rng.integers(low + 1, len(places))]
    return edges


def random_truth(
    rng: np.random.Generator, sequence: str, frame_count: int, height_px: int, width_px: int
) -> GroundTruth:
    """Up to three overlapping boxes or masks per frame; some anomalous frames have no region."""
    frame = np.sort(rng.integers(0, frame_count, rng.integers(0, 3 * frame_count)))
    masked = bool(rng.integers(2))
    boxes = random_boxes(rng, len(frame), height_px, width_px, step=1 if masked else 0.25)
    sizes = (boxes[:, [3, 2]] - boxes[:, [1, 0]]).astype(int)
    anomalous = rng.random(frame_count) < 0.2
    anomalous[frame] = True
    return GroundTruth(
        sequence=sequence,
        frame_count=frame_count,
        height_px=height_px,
        width_px=width_px,
        frame=frame,
        track=rng.integers(0, 3, len(frame)),
        box_xyxy_px=boxes,
        masks=tuple(rng.random(size) < 0.7 for size in sizes) if masked else None,
        anomalous=anomalous,
    )


@st.composite
def map_videos(draw: st.DrawFn) -> Video:
    """One to three short sequences of score maps, with or without ties and cut cells."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cell_height, cell_width = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    levels = draw(st.sampled_from([2, 5, 1000]))
    scores, truths = [], []
    for i in range(draw(st.integers(1, 3))):
        height, width = rng.integers(1, 9, 2).tolist()
        frames = int(rng.integers(1, 4))
        shape = (frames, -(-height // cell_height), -(-width // cell_width))
        values = (rng.integers(0, levels, shape) / (levels - 1)).astype(np.float32)
        scores.append(ScoreMap(f"s{i}", values, cell_height, cell_width, height, width))
        truths.append(random_truth(rng, f"s{i}", frames, height, width))
    return scores, truths


@st.composite
def box_videos(draw: st.DrawFn) -> BoxVideo:
    """One to three short sequences of boxes with scores, in any order, often tied."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([2, 5, 1000]))
    scores, truths = [], []
    for i in range(draw(st.integers(1, 3))):
        height, width = rng.integers(1, 9, 2).tolist()
        frames = int(rng.integers(1, 4))
        n = int(rng.integers(0, 3 * frames + 1))
        boxes = random_boxes(rng, n, height, width)
        values = rng.integers(0, levels, n) / (levels - 1)
        frame = rng.integers(0, frames, n)
        scores.append(BoxScores(f"s{i}", frame, boxes, values, frames, height, width))
        truths.append(random_truth(rng, f"s{i}", frames, height, width))
    return scores, truths
