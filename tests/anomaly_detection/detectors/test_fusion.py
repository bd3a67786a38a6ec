"""A version of parts: its distances by hand, its stream, and a whole run without networks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_scene import CONFIG, copy_scene, film, save_frames, scene_options
from volumes import volume_starts

import vadloc.run
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.detectors.exemplars import features_to_scores
from anomaly_detection.detectors.fusion import FusionDetector, fuse
from anomaly_detection.explanation.reasons import component_shares, squares_to_shares
from exemplar_selection import merge_exemplars, select_exemplars, show_exemplars
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.merge_exemplars import merge_exemplars as merge
from feature_extraction import extract_features
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.features import FusedFeatures, SequenceFeatures, load_features
from vadloc.regions import RegionGrid
from vadloc.versions import FUSION, VERSIONS, Part, Version, components_of, extractors_of

GRID = RegionGrid(20, 28, 8, 4)
LENGTH = 4
WIDTHS = 130, 3
TOY = "two_momenta"
PARTS = "momentum", "relative_momentum"


def test_distances_are_added_at_right_angles() -> None:
    first, second = np.array([[0.0, 3.0], [0.6, 1.0]]), np.array([[0.0, 8.0], [0.0, 4.0]])
    found = fuse([first, second], [0.6, 2.0])
    assert found == pytest.approx(np.array([[0, np.sqrt(25 + 16)], [1, np.sqrt(25 / 9 + 4)]]))


def test_shares_are_those_of_the_squares() -> None:
    assert squares_to_shares(np.array([1.0, 3.0, 0.0])).tolist() == [0.25, 0.75, 0.0]
    assert squares_to_shares(np.zeros(4)).tolist() == [0.25] * 4


def test_components_share_what_their_part_has() -> None:
    motion: Any = SimpleNamespace(shares={"angle": 0.5, "speed": 0.5, "moving": 0.0})
    other: Any = SimpleNamespace(shares={"appearance": 0.75, "moving": 0.25})
    shares = component_shares([motion, other], np.array([0.6, 0.4]))
    expected = {"angle": 0.3, "speed": 0.3, "moving": 0.1, "appearance": 0.3}
    assert shares == pytest.approx(expected)


def test_a_version_has_the_components_and_extractors_of_its_parts() -> None:
    components = ("angle", "speed", "background", "relative_momentum", "appearance", "still")
    assert components_of("fused") == components
    assert extractors_of("fused") == ("motion", "relative_momentum", "appearance", "still")


def model_of(random: np.random.Generator, width: int) -> Exemplars:
    counts = random.integers(1, 40, GRID.region_count)
    total = int(counts.sum())
    return Exemplars(
        distance=FeatureDistance((width,), (2.0,), (1.0,)),
        components=("a",),
        height_px=GRID.height_px,
        width_px=GRID.width_px,
        sequences=("Train",),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        features=random.normal(size=(total, width)).astype(np.float32),
        counts=np.ones(total, np.int64),
        sequence=np.zeros(total, np.int64),
        first_frame=np.arange(total),
    )


def features_of(random: np.random.Generator, starts: list[int], width: int) -> SequenceFeatures:
    values = random.normal(size=(len(starts), GRID.region_count, width))
    return SequenceFeatures(
        sequence="Test",
        frame_count=starts[-1] + LENGTH,
        height_px=GRID.height_px,
        width_px=GRID.width_px,
        first_frame=np.array(starts),
        components=("a",),
        widths=(width,),
        values=values.astype(np.float32),
    )


def detector_of(models: list[Exemplars], combine: str) -> FusionDetector:
    def config(neighbourhood: int) -> Any:
        scoring = SimpleNamespace(combine=combine, neighbourhood=neighbourhood)
        return SimpleNamespace(scoring=scoring, regions=SimpleNamespace(frames_per_volume=LENGTH))

    def merged(model: Exemplars) -> Any:
        return lambda: SimpleNamespace(load=lambda: model.to_content(schema=0))

    parts = [
        SimpleNamespace(config=config(number), merged=merged(model), version=str(number))
        for number, model in enumerate(models)
    ]
    by_row = np.array([np.linspace(0.7, 1.4, GRID.regions[0]), np.full(GRID.regions[0], 1.3)])
    divisors = SimpleNamespace(load=lambda: {"by_row": by_row})
    artifacts: Any = SimpleNamespace(config=config(9), parts=parts, divisors=lambda: divisors)
    return FusionDetector(artifacts)


@settings(max_examples=10)
@given(
    st.integers(0, 100),
    st.integers(LENGTH, 30),
    st.sampled_from([1, 3]),
    st.sampled_from(["mean", "max"]),
)
def test_a_stream_gives_the_bytes_of_the_whole(
    seed: int, frame_count: int, stride: int, combine: str
) -> None:
    random = np.random.default_rng(seed)
    detector = detector_of([model_of(random, width) for width in WIDTHS], combine)
    starts = list(volume_starts(frame_count, LENGTH, stride))
    fused = FusedFeatures.of(tuple(features_of(random, starts, width) for width in WIDTHS))
    whole = detector.score_sequence(fused, GRID)
    stream = detector.start_stream(GRID)
    pieces = [stream.push(step) for step in fused.steps()]
    assert np.concatenate([*pieces, stream.finish()]).tobytes() == whole.tobytes()
    assert whole.shape == (frame_count, *GRID.cells)


@pytest.fixture(scope="module")
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        parts = Part("momentum"), Part("relative_momentum", neighbourhood=1)
        patch.setitem(VERSIONS, TOY, Version(detector=FUSION, parts=parts))
        yield


@pytest.fixture(scope="module")
def folder(scene: Path, registered: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scene and results of a whole run, in this process."""
    del registered
    folder = tmp_path_factory.mktemp("fused")
    config = copy_scene(scene, folder / "scene") / "tiny.toml"
    text = CONFIG.replace('"momentum"', f'"{TOY}"')
    config.write_text(f"{text}[alarms]\nfalse_alarms_per_hour = 1000\n")
    options = scene_options(folder / "scene", folder / "results")
    vadloc.run.main([*map(str, options), "--jobs", "1"])
    return folder


def artifacts_of(folder: Path, version: str = TOY) -> Artifacts:
    scene = folder / "scene"
    return Artifacts(load_config(scene / "tiny.toml"), folder / "results", scene, version=version)


def test_exemplars_are_those_of_the_parts_own_versions(folder: Path) -> None:
    made = {entry.name for entry in (folder / "results/tiny/exemplars").iterdir()}
    assert made == {*PARTS, TOY}
    of_all = {p.name for p in (folder / "results/tiny/exemplars" / TOY).iterdir()}
    assert of_all == {"divisors.joblib", "sightings.joblib"}
    for version in PARTS:
        part = artifacts_of(folder, version)
        assert part.merged().is_done()
        for stage in (select_exemplars.STAGE, merge_exemplars.STAGE):
            assert all(stage.is_done(part, unit, overwrite=False) for unit in stage.units(part))
    table = merge_exemplars.describe(artifacts_of(folder), "tiny").splitlines()
    assert [line.split(":")[0] for line in table] == list(PARTS)


def test_scores_are_those_of_the_parts_together(folder: Path) -> None:
    """The score of a cell is the mean over regions and volumes of the fused distance."""
    artifacts = artifacts_of(folder)
    divisors = artifacts.divisors().load()["by_row"][:, 1]
    first, second = (load_features(part, "test", "Test0") for part in artifacts.parts)
    models = [Exemplars.from_content(part.merged().load()) for part in artifacts.parts]
    region = 9  # row 1, column 2 of 5 x 7
    near = [[region], [1, 2, 3, 8, 9, 10, 15, 16, 17]]
    squares = 0.0
    for features, model, regions, divisor in zip(
        (first, second), models, near, divisors, strict=True
    ):
        rows = model.rows_of(np.array(regions))
        scaled = model.distance.scaled(features.values[:, region])[:, None]
        others = model.distance.scaled(model.features[rows])
        squares = squares + (np.linalg.norm(scaled - others, axis=2).min(axis=1) / divisor) ** 2
    detector = load_detector(artifacts)
    assert isinstance(detector, FusionDetector)
    fused = load_input(artifacts, "test", "Test0")
    assert isinstance(fused, FusedFeatures)
    grid = fused.grid(artifacts.config.regions)
    pairs = zip(detector.parts, fused.parts, strict=True)
    distances = [part.distances(features, grid) for part, features in pairs]
    assert fuse(distances, detector.divisors)[:, region] == pytest.approx(np.sqrt(squares))


def test_training_is_scored_by_the_exemplars_of_the_others(folder: Path) -> None:
    artifacts = artifacts_of(folder)
    fused = load_input(artifacts, "train", "Train1")
    grid = fused.grid(artifacts.config.regions)
    [(given, scores)] = load_detector(artifacts).score_training(fused, grid)
    assert given.sequence == "Train1"
    others = [
        merge(
            [Exemplars.from_content(part.exemplars(f"Train{i}").load()) for i in (0, 2)],
            threshold=artifacts.config.exemplars.threshold,
        )
        for part in artifacts.parts
    ]
    detector = FusionDetector(artifacts)
    for part, model in zip(detector.parts, others, strict=True):
        vars(part)["model"] = model
    assert scores.tobytes() == detector.score_sequence(fused, grid).tobytes()


def test_shares_add_up_and_the_largest_part_speaks(folder: Path) -> None:
    artifacts = artifacts_of(folder)
    detections = artifacts.explanations("Test0").load()["detections"]
    assert detections
    for detection in detections:
        peak = detection["peak"]
        for shares in (peak["shares"], peak["part_shares"]):
            assert list(shares) == list(PARTS)
            assert sum(shares.values()) == pytest.approx(1, abs=2e-4)
        assert peak["distance"] >= detection["score"] - 1e-5  # cells take means
        largest = max(PARTS, key=lambda name: peak["shares"][name])
        assert {entry["component"] for entry in detection["unusual"]} <= {largest}
        assert detection["nearest"]["sequence"].startswith("Train")
        assert "Here normally: " in detection["sentence"]


def test_the_report_shows_the_exemplars_of_the_first_part(folder: Path) -> None:
    report = folder / "results" / "tiny" / "report" / TOY
    assert (report / "index.html").is_file()
    assert (report / "data" / "scene.js").is_file()


def test_exemplars_to_look_at_are_asked_of_a_part(folder: Path) -> None:
    with pytest.raises(UsageError, match="--version momentum or relative_momentum"):
        show_exemplars.find_exemplars(artifacts_of(folder), region=0, at=None)


def test_other_neighbourhoods_are_other_divisors_but_the_same_exemplars(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stamps_of(artifacts_of(folder))
    parts = tuple(replace(part, neighbourhood=2) for part in VERSIONS[TOY].parts)
    monkeypatch.setitem(VERSIONS, TOY, Version(detector=FUSION, parts=parts))
    after = stamps_of(artifacts_of(folder))
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        *(True, True),
        *(False, False),
    ]


def stamps_of(artifacts: Artifacts) -> list[str]:
    """Of the models of the parts, the divisors and the scores."""
    models = [part.merged().stamp for part in artifacts.parts]
    return [*models, artifacts.divisors().stamp, artifacts.scores("Test0").stamp]


def run_until_merged(folder: Path, films: list[NDArray[np.uint8]]) -> Artifacts:
    for index, frames in enumerate(films):
        save_frames(folder / "scene" / "Train" / f"Train{index}", frames)
    save_frames(folder / "scene" / "Test" / "Test0", film(seed=10, anomaly_column=10))
    (folder / "scene" / "tiny.toml").write_text(CONFIG)
    artifacts = artifacts_of(folder)
    for split in ("train", "test"):
        for sequence in artifacts.sequences(split):
            extract_features.stage(split).run(artifacts, sequence.name)
    for sequence in artifacts.sequences("train"):
        select_exemplars.STAGE.run(artifacts, sequence.name)
    merge_exemplars.STAGE.run(artifacts, "tiny")
    return artifacts


@pytest.mark.usefixtures("registered")
def test_one_training_sequence_is_halved(tmp_path: Path) -> None:
    artifacts = run_until_merged(tmp_path, [film(seed=0)])
    found = artifacts.divisors().load()
    assert found["left_out"] == ["Train0", "Train0"]
    assert set(found["sources"]) <= {"halves", "least"}
    fused = load_input(artifacts, "train", "Train0")
    grid = fused.grid(artifacts.config.regions)
    parts = list(load_detector(artifacts).score_training(fused, grid))
    assert [part.frame_count for part, _ in parts] == [10, 12]


@pytest.mark.usefixtures("registered")
def test_one_training_sequence_that_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match=r"Train0: 7 frames are too few .* add normal video"):
        run_until_merged(tmp_path, [film(seed=0)[:7]])


@pytest.mark.usefixtures("registered")
def test_training_video_without_movement(tmp_path: Path) -> None:
    """Every movement is then an anomaly, and scores are finite."""
    still = np.repeat(film(seed=10)[:1], 12, axis=0)
    artifacts = run_until_merged(tmp_path, [still, still])
    assert artifacts.divisors().load()["sources"] == ["least", "least"]
    fused = load_input(artifacts, "test", "Test0")
    scores = load_detector(artifacts).score_sequence(fused, fused.grid(artifacts.config.regions))
    assert np.isfinite(scores).all()
    assert scores.max() > 1


def test_a_single_part_scores_as_its_version_divided_and_less_at_the_edges(folder: Path) -> None:
    artifacts = artifacts_of(folder)
    part = artifacts.parts[0]
    features = load_features(part, "test", "Test0")
    grid = features.grid(part.config.regions)
    model = Exemplars.from_content(part.merged().load())
    plain = features_to_scores(features, model, grid, config=part.config)
    detector = FusionDetector(artifacts)
    detector.parts, vars(detector)["divisors"] = (
        detector.parts[:1],
        [np.full(grid.region_count, 0.5)],
    )
    found = detector.score_sequence(FusedFeatures.of((features,)), grid)
    few = np.ones(grid.cells)  # half of the regions at an edge, a quarter in a corner
    few[[0, -1]] *= 0.5
    few[:, [0, -1]] *= 0.5
    assert found == pytest.approx(2 * plain * few**0.25, rel=1e-6)
