"""Score maps moved around, which say what chance gives."""

from typing import Any

import numpy as np
import pytest

from evaluation.evaluate_together import move_load, shifted
from vadloc.annotations.ssvad_prediction import Prediction
from vadloc.errors import UsageError
from vadloc.scores import ScoreMap

MAP = np.random.default_rng(0).random((4, 3, 5)).astype(np.float32)


def test_all_frames_move_alike_and_keep_their_scores() -> None:
    seen = set()
    for seed in range(200):
        found = shifted(MAP, np.random.default_rng(seed))
        moves = [m for m in np.ndindex(3, 5) if (np.roll(MAP, m, axis=(1, 2)) == found).all()]
        assert len(moves) == 1
        seen.add(moves[0])
    assert len(seen) == 15  # each move is drawn


def test_only_the_place_of_a_sequence_changes() -> None:
    details: Any = {"cell_height_px": 8, "cell_width_px": 8, "height_px": 24, "width_px": 40}
    before = Prediction("Test1", 4, ScoreMap(sequence="Test1", scores=MAP, **details), None)
    truth: Any = object()
    prediction, same = move_load(lambda: (before, truth), seed=3)()
    assert same is truth
    assert isinstance(prediction.scores, ScoreMap)
    found = prediction.scores.scores
    np.testing.assert_array_equal(found.max(axis=(1, 2)), MAP.max(axis=(1, 2)))
    again, _ = move_load(lambda: (before, truth), seed=3)()
    assert isinstance(again.scores, ScoreMap)
    np.testing.assert_array_equal(again.scores.scores, found)


def test_scores_without_a_place_cannot_move() -> None:
    frames = Prediction("Test1", 4, None, np.zeros(4))
    truth: Any = None
    with pytest.raises(UsageError, match="Test1: its scores have no place"):
        move_load(lambda: (frames, truth), seed=0)()
