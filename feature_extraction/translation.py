"""The conditional GAN of MLAD in PyTorch, for training: a U-Net and a discriminator of patches.

Vu, Nguyen, Le, Luo, Phung: *Robust Anomaly Detection in Videos Using Multilevel Representations*,
AAAI 2019. The networks are those of pix2pix (Isola et al., CVPR 2017): the paper has 64 channels
and 8 layers on frames of 256 x 256 px. Applied, the generator runs as the graph of
``feature_extraction.translation_graph``.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from feature_extraction.folded import folded

SLOPE = 0.2
DROPPING_LAYERS = 3
LARGEST_FACTOR = 8
"""Layers have at most so many times the channels of the first."""


def layer_widths(channels: int, layers: int) -> list[int]:
    """Output channels of the layers of the encoder."""
    return [channels * min(2**i, LARGEST_FACTOR) for i in range(layers)]


class UNet(nn.Module):
    """Translates pictures.

    Args:
        given: Channels of the input.
        made: Channels of the output.
        channels: Output channels of the first layer.
        layers: Layers of the encoder; each halves the sides.
        dropout: Share of values that are dropped in the innermost layers of the decoder.
    """

    def __init__(
        self, given: int, made: int, channels: int, layers: int, *, dropout: float = 0.5
    ) -> None:
        super().__init__()
        widths = layer_widths(channels, layers)
        befores = [given, *widths[:-1]]
        self.encoder = nn.ModuleList(
            nn.Conv2d(b, a, 4, 2, 1) for b, a in zip(befores, widths, strict=True)
        )
        self.encoder_norms = nn.ModuleList(nn.BatchNorm2d(n) for n in widths[1:])
        afters = [*widths[-2::-1], made]
        befores = [widths[-1], *(2 * n for n in afters[:-1])]
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 4, 2, 1) for b, a in zip(befores, afters, strict=True)
        )
        self.decoder_norms = nn.ModuleList(nn.BatchNorm2d(n) for n in afters[:-1])
        self.dropout = dropout

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Translate ``(n, given, height, width)`` to ``(n, made, height, width)`` in [-1, 1].

        Sides are multiples of 2 to the power of the number of layers.
        """
        maps = [self.encoder[0](pictures)]
        for layer, norm in zip(self.encoder[1:], self.encoder_norms, strict=True):
            node = layer(nn.functional.leaky_relu(maps[-1], SLOPE))
            # A single value cannot be normalised; there pix2pix has no normalisation either.
            maps.append(node if node[:, 0].numel() == 1 else norm(node))
        node = maps.pop()
        for i, (layer, norm) in enumerate(zip(self.decoder, self.decoder_norms, strict=False)):
            node = norm(layer(nn.functional.relu(node)))
            if i < DROPPING_LAYERS and self.dropout:
                node = nn.functional.dropout(node, self.dropout, self.training)
            node = torch.cat([node, maps.pop()], dim=1)
        return torch.tanh(self.decoder[-1](nn.functional.relu(node)))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Weights and biases with the batch normalisation folded in, by the names of the graph."""
        tensors = {}
        norms = [None, *self.encoder_norms, *self.decoder_norms, None]
        names = [f"{part}.{i}" for part in ("encoder", "decoder") for i in range(len(self.encoder))]
        for name, layer, norm in zip(names, [*self.encoder, *self.decoder], norms, strict=True):
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = folded(layer, norm)
        return tensors


class PatchDiscriminator(nn.Module):
    """Says of each patch of a pair of pictures whether the second one was made by a generator.

    Args:
        pictures: Channels of both pictures together.
        channels: Output channels of the first layer, 64 in the paper.
    """

    def __init__(self, pictures: int, channels: int) -> None:
        super().__init__()
        widths = [pictures, *(channels * f for f in (1, 2, 4, 8)), 1]
        strides = (2, 2, 2, 1, 1)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride, 1)
            for before, after, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in widths[2:5])

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        """Logits of patches, above 0 for a true pair.

        Args:
            pairs: ``(n, pictures, height, width)``, sides of 32 px or more.
        """
        node = nn.functional.leaky_relu(self.layers[0](pairs), SLOPE)
        for layer, norm in zip(self.layers[1:-1], self.norms, strict=True):
            node = nn.functional.leaky_relu(norm(layer(node)), SLOPE)
        logits: torch.Tensor = self.layers[-1](node)
        return logits
