"""Folds batch normalisation into the layers before it, for networks that are only applied."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Layer = nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d


def folded(layer: Layer, norm: Any = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight and bias of a layer and the batch normalisation after it, as one layer.

    Args:
        layer: A convolution, or a transposed one; with or without bias.
        norm: A batch normalisation of its outputs; ``None`` for none.
    """
    with torch.no_grad():
        weight = layer.weight.double()
        bias = (
            layer.bias.double() if layer.bias is not None else weight.new_zeros(layer.out_channels)
        )
        if norm is not None:
            gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
            shape = [1] * weight.ndim
            shape[int(layer.transposed)] = -1
            weight = weight * gain.reshape(shape)
            bias = (bias - norm.running_mean.double()) * gain + norm.bias.double()
    return weight.float().cpu().numpy(), bias.float().cpu().numpy()
