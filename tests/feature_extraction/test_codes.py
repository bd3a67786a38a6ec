"""Codes of MLAD's further levels: graph and module alike, and activations by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from feature_extraction.codes import (  # noqa: E402
    Codes,
    _torch_function,
    code_channels,
    encoder,
    to_codes,
)
from feature_extraction.denoising_autoencoder import DenoisingAutoencoder  # noqa: E402
from vadloc.errors import VadlocError  # noqa: E402
from vadloc.weights import NetworkWeights  # noqa: E402

PAPERS = [32, 16, 8]


def test_a_reconstruction_has_the_size_of_its_picture() -> None:
    network = DenoisingAutoencoder(3, PAPERS)
    pictures = torch.randn(2, 3, 24, 40)
    assert network(pictures).shape == pictures.shape
    shapes = [tuple(of.shape) for of in network.activations(pictures)]
    assert shapes == [(2, 32, 12, 20), (2, 16, 6, 10), (2, 8, 3, 5)]


def test_the_papers_autoencoder_has_its_size() -> None:
    # 5 x 5 kernels and biases by hand, mirrored, and two values a channel of normalisation
    encoder_ = 25 * (3 * 32 + 32 * 16 + 16 * 8) + (32 + 16 + 8)
    decoder = 25 * (8 * 16 + 16 * 32 + 32 * 3) + (16 + 32 + 3)
    norms = 2 * (32 + 16 + 8) + 2 * (16 + 32)
    network = DenoisingAutoencoder(3, PAPERS)
    assert sum(p.numel() for p in network.parameters()) == encoder_ + decoder + norms


@pytest.mark.parametrize("level", [1, 2, 3])
def test_graph_and_module_compute_the_same(level: int) -> None:
    torch.manual_seed(0)
    network = DenoisingAutoencoder(1, PAPERS)
    for _ in range(3):
        network(torch.randn(4, 1, 32, 32) * 2 + 1)
    network.eval()
    pictures = torch.randn(2, 1, 24, 40)
    expected = network.activations(pictures)[level - 1].detach().numpy()
    weights = NetworkWeights(network.tensors(), {})
    for apply in (
        encoder(weights, level, tuple(pictures.shape), device="cpu"),
        _torch_function(weights, level, "cpu"),
    ):
        np.testing.assert_allclose(apply(pictures.numpy()), expected, atol=5e-3)


def test_codes_are_normalised_by_channel_and_cut() -> None:
    activations = np.array([[[[5.0, 7.0]], [[1.0, 21.0]]]], np.float32)
    mean, deviation = np.array([5, 1], np.float32), np.array([2, 2], np.float32)
    codes = to_codes(activations, mean, deviation, (1, 2))
    # one deviation becomes .3; ten would be 3, which is cut
    np.testing.assert_allclose(codes, [[[[0, 0.3]], [[0, 1]]]], atol=1e-6)


def test_a_channel_that_is_always_the_same_is_no_division_by_zero() -> None:
    activations = np.ones((1, 1, 2, 2), np.float32)
    codes = to_codes(activations, np.ones(1, np.float32), np.zeros(1, np.float32), (4, 4))
    np.testing.assert_array_equal(codes, np.zeros((1, 1, 4, 4)))


def test_many_channels_are_folded_into_space() -> None:
    assert [code_channels(PAPERS, level) for level in (1, 2, 3)] == [8, 16, 8]
    assert code_channels([32, 64, 128], 3) == 8  # 128 on an eighth, 32 on a quarter, 8 on a half
    channels = np.arange(32, dtype=np.float32) / 100
    activations = np.tile(channels[None, :, None, None], (1, 1, 3, 5))
    codes = to_codes(activations, np.zeros(32), np.full(32, 0.3), (6, 10))
    assert codes.shape == (1, 8, 6, 10)
    expected = torch.nn.functional.pixel_shuffle(torch.from_numpy(activations), 2).numpy()
    np.testing.assert_allclose(codes, expected, atol=1e-6)


def test_codes_are_enlarged_as_pictures_are() -> None:
    activations = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 3, 4, 6)).astype(np.float32)
    codes = to_codes(activations, np.zeros(3), np.full(3, 0.3), (16, 24))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(activations), size=(16, 24), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(codes, expected.numpy(), atol=1e-5)


def test_other_weights_are_refused() -> None:
    codes = Codes(1, {"frame": NetworkWeights({}, {})}, device="cpu")
    with pytest.raises(VadlocError, match="no weights of the denoising autoencoder network"):
        codes.of("frame", np.zeros((1, 1, 32, 32), np.float32))
