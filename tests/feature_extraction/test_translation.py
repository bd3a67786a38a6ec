"""The networks of MLAD: sizes as published, graph and module alike, and the masked loss."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from feature_extraction.translation import PatchDiscriminator, UNet  # noqa: E402
from feature_extraction.translation_graph import _torch_function, translation  # noqa: E402
from vadloc.errors import VadlocError  # noqa: E402
from vadloc.weights import NetworkWeights  # noqa: E402


def test_the_papers_networks_have_their_sizes() -> None:
    generator = sum(p.numel() for p in UNet(3, 3, 64, 8).parameters())
    judge = sum(p.numel() for p in PatchDiscriminator(6, 64).parameters())
    assert generator == pytest.approx(54.4e6, rel=0.002)
    assert judge == pytest.approx(2.77e6, rel=0.002)


def test_the_papers_generator_learns_from_one_picture_a_step() -> None:
    made = UNet(1, 3, 2, 5).train()(torch.randn(1, 1, 32, 32))
    made.sum().backward()
    assert made.shape == (1, 3, 32, 32)


def test_graph_and_module_compute_the_same() -> None:
    torch.manual_seed(0)
    network = UNet(1, 3, 4, 3)
    for _ in range(3):
        network(torch.randn(4, 1, 32, 32) * 2 + 1)
    network.eval()
    pictures = torch.randn(1, 1, 24, 40)
    expected = network(pictures).detach().numpy()
    weights = NetworkWeights(network.tensors(), {})
    for apply in (
        translation(weights, tuple(pictures.shape), device="cpu"),
        _torch_function(weights, "cpu"),
    ):
        np.testing.assert_allclose(apply(pictures.numpy()), expected, atol=2e-3)


def test_other_weights_are_refused() -> None:
    with pytest.raises(VadlocError, match="no weights of the translation network"):
        translation(NetworkWeights({}, {}), (1, 1, 32, 32), device="cpu")
