"""Code that the trainings of all networks share: output folder, checkpoints, device, precision."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from vadloc.errors import UsageError, VadlocError, one_line
from vadloc.files.storage import replacing


def claim_output(output: Path, settings: Mapping[str, Any]) -> None:
    """Reserve an output folder for a training with these settings.

    Args:
        output: The folder. ``settings.json`` is written into it, or must be the same already.
        settings: All settings that affect the result, as JSON can hold them.

    Raises:
        UsageError: The folder belongs to a training with other settings.
    """
    path = output / "settings.json"
    text = json.dumps(dict(settings), indent=2, sort_keys=True) + "\n"
    if not path.exists():
        with replacing(path) as file:
            file.write(text.encode())
        return
    try:
        before = json.loads(path.read_bytes())
        changed = {k for k in before.keys() | settings if before.get(k) != json.loads(text).get(k)}
    except (ValueError, AttributeError):
        raise VadlocError(f"{path}: damaged; remove {output} to train anew") from None
    if changed:
        listed = ", ".join(f"{k} = {before.get(k)!r}" for k in sorted(changed))
        raise UsageError(
            f"{output}: begun with other settings ({listed}); give those, another --output, or "
            "remove the folder"
        )


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training, whole or not at all."""
    import torch

    with replacing(path) as file:
        torch.save(dict(state), file)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state of a training that was stopped; ``None`` if there is no such file.

    Raises:
        VadlocError: The file is damaged, or holds more than tensors and plain values.
    """
    import torch

    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive can fail in any way
        raise VadlocError(
            f"{path}: not a readable checkpoint ({one_line(error, limit=200)}); remove it to train "
            "anew"
        ) from None
    return state


def choose_device(name: str) -> str:
    """The device that ``--device`` names: ``auto`` takes a GPU if there is one.

    Raises:
        UsageError: ``cuda`` was chosen and cannot be used.
    """
    import torch

    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise UsageError("--device cuda: PyTorch finds no usable GPU; expected auto or cpu")
    return "cuda" if usable and name != "cpu" else "cpu"


def mixed_precision(device: str) -> AbstractContextManager[Any]:
    """bfloat16 if the hardware supports it; emulation would be far slower than float32."""
    import torch

    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        native = bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))
    context: AbstractContextManager[Any] = torch.autocast(device, torch.bfloat16, enabled=native)
    return context
