"""The denoising autoencoder of MLAD in PyTorch, for training.

Vu, Nguyen, Le, Luo, Phung: *Robust Anomaly Detection in Videos Using Multilevel Representations*,
AAAI 2019. Its encoder gives codes to pictures; applied, it runs as ``feature_extraction.codes``.
"""

from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from feature_extraction.codes import SLOPE
from feature_extraction.folded import Layer, folded

KERNEL_PX = 5


class DenoisingAutoencoder(nn.Module):
    """Reconstructs pictures from noisy ones.

    Args:
        pictures: Channels of the pictures.
        channels: Output channels of the layers of the encoder; each halves the sides.
    """

    def __init__(self, pictures: int, channels: list[int]) -> None:
        super().__init__()
        widths = [pictures, *channels]
        half = KERNEL_PX // 2
        self.encoder = nn.ModuleList(
            nn.Conv2d(before, after, KERNEL_PX, 2, half) for before, after in pairwise(widths)
        )
        self.encoder_norms = nn.ModuleList(nn.BatchNorm2d(n) for n in channels)
        widths.reverse()
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(before, after, KERNEL_PX, 2, half, 1)
            for before, after in pairwise(widths)
        )
        self.decoder_norms = nn.ModuleList(nn.BatchNorm2d(n) for n in widths[1:-1])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Reconstruct ``(n, pictures, height, width)`` in [-1, 1]; each layer halves the sides."""
        node = self.activations(pictures)[-1]
        for layer, norm in zip(self.decoder, self.decoder_norms, strict=False):
            node = nn.functional.leaky_relu(norm(layer(node)), SLOPE)
        return torch.tanh(self.decoder[-1](node))

    def activations(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """The outputs of the layers of the encoder, ``(n, channels, height, width)`` each."""
        found, node = [], pictures
        for layer, norm in zip(self.encoder, self.encoder_norms, strict=True):
            node = nn.functional.leaky_relu(norm(layer(node)), SLOPE)
            found.append(node)
        return found

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The encoder with the batch normalisation folded in, by the names of the graph."""
        tensors: dict[str, NDArray[np.float32]] = {}
        for i, (layer, norm) in enumerate(zip(self.encoder, self.encoder_norms, strict=True)):
            weight, bias = folded(cast("Layer", layer), norm)
            tensors |= {f"encoder.{i}.weight": weight, f"encoder.{i}.bias": bias}
        return tensors
