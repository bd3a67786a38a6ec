"""The 3-D autoencoder of the pseudo-anomaly paper, in PyTorch: for training.

Table 2 of its supplement, with the decoder row that the table lacks: 256 to 256 channels at stride
2 in time and space. As printed, the decoder undoes 4 of the 8 steps in time and 8 of the 16 in
space. The row is in the network that the paper builds on (Astrid et al., BMVC 2021). Applied it
runs as the graph of ``feature_extraction.autoencoder3d_graph``.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from feature_extraction.folded import folded

SLOPE = 0.2
"""Negative slope of the leaky rectifiers."""


class Autoencoder3d(nn.Module):
    """Reconstructs clips.

    Args:
        pictures: Channels of the clips: 1 for grey frames, 3 for flow.
        channels: Output channels of the encoder's layers: 96, 128, 256, 256 in the paper.
    """

    def __init__(self, pictures: int, channels: Sequence[int]) -> None:
        super().__init__()
        first, second, third, last = channels
        widths = [pictures, first, second, third, last]
        self.encoder = nn.ModuleList(
            nn.Conv3d(before, after, 3, stride=(1 if i == 0 else 2, 2, 2), padding=1)
            for i, (before, after) in enumerate(itertools.pairwise(widths))
        )
        widths = [last, third, second, first, pictures]
        self.decoder = nn.ModuleList(
            nn.ConvTranspose3d(
                before,
                after,
                3,
                stride=(1 if i == 3 else 2, 2, 2),
                padding=1,
                output_padding=(0 if i == 3 else 1, 1, 1),
            )
            for i, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.encoder_norms = nn.ModuleList(nn.BatchNorm3d(n) for n in channels)
        self.decoder_norms = nn.ModuleList(nn.BatchNorm3d(n) for n in (third, second, first))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Reconstruct.

        Args:
            clips: ``(n, pictures, t, height, width)`` in [-1, 1]; t a multiple of 8, height and
                width multiples of 16.

        Returns:
            The same shape, in [-1, 1].
        """
        for layer, norm in zip(self.encoder, self.encoder_norms, strict=True):
            clips = nn.functional.leaky_relu(norm(layer(clips)), SLOPE)
        for layer, norm in zip(self.decoder, self.decoder_norms, strict=False):
            clips = nn.functional.leaky_relu(norm(layer(clips)), SLOPE)
        return torch.tanh(self.decoder[-1](clips))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Weights and biases with the batch normalisation folded in, by the names of the graph."""
        tensors = {}
        norms = [*self.encoder_norms, *self.decoder_norms, None]
        names = [*(f"encoder.{i}" for i in range(4)), *(f"decoder.{i}" for i in range(4))]
        for name, layer, norm in zip(names, [*self.encoder, *self.decoder], norms, strict=True):
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = folded(layer, norm)
        return tensors
