"""The appearance network: its parts against closed forms, its files, its errors."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from feature_extraction.appearance.classes import CLASSES  # noqa: E402
from feature_extraction.appearance.crops import read_crops  # noqa: E402
from feature_extraction.appearance.network import (  # noqa: E402
    MEAN,
    RIDGE,
    STANDARD_DEVIATION,
    AppearanceNetwork,
    appearance_network,
    fuse,
    load_appearance,
    normalise,
    tensors_of,
    whiten,
)
from feature_extraction.appearance.precision_recall import precision_recall  # noqa: E402
from vadloc.errors import UsageError, VadlocError  # noqa: E402
from vadloc.weights import read_out, read_weights, weights_file, write_weights  # noqa: E402

SMALL = "mobilenet_v3_small"
METADATA = {"network": "appearance", "backbone": SMALL, "classes": CLASSES}


def crops(count: int, *, seed: int = 0, side: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


class Lambda(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.function(pictures)


def with_statistics(network: AppearanceNetwork) -> AppearanceNetwork:
    """Give all batch normalisation statistics and weights other than 0 and 1."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.running_var, module.weight.data):
                values.uniform_(0.5, 1.5)
            for values in (module.running_mean, module.bias.data):
                values.uniform_(-0.2, 0.2)
    return network.eval()


@pytest.mark.parametrize("backbone", ["mobilenet_v2", SMALL, "resnet18", "resnext50_32x4d"])
def test_fusing_keeps_the_function(backbone: str) -> None:
    torch.manual_seed(0)
    network = with_statistics(appearance_network(backbone))
    pictures = normalise(crops(3))
    with torch.inference_mode():
        before = network.embed(pictures), network(pictures)
        fused = fuse(network)
        after = fused.embed(pictures), fused(pictures)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    assert before[0].shape == (3, 128)
    assert before[1].shape == (3, 8)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_normalise_is_the_formula() -> None:
    colour = crops(2)
    result = normalise(colour)
    expected = (colour.astype(np.float64) / 255 - MEAN) / STANDARD_DEVIATION
    np.testing.assert_allclose(result.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_larger_crops_are_seen_reduced_without_aliasing() -> None:
    """A chequered field of single pixels is flat; a ramp stays a ramp; what fits is not touched."""
    seen: list[torch.Tensor] = []

    def trunk(pictures: torch.Tensor) -> torch.Tensor:
        seen.append(pictures)
        return pictures.mean(dim=(2, 3))

    network = appearance_network(SMALL).eval()
    network.trunk, network.standardise = Lambda(trunk), torch.nn.Identity()
    network.embedding = torch.nn.Linear(3, 128)
    chequered = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
    fits = crops(1)
    for pictures in (np.stack([chequered, ramp]), fits):
        network.embed(normalise(pictures))
    (flat, risen), same = seen
    assert float(flat.std()) < 0.15 * float(normalise(chequered[None]).std())
    inside = ((np.arange(48) + 0.5) * 64 / 48 - 0.5) * 3 / 255
    expected = (inside - MEAN[0]) / STANDARD_DEVIATION[0]
    np.testing.assert_allclose(risen[0, 5, 2:-2], expected[2:-2], atol=1e-2)
    torch.testing.assert_close(same, normalise(fits))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_whitening_evens_out_the_spread_and_keeps_the_classes() -> None:
    torch.manual_seed(3)
    network = appearance_network(SMALL).eval()
    assert network.classes is not None
    width = network.embedding.in_features
    network.trunk = Lambda(lambda pictures: pictures.flatten(1)[:, :width])
    network.embedding.weight.data *= torch.linspace(0.1, 1, 128)[:, None]
    pictures = normalise(crops(300))
    with torch.inference_mode():
        before, logits = network.embed(pictures), network(pictures)
    whiten(network, before)
    with torch.inference_mode():
        after = network.embed(pictures)
        torch.testing.assert_close(network(pictures), logits, atol=1e-3, rtol=1e-3)
    was, spread = (torch.linalg.eigvalsh(torch.cov(f.double().T)) for f in (before, after))
    # An eigenvalue of l times their mean becomes l / (l + RIDGE) times it: evened out at the top.
    relative = was / was.mean()
    np.testing.assert_allclose(spread, was.mean() * relative / (relative + RIDGE), rtol=1e-3)
    assert was[-1] / was[-40] > 3
    assert spread[-1] / spread[-40] < 2


@pytest.mark.parametrize(("count", "scale"), [(5, RIDGE**-0.5), (1, 1.0)])
def test_features_that_do_not_differ_give_no_direction(count: int, scale: float) -> None:
    network = appearance_network(SMALL).eval()
    whiten(network, torch.ones(count, 128))
    torch.testing.assert_close(network.metric, scale * torch.eye(128))


def test_grey_crops_are_grey_colour_crops() -> None:
    grey = crops(2)[..., 0]
    torch.testing.assert_close(normalise(grey), normalise(np.repeat(grey[..., None], 3, 3)))


def test_a_file_gives_the_network_back_up_to_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = fuse(with_statistics(appearance_network(SMALL)))
    write_weights(tmp_path / "a.safetensors", tensors_of(network), METADATA)
    again = load_appearance(str(tmp_path / "a.safetensors"), SMALL, "cpu")
    assert not again.training
    with torch.inference_mode():
        one, other = (n.embed(normalise(crops(4))) for n in (network, again))
    assert one.std() > 0.05
    torch.testing.assert_close(one, other, atol=0.02, rtol=0)


def test_a_file_of_another_backbone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_weights(path, tensors_of(fuse(appearance_network(SMALL))), METADATA)
    with pytest.raises(VadlocError, match="backbone is 'mobilenet_v3_small', expected 'resnet18'"):
        load_appearance(str(path), "resnet18", "cpu")
    write_weights(path, {"classes.bias": np.zeros(8)}, METADATA)
    with pytest.raises(VadlocError, match=r"lacks .* and .* more"):
        load_appearance(str(path), SMALL, "cpu")


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [("mobilenet_v9", "expected a classification model"), ("vit_b_16", "cannot see 48 x 48")],
)
def test_backbones_that_cannot_be_used(backbone: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        appearance_network(backbone)


def test_torchvision_features_keep_their_distances_and_have_no_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torchvision import models

    torch.manual_seed(2)
    pretrained = with_statistics(appearance_network(SMALL)).trunk

    def get_model(_name: str, *, weights: str | None) -> object:
        assert weights == "DEFAULT"
        return pretrained

    monkeypatch.setattr(models, "get_model", get_model)
    network = load_appearance("torchvision", SMALL, "cpu")
    with torch.inference_mode():
        pooled = torch.randn(40, network.embedding.in_features)
        ratio = torch.pdist(network.embedding(pooled)) / torch.pdist(pooled)
        pictures = normalise(crops(2))
        expected = network.embedding(network.trunk(pictures))
        torch.testing.assert_close(network.embed(pictures), expected, atol=1e-4, rtol=1e-4)
    # A projection to k numbers keeps a distance up to a factor of about 1 +- 1 / sqrt(2 k).
    assert float((ratio - 1).abs().max()) < 6 / np.sqrt(2 * 128)
    with pytest.raises(VadlocError, match="no class outputs"):
        network(pictures)


def test_a_download_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    def offline(_name: str, *, weights: str | None) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(models, "get_model", offline)
    with pytest.raises(UsageError, match=r"cannot download torchvision's weights \(no route"):
        load_appearance("torchvision", SMALL, "cpu")


@pytest.fixture(scope="module")
def bundled() -> AppearanceNetwork:
    return load_appearance("bundled", "mobilenet_v2", "cpu")


def test_stored_features_give_the_probabilities_back(bundled: AppearanceNetwork) -> None:
    weight, bias = read_out(read_weights(weights_file("bundled", "appearance")), "classes")
    with torch.inference_mode():
        pictures = normalise(crops(5))
        features = bundled.embed(pictures).half().float().numpy()
        logits = bundled(pictures).numpy()
    np.testing.assert_allclose(features @ weight.T + bias, logits, atol=0.02)
    assert np.ptp(features) > 1


def test_the_bundled_network_knows_its_classes(bundled: AppearanceNetwork) -> None:
    data = Path(os.environ.get("VADLOC_DATASETS", "")) / "appearance_crops"
    if not data.is_dir():
        pytest.skip("no appearance_crops in VADLOC_DATASETS")
    held_out = read_crops(data, "val")
    some = slice(None, None, 5)
    with torch.inference_mode():
        logits = bundled(normalise(held_out.pixels[some])).numpy()
    precisions = [
        precision_recall(held_out.labels[some] == index, logits[:, index]).average_precision
        for index in range(len(CLASSES))
    ]
    # What the model card promises of all crops, less what a fifth of them leaves to chance.
    measured = read_weights(weights_file("bundled", "appearance")).metadata["measured"]
    assert measured["colour, 64 px"] >= 0.9
    assert np.mean(precisions) == pytest.approx(measured["colour, 64 px"], abs=0.04)
