"""Files of weights: what is written is read, and nothing that is damaged or hostile."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vadloc import weights
from vadloc.errors import UsageError, VadlocError
from vadloc.files.storage import DamagedFileError

TENSORS: dict[str, NDArray[np.float32]] = {
    "trunk.weight": np.linspace(-2, 3, 6, dtype=np.float32).reshape(2, 3),
    "classes.weight": np.arange(256).reshape(2, 128).astype(np.float32) / np.float32(64),
    "classes.bias": np.array([0.1, -4], np.float32),
}
METADATA = {"network": "appearance", "classes": ["a", "b"], "measured": {"x": 0.5}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    weights.write_weights(tmp_path / "w.safetensors", TENSORS, METADATA)
    return tmp_path / "w.safetensors"


def raw(header: dict[str, Any] | bytes, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_what_is_written_is_read_in_half_precision(file: Path) -> None:
    content = weights.read_weights(file)
    assert content.metadata == METADATA
    assert content.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert content.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(content.tensors[name], tensor.astype(np.float16))


def test_two_bytes_a_number(file: Path) -> None:
    numbers = sum(tensor.size for tensor in TENSORS.values())
    assert file.stat().st_size - int.from_bytes(file.read_bytes()[:8], "little") - 8 == 2 * numbers


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_what_half_precision_cannot_hold_is_not_written(tmp_path: Path, value: float) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(VadlocError, match="layer has values that half precision cannot hold"):
        weights.write_weights(path, {"layer": np.array([value])}, {})
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 5, 8, 60, 300, -1])
def test_a_cut_off_file_is_damaged(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(DamagedFileError, match=r"w\.safetensors: not a"):
        weights.read_weights(file)


@pytest.mark.parametrize(
    "content",
    [
        (1 << 62).to_bytes(8, "little") + b"{}",
        raw(b"[1]"),
        raw(b"[" * 100_000),
        raw(b'{"a": NaN'),
        raw({"a": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 4]}}, b"1234"),
        raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 1 << 60]}}, b"1234"),
        raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, b"1234"),
        raw({"a": {"dtype": "pickle", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        b"\x80\x04\x95 pickled things" * 40,
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"hostile\.safetensors: not a"):
        weights.read_weights(path)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 41)
    with pytest.raises(DamagedFileError, match="larger than 1024 MiB"):
        weights.read_weights(path)


@pytest.mark.parametrize("array", [np.arange(3), np.array([np.nan], np.float32), np.zeros(2)])
def test_other_than_finite_numbers_are_refused(tmp_path: Path, array: Any) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"layer": array}, path, {"vadloc": "{}"})
    with pytest.raises(DamagedFileError, match=r"tensor layer .* other than finite"):
        weights.read_weights(path)


@pytest.mark.parametrize("metadata", [None, {"vadloc": "[]"}, {"vadloc": "{"}, {"other": "{}"}])
def test_a_file_must_say_what_it_is(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"layer": np.zeros(2, np.float32)}, path, metadata)
    with pytest.raises(DamagedFileError, match="does not say which network"):
        weights.read_weights(path)
    assert weights.read_foreign_weights(path).tensors["layer"].tolist() == [0, 0]


def test_counters_of_batch_normalisation_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"bn.num_batches_tracked": np.array(3), "a": np.ones(1, np.float32)}, path)
    assert weights.read_foreign_weights(path).tensors.keys() == {"a"}


def bundle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(weights, "BUNDLED", folder)
    path = folder / "appearance.safetensors"
    weights.write_weights(path, TENSORS, METADATA)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  appearance.safetensors\n")
    return path


def test_a_bundled_file_is_compared_with_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle(tmp_path, monkeypatch)
    assert weights.weights_file("bundled", "appearance") == path
    assert weights.read_weights(path).metadata == METADATA
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # still a finite number
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="SHA-256 is not the one in SHA256SUMS"):
        weights.read_weights(path)


@pytest.mark.parametrize("listing", ["", "0123  other.safetensors\n", None])
def test_a_bundled_file_without_a_digest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str | None
) -> None:
    path = bundle(tmp_path, monkeypatch)
    (tmp_path / "SHA256SUMS").unlink()
    if listing is not None:
        (tmp_path / "SHA256SUMS").write_text(listing)
    with pytest.raises(DamagedFileError, match="install vadloc again"):
        weights.read_weights(path)


def test_all_shipped_files_are_listed_and_whole() -> None:
    shipped = sorted(weights.BUNDLED.glob("*.safetensors"))
    assert "appearance.safetensors" in [path.name for path in shipped]
    lines = (weights.BUNDLED / "SHA256SUMS").read_text().splitlines()
    assert [line.split()[1] for line in lines] == [path.name for path in shipped]
    for path in shipped:
        assert weights.read_weights(path).metadata["network"] == path.stem
    assert sum(path.stat().st_size for path in shipped) <= 20_000_000


@pytest.mark.parametrize(
    ("name", "network", "expected"),
    [
        ("nowhere.safetensors", "appearance", 'expected "bundled", or "torchvision", or the path'),
        ("torchvision", "motion", 'expected "bundled", or the path'),
        ("bundled", "motion", "feature_extraction.train_motion"),
    ],
)
def test_weights_that_do_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, network: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    with pytest.raises(UsageError, match=expected):
        weights.weights_file(name, network)


def test_the_digest_is_that_of_the_bytes_and_follows_changes(file: Path) -> None:
    assert weights.weights_digest(str(file), "appearance") == sha256(file)
    weights.write_weights(file, {"other": np.zeros(7)}, METADATA)
    assert weights.weights_digest(str(file), "appearance") == sha256(file)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_tensors_of_another_network_are_refused() -> None:
    content = weights.NetworkWeights(dict(TENSORS), {}, source="w")
    shapes = {name: tensor.shape for name, tensor in TENSORS.items()}
    weights.check_tensors(content, shapes)
    with pytest.raises(VadlocError, match="w: lacks extra"):
        weights.check_tensors(content, shapes | {"extra": (1,)})
    with pytest.raises(VadlocError, match=r"w: has unknown trunk\.weight"):
        weights.check_tensors(content, {k: v for k, v in shapes.items() if k != "trunk.weight"})
    with pytest.raises(VadlocError, match=r"shape \(2, 3\), the network's has \(3, 2\)"):
        weights.check_tensors(content, shapes | {"trunk.weight": (3, 2)})


def test_a_layer_is_read_out() -> None:
    weight, bias = weights.read_out(weights.NetworkWeights(dict(TENSORS), {}), "classes")
    features = np.eye(128, dtype=np.float32)[5]
    # By hand: element (1, 5) of the weight is (128 + 5) / 64.
    assert features @ weight.T + bias == pytest.approx([0.1 + 5 / 64, -4 + 133 / 64])


@pytest.mark.parametrize("layer", ["nothing", "trunk"])
def test_a_layer_that_cannot_be_read_out(layer: str) -> None:
    content = weights.NetworkWeights({**TENSORS, "trunk.bias": np.zeros(2, np.float32)}, {})
    with pytest.raises(VadlocError, match=layer):
        weights.read_out(content, layer)
