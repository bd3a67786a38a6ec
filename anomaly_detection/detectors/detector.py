"""The contract of a detector: what it is given, what it returns, and what it may not do.

A detector is a module of this folder with a function ``load(artifacts) -> Detector``, and a line in
``vadloc.versions.DETECTORS``. The line says what the detector reads:

* ``features``: of each sequence a `vadloc.features.SequenceFeatures`; a stream is given a
  `vadloc.features.VolumeFeatures` for each time step: one volume in each region, of the frames
  ``first_frame`` to ``first_frame + config.regions.frames_per_volume - 1``. Time steps overlap, and
  together they cover all frames. The detector of a version of parts is given a
  `vadloc.features.FusedFeatures`, and for each time step a tuple with the volumes of each part.
* ``frames``: of each sequence a `vadloc.sequence_input.SequenceFrames`; a stream is given frames,
  uint8 RGB ``(height, width, 3)``.

``load`` is called for each sequence that is scored or explained, perhaps in several processes at a
time. The detector may read what was learnt from training sequences by ``artifacts``, and nothing
else. The config is ``artifacts.config``.

Scores are float32 ``(frames, cell rows, cell columns)``, finite, 0 or above, and higher for what is
more anomalous. Their unit is the detector's own, and the same in all sequences: one threshold
serves them all. Cells are those of ``RegionGrid.cells``. Every frame has scores.

A detector may not

* look at ground truth, or at any test sequence but the one that it scores;
* scale or shift scores by what it sees in the test sequence (the largest score of a sequence is
  known only at its end, and hides whether anything happened at all);
* return other bytes for the same input: random choices take a seed from the config;
* write files, or print: the stages do.

The least that a detector has is `Detector.start_stream`. A whole detector of ten lines is in
``tests/anomaly_detection/detectors/test_any_detector.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.explanation.detections import Detection
from vadloc.errors import VadlocError
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

Scores = NDArray[np.float32]
"""``(frames, cell rows, cell columns)``."""


class ScoreStream(Protocol):
    """Scores the frames of one sequence while they come in.

    Joined one after the other, all that ``push`` and ``finish`` return are the scores of the whole
    sequence, to the byte. A stream holds no more of the past than what later scores need.
    """

    def push(self, step: Any) -> Scores:
        """Take the next step of the sequence.

        Args:
            step: The features of one time step's volumes, or one frame.

        Returns:
            Scores of the frames that no later step can change, in order; of none, if there is none.
        """

    def finish(self) -> Scores:
        """The scores of all frames that are left; the stream is given nothing after that."""


@dataclass(frozen=True)
class Reason:
    """Why something was detected.

    Attributes:
        region: Number of the region that shows it best.
        first_frame: 0-based first frame of the volume there that shows it best.
        words: What the sentence of the detection says after its time and place, up to the final
            full stop.
        peak: What the record says of that volume, beside where and when it is; see ``Peak`` of
            `vadloc.files.contents` for the keys that the report knows.
        details: Other entries of the detection's record, as JSON holds them; see ``Detection``
            there.
    """

    region: int
    first_frame: int
    words: str
    peak: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


class Detector(Protocol):
    """Gives the cells of frames their scores.

    A class that names this one as its base has all methods but ``start_stream``.
    """

    def start_stream(self, grid: RegionGrid) -> ScoreStream:
        """Begin to score a sequence step by step.

        Args:
            grid: Regions and cells of its frames.

        Raises:
            VadlocError: What was learnt is of frames of another size.
        """
        ...

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The scores of a whole sequence: those of its stream, run to the end.

        Args:
            sequence: Its features or frames.
            grid: Regions and cells of its frames.

        Raises:
            VadlocError: The sequence does not fit what was learnt, or cannot be read.
        """
        stream = self.start_stream(grid)
        finished = [stream.push(step) for step in sequence.steps()]
        return np.concatenate([*finished, stream.finish()])

    def score_training(
        self, sequence: SequenceInput, grid: RegionGrid
    ) -> Iterator[tuple[SequenceInput, Scores]]:
        """Scores of a training sequence as if nothing had been learnt from it.

        The alarm threshold is calibrated on them. A detector that learns from training sequences
        must leave this one out. Without this method, its plain scores are taken.

        Yields:
            Parts of the sequence, each with its scores; most often there is one, the whole.
        """
        yield sequence, self.score_sequence(sequence, grid)

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """Why something was detected; ``None`` where there is no more to say than its score.

        Args:
            detection: A part of the score map above the threshold.
            sequence: The features or frames that it was detected in.
            grid: Regions and cells of the frames.
        """
        del detection, sequence, grid
        return None


def score_checked(detector: Detector, sequence: SequenceInput, grid: RegionGrid) -> Scores:
    """The scores of a sequence, which are refused if they break the contract.

    Raises:
        VadlocError: They are of another type or shape, negative or not finite.
    """
    scores = detector.score_sequence(sequence, grid)
    check_contract(detector, sequence, grid, scores)
    return scores


def check_contract(
    detector: Detector, sequence: SequenceInput, grid: RegionGrid, scores: Scores
) -> None:
    """Refuse scores that break the contract.

    Args:
        detector: The detector.
        sequence: The sequence that it was given.
        grid: Regions and cells of the frames.
        scores: What it returned.

    Raises:
        VadlocError: They are of another type or shape, negative or not finite.
    """
    expected = sequence.frame_count, *grid.cells
    if scores.dtype != np.float32 or scores.shape != expected:
        found = f"{scores.dtype} scores of shape {scores.shape}, expected float32 of {expected}"
    elif not np.isfinite(scores).all() or (scores < 0).any():
        found = "scores that are negative or not finite"
    else:
        return
    raise VadlocError(
        f"{sequence.sequence}: {type(detector).__name__} returned {found}; see "
        "anomaly_detection/detectors/detector.py for what a detector returns"
    )
