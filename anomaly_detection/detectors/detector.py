"""The contract of a detector: what it is given, what it returns, and what it may not do.

A detector is a module of this folder with a function ``load(artifacts) -> Detector``. An entry in
``vadloc.versions.DETECTORS`` names it and says what it reads:

* ``features``: the detector gets a `vadloc.features.SequenceFeatures` for each sequence. Its stream
  gets a `vadloc.features.VolumeFeatures` for each time step: one volume in each region, over the
  frames ``first_frame`` to ``first_frame + config.regions.frames_per_volume - 1``. Time steps may
  overlap, and together they cover all frames. The detector of a version of parts gets a
  `vadloc.features.FusedFeatures`, and for each time step a tuple with the volumes of each part.
* ``frames``: the detector gets a `vadloc.sequence_input.SequenceFrames` for each sequence. Its
  stream gets frames, uint8 RGB ``(height, width, 3)``.
* ``versions``: the detector gets a `vadloc.sequence_input.CombinedInput`, with the inputs of other
  versions, whose stored scores it combines; only ``combined`` does this.

``load`` is called for each sequence that is scored or explained, perhaps in several processes at a
time. The detector may read, through ``artifacts``, the training sequences and what was learnt from
them, and nothing else. ``artifacts.sequences("train")`` lists the training sequences;
`vadloc.sequence_input.load_frames` and `vadloc.features.load_features` read one. The config is
``artifacts.config``. What takes longer to learn than ``load`` may take is learnt by
``anomaly_detection.train_detector``: the entry's ``training`` names a module that says which
networks are trained (``anomaly_detection.training.tasks``), and its ``settings`` the model of its
table in a config. `anomaly_detection.detectors.trained.NetworkDetector` is such a detector.

Scores are float32 ``(frames, cell rows, cell columns)``, finite, 0 or above, and higher for what is
more anomalous. Each detector chooses their unit. It is the same in all sequences, so that one
threshold serves them all. The cells are those of ``RegionGrid.cells``. Every frame has scores.

A detector may not

* look at ground truth, or at any test sequence but the one that it scores;
* scale or shift scores by statistics of the test sequence (its largest score is known only at the
  end, and scores divided by it no longer show whether anything happened);
* return different bytes for the same input: random choices take a seed from the config;
* write files, or print: the stages do this.

A detector must have at least `Detector.start_stream`. A complete detector of ten lines is in
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
"""A score map, ``(frames, cell rows, cell columns)``."""


class ScoreStream(Protocol):
    """Scores the frames of one sequence while they come in.

    The results of all calls of ``push`` and ``finish``, joined in order, are the scores of the
    whole sequence, to the byte. A stream keeps only what later scores need.
    """

    def push(self, step: Any) -> Scores:
        """Take the next step of the sequence.

        Args:
            step: The features of one time step's volumes, or one frame.

        Returns:
            Scores of the frames that have become final with this step, in order; there may be none.
        """

    def finish(self) -> Scores:
        """The scores of all remaining frames; the last call of a stream."""


@dataclass(frozen=True)
class Reason:
    """Why something was detected.

    Attributes:
        region: Number of the region whose volume shows the reason best.
        first_frame: 0-based first frame of this volume.
        words: The reason in words. The sentence of the detection has them after its time and place,
            and adds the full stop.
        peak: Entries of the record of this volume, beside those that say where and when it is. The
            report shows the keys of ``Peak`` in `vadloc.files.contents`.
        details: Other entries of the record of the detection, as JSON holds them. The report shows
            the keys of ``Detection`` in `vadloc.files.contents`.
    """

    region: int
    first_frame: int
    words: str
    peak: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


class Detector(Protocol):
    """Gives the cells of frames their scores.

    A class that derives from this one inherits all methods but ``start_stream``.
    """

    @property
    def localizes(self) -> bool:
        """Whether cells of a frame may have different scores; if not, only frames are evaluated."""
        return True

    @property
    def weights(self) -> dict[str, float]:
        """The weights of the indicators whose sum the score is; empty if there are none."""
        return {}

    def start_stream(self, grid: RegionGrid) -> ScoreStream:
        """Begin to score a sequence step by step.

        Args:
            grid: Regions and cells of its frames.

        Raises:
            VadlocError: The training frames have another size.
        """
        ...

    def score_sequence(self, sequence: SequenceInput, grid: RegionGrid) -> Scores:
        """The scores of a whole sequence, the same as those of a stream.

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

        The alarm threshold is calibrated on these scores. A detector that learns from training
        sequences must override this method and leave the sequence out; by default the result is
        that of ``score_sequence``.

        Yields:
            Parts of the sequence, each with its scores; usually one part, the whole sequence.
        """
        yield sequence, self.score_sequence(sequence, grid)

    def explain(
        self, detection: Detection, sequence: SequenceInput, grid: RegionGrid
    ) -> Reason | None:
        """Why something was detected; ``None`` if the detector knows nothing beside the score.

        Args:
            detection: A connected part of the score map at or above the threshold.
            sequence: The features or frames of the sequence.
            grid: Regions and cells of the frames.
        """
        del detection, sequence, grid
        return None


def score_checked(detector: Detector, sequence: SequenceInput, grid: RegionGrid) -> Scores:
    """The scores of a sequence, after a check that they fulfil the contract.

    Raises:
        VadlocError: The scores have another type or shape, are negative or are not finite.
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
        scores: The scores that it returned.

    Raises:
        VadlocError: The scores have another type or shape, are negative or are not finite.
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
