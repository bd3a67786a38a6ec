"""Where networks run: on which device, with which package, and how many crops at a time."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import UsageError

GPU_FILES: Final = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Devices of NVIDIA, of AMD and of Linux on Windows. Without any of them there is no GPU."""

BATCH: Final = {"cpu": 32, "cuda": 256}
"""Crops or volumes to a call of a network, by device; on a CPU more are slower."""


def device_of(choice: str) -> str:
    """Where networks run: the choice, or for ``auto`` a GPU where PyTorch is there and finds one.

    PyTorch takes seconds to import and is not asked where there can be no GPU.

    Raises:
        UsageError: What runs them there is not installed, or ``cuda`` was chosen and there is none.
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
"""Which extra of ``pyproject.toml`` installs a package."""


def require(package: str) -> None:
    """Notice that a package is missing which networks need.

    Raises:
        UsageError: It is.
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
    """A PyTorch network as a function of arrays, in half precision where the hardware has it."""
    import torch

    from feature_extraction.checkpoints import mixed_precision

    torch.set_num_threads(1)  # batches side by side, each by one thread: see Workers

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        with torch.inference_mode(), mixed_precision(device):
            features = forward(torch.from_numpy(crops).to(device))
            array: NDArray[np.float16] = features.to("cpu", torch.float16).numpy()
            return array

    return embed
