"""One pass over a frame: of a frame that is one region it gives what the crop gives."""

import importlib
from types import ModuleType

import numpy as np
import pytest
from repository import BENCHMARKS

from vadloc.feature_settings import AppearanceFeatures


@pytest.fixture
def whole_frame(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("torch")
    pytest.importorskip("openvino")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("whole_frame")


def test_a_frame_of_one_region_is_its_crop(whole_frame: ModuleType) -> None:
    from feature_extraction.appearance.network import (
        load_appearance,
        normalise,
    )

    settings = AppearanceFeatures()
    network = load_appearance(settings.weights, settings.backbone, "cpu")
    embed = whole_frame.whole_frame_graph(settings, (1, 64, 64, 3), 32)
    for seed in range(2):  # two: the graph must look at its input
        crop = np.random.default_rng(seed).integers(0, 256, (1, 64, 64, 3), np.uint8)
        # `embed` would reduce the crop.
        expected = network.embed_pooled(network.trunk(normalise(crop))).detach().numpy()
        np.testing.assert_allclose(embed(crop), expected, atol=5e-3)


def test_regions_come_row_by_row(whole_frame: ModuleType) -> None:
    """A change in the last of 2 x 3 regions is seen most there."""
    embed = whole_frame.whole_frame_graph(AppearanceFeatures(), (1, 128, 192, 3), 64)
    frame = np.full((1, 128, 192, 3), 90, np.uint8)
    before = embed(frame)
    frame[0, 64:, 128:] = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    change = np.abs(embed(frame).astype(float) - before).sum(axis=1)
    assert change.shape == (6,)
    assert change.argmax() == 5
