"""Trains the discriminator of the detector ``pseudo_anomalies``.

It learns from appearance features of regions of the training video: of those that a spatial
pseudo-anomaly covers in part, and of the same regions without it. The loss is the binary
cross-entropy. The network of the features is not trained.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from anomaly_detection.detectors.held_out import Part
from anomaly_detection.training.tasks import PICTURES, Example, NetworkTask
from feature_extraction.appearance.extractor import appearance_crops
from feature_extraction.appearance.frame_features import embed_crops
from feature_extraction.discriminator import Discriminator
from feature_extraction.frame import Frame
from feature_extraction.pseudo_anomalies.in_video import Changed, change_video, draw_windows
from feature_extraction.pseudo_anomalies.inpainting import inpainter
from vadloc.artifacts import Artifacts
from vadloc.detector_settings import PseudoAnomalies
from vadloc.errors import VadlocError
from vadloc.pseudo_settings import PseudoAnomalyVideo
from vadloc.regions import RegionGrid
from vadloc.sequence_input import load_frames

logger = logging.getLogger(__name__)
CLIP_FRAMES = 4
"""Frames of the clips whose middle frame is looked at."""
COVERED = 0.3
"""Share of a region that a mask covers for the region to have a pseudo-anomaly."""
MOST_REGIONS = 4
"""Regions of a frame, at most: those that are covered most."""
BATCH = 64
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-3
LEAST_SPREAD = 1e-3
CHANCE = float(np.log(2))
"""The loss of a discriminator that knows nothing."""
DEAD_RANGE = 0.01
"""Range of all probabilities below which the discriminator has died."""


@dataclass(frozen=True)
class Looks:
    """Regions of frames without and with a pseudo-anomaly, in pairs.

    Attributes:
        features: ``(n, 2, 128)`` float32: without, with.
        crops: ``(n, 2, height, width)`` uint8 grey.
    """

    features: NDArray[np.float32]
    crops: NDArray[np.uint8]


def read_looks(artifacts: Artifacts, parts: list[Part], clips: int, *, device: str) -> Looks:
    """Draw pseudo-anomalies in training video, and compute the features of their regions.

    Args:
        artifacts: The results.
        parts: The parts of the training video.
        clips: About how many pseudo-anomalies are drawn, evenly over all parts.
        device: Where the network of the features runs.

    Raises:
        UsageError: The inpainter needs a package that is not installed.
        VadlocError: Frames cannot be read, or no part is long enough.
    """
    total = sum(part.end - part.first for part in parts)
    pairs = []
    for part in parts:
        number = round(clips * (part.end - part.first) / total)
        pairs += list(_pairs(artifacts, part, min(max(1, number), 1000)))
    if not pairs:
        raise VadlocError(
            f"{parts[0].sequence}: too short for a pseudo-anomaly of {CLIP_FRAMES} frames; the "
            "discriminator learns nothing. Give longer training video, or discriminator = false"
        )
    crops = np.concatenate(pairs)
    features = embed_crops(crops.reshape(-1, *crops.shape[2:]), artifacts.config, device=device)
    return Looks(features.reshape(len(crops), 2, -1), np.asarray(crops[..., 1]))


def _pairs(artifacts: Artifacts, part: Part, number: int) -> Iterator[NDArray[np.uint8]]:
    """Crops ``(regions, 2, 48, 48, 3)`` of each pseudo-anomaly of a part."""
    settings: PseudoAnomalies = artifacts.detector_settings
    video = PseudoAnomalyVideo.model_validate(
        {
            "per_sequence": number,
            "frames": CLIP_FRAMES,
            "kinds": settings.spatial_kinds,
            "inpainter": settings.inpainter,
            "diffusion_folder": settings.diffusion_folder,
            "seed": settings.seed,
        }
    )
    sequence = load_frames(artifacts, "train", part.sequence)
    grid = sequence.grid(artifacts.config.regions)
    windows = draw_windows(part.sequence, range(part.first, part.end), video, context=0)
    inpaint = inpainter(settings.inpainter, settings.diffusion_folder)
    for changed in change_video(
        part.sequence, sequence.steps(), windows, video, region_px=grid.size_px, inpaint=inpaint
    ):
        yield _crops(changed, grid)


def _crops(changed: Changed, grid: RegionGrid) -> NDArray[np.uint8]:
    middle = changed.window.count // 2
    at = changed.window.first - changed.window.begin + middle
    regions = covered_regions(changed.mask[middle], grid)
    both = [_cut(video[at], grid, regions) for video in (changed.clean, changed.frames)]
    return np.stack(both, axis=1)


def _cut(rgb: NDArray[np.uint8], grid: RegionGrid, regions: NDArray[np.int64]) -> NDArray[np.uint8]:
    return appearance_crops([Frame(rgb[..., 1], rgb, grid)], grid, regions)


def covered_regions(mask: NDArray[np.bool_], grid: RegionGrid) -> NDArray[np.int64]:
    """The regions that a mask covers enough, the most covered first; at least one.

    Args:
        mask: ``(height, width)``.
        grid: The regions.
    """
    rows, columns = grid.cells
    side = grid.stride_px
    after = rows * side - mask.shape[0], columns * side - mask.shape[1]
    padded = np.pad(mask, [(0, n) for n in after])
    cells = padded.reshape(rows, side, columns, side).sum(axis=(1, 3)).astype(np.float64)
    shares = grid.region_sums(cells).ravel() / grid.size_px**2
    order = np.argsort(-shares, kind="stable")[:MOST_REGIONS]
    enough = order[shares[order] >= COVERED]
    return enough if len(enough) else order[:1]


class DiscriminatorTask(NetworkTask):
    """The training of the discriminator.

    Args:
        name: Its name.
        trained: Regions to learn from.
        held_out: Regions that are only measured.
        settings: The settings of the detector.
        device: ``cpu`` or ``cuda``.
    """

    makes_pictures = False

    def __init__(
        self, name: str, trained: Looks, held_out: Looks, settings: PseudoAnomalies, *, device: str
    ) -> None:
        self.name, self.steps, self.step = name, settings.discriminator_steps, 0
        self._seed, self._device = settings.seed, device
        self._trained, self._held_out = trained, held_out
        rows = trained.features.reshape(-1, trained.features.shape[2])
        torch.manual_seed(settings.seed)
        spread = np.maximum(rows.std(axis=0), LEAST_SPREAD)
        self.network = Discriminator(rows.mean(axis=0), spread).to(device)
        self.parameters = sum(p.numel() for p in self.network.parameters())
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )

    def advance(self) -> dict[str, float]:
        """See `NetworkTask.advance`."""
        rng = np.random.default_rng((self._seed, self.step))
        rows = rng.integers(len(self._trained.features), size=BATCH // 2)
        logits, labels = self._judge(self._trained.features[rows])
        loss = binary_cross_entropy_with_logits(logits, labels)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        return {"loss": loss.item()}

    def _judge(self, pairs: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and labels of pairs ``(n, 2, width)``."""
        features = torch.from_numpy(pairs).to(self._device).flatten(0, 1)
        labels = torch.tensor([0.0, 1.0], device=self._device).repeat(len(pairs))
        return self.network(features), labels

    def measure(self) -> float:
        """See `NetworkTask.measure`: the cross-entropy of all held-out regions.

        Raises:
            VadlocError: At the last step all regions have the same probability.
        """
        with torch.inference_mode():
            logits, labels = self._judge(self._held_out.features)
            loss = binary_cross_entropy_with_logits(logits, labels).item()
            given = torch.sigmoid(logits)
        if self.step == self.steps:
            self._check_alive(loss, float(given.min()), float(given.max()))
        return loss

    def _check_alive(self, loss: float, low: float, high: float) -> None:
        if high - low < DEAD_RANGE:
            raise VadlocError(
                f"{self.name}: at step {self.step} it has died: all held-out regions, with and "
                f"without a pseudo-anomaly, get a probability of {low:.3f} to {high:.3f}. Give "
                "another seed, more discriminator_clips, or discriminator = false"
            )
        if loss >= CHANCE:
            logger.warning(
                "%s: its loss on held-out video, %.3f, is no better than chance (%.3f): what it "
                "says means little here; more discriminator_clips or discriminator = false",
                self.name,
                loss,
                CHANCE,
            )

    def state(self) -> dict[str, Any]:
        """See `NetworkTask.state`."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """See `NetworkTask.resume`."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """See `NetworkTask.tensors`."""
        return self.network.tensors()

    def examples(self) -> list[Example]:
        """Held-out regions, every other one with a pseudo-anomaly; the probability as a grey."""
        found = []
        for number in range(PICTURES):
            pair = number * len(self._held_out.features) // PICTURES
            with torch.inference_mode():
                logits, _ = self._judge(self._held_out.features[pair : pair + 1])
            changed = number % 2
            given = self._held_out.crops[pair, changed] / np.float32(127.5) - 1
            probability = float(torch.sigmoid(logits)[changed])
            output = np.full_like(given, 2 * probability - 1)
            error = np.full_like(given, abs(changed - probability))
            found.append(Example(given, output, error))
        return found
