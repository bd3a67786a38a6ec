"""EVAL as it is published, one volume and one distance at a time: short, slow, obviously right.

Singh, Jones, Learned-Miller, *EVAL: Explainable Video Anomaly Localization*, CVPR 2023, section 3,
with the settings of a config, of which ``[distance]`` and ``[scoring]`` must be as by default; flow
is that of frames as they are, as by default if regions have 32 px or more and frames at most 640.
No batches, no reuse of what did not change, no matrix products. Shared with
vadloc are only the instruments: reading and scaling of frames, networks, and OpenCV's flow.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measured import PHASES, frame_files, measured, phase_parser
from numpy.typing import NDArray

from feature_extraction.appearance.network import (
    load_appearance,
    normalise,
)
from feature_extraction.flow import flow_engine
from feature_extraction.frame import APPEARANCE_PX, Frame
from feature_extraction.momentum import DIRECTIONS
from feature_extraction.motion.architecture import HEADS, MAP_PX
from feature_extraction.motion.network import load_motion
from feature_extraction.motion.read_out import motion_attributes
from vadloc.config import Config, load_config
from vadloc.regions import RegionGrid
from vadloc.versions import VERSIONS
from vadloc.video.frames import (
    Sequence,
    list_sequences,
    read_frames_as,
)
from vadloc.weights import read_weights, weights_file

Volume = dict[str, NDArray[np.float32]]
"""Features of one video volume: component to vector."""
Exemplar = tuple[Volume, int]
"""An exemplar and how many volumes it stands for."""
Corner = tuple[int, int]
"""Top and left edge of a region, px."""


@dataclass(frozen=True)
class SequenceVolumes:
    """All volumes of a sequence.

    Attributes:
        shape: Height and width of its frames, px.
        frame_count: Number of its frames.
        steps: Volumes by time step and region.
    """

    shape: tuple[int, int]
    frame_count: int
    steps: list[list[Volume]]


@dataclass(frozen=True)
class Distance:
    """d(x, y) = sum over components k of w_k * ||f_k(x) - f_k(y)||_2 / Z_k.

    Attributes:
        divisors: Z_k by component.
        weights: w_k by component.
    """

    divisors: dict[str, float]
    weights: dict[str, float]

    def between(self, x: Volume, y: Volume) -> float:
        """Distance of two volumes."""
        return sum(
            self.weights[k] * norm(x[k], y[k]) / (self.divisors[k] or 1.0) for k in self.divisors
        )

    def nearest(self, volume: Volume, exemplars: list[Exemplar]) -> tuple[int, float]:
        """The nearest exemplar, the first of equals, and its distance."""
        distances = [self.between(volume, exemplar) for exemplar, _ in exemplars]
        return int(np.argmin(distances)), min(distances)


Model = tuple[Distance, list[list[Exemplar]]]
"""The distance, and the exemplars of each region."""


def norm(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """||x - y||_2."""
    return math.sqrt(((x.astype(np.float64) - y) ** 2).sum())


class Extractor:
    """Features of single volumes.

    Args:
        config: Settings.
        components: Which features.
    """

    def __init__(self, config: Config, components: tuple[str, ...]) -> None:
        cv2.setNumThreads(1)  # the number of threads changes DIS flow
        features = config.features
        self.config = config
        self.components = components
        self.flow = flow_engine(features["momentum"].flow_preset)
        if "appearance" in components:
            settings = features["appearance"]
            self.appearance = load_appearance(settings.weights, settings.backbone, "cpu")
        if "speed" in components:
            self.motion = load_motion(features["motion"].weights, "cpu")
            self.motion_weights = read_weights(weights_file(features["motion"].weights, "motion"))

    def sequence(self, source: Sequence) -> SequenceVolumes:
        """Volumes of a sequence."""
        regions = self.config.regions
        pictures = list(read_frames_as(source, ("grey", "rgb")))
        height, width = pictures[0][0].shape
        grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
        frames = [Frame(grey, rgb, grid) for grey, rgb in pictures]
        flows = []
        if "momentum" in self.components:
            flows = [self.flow.calc(a.grey, b.grey, None) for a, b in pairwise(frames)]
        length = regions.frames_per_volume
        corners = region_corners((height, width), self.config)
        steps = []
        for t in first_frames(len(frames), self.config):
            some, pairs = frames[t : t + length], flows[t : t + length - 1]
            cells = self.cells(some) if "speed" in self.components else None
            steps.append([self.volume(some, pairs, cells, corner) for corner in corners])
        return SequenceVolumes((height, width), len(frames), steps)

    def cells(self, frames: list[Frame]) -> NDArray[np.float32]:
        """What the motion network's first layers make of the frames, in the precision of ours."""
        pictures = torch.from_numpy(np.stack([frame.grey_at_crop_scale for frame in frames]))
        with torch.inference_mode():
            cells: NDArray[np.float32] = self.motion.cells(pictures[None] / 255)[0].half().numpy()
            return cells.astype(np.float32)

    def volume(
        self,
        frames: list[Frame],
        flows: list[NDArray[np.float32]],
        cells: NDArray[np.float32] | None,
        corner: Corner,
    ) -> Volume:
        """Features of one volume."""
        found: Volume = {}
        if "appearance" in self.components:
            middle = frames[len(frames) // 2].rgb_at_appearance_scale
            crop = self.crop(middle, corner, APPEARANCE_PX)
            found["appearance"] = embedded(self.appearance.embed, normalise(crop[None]))
        if cells is not None:
            part = self.crop(np.moveaxis(cells, 0, -1), corner, MAP_PX)
            found |= self.motion_features(np.moveaxis(part, -1, 0))
        if "momentum" in self.components:
            found["momentum"] = self.momentum(flows, corner)
        return found

    def crop(self, picture: NDArray[Any], corner: Corner, side: int) -> NDArray[Any]:
        """A region of a frame at the scale at which it has so many pixels a side."""
        y, x = (edge * side // self.config.regions.size_px for edge in corner)
        return picture[y : y + side, x : x + side]

    def motion_features(self, cells: NDArray[np.float32]) -> Volume:
        """Features of the motion heads, zero where the network sees nothing move."""
        row = embedded(self.motion.embed_cells, torch.from_numpy(cells[None].copy()))
        background = motion_attributes(self.motion_weights, row[None])[3][0]
        moving = np.float32(background <= 0.5)
        return dict(zip(HEADS, np.split(row * moving, len(HEADS)), strict=True))

    def momentum(self, flows: list[NDArray[np.float32]], corner: Corner) -> NDArray[np.float32]:
        """m_k: sum of |flow| of what moves in direction k, by the pixels of the volume."""
        (y, x), size = corner, self.config.regions.size_px
        x_flow, y_flow = (
            np.stack([pair[y : y + size, x : x + size, axis] for pair in flows]).ravel()
            for axis in (0, 1)
        )
        # OpenCV's angle is good to 0.3 degrees: another arc tangent is another measurement.
        polar = cv2.cartToPolar(x_flow, y_flow, angleInDegrees=True)
        speed, degrees = (np.asarray(part).ravel() for part in polar)
        direction = (degrees * (DIRECTIONS / 360)).astype(int) % DIRECTIONS
        moving = speed > self.config.features["momentum"].flow_floor_px_per_frame
        sums = [speed[moving & (direction == k)].sum(dtype=float) for k in range(DIRECTIONS)]
        return (np.array(sums) / len(x_flow)).astype(np.float32)


def embedded(embed: Any, crop: torch.Tensor) -> NDArray[np.float32]:
    """What a network gives for one crop or volume, in the precision that is stored."""
    with torch.inference_mode():
        row: NDArray[np.float32] = embed(crop)[0].to(torch.float16).float().numpy()
        return row


def region_corners(shape: tuple[int, ...], config: Config) -> list[Corner]:
    """Corners of the regions, row by row, as many as cover every pixel."""
    size, stride = config.regions.size_px, config.regions.stride_px
    rows, columns = (range(0, max(1, px - size + stride), stride) for px in shape)
    return [(y, x) for y in rows for x in columns]


def first_frames(frame_count: int, config: Config) -> list[int]:
    """First frames of the volumes; the last volume ends with the sequence."""
    last = frame_count - config.regions.frames_per_volume
    return sorted({*range(0, last + 1, config.regions.frame_stride), last})


def select(volumes: list[Exemplar], distance: Distance, threshold: float) -> list[Exemplar]:
    """The greedy rule: keep what is farther than the threshold from all that is kept."""
    kept: list[Exemplar] = []
    for volume, count in volumes:
        index, least = distance.nearest(volume, kept) if kept else (0, math.inf)
        if least > threshold:
            kept.append((volume, count))
        else:
            kept[index] = (kept[index][0], kept[index][1] + count)
    return kept


def largest_distances(volumes: list[Volume], config: Config) -> dict[str, float]:
    """Z_k: the largest distance of a component over random pairs of training volumes."""
    random = np.random.default_rng(config.distance.seed)
    pairs = random.integers(len(volumes), size=(2, config.distance.pairs)).T
    return {k: max(norm(volumes[i][k], volumes[j][k]) for i, j in pairs) for k in volumes[0]}


def train(sequences: list[SequenceVolumes], weights: dict[str, float], config: Config) -> Model:
    """The distance, and the exemplars of each region merged over all sequences."""
    everything = [v for sequence in sequences for regions in sequence.steps for v in regions]
    distance = Distance(largest_distances(everything, config), weights)
    threshold = config.exemplars.threshold
    merged = []
    for region in range(len(sequences[0].steps[0])):
        own = [[(step[region], 1) for step in sequence.steps] for sequence in sequences]
        selected = [select(volumes, distance, threshold) for volumes in own]
        merged.append(select([e for part in selected for e in part], distance, threshold))
    return distance, merged


def score(sequence: SequenceVolumes, model: Model, config: Config) -> NDArray[np.float32]:
    """Score map ``(frames, cell rows, cell columns)``: mean over the volumes that hold a cell."""
    distance, exemplars = model
    regions, corners = config.regions, region_corners(sequence.shape, config)
    stride, size = regions.stride_px, regions.size_px
    firsts = first_frames(sequence.frame_count, config)
    cells = [math.ceil(px / stride) for px in sequence.shape]
    total, number = np.zeros((2, sequence.frame_count, *cells))
    for first, volumes in zip(firsts, sequence.steps, strict=True):
        for (y, x), volume, known in zip(corners, volumes, exemplars, strict=True):
            box = np.s_[
                first : first + regions.frames_per_volume,
                y // stride : (y + size) // stride,
                x // stride : (x + size) // stride,
            ]
            total[box] += distance.nearest(volume, known)[1]
            number[box] += 1
    mean: NDArray[np.float32] = (total / number).astype(np.float32)
    return mean


def save_model(model: Model, path: Path) -> None:
    """Write the model."""
    distance, regions = model
    flat = [exemplar for region in regions for exemplar in region]
    content = {f"features_{k}": np.stack([v[k] for v, _ in flat]) for k in distance.divisors}
    content["divisors"] = np.array(list(distance.divisors.values()))
    content["per_region"] = np.array([len(region) for region in regions])
    content["counts"] = np.array([count for _, count in flat])
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **content)


def load_model(path: Path, weights: dict[str, float]) -> Model:
    """Read the model."""
    with np.load(path) as file:
        content = dict(file)
    rows = {k: content[f"features_{k}"] for k in weights}
    counts = content["counts"].tolist()
    flat = [({k: rows[k][i] for k in weights}, count) for i, count in enumerate(counts)]
    ends = np.cumsum(content["per_region"]).tolist()
    divisors = dict(zip(weights, content["divisors"].tolist(), strict=True))
    return Distance(divisors, weights), [flat[a:b] for a, b in pairwise([0, *ends])]


def version_weights(version: str) -> dict[str, float]:
    """w_k of each component of a version, in its order."""
    return dict.fromkeys(VERSIONS[version].components, 1.0) | dict(VERSIONS[version].weights)


def main() -> None:
    """Command line."""
    parser = phase_parser("Run one phase of the published algorithm, plainly.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--version", required=True, choices=sorted(VERSIONS))
    args = parser.parse_args()
    config, weights = load_config(args.config), version_weights(args.version)
    args.state.mkdir(parents=True, exist_ok=True)
    model_file = args.state / "model.npz"
    with measured(len(frame_files(args.frames, args.phase))):
        extractor = Extractor(config, tuple(weights))
        sequences = list_sequences(args.frames / PHASES[args.phase])
        if args.phase == "train":
            volumes = [extractor.sequence(sequence) for sequence in sequences]
            save_model(train(volumes, weights, config), model_file)
            return
        model = load_model(model_file, weights)
        for sequence in sequences:
            np.save(args.state / sequence.name, score(extractor.sequence(sequence), model, config))


if __name__ == "__main__":
    main()
