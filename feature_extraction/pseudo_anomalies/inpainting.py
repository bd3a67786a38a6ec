"""Inpainters: fill the masks of pseudo-anomalies with what does not belong there.

* ``patch`` takes pixels of another place and time of the same video. For autoencoders the source of
  patches hardly matters (Astrid et al., *Learning not to reconstruct anomalies*, BMVC 2021, whose
  README gives frame AUC .9415 for Ped2 itself and .9477 for other pictures).
* ``telea`` continues the surroundings (Telea, 2004, as OpenCV has it).
* ``diffusion`` asks a diffusion model, as the pseudo-anomaly paper does. It is read from a local
  folder with diffusers, which is an optional extra; nothing is downloaded.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.pseudo_anomalies.masks import Mask
from vadloc.errors import UsageError, VadlocError, one_line

Frames = NDArray[np.uint8]
"""Grey ``(frames, height, width)`` or RGB ``(frames, height, width, 3)``."""
Inpaint = Callable[[Frames, Mask, Frames, np.random.Generator], Frames]
"""Clip, mask ``(frames, height, width)``, a clip of another place and a source of randomness to the
clip with filled masks. What it returns outside the mask is not used."""

DIFFUSION_STEPS = 50
"""Steps of the diffusion model, as in the paper."""
DIFFUSION_SIDE_PX = 512


def inpainter(name: str, folder: str = "") -> Inpaint:
    """An inpainter by name.

    Args:
        name: ``patch``, ``telea`` or ``diffusion``.
        folder: Local folder of the diffusion model.

    Raises:
        UsageError: diffusers is not installed, or the folder does not exist.
    """
    if name == "diffusion":
        _check_diffusion(folder)
        return lambda clip, mask, _, rng: _diffuse(clip, mask, folder, rng)
    found: Inpaint = {"patch": patch, "telea": _telea}[name]
    return found


def fill(
    clip: Frames, mask: Mask, other: Frames, inpaint: Inpaint, rng: np.random.Generator
) -> Frames:
    """The clip with its mask filled; outside the mask not a bit differs."""
    inside = mask if clip.ndim == mask.ndim else mask[..., None]
    return np.where(inside, inpaint(clip, mask, other, rng), clip)


def patch(_clip: Frames, _mask: Mask, other: Frames, _rng: np.random.Generator) -> Frames:
    """Another place and time; see the module."""
    return other


def _telea(clip: Frames, mask: Mask, _other: Frames, _rng: np.random.Generator) -> Frames:
    import cv2

    pairs = zip(clip, mask.astype(np.uint8), strict=True)
    return np.stack(
        [cv2.inpaint(frame, of_frame, 3, cv2.INPAINT_TELEA) for frame, of_frame in pairs]
    )


def _check_diffusion(folder: str) -> None:
    if find_spec("diffusers") is None or find_spec("torch") is None:
        raise UsageError(
            "inpainter = \"diffusion\" needs diffusers: pip install 'vadloc[diffusion]' (from the "
            "source: pip install '.[diffusion]')"
        )
    if not Path(folder).is_dir():
        raise UsageError(
            f"diffusion_folder = {folder!r}: no such folder; expected an inpainting model as "
            "diffusers saves it"
        )


@lru_cache(maxsize=1)
def _pipeline(folder: str) -> Any:
    diffusers = import_module("diffusers")  # an optional extra

    try:
        return diffusers.AutoPipelineForInpainting.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise VadlocError(
            f"{folder}: no inpainting model that diffusers can read ({one_line(error)})"
        ) from None


def _diffuse(clip: Frames, mask: Mask, folder: str, rng: np.random.Generator) -> Frames:
    """Fill each frame by the diffusion model, without a text.

    The noise that it starts from is drawn on the CPU, whatever the device, so that a seed always
    gives the same.
    """
    import torch
    from PIL import Image

    side = DIFFUSION_SIDE_PX, DIFFUSION_SIDE_PX
    noise = torch.Generator("cpu").manual_seed(int(rng.integers(2**63)))
    filled = []
    for frame, of_frame in zip(clip, mask, strict=True):
        before = Image.fromarray(frame)
        hole = Image.fromarray(of_frame.astype(np.uint8) * 255).resize(side)
        made = _pipeline(folder)(
            prompt="",
            image=before.convert("RGB").resize(side),
            mask_image=hole,
            num_inference_steps=DIFFUSION_STEPS,
            generator=noise,
        ).images[0]
        filled.append(np.asarray(made.convert(before.mode).resize(before.size), np.uint8))
    return np.stack(filled)
