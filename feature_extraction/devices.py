"""How networks run: on which device, with which package, and in batches of which size."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import UsageError

GPU_FILES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA, of AMD and of WSL. Without any of them there is no GPU."""

BATCH: Final = {"cpu": 32, "cuda": 256}
"""Crops or volumes for each call of a network, by device. On a CPU larger batches are slower."""


def device_of(choice: str) -> str:
    """The device on which networks run; ``auto`` takes a GPU if PyTorch is installed and finds one.

    PyTorch takes seconds to import. It is not imported if there can be no GPU.

    Raises:
        UsageError: The package for this device is not installed, or ``cuda`` was chosen and there
            is no usable GPU.
    """
    device = "cpu"
    may_be_gpu = find_spec("torch") is not None and any(Path(f).exists() for f in GPU_FILES)
    if choice == "cuda" or (choice == "auto" and may_be_gpu):
        require("torch")
        from feature_extraction.checkpoints import choose_device

        device = choose_device(choice)
    if device == "cpu":
        require("openvino")
    return device


EXTRAS: Final = {"openvino": "networks", "torch": "train"}
"""Package to the extra of ``pyproject.toml`` that installs it."""


def require(package: str) -> None:
    """Check that a package is installed which networks need.

    Raises:
        UsageError: The package is missing.
    """
    if find_spec(package) is None:
        extra = EXTRAS[package]
        raise UsageError(
            f"this version of the method runs networks, which here need {package}: "
            f"pip install 'vadloc[{extra}]' (from the source: pip install '.[{extra}]')"
        )


def torch_function(
    forward: Callable[[Any], Any], device: str
) -> Callable[[NDArray[np.uint8]], NDArray[np.float16]]:
    """A PyTorch network as a function of arrays, in half precision if the hardware supports it."""
    import torch

    from feature_extraction.checkpoints import mixed_precision

    torch.set_num_threads(1)  # Workers run several batches, one thread each

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        with torch.inference_mode(), mixed_precision(device):
            features = forward(torch.from_numpy(crops).to(device))
            array: NDArray[np.float16] = features.to("cpu", torch.float16).numpy()
            return array

    return embed
