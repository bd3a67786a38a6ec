"""A version that learns from labels of whole videos, if it can score frames as they come."""

from pathlib import Path

import numpy as np
import pytest
from tiny_scene import CONFIG, film, make_scene, save_frames

pytest.importorskip("torch")
pytest.importorskip("openvino")

import vadloc.run
from anomaly_detection.watch_camera import parser
from anomaly_detection.watching.segment import Scored
from anomaly_detection.watching.session import watch
from vadloc.artifacts import Artifacts
from vadloc.config import load_config

TABLES = """
[detectors.region_bags]
head = "sultani"
smoothing = 1
steps = 5

[alarms]
threshold = 0.1
"""


def test_a_watched_file_has_the_stored_scores(tmp_path: Path) -> None:
    scene, results, scored = make_scene(tmp_path), tmp_path / "results", list[Scored]()
    for number in range(2):
        frames = film(seed=20 + number, anomaly_column=15 + 20 * number)
        save_frames(scene / "Bad" / f"Bad{number}", frames)
    named = CONFIG.replace('test = "Test"\n', 'test = "Test"\nanomalous = "Bad"\n')
    (scene / "tiny.toml").write_text(named + TABLES)
    words = ["--config", scene / "tiny.toml", "--datasets", scene, "--results", results]
    words = [str(word) for word in [*words, "--version", "weak_regions"]]
    vadloc.run.main([*words, "--jobs", "1"])
    more = ["--source", str(scene / "Test" / "Test0"), "--out", str(tmp_path / "out")]
    watch(
        parser().parse_args([*words, *more, "--no-page", "--no-view-check"]),
        on_scored=scored.append,
    )
    found = Artifacts(load_config(scene / "tiny.toml"), results, scene, "weak_regions")
    scores = np.stack([one.scores for one in scored])
    assert scores.tobytes() == found.scores("Test0").load().tobytes()
