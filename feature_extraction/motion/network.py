"""The motion network on 64 x 64 x T volumes, and how its features are read.

After EVAL (Singh, Jones, Learned-Miller, CVPR 2023), whose networks see into which directions,
how fast and whether at all a volume moves. This one looks at brightness alone, since motion is a
change of brightness. It matches frames explicitly, and by default one trunk serves three heads:

- ``angle``: share of the moving pixels in each of 12 directions (softmax);
- ``speed``: mean speed in each direction, px/frame of the 64-px volume (log(1 + speed) is linear);
- ``background``: share of stationary pixels, and whether (almost) nothing moves (logistic).

Each head is 128 features, which are stored and compared, and a linear layer on them. Distances of
features are trained to be those of the motions (``losses.distances_loss``).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from feature_extraction.motion.architecture import (
    CELL_WIDTH,
    FAINT,
    HEADS,
    MIN_FRAMES,
    OUTPUT_WIDTHS,
    TRUNK,
    window_starts,
)
from feature_extraction.motion.layers import Trunk, matching, normalise_contrast, window
from vadloc.errors import VadlocError
from vadloc.weights import (
    FEATURE_WIDTH,
    NetworkWeights,
    check_tensors,
    read_weights,
    weights_file,
)


class MotionNetwork(nn.Module):
    """The motion network.

    Args:
        separate_trunks: One trunk for each head (as in EVAL) instead of one for all.
        normalised: With batch normalisation, for training.
    """

    def __init__(self, *, separate_trunks: bool = False, normalised: bool = False) -> None:
        super().__init__()
        count = len(HEADS) if separate_trunks else 1
        self.trunks = nn.ModuleList([Trunk(normalised=normalised) for _ in range(count)])
        channels = TRUNK["conv4"].outputs
        self.heads = nn.ModuleDict({name: nn.Linear(2 * channels, FEATURE_WIDTH) for name in HEADS})
        self.outputs = nn.ModuleDict(
            {name: nn.Linear(FEATURE_WIDTH, OUTPUT_WIDTHS[name]) for name in HEADS}
        )

    def cells(self, volumes: Tensor) -> Tensor:
        """What each cell of 4 x 4 pixels shows, means over all windows.

        Args:
            volumes: ``(n, T, height, width)`` brightness in 0 to 1; sides are multiples of 4.

        Returns:
            ``(n, CELL_WIDTH trunks, height / 4, width / 4)``.

        Raises:
            VadlocError: T is less than 4.
        """
        frames = volumes.shape[1]
        if frames < MIN_FRAMES:
            raise VadlocError(
                f"video volumes of {frames} frames, but the motion network needs {MIN_FRAMES} or "
                "more; raise [regions] frames_per_volume"
            )
        volumes = normalise_contrast(volumes)
        starts = window_starts(frames)
        windows = torch.cat([volumes[:, s : s + MIN_FRAMES] for s in starts])
        matched = matching(windows).contiguous(memory_format=torch.channels_last)
        shown = window(windows).contiguous(memory_format=torch.channels_last)
        trunks: Any = self.trunks
        return torch.cat([trunk.cells(shown, matched, len(starts)) for trunk in trunks], dim=1)

    def maps(self, cells: Tensor) -> list[Tensor]:
        """The map of each trunk, ``(n, channels, 8, 8)``.

        Args:
            cells: ``(n, CELL_WIDTH trunks, 16, 16)``, the parts of ``cells`` that belong to n
                regions.
        """
        parts = torch.split(cells, CELL_WIDTH, dim=1)
        return [trunk(part) for trunk, part in zip(self.trunks, parts, strict=True)]

    def pooled(self, maps: list[Tensor]) -> list[Tensor]:
        """The input of each head, ``(n, 256)``: means of the trunks' maps and their logarithms."""
        means = [each.mean(dim=(2, 3)) for each in maps]
        pooled = [torch.cat([mean, torch.log(mean + FAINT)], dim=1) for mean in means]
        return pooled * (len(self.heads) // len(pooled))

    def features(self, pooled: list[Tensor]) -> list[Tensor]:
        """Features of each head, ``(n, 128)``, from its input."""
        heads = zip(self.heads.values(), pooled, strict=True)
        return [torch.relu(head(means)) for head, means in heads]

    def embed(self, volumes: Tensor) -> Tensor:
        """Features of volumes of which nothing around them is seen; see ``embed_cells``.

        Args:
            volumes: ``(n, T, 64, 64)`` brightness in 0 to 1, T at least 4.
        """
        return self.embed_cells(self.cells(volumes))

    def embed_cells(self, cells: Tensor) -> Tensor:
        """Features of regions: angle, speed, background side by side.

        Args:
            cells: ``(n, CELL_WIDTH trunks, 16, 16)``, the parts of ``cells`` that belong to n
                regions.

        Returns:
            ``(n, 384)``, none negative.
        """
        return torch.cat(self.features(self.pooled(self.maps(cells))), dim=1)

    def read(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Outputs of each head before the link functions, from its features."""
        layers = zip(self.outputs.items(), features, strict=True)
        return {name: layer(rows) for (name, layer), rows in layers}

    def forward(self, volumes: Tensor) -> dict[str, Tensor]:
        """Outputs of each head before the link functions.

        Args:
            volumes: ``(n, T, 64, 64)`` brightness in 0 to 1, T at least 4.

        Returns:
            ``angle (n, 12)``, ``speed (n, 12)``, ``background (n, 2)``: see
            ``read_out.outputs_to_attributes``.
        """
        return self.read(self.features(self.pooled(self.maps(self.cells(volumes)))))


def fold_normalisation(network: MotionNetwork) -> MotionNetwork:
    """The same function of a trained network without batch normalisation."""
    folded = MotionNetwork(separate_trunks=len(network.trunks) > 1, normalised=False)
    state = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith("trunks.")
    }
    trunks: Any = network.trunks
    for number, trunk in enumerate(trunks):
        for name, layer in trunk.eval().items():
            fused = fuse_conv_bn_eval(layer.conv, layer.norm)
            for part, value in fused.state_dict().items():
                state[f"trunks.{number}.{name}.conv.{part}"] = value
    folded.load_state_dict(state)
    return folded.eval()


def load_motion(weights: str, device: str) -> MotionNetwork:
    """The network with trained weights, ready for use.

    Args:
        weights: ``bundled`` or a ``.safetensors`` file.
        device: ``cpu`` or ``cuda``.

    Raises:
        VadlocError: There is no such file, or it holds no weights of this network.
    """
    return build_motion(read_weights(weights_file(weights, "motion"))).to(device)


def build_motion(weights: NetworkWeights) -> MotionNetwork:
    """The network with given weights, in evaluation mode.

    Raises:
        VadlocError: They are not weights of this network.
    """
    separate = any(name.startswith("trunks.1.") for name in weights.tensors)
    network = MotionNetwork(separate_trunks=separate)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    check_tensors(weights, shapes)
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in weights.tensors.items()}
    )
    return network.eval().to(memory_format=torch.channels_last)
