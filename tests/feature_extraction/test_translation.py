"""The networks of MLAD: sizes as published, graph and module alike, and the masked loss."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from feature_extraction.translation import PatchDiscriminator, UNet, masked_l1  # noqa: E402
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


def test_nothing_is_learnt_outside_the_mask() -> None:
    made = torch.randn(2, 3, 8, 8, requires_grad=True)
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, 2:5, 3:7] = 1
    masked_l1(made, torch.randn(2, 3, 8, 8), mask).backward()
    outside = (mask == 0).expand_as(made)
    assert made.grad is not None
    assert not made.grad[outside].any()
    assert made.grad[~outside].all()


def test_the_masked_loss_is_that_of_the_part() -> None:
    made, target = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, 2:5, 3:7] = 1
    part = masked_l1(made[:, :, 2:5, 3:7], target[:, :, 2:5, 3:7], None)
    assert masked_l1(made, target, mask).item() == pytest.approx(part.item(), rel=1e-5)
    assert masked_l1(made, target, torch.zeros(2, 1, 8, 8)).item() == 0
