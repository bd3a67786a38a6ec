"""Files of network weights: safetensors in half precision, checked when they are read.

A file holds the tensors of a network and, in its header, one JSON object that describes the network
(name, backbone, outputs, input, training command, measured numbers). Nothing in it is ever
executed. The files of the package are listed in ``weights/SHA256SUMS``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import UsageError, VadlocError, one_line, some_of
from vadloc.files.storage import (
    DamagedFileError,
    replacing,
)

BUNDLED: Final = Path(__file__).parent.parent / "feature_extraction" / "weights"
"""The folder of the weights that are part of the package."""

FEATURE_WIDTH: Final = 128
"""Width of the input of each network's last linear layer; this input is stored and compared."""

_METADATA_KEY = "vadloc"
_MAX_FILE_BYTES = 1 << 30
_MAX_HEADER_BYTES = 1 << 22
_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class NetworkWeights:
    """The content of a file of weights.

    Attributes:
        tensors: Name to array, float32 (half precision in the file).
        metadata: The description of the network.
        source: Where the weights come from, for messages.
    """

    tensors: dict[str, NDArray[np.float32]]
    metadata: dict[str, Any]
    source: str = "weights"


def weights_file(weights: str, network: str) -> Path:
    """The file that a config's ``weights`` names.

    Args:
        weights: ``bundled``, or the path of a ``.safetensors`` file.
        network: Name of the network.

    Raises:
        UsageError: ``weights`` names no file.
    """
    if weights == "bundled":
        path = BUNDLED / f"{network}{_SUFFIX}"
        remedy = f"install vadloc again, or train: python -m feature_extraction.train_{network}"
    else:
        path = Path(weights)
        own = ', or "torchvision"' if network == "appearance" else ""
        remedy = f'expected "bundled"{own}, or the path of a {_SUFFIX} file'
    if not path.is_file():
        raise UsageError(
            f"[features.{network}] weights = {weights!r}: {path} does not exist; {remedy}"
        )
    return path


def weights_digest(weights: str, network: str) -> str:
    """SHA-256 of the weights that a config names, for stamps: 64 hexadecimal digits.

    ``torchvision`` stands for a file that torchvision downloads and checks itself; the backbone
    decides which file it is.

    Raises:
        UsageError: The file does not exist.
    """
    if weights == "torchvision" and network == "appearance":
        return hashlib.sha256(b"torchvision DEFAULT").hexdigest()
    path = weights_file(weights, network)
    status = path.stat()
    return _file_digest(path.resolve(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _file_digest(path: Path, _modified_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(path: Path) -> NetworkWeights:
    """Read a file of weights; a file of the package must have its listed SHA-256.

    Raises:
        DamagedFileError: The file is cut off, altered, not safetensors, or holds non-finite values.
        VadlocError: The file cannot be read.
    """
    content = _read_bytes(path)
    if path.resolve().parent == BUNDLED.resolve():
        _check_bundled(path, content)
    header = _header(path, content)
    return NetworkWeights(_tensors(path, content), _metadata(path, header), source=str(path))


def read_foreign_weights(path: Path) -> NetworkWeights:
    """Read safetensors that another program wrote; the metadata are left empty.

    Raises:
        DamagedFileError: The file is cut off, not safetensors, or holds non-finite values.
        VadlocError: The file cannot be read.
    """
    content = _read_bytes(path)
    _header(path, content)
    return NetworkWeights(_tensors(path, content), {}, source=str(path))


def write_weights(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]
) -> None:
    """Write weights in half precision, whole or not at all.

    Args:
        path: Path of the file, which ends in ``.safetensors``.
        tensors: Name to floating-point array.
        metadata: The description of the network, as JSON can hold it.

    Raises:
        VadlocError: A value is not finite, or too large for half precision.
    """
    from safetensors.numpy import save

    halves = {}
    for name, tensor in tensors.items():
        with np.errstate(over="ignore"):
            halves[name] = np.ascontiguousarray(tensor, dtype=np.float16)
        if not np.isfinite(halves[name]).all():
            raise VadlocError(f"{path}: {name} has values that half precision cannot hold")
    text = json.dumps(dict(metadata), allow_nan=False, sort_keys=True)
    with replacing(path) as file:
        file.write(save(halves, {_METADATA_KEY: text}))


def check_tensors(weights: NetworkWeights, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse weights whose names or shapes differ from the parameters of a network.

    Raises:
        VadlocError: A tensor is missing, is unknown, or has another shape.
    """
    for problem, names in (
        ("lacks", shapes.keys() - weights.tensors.keys()),
        ("has unknown", weights.tensors.keys() - shapes.keys()),
    ):
        if names:
            raise VadlocError(
                f"{weights.source}: {problem} {some_of(sorted(names))}; these are weights of "
                "another network"
            )
    for name, shape in shapes.items():
        if weights.tensors[name].shape != shape:
            raise VadlocError(
                f"{weights.source}: {name} has shape {weights.tensors[name].shape}, the network's "
                f"has {shape}; these are weights of another network"
            )


def read_out(
    weights: NetworkWeights, layer: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The linear layer that turns stored features into a network's outputs, without torch.

    Args:
        weights: The weights of the network.
        layer: Name of the layer, such as ``classes``.

    Returns:
        ``weight (outputs, 128)`` and ``bias (outputs,)``: outputs = features @ weight.T + bias,
        before the output's link function.

    Raises:
        VadlocError: The layer does not exist.
    """
    weight, bias = (weights.tensors.get(f"{layer}.{part}") for part in ("weight", "bias"))
    if weight is None or bias is None:
        raise VadlocError(f"{weights.source}: has no layer {layer!r} to read features with")
    if weight.ndim != 2 or weight.shape != (len(bias), FEATURE_WIDTH):
        raise VadlocError(
            f"{weights.source}: layer {layer!r} has a weight of shape {weight.shape}, expected "
            f"({len(bias)}, {FEATURE_WIDTH})"
        )
    return weight, bias


def is_counter(name: str) -> bool:
    """Whether a tensor only counts the steps of a batch normalisation; such tensors are dropped."""
    return name.endswith("num_batches_tracked")


def _read_bytes(path: Path) -> bytes:
    """All bytes of a file; reading them once ensures that the checked bytes are those used."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise DamagedFileError(f"{path}: larger than {_MAX_FILE_BYTES >> 20} MiB, no weights")
        return path.read_bytes()
    except OSError as error:
        raise VadlocError(f"{path}: cannot read the weights ({error.strerror})") from None


def _check_bundled(path: Path, content: bytes) -> None:
    listing = BUNDLED / "SHA256SUMS"
    try:
        lines = [line.split() for line in listing.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        raise DamagedFileError(f"{listing}: missing or damaged; install vadloc again") from None
    expected = {words[1]: words[0] for words in lines if len(words) == 2}
    if hashlib.sha256(content).hexdigest() != expected.get(path.name):
        raise DamagedFileError(
            f"{path}: its SHA-256 is not the one in {listing.name}, the file was altered or cut "
            "off; install vadloc again"
        )


def _header(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON header; the first eight bytes of the file give its length."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, _MAX_HEADER_BYTES):
        raise DamagedFileError(f"{path}: not a {_SUFFIX} file, or cut off")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise DamagedFileError(f"{path}: not a {_SUFFIX} file: its header is no JSON object")
    return header


def _metadata(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    try:
        metadata = json.loads(header["__metadata__"][_METADATA_KEY])
    except (KeyError, TypeError, ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise DamagedFileError(
            f"{path}: its header does not say which network it is; expected weights that "
            "feature_extraction.train_appearance or train_motion wrote"
        )
    return metadata


def _tensors(path: Path, content: bytes) -> dict[str, NDArray[np.float32]]:
    """All tensors as float32; safetensors checks that shapes and offsets fit the content."""
    from safetensors.numpy import load

    try:
        tensors = load(content)
    except Exception as error:  # a damaged header can fail in any way
        raise DamagedFileError(
            f"{path}: not a readable {_SUFFIX} file ({one_line(error)})"
        ) from None
    tensors = {name: tensor for name, tensor in tensors.items() if not is_counter(name)}
    for name, tensor in tensors.items():
        if tensor.dtype not in (np.float16, np.float32) or not np.isfinite(tensor).all():
            raise DamagedFileError(
                f"{path}: tensor {one_line(name, limit=80)} ({tensor.dtype}) holds other than "
                "finite float16 or float32"
            )
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
