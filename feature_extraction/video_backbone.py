"""A video network of torchvision, with weights from a local file, as a maker of features."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from feature_extraction.devices import require
from vadloc.errors import UsageError, VadlocError, one_line, some_of
from vadloc.files.digests import file_digest

MEAN: Final = (0.43216, 0.394666, 0.37645)
SPREAD: Final = (0.22803, 0.22145, 0.216989)
"""Of the channels in Kinetics, as torchvision gives them for its video networks."""
CLASSIFIERS: Final = ("fc", "classifier", "head")
"""Names of the last layer, which is left out."""
SEED: Final = 0
"""Of random weights."""


class VideoBackbone:
    """Makes features of snippets.

    Args:
        name: A network of ``torchvision.models.video``.
        weights: File of its state dict, ``.pth``, ``.pt`` or ``.safetensors``.
        sha256: SHA-256 of that file.
        random: Take random weights, without a file.
        side_px: Frames are resized to squares of this side.

    Raises:
        UsageError: PyTorch is missing, there is no such network, no file or no SHA-256 is given, or
            the file is of another network.
    """

    def __init__(
        self, name: str, weights: Path | None, *, sha256: str, random: bool, side_px: int
    ) -> None:
        require("torch")
        self._side_px = side_px
        _check_given(name, weights, sha256, random=random)
        import torch

        torch.manual_seed(SEED)
        self._network = _build(name)
        if weights is not None:
            _load(self._network, weights)
        last = next(n for n in CLASSIFIERS if hasattr(self._network, n))
        setattr(self._network, last, torch.nn.Identity())
        self._network.eval()

    def features(
        self, frames: Iterable[NDArray[np.uint8]], snippet_frames: int
    ) -> NDArray[np.float32]:
        """The features ``(snippets, width)`` of all whole snippets of a video.

        A video that is shorter than a snippet is continued by its last frame.

        Args:
            frames: RGB frames ``(height, width, 3)``.
            snippet_frames: Frames of a snippet.

        Raises:
            VadlocError: The network cannot take such snippets.
        """
        rows = [self._see(clip) for clip in _clips(frames, snippet_frames)]
        return np.stack(rows)

    def _see(self, clip: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        import torch

        given = torch.from_numpy(clip_to_input(clip, self._side_px))[None]
        try:
            with torch.inference_mode():
                found: NDArray[np.float32] = self._network(given).flatten().numpy()
        except RuntimeError as error:
            raise VadlocError(
                f"the backbone cannot take {len(clip)} frames of {self._side_px} px "
                f"({one_line(error, limit=120)}); change --snippet-frames or --side"
            ) from None
        return found


def clip_to_input(clip: list[NDArray[np.uint8]], side_px: int) -> NDArray[np.float32]:
    """Frames as the network takes them, ``(3, frames, side, side)``, in units of Kinetics."""
    small = [cv2.resize(f, (side_px, side_px), interpolation=cv2.INTER_AREA) for f in clip]
    shares = np.stack(small).astype(np.float32) / 255
    units = (shares - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
    return np.ascontiguousarray(units.transpose(3, 0, 1, 2))


def _clips(frames: Iterable[NDArray[np.uint8]], length: int) -> Iterator[list[NDArray[np.uint8]]]:
    found, is_first = iter(frames), True
    while clip := list(islice(found, length)):
        if len(clip) == length:
            yield clip
        elif is_first:
            yield clip + [clip[-1]] * (length - len(clip))
        is_first = False


def _check_given(name: str, weights: Path | None, sha256: str, *, random: bool) -> None:
    if (weights is None) != random:
        raise UsageError(
            f"--backbone {name}: give its --weights; or --random, whose features say nothing, "
            "without them"
        )
    if weights is None:
        return
    if not weights.is_file():
        raise UsageError(f"{weights}: no such file; expected the state dict of {name}")
    found = file_digest(weights)
    if sha256.lower() != found:
        given = f"--sha256 is {sha256}" if sha256 else "--sha256 is not given"
        raise UsageError(
            f"{weights}: its SHA-256 is {found}, {given}; compare it with what the publisher of "
            "the weights says"
        )


def _build(name: str) -> Any:
    from torchvision.models import get_model, list_models, video

    names = list_models(video)
    if name not in names:
        raise UsageError(f"--backbone {name}: expected one of {', '.join(names)}")
    return get_model(name, weights=None)


def _load(network: Any, path: Path) -> None:
    """Load a state dict; nothing in the file is executed."""
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail in any way
        raise UsageError(f"{path}: not a readable state dict ({one_line(error)})") from None
    expected = network.state_dict()
    if not isinstance(state, dict):
        raise UsageError(f"{path}: holds a {type(state).__name__}, expected a state dict")
    wrong = sorted(set(map(str, state)) ^ set(expected))
    wrong += [n for n in expected if n in state and state[n].shape != expected[n].shape]
    if wrong:
        raise UsageError(
            f"{path}: differs in {some_of(wrong)}; these are weights of another network"
        )
    network.load_state_dict(state)
