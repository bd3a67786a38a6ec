"""The 3-D autoencoder: its size as published, and the same function with and without PyTorch."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from feature_extraction.autoencoder3d import Autoencoder3d  # noqa: E402
from feature_extraction.autoencoder3d_graph import _torch_function, autoencoder  # noqa: E402
from vadloc.errors import VadlocError  # noqa: E402
from vadloc.weights import NetworkWeights  # noqa: E402

PAPER = [96, 128, 256, 256]


def parameters(pictures: int, channels: list[int]) -> int:
    """Weights and biases of 3 x 3 x 3 convolutions, and two numbers a normalised channel."""
    widths = [pictures, *channels, *channels[-2::-1], pictures]
    layers = sum(27 * before * after + after for before, after in pairwise(widths))
    return layers + 2 * sum(widths[1:-1])


def test_the_papers_network_has_its_number_of_parameters() -> None:
    network = Autoencoder3d(3, PAPER)
    assert sum(p.numel() for p in network.parameters()) == 5_991_171 == parameters(3, PAPER)


@pytest.mark.parametrize("frames", [8, 16, 24])
@pytest.mark.parametrize("size", [(16, 16), (32, 48)])
def test_the_output_has_the_shape_of_the_input(frames: int, size: tuple[int, int]) -> None:
    clips = torch.zeros(1, 1, frames, *size)
    assert Autoencoder3d(1, [2, 3, 4, 5]).eval()(clips).shape == clips.shape


def trained(pictures: int) -> Autoencoder3d:
    """A network whose normalisations have seen something."""
    torch.manual_seed(0)
    network = Autoencoder3d(pictures, [3, 4, 5, 6])
    for _ in range(3):
        network(torch.randn(2, pictures, 8, 32, 32) * 2 + 1)
    return network.eval()


@pytest.mark.parametrize("pictures", [1, 3])
def test_graph_and_module_compute_the_same(pictures: int) -> None:
    network = trained(pictures)
    clips = torch.randn(1, pictures, 16, 32, 48)
    expected = network(clips).detach().numpy()
    weights = NetworkWeights(network.tensors(), {})
    for apply in (
        autoencoder(weights, tuple(clips.shape), device="cpu"),
        _torch_function(weights, "cpu"),
    ):
        np.testing.assert_allclose(apply(clips.numpy()), expected, atol=2e-3)


def test_other_weights_are_refused() -> None:
    tensors = trained(1).tensors()
    del tensors["decoder.2.bias"]
    with pytest.raises(VadlocError, match="no weights of the autoencoder network"):
        autoencoder(NetworkWeights(tensors, {}), (1, 1, 8, 32, 32), device="cpu")
