"""Features that are taken while frames pass are those of the whole sequence, to the byte."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from feature_extraction.extractor import Extractor, TimeStep
from feature_extraction.frame import Frame
from feature_extraction.frames_to_features import frames_to_features
from feature_extraction.registry import kind_of
from feature_extraction.time_steps import LatestFeatures
from feature_extraction.volume_stream import VolumeStream
from feature_extraction.workers import Workers
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config
from vadloc.regions import RegionGrid
from vadloc.video.frames import Sequence, read_frames_as

EXTRACTORS = ["momentum"]
if importlib.util.find_spec("openvino"):
    EXTRACTORS += ["appearance", "motion"]


@pytest.fixture
def sequence(scene: Path) -> Sequence:
    config = load_config(scene / "tiny.toml")
    return Artifacts(config, scene, scene).sequence("test", "Test0")


def config_with(scene: Path, extractor: str, reuse_below: float) -> Config:
    config = load_config(scene / "tiny.toml")
    tables = config.model_dump() | {"path": config.path}
    if extractor != "momentum":
        tables["features"][extractor]["reuse_below"] = reuse_below
    return Config(**tables)


def steps_of(
    config: Config, sequence: Sequence, name: str, *, flush: Callable[[int], bool]
) -> Iterator[TimeStep]:
    """Time steps as they are finished; ``flush`` says after which frames a batch is ended."""
    grid = RegionGrid(48, 64, config.regions.size_px, config.regions.stride_px)
    with Workers(2) as workers:
        extractor: Extractor = kind_of(name).make(config, grid, workers, "cpu")
        stream = VolumeStream(
            [extractor],
            frames_per_volume=config.regions.frames_per_volume,
            frame_stride=config.regions.frame_stride,
        )
        for number, (grey, rgb) in enumerate(read_frames_as(sequence, ("grey", "rgb"))):
            stream.add_frame(Frame(grey, rgb, grid))
            if flush(number):
                extractor.flush()
            yield from extractor.take()
        stream.end()
        yield from extractor.take()


@pytest.mark.parametrize("reuse_below", [0.0, 6.0])
@pytest.mark.parametrize("name", EXTRACTORS)
def test_steps_are_the_whole_sequence(
    scene: Path, sequence: Sequence, name: str, reuse_below: float
) -> None:
    config = config_with(scene, name, reuse_below)
    whole = frames_to_features(config, sequence, (name,), device="cpu")[name]
    if reuse_below and name != "momentum":
        assert len(np.unique(whole["index"])) < whole["index"].size
    for flush in (lambda _: True, lambda number: number % 5 == 0):
        steps = list(steps_of(config, sequence, name, flush=flush))
        assert len(steps) == len(whole["index"])
        latest = LatestFeatures()
        for step, index in zip(steps, whole["index"], strict=True):
            assert np.array_equal(step.index, index)
            latest.update(step)
            for kind in ("components", "descriptors"):
                found = getattr(latest, kind)
                assert found.keys() == whole[kind].keys()
                for key, rows in whole[kind].items():
                    assert found[key].dtype == rows.dtype
                    assert found[key].tobytes() == rows[index].tobytes()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_after_a_flush_nothing_is_left_to_wait_for(
    scene: Path, sequence: Sequence, name: str
) -> None:
    config = config_with(scene, name, 6.0)
    frames_seen: list[int] = []

    def flush(number: int) -> bool:
        frames_seen.append(number)
        return True

    arrived = [frames_seen[-1] for _ in steps_of(config, sequence, name, flush=flush)]
    regions = config.regions
    ends = range(regions.frames_per_volume - 1, 24, regions.frame_stride)
    assert arrived[: len(ends)] == list(ends)  # each with its last frame


def test_the_latest_features_are_not_changed_afterwards() -> None:
    latest = LatestFeatures()
    latest.update(TimeStep.of_all_volumes(0, {"a": np.array([[1.0], [2.0]])}))
    before = latest.components["a"]
    latest.update(TimeStep(2, np.array([0, 2]), {"a": np.array([[5.0]])}, {}))
    assert before.tolist() == [[1], [2]]
    assert latest.components["a"].tolist() == [[1], [5]]
