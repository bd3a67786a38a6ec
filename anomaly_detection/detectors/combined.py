"""The detector of combined versions: one leads, and others add what they see beyond normal.

The score s_m of each member is divided by what normal video reaches, D_m. As for the parts of a
version, this is the mean of a high quantile of the scores of each training sequence that is left
out; here of those that all members can leave out. The first member leads. Of the others counts only
what normal video does not reach, at right angles:

    s = sqrt((s_1 / D_1)^2 + sum over the other members m of max(0, s_m / D_m - 1)^2)

What a member sees in normal video is different at each place and says nothing; if it counted, it
would disturb the order of the first member's scores. So a member that sees nothing unusual changes
nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Detector, Reason, Scores, ScoreStream
from anomaly_detection.explanation.detections import Detection
from exemplar_selection.divisors import QUANTILE
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError, VadlocError
from vadloc.regions import RegionGrid
from vadloc.sequence_input import CombinedInput, SequenceInput

LEAST_DIVISOR = 1e-6


def load(artifacts: Artifacts) -> "CombinedDetector":
    """The detector with the divisors of its members."""
    return CombinedDetector(artifacts)


def add_scores(scores: Sequence[Scores], divisors: Sequence[float]) -> Scores:
    """The scores of several versions together.

    Args:
        scores: Those of each version, of one shape; the first one leads.
        divisors: D of each, above 0.

    Raises:
        VadlocError: The shapes differ.
    """
    shapes = [of_member.shape for of_member in scores]
    if len(set(shapes)) > 1:
        raise VadlocError(
            f"scores of shapes {shapes} cannot be combined; make them again with one config"
        )
    return np.asarray(np.sqrt(np.sum(_squares(scores, divisors), axis=0)), np.float32)


def _squares(scores: Sequence[Scores], divisors: Sequence[float]) -> list[NDArray[np.float64]]:
    """What each member adds to the square of the score."""
    first, *others = (s.astype(np.float64) / d for s, d in zip(scores, divisors, strict=True))
    return [first**2, *(np.maximum(other - 1, 0) ** 2 for other in others)]


def scores_to_divisor(scores: Sequence[Scores]) -> float:
    """D of a version, from its score maps of left-out training sequences."""
    quantiles = [np.quantile(of_sequence, QUANTILE) for of_sequence in scores]
    return max(float(np.mean(quantiles)), LEAST_DIVISOR)


class CombinedDetector(Detector):
    """Adds the scores of several detectors.

    Args:
        artifacts: Calibrations and scores of the members are read from it.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts

    @cached_property
    def divisors(self) -> list[float]:
        """D of each member, from the file in which ``combine_scores`` has stored them."""
        divisors: list[float] = self.artifacts.member_divisors().load()["divisors"]
        return divisors

    def measure_divisors(self) -> dict[str, Any]:
        """D of each member, from the training sequences that all of them can leave out.

        Raises:
            VadlocError: No training sequence can be left out by all members.
        """
        from anomaly_detection.calibration.calibrate_threshold import calibration_sequences
        from anomaly_detection.detectors import load_input

        names = calibration_sequences(self.artifacts)
        if not names:
            raise VadlocError(
                f"version {self.artifacts.version!r}: no training sequence can be left out by all "
                "of its members"
            )
        of_sequences = []
        for name in names:
            given = load_input(self.artifacts, "train", name)
            of_sequences.append(self._left_out(given, given.grid(self.artifacts.config.regions)))
        divisors = [scores_to_divisor(of_member) for of_member in zip(*of_sequences, strict=True)]
        members = [member.version for member in self.artifacts.members]
        return {"members": members, "sequences": names, "divisors": divisors}

    def _left_out(self, sequence: SequenceInput, grid: RegionGrid) -> list[Scores]:
        """Scores of a training sequence by all members: of its end, if some hold out no more."""
        scores = [
            np.concatenate([found for _, found in detector.score_training(given, grid)])
            for detector, given in zip(self.detectors, _members(sequence), strict=True)
        ]
        count = min(len(of_member) for of_member in scores)
        return [of_member[-count:] for of_member in scores]

    @cached_property
    def detectors(self) -> list[Detector]:
        """The detector of each member."""
        from anomaly_detection.detectors import load_detector

        return [load_detector(member) for member in self.artifacts.members]

    @property
    def weights(self) -> dict[str, float]:
        """1 / D of each member."""
        names = [member.version for member in self.artifacts.members]
        return {name: 1 / d for name, d in zip(names, self.divisors, strict=True)}

    def start_stream(self, grid: RegionGrid) -> ScoreStream:
        """Refused: the members read different things; `start_frame_stream` runs a stream of each.

        Raises:
            UsageError: Always.
        """
        del grid
        names = " or ".join(member.version for member in self.artifacts.members)
        raise UsageError(
            f"version {self.artifacts.version!r} combines the scores of its members and has no "
            f"stream of its own; give --version {names}"
        )

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The scores of a test sequence, from the stored ones of all members."""
        del grid
        names = sequence.sequence
        scores = [member.scores(names).load() for member in self.artifacts.members]
        return add_scores(scores, self.divisors)

    def score_training(
        self, sequence: SequenceInput, grid: RegionGrid
    ) -> Iterator[tuple[SequenceInput, Scores]]:
        """The scores of a training sequence that all members leave out.

        If it is the only sequence, these are the scores of its end, which trained members hold out.
        """
        scores = self._left_out(sequence, grid)
        count = len(scores[0])
        times_s = sequence.times_s
        if times_s is not None:
            times_s = times_s[-count:] - times_s[-count]
        part = replace(sequence, frame_count=count, times_s=times_s)
        yield part, add_scores(scores, self.divisors)

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """In the words of the member with the largest share at the peak."""
        shares = self._shares(detection.peak, sequence.sequence)
        largest = max(range(len(shares)), key=lambda i: shares[i])
        found = self.detectors[largest].explain(detection, _members(sequence)[largest], grid)
        if found is None:
            return None
        names = [member.version for member in self.artifacts.members]
        words = f"{found.words} (version {names[largest]}, {shares[largest]:.0%} of the score)"
        rounded = {name: round(share, 4) for name, share in zip(names, shares, strict=True)}
        return Reason(found.region, found.first_frame, words, peak={"shares": rounded})

    def _shares(self, peak: tuple[int, int, int], sequence: str) -> list[float]:
        """The share of each member in the square of the score of a cell."""
        scores = [member.scores(sequence).load() for member in self.artifacts.members]
        at_peak = [np.asarray(of_member[peak]) for of_member in scores]
        squares = [float(square) for square in _squares(at_peak, self.divisors)]
        total = sum(squares) or 1.0
        return [square / total for square in squares]


def _members(sequence: SequenceInput) -> tuple[SequenceInput, ...]:
    assert isinstance(sequence, CombinedInput), "a combined version has the inputs of its members"
    return sequence.members
