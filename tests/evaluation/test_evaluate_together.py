"""Score maps moved around, which say what chance gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.evaluate_snippets import numbers_by_class
from evaluation.evaluate_together import move_load, shifted
from evaluation.figures.score_plots import draw_videos
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


def test_numbers_by_class(tmp_path: Path) -> None:
    shown: Any = {
        "a": (np.array([0.9, 0.1]), np.array([True, False])),
        "r": (np.array([0.2, 0.6]), np.array([True, False])),
        "n": (np.array([0.5, 0.3]), np.array([False, False])),
    }
    path = tmp_path / "classes"
    path.write_text("a Abuse\nr Robbery\nn normal\n")
    # Abuse: .9 against .1 .5 .3; Robbery: .2 against .6 .5 .3
    assert numbers_by_class(shown, path)["auc_by_class"] == {"Abuse": 1.0, "Robbery": 0.0}
    path.write_text("a Abuse\nr normal\nn normal\n")
    with pytest.raises(UsageError, match="line 2 calls r normal; the ground truth has 1 anomalous"):
        numbers_by_class(shown, path)
    path.write_text("a Abuse\n")
    with pytest.raises(UsageError, match="does not name r"):
        numbers_by_class(shown, path)


def test_plots_of_each_sequence_and_a_grid(tmp_path: Path) -> None:
    scores = np.array([0.2, 3.0, -np.inf])
    shown: Any = {"scene/a$b$": (scores, np.array([False, True, False])), "c": (scores, scores > 1)}
    draw_videos(tmp_path, shown, threshold=0.5)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")}
    assert found == {"scene/a$b$.png", "c.png", "grid.png"}
