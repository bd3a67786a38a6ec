"""Features of a shaken camera are those of the fixed one, and what is stored of its shifts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import CONFIG, FRAMES, film, save_frames, shaken

from feature_extraction import extract_features
from feature_extraction.frames_to_features import frames_to_features
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.files.contents import check_content
from vadloc.files.storage import DamagedFileError


def artifacts_of(folder: Path, frames: NDArray[np.uint8], undo: str) -> Artifacts:
    for split in ("Train", "Test"):
        save_frames(folder / split / "only", frames)
    (folder / "a.toml").write_text(CONFIG + f"[camera]\nundo_shake = {undo}\n")
    return Artifacts(load_config(folder / "a.toml"), folder / "results", folder)


def features_of(folder: Path, frames: NDArray[np.uint8], undo: str) -> dict[str, Any]:
    artifacts = artifacts_of(folder, frames, undo)
    return frames_to_features(artifacts.config, artifacts.sequence("test", "only"), ("momentum",))[
        "momentum"
    ]


def inner_momentum(features: dict[str, Any]) -> NDArray[np.float32]:
    """Momentum of the regions that do not touch the edge: ``(time steps, 3, 5, 12)``."""
    rows = features["components"]["momentum"][features["index"]]
    return np.asarray(rows.reshape(len(rows), 5, 7, 12)[:, 1:-1, 1:-1])


def test_features_of_a_fixed_camera_are_the_same_bytes_with_and_without(tmp_path: Path) -> None:
    with_, without = (
        features_of(tmp_path / undo, film(seed=3), undo) for undo in ("true", "false")
    )
    assert with_["components"]["momentum"].tobytes() == without["components"]["momentum"].tobytes()
    assert not with_["camera_is_undone"].any()
    assert "camera_shift_px" not in without


def test_features_of_a_shaken_camera_are_nearly_those_of_the_fixed_one(tmp_path: Path) -> None:
    fixed = inner_momentum(features_of(tmp_path / "fixed", film(seed=3), "true"))
    errors = {}
    for undo in ("true", "false"):
        features = features_of(tmp_path / undo, shaken(film(seed=3)), undo)
        errors[undo] = np.abs(inner_momentum(features) - fixed).mean()
    assert errors["true"] < errors["false"] / 5


def test_the_report_has_the_camera_s_shifts(tmp_path: Path) -> None:
    artifacts = artifacts_of(tmp_path, shaken(film(seed=3)), "true")
    extract_features.stage("test").run(artifacts, "only")
    content = artifacts.features("momentum", "test", "only").load()
    assert content["camera_shift_px"].shape == (FRAMES, 2)
    counts = extract_features._count(content)
    lengths_px = np.hypot(*content["camera_shift_px"].T)
    assert counts["camera_median_px"] == pytest.approx(np.median(lengths_px), abs=1e-3)
    assert counts["camera_undone_share"] == pytest.approx(
        content["camera_is_undone"].mean(), abs=1e-3
    )
    assert counts["camera_undone_share"] > 0.5
    assert counts["camera_lost_share"] == 0


def test_shifts_of_too_few_frames_are_refused(tmp_path: Path) -> None:
    content = features_of(tmp_path, film(seed=3), "true")
    check_content(content, "features", tmp_path)
    short = {k: v[1:] if k.startswith("camera_") else v for k, v in content.items()}
    flat = {**content, "camera_shift_px": content["camera_shift_px"][:, :1]}
    partial = {k: v for k, v in content.items() if k != "camera_is_found"}
    for changed in (short, flat, partial):
        with pytest.raises(DamagedFileError, match="camera's shift in x and y for each frame"):
            check_content(changed, "features", tmp_path)


def test_switching_it_off_makes_features_stale(tmp_path: Path) -> None:
    on, off = (artifacts_of(tmp_path / undo, film(seed=3), undo) for undo in ("true", "false"))
    made = [a.features("momentum", "test", "only").stamp for a in (on, off)]
    learnt = [a.learnt("relative_momentum").stamp for a in (on, off)]
    assert made[0] != made[1]
    assert learnt[0] != learnt[1]
