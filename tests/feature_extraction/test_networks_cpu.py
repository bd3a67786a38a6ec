"""Networks on a CPU: OpenVINO graphs against the PyTorch modules, bytes, and what they need."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import scene_options

from feature_extraction import devices
from feature_extraction.appearance import extractor as appearance_module
from feature_extraction.motion import extractor as motion_module
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.feature_settings import AppearanceFeatures
from vadloc.regions import RegionGrid
from vadloc.weights import (
    FEATURE_WIDTH,
    NetworkWeights,
    read_weights,
    weights_file,
    write_weights,
)

pytest.importorskip("openvino")

from openvino import Model
from openvino import opset13 as ops

from feature_extraction.appearance.graph import appearance_graph, read_appearance
from feature_extraction.frame import APPEARANCE_PX
from feature_extraction.motion.architecture import MATCHES, SEEN_AROUND_PX, window_starts
from feature_extraction.motion.cells import cells_by_torch, cells_on_cpu
from feature_extraction.motion.graph import regions_graph
from feature_extraction.motion.kernels import TilesAndCosts
from feature_extraction.openvino_graphs import (
    compile_graph,
    convolution,
    linear,
)
from feature_extraction.workers import Workers

BATCH = 4


def crops(count: int = BATCH, *, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(
        0, 256, (count, APPEARANCE_PX, APPEARANCE_PX, 3), dtype=np.uint8
    )


def appearance(*, threads: int = 1) -> Callable[[NDArray[Any]], NDArray[np.float16]]:
    weights = read_appearance("bundled", "mobilenet_v2")
    return compile_graph(appearance_graph(weights, batch=BATCH), threads=threads)


@pytest.mark.parametrize(
    ("channels", "outputs", "side", "stride", "depthwise"),
    [(3, 5, 3, 2, False), (4, 6, 1, 1, False), (4, 4, 3, 2, True), (1, 4, 5, 1, False)],
)
def test_a_convolution_is_the_sum_over_its_window(
    channels: int, outputs: int, side: int, stride: int, depthwise: bool
) -> None:
    random = np.random.default_rng(0)
    seen = 1 if depthwise else channels
    weight = random.standard_normal((outputs, seen, side, side)).astype(np.float32)
    bias = random.standard_normal(outputs).astype(np.float32)
    pictures = random.standard_normal((2, channels, 7, 8)).astype(np.float32)
    given = ops.parameter(list(pictures.shape), np.float32)
    node = convolution({"a.weight": weight, "a.bias": bias}, "a", given, stride=stride)
    found = compile_graph(Model([node], [given]), threads=1)(pictures)
    padded = np.pad(pictures, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2))
    for n, out, y, x in np.ndindex(found.shape):
        top, left = y * stride, x * stride
        window = padded[n, :, top : top + side, left : left + side]
        window = window[out : out + 1] if depthwise else window
        expected = (window * weight[out]).sum() + bias[out]
        assert found[n, out, y, x] == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_a_linear_layer() -> None:
    rows = np.array([[2, 3], [-1, 4]], np.float32)
    tensors = {
        "l.weight": np.array([[1, 0], [10, -1]], np.float32),
        "l.bias": np.array([0.5, 0], np.float32),
    }
    given = ops.parameter([2, 2], np.float32)
    node = linear(tensors, "l", given)
    found = compile_graph(Model([node], [given]), threads=1)(rows)
    assert found.tolist() == [[2.5, 17.0], [-0.5, -14.0]]


def test_the_appearance_graph_is_the_trained_network() -> None:
    torch = pytest.importorskip("torch")
    from feature_extraction.appearance.network import (
        load_appearance,
        normalise,
    )

    network = load_appearance("bundled", "mobilenet_v2", "cpu")
    with torch.inference_mode():
        expected = network.embed(normalise(crops())).numpy()
    found = appearance()(crops())
    assert found.shape == (BATCH, FEATURE_WIDTH)
    assert np.ptp(expected, axis=0).max() > 0.1
    # Half precision rounds by up to 1/2048.
    np.testing.assert_allclose(found, expected, rtol=1 / 2048, atol=5e-4)


def moving_texture(frames: int, *, height: int, width: int) -> NDArray[np.uint8]:
    """A texture that moves by a pixel a frame, so that one displacement explains it."""
    texture = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    texture[:, : width // 3] //= 32  # little contrast
    texture[height // 2 :, width // 2 :] = 200  # none
    return np.stack([np.roll(texture, step, axis=1) for step in range(frames)])


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("frames", [4, 6, 10])
def test_the_motion_graphs_are_the_network(frames: int, separate: bool) -> None:
    """On a frame that is no whole number of tiles; also of some tiles alone."""
    torch = pytest.importorskip("torch")
    from feature_extraction.motion.network import MotionNetwork

    torch.manual_seed(0)
    network = MotionNetwork(separate_trunks=separate).eval()
    weights = NetworkWeights({k: v.detach().numpy() for k, v in network.state_dict().items()}, {})
    pictures = moving_texture(frames, height=104, width=200)
    with torch.inference_mode():
        cells = network.cells(torch.from_numpy(pictures)[None] / 255)[0].numpy()
    cells_of = cells_on_cpu(weights, frames=frames)
    found = cells_of(pictures, np.ones((2, 4), bool))
    assert np.abs(cells).max() > 1
    np.testing.assert_allclose(found[:, :26, :50], cells, rtol=1 / 1024, atol=2e-3)
    some = np.array([[False, True, False, True], [False] * 4])
    alone = cells_of(pictures, some)
    for columns in (slice(16, 32), slice(48, 50)):
        assert np.array_equal(alone[:, :16, columns], found[:, :16, columns])
    regions = np.stack([found[:, :16, x : x + 16] for x in (0, 8, 16, 24)])
    with torch.inference_mode():
        expected = network.embed_cells(torch.from_numpy(regions).float()).numpy()
    features = compile_graph(regions_graph(weights, batch=BATCH), threads=1)(regions)
    assert features.shape == (BATCH, 3 * FEATURE_WIDTH)
    assert expected.max() > 1
    np.testing.assert_allclose(features, expected, rtol=1 / 1024, atol=1e-3)


def test_pytorch_computes_the_same_cells_where_a_gpu_runs_the_network() -> None:
    """Here on a CPU, in half precision if it has that."""
    pytest.importorskip("torch")
    from feature_extraction.motion.network import load_motion

    pictures, needed = moving_texture(6, height=104, width=128), np.ones((2, 2), bool)
    weights = read_weights(weights_file("bundled", "motion"))
    expected = cells_on_cpu(weights, frames=6)(pictures, needed)[:, :26, :32]
    found = cells_by_torch(load_motion("bundled", "cpu"), "cpu")(pictures, needed)
    assert (found.shape, found.dtype) == (expected.shape, np.float16)
    for part in (np.s_[:], np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        assert np.corrcoef(found[part].ravel(), expected[part].ravel())[0, 1] > 0.999


@pytest.mark.parametrize("frames", [4, 9])
def test_the_loops_before_the_convolutions_are_the_layers(frames: int) -> None:
    torch = pytest.importorskip("torch")
    from feature_extraction.motion import layers as motion_layers

    pictures = moving_texture(frames, height=104, width=128)
    tiles = np.argwhere(np.ones((2, 2), bool))
    prepared = TilesAndCosts(pictures.shape)
    prepared.look_at(pictures[::-1])  # leaves nothing behind
    prepared.look_at(pictures)
    shown, inside, *costs = prepared.inputs(tiles)
    normalised = motion_layers.normalise_contrast(torch.from_numpy(pictures)[None] / 255)
    windows = torch.cat([normalised[:, s : s + 4] for s in window_starts(frames)])
    padded = torch.nn.functional.pad(motion_layers.window(windows), (4, 1, 4, 25))
    for k, (row, column) in enumerate(np.tile(64 * tiles, (len(windows), 1)).tolist()):
        picture = padded[k // 4, :, row : row + 69, column : column + 69]
        np.testing.assert_allclose(np.moveaxis(shown[k], -1, 0), picture, atol=1e-4)
        assert (inside[k, 0, 0].any(), inside[k, 0, :, 0].any()) == (row > 0, column > 0)
        assert inside[k, 0, 1:, 1:].all()
    assert len(costs) == len(MATCHES)
    for match, found in zip(MATCHES, costs, strict=True):
        small = torch.nn.functional.avg_pool2d(windows, match.step_px)
        expected = motion_layers.matching_costs(small, match).numpy()
        assert expected.max() > 0.1
        for k, (row, column) in enumerate(np.tile(16 * tiles, (len(windows), 1)).tolist()):
            part = expected[k // 4, :, row : row + 16, column : column + 16]
            np.testing.assert_allclose(found[k, :, : part.shape[1]], part, atol=1e-5)


def test_what_is_far_from_a_tile_does_not_change_its_cells() -> None:
    pictures = moving_texture(6, height=128, width=192)
    changed = pictures.copy()
    changed[:, :, 64 + SEEN_AROUND_PX :] = 0
    cells_of = cells_on_cpu(read_weights(weights_file("bundled", "motion")), frames=6)
    needed = np.array([[True, False, False], [False] * 3])
    before, after = (cells_of(given, needed)[:, :16, :16] for given in (pictures, changed))
    assert before.tobytes() == after.tobytes()
    changed[:, :, 64 + SEEN_AROUND_PX - 1] = 0
    assert cells_of(changed, needed)[:, :16, :16].tobytes() != before.tobytes()


def test_windows_share_a_frame_and_reach_the_end() -> None:
    assert window_starts(4) == [0]
    assert window_starts(10) == [0, 3, 6]
    assert window_starts(6) == [0, 2]


def test_motion_weights_of_another_network_are_refused() -> None:
    with pytest.raises(VadlocError, match=r"^some\.safetensors: no weights of the motion network"):
        cells_on_cpu(NetworkWeights({}, {}, "some.safetensors"), frames=10)
    with pytest.raises(VadlocError, match=r"^some\.safetensors: no weights of the motion network"):
        regions_graph(NetworkWeights({}, {}, "some.safetensors"), batch=BATCH)


def test_weights_of_another_network_are_refused() -> None:
    weights = read_appearance("bundled", "mobilenet_v2")
    missing = {k: v for k, v in weights.tensors.items() if k != "trunk.features.9.conv.2.bias"}
    narrow = weights.tensors | {"embedding.weight": np.zeros((FEATURE_WIDTH, 7), np.float32)}
    for tensors in (missing, narrow):
        with pytest.raises(VadlocError, match=r"^some\.safetensors: no weights of the appearance"):
            appearance_graph(NetworkWeights(tensors, {}, "some.safetensors"), batch=BATCH)
    with pytest.raises(VadlocError, match="backbone is 'mobilenet_v2', expected 'resnet18'"):
        read_appearance("bundled", "resnet18")


def test_a_crop_has_the_same_bytes_whoever_computes_it_and_beside_whatever() -> None:
    """Neither threads, nor building the graph anew, nor the rest of the batch change a byte."""
    one, again, three = appearance(), appearance(), appearance(threads=3)
    expected = one(crops())
    for run in (one, again, three):
        assert run(crops()).tobytes() == expected.tobytes()
    beside = crops(seed=1)
    beside[2] = crops()[2]
    assert one(beside)[2].tobytes() == expected[2].tobytes()


def test_a_result_outlives_the_next_call() -> None:
    given = ops.parameter([2], np.float32)
    double = compile_graph(
        Model([ops.convert(ops.add(given, given), np.float16)], [given]), threads=1
    )
    first = double(np.array([1, 2], np.float32))
    double(np.array([7, 8], np.float32))
    assert first.tolist() == [2, 4]


def test_weights_of_regions_alone_are_warned_of(
    scene: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundled = read_weights(weights_file("bundled", "motion"))
    write_weights(tmp_path / "alone.safetensors", bundled.tensors, {"network": "motion"})
    config = load_config(scene / "tiny.toml")
    motion_module.check_motion(config, "cpu")
    assert not caplog.records
    text = (scene / "tiny.toml").read_text()
    named = f'[features.motion]\nweights = "{tmp_path / "alone.safetensors"}"\n'
    (tmp_path / "alone.toml").write_text(text + named)
    motion_module.check_motion(load_config(tmp_path / "alone.toml"), "cpu")
    assert "trained on regions alone" in caplog.text
    assert "train_motion --adapt" in caplog.text


def test_calls_side_by_side_do_not_mix() -> None:
    run = appearance(threads=3)
    expected = [run(crops(seed=seed)) for seed in range(3)]
    wrong: list[int] = []

    def check(seed: int) -> None:
        for _ in range(10):
            if run(crops(seed=seed)).tobytes() != expected[seed].tobytes():
                wrong.append(seed)

    threads = [threading.Thread(target=check, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_appearance_on_a_cpu_needs_no_torch(scene: Path, tmp_path: Path) -> None:
    words = [*scene_options(scene, tmp_path), "--version", "appearance", "--split", "test"]
    program = (
        "import sys; sys.modules['torch'] = None\n"  # importing it would be an ImportError
        "from feature_extraction.extract_features import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tiny/features/appearance/test/Test0.joblib").is_file()


def test_a_graph_is_built_once_for_all_sequences() -> None:
    settings = AppearanceFeatures()
    one, again, other = (appearance_module._network(settings, "0", "cpu", n) for n in (1, 1, 2))
    assert one is again
    assert one is not other


def test_motion_weights_are_read_once_for_all_sequences(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    reader = motion_module.read_weights
    monkeypatch.setattr(
        motion_module, "read_weights", lambda path: read.append(path) or reader(path)
    )
    motion_module._network.cache_clear()
    motion_module._weights.cache_clear()
    config = load_config(scene / "tiny.toml")
    grid = RegionGrid(64, 64, 64, 32)
    with Workers(1) as workers:
        for _ in range(2):
            motion_module.motion_extractor(config, grid, workers, "cpu")
    assert read == [weights_file("bundled", "motion")]


@pytest.mark.parametrize(
    ("device", "package", "extra"),
    [("cpu", "openvino", "networks"), ("auto", "openvino", "networks"), ("cuda", "torch", "train")],
)
def test_a_missing_package_is_one_line_that_says_what_to_install(
    device: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "GPU_FILES", ())
    monkeypatch.setattr(devices, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(UsageError, match=rf"here need {package}: pip install 'vadloc\[{extra}\]'"):
        devices.device_of(device)


def test_without_torch_networks_run_on_the_cpu_of_a_machine_with_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "GPU_FILES", (str(tmp_path),))
    monkeypatch.setattr(devices, "find_spec", lambda name: None if name == "torch" else name)
    assert devices.device_of("auto") == "cpu"


def test_torch_is_asked_for_a_gpu_only_where_there_may_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from feature_extraction import checkpoints

    asked: list[str] = []
    monkeypatch.setattr(checkpoints, "choose_device", lambda name: asked.append(name) or "cuda")
    monkeypatch.setattr(devices, "GPU_FILES", (str(tmp_path / "none"),))
    assert devices.device_of("auto") == devices.device_of("cpu") == "cpu"
    assert not asked
    monkeypatch.setattr(devices, "GPU_FILES", (str(tmp_path),))
    assert devices.device_of("cpu") == "cpu"
    assert devices.device_of("auto") == devices.device_of("cuda") == "cuda"
    assert asked == ["auto", "cuda"]
