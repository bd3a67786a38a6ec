"""Show what is normal in a region: its exemplars on one picture.

    python -m exemplar_selection.show_exemplars --config configs/ped2.toml --at 250 150
    python -m exemplar_selection.show_exemplars --config configs/ped2.toml --idx 216

draws the scene with the region outlined, and a picture of each of its exemplars. Below each picture
stand the number of volumes that the exemplar stands for, its sequence and frames, and what it
shows. The most frequent exemplar comes first.
"""

import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.artifacts import Artifacts
from vadloc.console import CommandParser
from vadloc.errors import UsageError
from vadloc.process import emit, exit_status
from vadloc.regions import RegionGrid

if TYPE_CHECKING:  # OpenCV is imported only where it is used, so that --help is fast
    from exemplar_selection.gallery import Gallery

MOST_SHOWN = 60
"""Largest number of exemplars on a picture."""


def run(
    artifacts: Artifacts, *, region: int | None = None, at: tuple[int, int] | None = None
) -> Path:
    """Draw the exemplars of a region.

    Args:
        artifacts: The results, with the merged exemplars.
        region: Number of the region; give either this or ``at``.
        at: A pixel, x and y; the region whose middle is nearest to it is drawn.

    Returns:
        Path of the picture.

    Raises:
        UsageError: The region or the pixel does not exist.
    """
    from PIL import Image

    from exemplar_selection.gallery import draw_gallery
    from vadloc.files.storage import replacing

    gallery = find_exemplars(artifacts, region=region, at=at)
    page = draw_gallery(gallery, _middle_frames(artifacts, gallery))
    path = artifacts.gallery(gallery.region)
    with replacing(path) as file:
        Image.fromarray(page).save(file, "PNG")
    return path


def find_exemplars(
    artifacts: Artifacts, *, region: int | None, at: tuple[int, int] | None
) -> "Gallery":
    """The exemplars of a region, and what they show; see ``run``."""
    import numpy as np

    from exemplar_selection.exemplars import Exemplars
    from exemplar_selection.gallery import Gallery, Tile
    from exemplar_selection.normal_ranges import NormalSightings, speed_floors
    from exemplar_selection.phrases import normal_to_words, volume_to_words
    from exemplar_selection.volume_attributes import VolumeAttributes
    from feature_extraction.attributes import AttributeReader

    model = Exemplars.from_content(artifacts.merged().load())
    regions = artifacts.config.regions
    grid = model.grid(regions)
    region = checked_region(grid, region) if at is None else region_at(grid, *at)
    rows = model.rows_of(np.array([region]))
    counts = model.counts[rows]
    read = AttributeReader.of(artifacts.config, artifacts.version)
    descriptors = {name: values[rows] for name, values in model.descriptors.items()}
    shown = VolumeAttributes(read(model.features[rows], descriptors))
    floor = float(speed_floors(artifacts, grid)[region])
    normal = NormalSightings(shown.sightings, counts, len(rows)).ranges.record()
    words = normal_to_words(normal, floor_px_per_frame=floor)
    tiles = [
        Tile(
            model.sequences[model.sequence[rows[i]]],
            int(model.first_frame[rows[i]]),
            int(model.first_frame[rows[i]]) + regions.frames_per_volume - 1,
            int(counts[i]),
            volume_to_words(shown.record(int(i)), floor_px_per_frame=floor),
        )
        for i in np.argsort(-counts, kind="stable")[:MOST_SHOWN]
    ]
    return Gallery(region, grid, words, len(rows), int(counts.sum()), tiles)


def checked_region(grid: RegionGrid, region: int | None) -> int:
    """The number of a region, after a check that it exists.

    Raises:
        UsageError: The region does not exist.
    """
    if region is None or not 0 <= region < grid.region_count:
        raise UsageError(f"--idx {region}: there are regions 0-{grid.region_count - 1}")
    return region


def region_at(grid: RegionGrid, x_px: int, y_px: int) -> int:
    """The region whose middle is nearest to the middle of a pixel; the first one if several are.

    Raises:
        UsageError: The pixel is not in the frame.
    """
    if not (0 <= x_px < grid.width_px and 0 <= y_px < grid.height_px):
        raise UsageError(
            f"--at {x_px} {y_px}: not in the frame of {grid.width_px} x {grid.height_px} px"
        )
    rows, columns = grid.regions
    row, column = (
        min(count - 1, max(0, math.ceil((at + 0.5 - grid.size_px / 2) / grid.stride_px - 0.5)))
        for at, count in ((y_px, rows), (x_px, columns))
    )
    return row * columns + column


def _middle_frames(artifacts: Artifacts, gallery: "Gallery") -> dict[tuple[str, int], Any]:
    """The middle frame of each exemplar, by sequence and first frame."""
    from vadloc.video.frames import read_frames

    wanted: dict[str, dict[int, int]] = defaultdict(dict)
    for tile in gallery.tiles:
        wanted[tile.sequence][(tile.first_frame + tile.last_frame + 1) // 2] = tile.first_frame
    found = {}
    for name, frames in wanted.items():
        pictures = read_frames(artifacts.sequence("train", name), colour="rgb")
        for number, picture in enumerate(pictures):
            if number in frames:
                found[name, frames[number]] = picture
            if number >= max(frames):
                break
    return found


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Show the exemplars of a region on one picture.")
    add_shared_options(parser, running=False)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--idx", type=int, help="number of the region, row by row from 0")
    choice.add_argument(
        "--at", type=int, nargs=2, metavar=("X", "Y"), help="a pixel: the region around it"
    )
    args = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        at = None if args.at is None else (args.at[0], args.at[1])
        emit(str(run(artifacts_of(args), region=args.idx, at=at)))


if __name__ == "__main__":
    main()
