"""The motion network: what it computes, how its features are read, what its training sees."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from feature_extraction.motion.architecture import MATCHES, TRUNK, Match
from feature_extraction.motion.read_out import motion_attributes
from feature_extraction.motion.targets import (
    MotionTargets,
    flow_to_maps,
)
from vadloc.errors import VadlocError
from vadloc.weights import NetworkWeights, read_weights, write_weights

torch = pytest.importorskip("torch")

from feature_extraction.motion.network import MotionNetwork, build_motion  # noqa: E402


def volumes(count: int, length: int = 10, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, length, 64, 64, generator=generator)


def weights_of(network: Any) -> NetworkWeights:
    return NetworkWeights({k: v.numpy() for k, v in network.state_dict().items()}, {})


def test_the_first_layer_is_a_3d_convolution() -> None:
    """Against PyTorch's conv3d: four frames at a time."""
    from feature_extraction.motion.layers import window

    torch.manual_seed(0)
    network: Any = MotionNetwork().eval()
    conv = network.trunks[0]["conv1"].conv
    size = TRUNK["conv1"]
    clip = volumes(2, 4)
    mean, *steps = conv.weight.unbind(dim=1)  # weights of the mean and of twice the differences
    kernel_of_frames = mean[:, None] / 4 + torch.zeros(1, 4, 1, 1)
    for time, step in enumerate(steps):
        kernel_of_frames[:, time] -= 2 * step
        kernel_of_frames[:, time + 1] += 2 * step
    with torch.inference_mode():
        deep = torch.nn.functional.conv3d(
            clip[:, None],
            kernel_of_frames[:, None],
            conv.bias,
            stride=(1, size.stride, size.stride),
            padding=(0, size.side // 2, size.side // 2),
        )
        torch.testing.assert_close(conv(window(clip)), deep[:, :, 0], rtol=1e-3, atol=1e-5)


def test_windows_share_a_frame() -> None:
    """Ten frames are windows 0-3, 3-6 and 6-9, whose maps and costs are averaged early on."""
    from feature_extraction.motion.layers import (
        matching,
        normalise_contrast,
        window,
    )

    torch.manual_seed(0)
    network: Any = MotionNetwork().eval()
    trunk = network.trunks[0]
    seen = []
    with torch.inference_mode():
        clip = normalise_contrast(volumes(2))
        for start in (0, 3, 6):
            frames = clip[:, start : start + 4]
            looks = trunk["conv2"](trunk["conv1"](window(frames)))
            seen.append((looks, matching(frames)))
        looks, costs = (torch.stack(maps).mean(dim=0) for maps in zip(*seen, strict=True))
        both = torch.cat([looks, trunk["match"](costs)], dim=1)
        expected = trunk["conv4"](trunk["conv3"](both))
        torch.testing.assert_close(
            network.maps(network.cells(volumes(2)))[0], expected, rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("match", MATCHES)
def test_matching_costs(match: Match) -> None:
    """Against NumPy, one displacement after the other, away from the border."""
    from feature_extraction.motion.layers import matching_costs

    clip = np.random.default_rng(0).normal(0, 1, (1, 4, 64, 64)).astype(np.float32)
    side, reach = 64 // match.step_px, match.reach
    small = clip[0, :, :side, :side]
    seen = matching_costs(torch.from_numpy(small)[None], match)[0].numpy()
    stride = side // 16
    for number, (y, x) in enumerate(np.ndindex(2 * reach + 1, 2 * reach + 1)):
        moved = np.roll(small[match.gap :], (reach - y, reach - x), axis=(1, 2))
        squares = ((small[: -match.gap] - moved) ** 2).mean(axis=0)
        for row, column in ((7, 7), (5, 9), (8, 6)):
            top, left = row * stride - 1, column * stride - 1
            around = squares[top : top + stride + 2, left : left + stride + 2]
            assert seen[number, row, column] == pytest.approx(around.mean(), rel=1e-4)


def test_the_true_displacement_matches_best() -> None:
    """A texture that moves by (4, -8) px/frame: a pixel right and two up of those reduced to 4."""
    from feature_extraction.motion.layers import matching_costs

    texture = np.random.default_rng(0).normal(0, 1, (40, 40)).astype(np.float32)
    frames = np.stack([texture[6 + 2 * t : 22 + 2 * t, 12 - t : 28 - t] for t in range(4)])
    match = MATCHES[-1]
    costs = matching_costs(torch.from_numpy(frames)[None], match)
    best = costs[0, :, 4:12, 4:12].argmin(dim=0)
    width = 2 * match.reach + 1
    assert (best == (match.reach - 2) * width + match.reach + 1).all()


def test_where_nothing_is_seen_no_displacement_is_preferred() -> None:
    from feature_extraction.motion.layers import matching

    seen = matching(torch.zeros(1, 4, 64, 64))
    first = MATCHES[0].displacements
    assert torch.allclose(seen[:, :first], torch.tensor(1 / first))


@pytest.mark.parametrize("length", [4, 5, 7, 9, 10, 16])
def test_a_volume_may_have_any_number_of_frames(length: int) -> None:
    network = MotionNetwork().eval()
    clip = volumes(1, length)
    with torch.inference_mode():
        before = network.embed(clip)
        assert before.shape == (1, 384)
        for time in range(length):  # every frame counts
            changed = clip.clone()
            changed[:, time] = 0
            assert not torch.allclose(network.embed(changed), before)


def test_three_frames_are_too_few() -> None:
    with pytest.raises(VadlocError, match="volumes of 3 frames, but the motion network needs 4"):
        MotionNetwork().embed(volumes(1, 3))


@pytest.mark.parametrize("separate", [False, True])
def test_features_give_the_outputs_back(separate: bool) -> None:
    torch.manual_seed(1)
    network = MotionNetwork(separate_trunks=separate).eval()
    with torch.inference_mode():
        features = network.embed(volumes(3)).numpy()
        outputs = {name: value.numpy() for name, value in network(volumes(3)).items()}
    assert features.shape == (3, 384)
    assert features.min() >= 0
    direction, speed, stationary, background = motion_attributes(weights_of(network), features)
    np.testing.assert_allclose(direction, softmax(outputs["angle"], axis=1), rtol=1e-4)
    np.testing.assert_allclose(speed, np.exp(np.maximum(outputs["speed"], 0)) - 1, atol=1e-5)
    np.testing.assert_allclose(stationary, expit(outputs["background"][:, 0]), rtol=1e-4)
    np.testing.assert_allclose(background, expit(outputs["background"][:, 1]), rtol=1e-4)


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(VadlocError, match=r"shape \(2, 128\), expected \(n, 384\)"):
        motion_attributes(weights_of(MotionNetwork()), np.zeros((2, 128), np.float32))


def test_heads_have_own_trunks_if_asked() -> None:
    shared: Any = MotionNetwork()
    separate: Any = MotionNetwork(separate_trunks=True)
    assert (len(shared.trunks), len(separate.trunks)) == (1, 3)
    clip = volumes(1)
    separate.eval()
    with torch.inference_mode():
        before = separate.embed(clip)
        separate.trunks[1]["conv1"].conv.weight.zero_()
        after = separate.embed(clip)
    changed = [
        not torch.equal(a, b) for a, b in zip(before.chunk(3, 1), after.chunk(3, 1), strict=True)
    ]
    assert changed == [False, True, False]


def test_brightness_does_not_matter() -> None:
    network = MotionNetwork().eval()
    clip = 0.5 * volumes(2)
    with torch.inference_mode():
        torch.testing.assert_close(
            network.embed(clip + 0.4), network.embed(clip), rtol=1e-3, atol=1e-5
        )


def test_contrast_is_taken_from_the_surround() -> None:
    """Against SciPy's box filter, which is the same away from the border."""
    from scipy.ndimage import uniform_filter

    from feature_extraction.motion.layers import normalise_contrast

    clip = volumes(1, 4)[0].numpy().astype(np.float64)
    centred = clip - uniform_filter(clip.mean(axis=0), 9)
    contrast = np.sqrt(uniform_filter((centred**2).mean(axis=0), 9))
    seen = normalise_contrast(volumes(1, 4))[0].numpy()
    inside = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(seen[inside], (centred / (contrast + 0.02))[inside], rtol=1e-3)


@pytest.mark.parametrize("separate", [False, True])
def test_folded_normalisation_computes_the_same(separate: bool) -> None:
    from feature_extraction.motion.network import fold_normalisation

    torch.manual_seed(2)
    network = MotionNetwork(separate_trunks=separate, normalised=True)
    network.train()
    for step in range(3):  # statistics other than those at the start
        network(3 * volumes(4, seed=step))
    folded = fold_normalisation(network)
    network.eval()
    assert not any("norm" in name for name in folded.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(
            folded.embed(volumes(2)), network.embed(volumes(2)), rtol=1e-3, atol=1e-4
        )


def test_weights_survive_the_file(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = MotionNetwork(separate_trunks=True).eval()
    write_weights(tmp_path / "m.safetensors", weights_of(network).tensors, {"network": "motion"})
    again = build_motion(read_weights(tmp_path / "m.safetensors"))
    with torch.inference_mode():
        torch.testing.assert_close(
            again.embed(volumes(2)), network.embed(volumes(2)), rtol=0.02, atol=2e-3
        )


def test_other_weights_are_refused() -> None:
    weights = weights_of(MotionNetwork())
    tensors = dict(weights.tensors)
    tensors["heads.angle.weight"] = np.zeros((128, 5), np.float32)
    with pytest.raises(VadlocError, match=r"heads.angle.weight has shape \(128, 5\)"):
        build_motion(NetworkWeights(tensors, {}, "x.safetensors"))
    del tensors["heads.angle.weight"]
    with pytest.raises(VadlocError, match=r"x\.safetensors: lacks heads\.angle\.weight"):
        build_motion(NetworkWeights(tensors, {}, "x.safetensors"))


def test_reading_features_needs_no_torch() -> None:
    code = (
        "import sys, feature_extraction.motion.read_out, feature_extraction.train_motion\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_mirrored_volumes_have_mirrored_motion() -> None:
    """The bins' permutations, against the flow itself mirrored."""
    from feature_extraction.motion.augmentation import random_view

    flow = np.random.default_rng(0).normal(0, 2, (3, 64, 64, 2)).astype(np.float32)
    share, momentum = flow_to_maps(flow)
    frames = np.arange(3 * 64 * 64).reshape(1, 3, 64, 64).astype(np.uint8)
    ways = set()
    for seed in range(40):
        seen = random_view(np.random.default_rng(seed), frames, share[None], momentum[None])
        way = _way_of(frames[0, 0], seen[0][0, 0])
        expected = flow_to_maps(_as(flow, way))
        np.testing.assert_allclose(seen[1][0], expected[0], atol=1e-6)
        np.testing.assert_allclose(seen[2][0], expected[1], atol=1e-5)
        ways.add(way)
    assert len(ways) == 8


def test_each_volume_is_mirrored_in_its_own_way() -> None:
    from feature_extraction.motion.augmentation import random_view

    frames = np.arange(3 * 64 * 64).reshape(1, 3, 64, 64).astype(np.uint8).repeat(60, axis=0)
    share = np.zeros((60, 8, 8, 12), np.float32)
    seen = random_view(np.random.default_rng(0), frames, share, share)[0]
    assert len({_way_of(frames[0, 0], own[0]) for own in seen}) == 8
    assert (frames == frames[0]).all()  # the pool itself stays as it is


def _way_of(before: np.ndarray, after: np.ndarray) -> tuple[bool, bool, bool]:
    for x in (False, True):
        for y in (False, True):
            for transposed in (False, True):
                picture = before[:, ::-1] if x else before
                picture = picture[::-1] if y else picture
                picture = picture.T if transposed else picture
                if np.array_equal(picture, after):
                    return x, y, transposed
    raise AssertionError("no mirror image")


def _as(flow: np.ndarray, way: tuple[bool, bool, bool]) -> np.ndarray:
    """A flow as it is seen in a mirror: pixels change places, and vectors turn."""
    x, y, transposed = way
    if x:
        flow = flow[:, :, ::-1] * [-1, 1]
    if y:
        flow = flow[:, ::-1] * [1, -1]
    return flow.swapaxes(1, 2)[..., ::-1] if transposed else flow


def test_losses_vanish_only_for_the_right_answer() -> None:
    from feature_extraction.motion.losses import total_loss

    flow = np.zeros((9, 64, 64, 2), np.float32)
    flow[..., 0] = 3
    flow[..., 1] = 0.1
    maps = [np.stack([m] * 2) for m in flow_to_maps(flow)]  # the same twice
    share, momentum = (torch.from_numpy(m) for m in maps)
    big = 20.0
    features = [torch.ones(2, 128)] * 3
    right = {
        "angle": torch.full((2, 12), -big).index_fill(1, torch.tensor(0), big),
        "speed": torch.full((2, 12), float(np.log1p(np.hypot(3, 0.1)))),
        "background": torch.full((2, 2), -big),
    }
    cells = torch.full((2, 14, 8, 8), -big)
    cells[:, :2], cells[:, 13] = big, float(np.log1p(np.hypot(3, 0.1)))
    assert total_loss(features, right, [cells], share, momentum).item() < 1e-4
    for name, other in (("angle", 0.0), ("speed", 0.5), ("background", 0.0)):
        wrong = right | {name: torch.full_like(right[name], other)}
        assert total_loss(features, wrong, [cells], share, momentum).item() > 0.1
    assert total_loss(features, right, [torch.zeros_like(cells)], share, momentum).item() > 0.1
    apart = torch.stack([torch.ones(128), torch.zeros(128)])
    for head in range(3):
        wrong_features = [apart if place == head else own for place, own in enumerate(features)]
        assert total_loss(wrong_features, right, [cells], share, momentum).item() > 0.1


def test_features_are_as_far_apart_as_motions() -> None:
    """The motions themselves have the right distances, however they are turned; none other has."""
    from feature_extraction.motion.losses import distances_loss

    torch.manual_seed(0)
    share = torch.rand(5, 12) / 12
    momentum = 3 * share * torch.rand(5, 12)
    turn = torch.linalg.qr(torch.randn(128, 128))[0][:12] * 128**0.5
    slow = torch.log1p(20 * momentum) / 3
    right = [slow @ turn, momentum @ turn + 2, share.sum(dim=1, keepdim=True) @ turn[:1]]
    assert distances_loss(right, share, momentum).item() < 1e-6
    for head in range(3):
        wrong = [2 * own if place == head else own for place, own in enumerate(right)]
        assert distances_loss(wrong, share, momentum).item() > 0.05


def test_comparison_numbers() -> None:
    from feature_extraction.motion.report import Comparison

    measured = np.array([0, 0, 1, 1], np.float32)
    assert Comparison(measured, np.array([0.1, 0.4, 0.35, 0.8], np.float32)).auc == 0.75
    assert Comparison(measured, np.array([0.5] * 4, np.float32)).auc == 0.5
    assert Comparison(measured, 3 - 2 * measured).correlation == pytest.approx(-1)
    assert Comparison(measured, np.ones(4, np.float32)).correlation is None
    assert Comparison(np.ones(4, np.float32), measured).auc is None


def test_weighted_correlation_counts_points_more_than_once() -> None:
    """Whole weights are repetitions."""
    from feature_extraction.motion.report import Comparison

    rng = np.random.default_rng(0)
    measured, predicted = rng.normal(0, 1, (2, 20)).astype(np.float32)
    weight = rng.integers(0, 4, 20)
    expected = np.corrcoef(measured.repeat(weight), predicted.repeat(weight))[0, 1]
    weighted = Comparison(measured, predicted, weight.astype(np.float32))
    assert weighted.correlation == pytest.approx(expected, rel=1e-5)
    plain = np.corrcoef(measured, predicted)[0, 1]
    assert Comparison(measured, predicted).correlation == pytest.approx(plain, rel=1e-5)


def test_by_pixel_each_moving_pixel_counts_the_same() -> None:
    """Two volumes: half of one moves right at 2, a tenth of the other left at 6 and down at 4."""
    from feature_extraction.motion.report import compare

    flow = np.zeros((2, 9, 64, 64, 2), np.float32)
    flow[0, :, :32] = (2, 0.1)
    flow[1, :, :4] = (-6, 0.1)
    flow[1, :, 4, :32] = (0.1, 4)
    maps = [flow_to_maps(own) for own in flow]
    targets = MotionTargets(np.stack([m[0] for m in maps]), np.stack([m[1] for m in maps]))
    rng = np.random.default_rng(0)
    direction, speed = rng.random((2, 2, 12), dtype=np.float32)
    still, flag = rng.random((2, 2), dtype=np.float32)
    numbers = compare(targets, direction, speed, still, flag)
    seen = numbers.comparisons["speed_by_pixel"]
    assert seen.weight is not None
    np.testing.assert_allclose(seen.weight * 4096, [32 * 64, 32, 4 * 64], rtol=1e-5)
    np.testing.assert_allclose(seen.measured, [2, 4, 6], rtol=0.01)
    np.testing.assert_array_equal(seen.predicted, [speed[0, 0], speed[1, 2], speed[1, 5]])
    assert len(numbers.comparisons["speed"].measured) == 2  # 32 pixels are less than 1 %
    weight = numbers.comparisons["direction_by_pixel"].weight
    assert weight is not None
    np.testing.assert_allclose(weight * 4096, [2048] * 12 + [288] * 12, rtol=1e-5)
