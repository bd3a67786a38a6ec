"""The discriminator: the same function with and without PyTorch, what it learns, how it dies."""

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from anomaly_detection.training.discriminator import (  # noqa: E402
    CHANCE,
    DiscriminatorTask,
    Looks,
    covered_regions,
)
from feature_extraction.discriminator import Discriminator  # noqa: E402
from feature_extraction.discriminator_function import probabilities  # noqa: E402
from vadloc.detector_settings import PseudoAnomalies  # noqa: E402
from vadloc.errors import VadlocError  # noqa: E402
from vadloc.regions import RegionGrid  # noqa: E402
from vadloc.weights import NetworkWeights  # noqa: E402


def looks(count: int, shift: float, *, seed: int) -> Looks:
    """Random features, those with a pseudo-anomaly moved along the first axis."""
    features = np.random.default_rng(seed).normal(size=(count, 2, 8)).astype(np.float32)
    features[:, 1, 0] += shift
    return Looks(features, np.zeros((count, 2, 4, 4), np.uint8))


def task(shift: float, steps: int = 200) -> DiscriminatorTask:
    settings = PseudoAnomalies(discriminator_steps=steps)
    sets = looks(200, shift, seed=0), looks(100, shift, seed=1)
    return DiscriminatorTask("discriminator", *sets, settings, device="cpu")


def probability_of(found: DiscriminatorTask, features: NDArray[np.float32]) -> NDArray[np.float32]:
    return probabilities(NetworkWeights(found.tensors(), {}), features)


def test_function_and_module_compute_the_same() -> None:
    torch.manual_seed(0)
    center = np.array([1, -2, 3], np.float32)
    network = Discriminator(center, np.array([2, 0.5, 1], np.float32))
    features = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32) * 2 + center
    expected = torch.sigmoid(network(torch.from_numpy(features))).detach().numpy()
    weights = NetworkWeights(network.tensors(), {})
    np.testing.assert_allclose(probabilities(weights, features), expected, atol=1e-6)


def test_features_of_another_width_are_refused() -> None:
    found = task(1.0)
    with pytest.raises(VadlocError, match="no weights of the discriminator network"):
        probability_of(found, np.zeros((1, 9), np.float32))


def test_what_can_be_told_apart_is_learnt() -> None:
    found = task(6.0)
    while found.step < found.steps:
        found.advance()
    assert found.measure() < 0.1
    pairs = looks(50, 6.0, seed=2).features
    without, with_one = (probability_of(found, pairs[:, k]) for k in (0, 1))
    assert np.median(without) < 0.1
    assert np.median(with_one) > 0.9


def test_kept_tensors_do_not_change_with_later_steps() -> None:
    found = task(6.0)
    kept = found.tensors()
    before = {name: tensor.copy() for name, tensor in kept.items()}
    found.advance()
    for name, tensor in kept.items():
        np.testing.assert_array_equal(tensor, before[name])
    assert any((tensor != before[n]).any() for n, tensor in found.tensors().items())


def test_one_that_has_died_is_an_error_at_the_last_step() -> None:
    found = task(6.0, steps=2)
    with torch.no_grad():
        found.network.hidden.bias.fill_(-100)  # no hidden unit is ever above 0
    found.advance()
    found.measure()
    found.advance()
    with pytest.raises(VadlocError, match="discriminator: at step 2 it has died: all held-out"):
        found.measure()


def test_one_that_knows_nothing_is_named(caplog: pytest.LogCaptureFixture) -> None:
    found = task(0.0, steps=300)
    while found.step < found.steps:
        found.advance()
    assert found.measure() >= CHANCE  # it has learnt noise by heart
    assert "is no better than chance (0.693)" in caplog.text


def test_regions_that_a_mask_covers() -> None:
    grid = RegionGrid(32, 48, 16, 8)  # 3 x 5 regions
    mask = np.zeros((32, 48), np.bool_)
    mask[8:24, 16:32] = True  # region (1, 2), and half of its neighbours
    assert covered_regions(mask, grid).tolist() == [7, 2, 6, 8]
    mask[:] = False
    mask[31, 47] = True
    assert covered_regions(mask, grid).tolist() == [14]


def test_examples_show_the_probability() -> None:
    found = task(6.0, steps=1)
    examples = found.examples()
    assert len(examples) == 8
    for number, example in enumerate(examples):
        shown = (example.output + 1) / 2
        assert np.ptp(shown) == 0
        assert example.error[0, 0] == pytest.approx(abs(number % 2 - shown[0, 0]), abs=1e-6)
