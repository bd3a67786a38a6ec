"""Speed and memory of the stages, how they grow, and how close they are to their limits.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --part limits stages --sizes 1280x720 --versions momentum
    python benchmarks/throughput.py --quick

prints Markdown tables. The video is the rendered street, enlarged and with sensor noise, or with
``--video`` your own frames or file, scaled to each size. Every stage runs as a user's command, with
as many parallel sequences as there are cores.

*Processor* time is that of all processes of a command. *Start* is the time of the same command on
very short sequences; times per frame or volume do not contain it. Peak memory is that of the
largest process. For an extraction, the table also has the processor time that its slowest part
(reading, flow or a network) takes alone, the *share* of this part in the whole, and the share of
*all parts*. The rest is the time of our code, and the time that parallel parts cost one another.

``--part``: *limits* measures these parts alone. *stages* measures all stages of all versions at all
sizes. *frames*, *regions*, *volumes* and *exemplars* measure how time and memory grow.
"""

import argparse
import json
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from throughput_limits import (
    PRODUCT,
    PartLimits,
    decode_ms,
    network_ms,
    other_formats,
    product_gflops,
    square_gflops,
)
from throughput_material import REGIONS, SEQUENCES, SYNTHETIC_SEQUENCES, WIDTHS
from throughput_runs import (
    EXTRACT,
    MERGE,
    PROTOTYPES,
    SCORE,
    SELECT,
    STAGES,
    START_FRAMES,
    START_VOLUMES,
    TINY,
    Cost,
    Options,
    grid_of,
    measure_volumes,
    run_stage,
    train_folder,
    video_config,
)

from evaluation.convert_annotations import width_and_height
from feature_extraction.registry import networks_among
from vadloc.config import load_config
from vadloc.regions import RegionGrid
from vadloc.versions import VERSIONS, extractors_of

FULL: dict[str, Any] = {
    "sizes": ("360x240", "640x360", "1280x720"),
    "versions": ("momentum", "appearance_motion", "fused"),
    "frames": 120,
    "volumes": (1000, 10_000, 100_000, 1_000_000),
}
QUICK: dict[str, Any] = {
    "sizes": ("360x240",),
    "versions": ("momentum",),
    "frames": 60,
    "volumes": (1000, 10_000),
}


def print_table(title: str, columns: str) -> None:
    """Print the head of a table; columns are separated by ``|``."""
    rule = "---|" * (columns.count("|") + 1)
    print(f"\n{title}\n\n| {' | '.join(columns.split('|'))} |\n|{rule}", flush=True)


def print_row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(show, cells)) + " |", flush=True)


def show(cell: object) -> str:
    """Text of a cell."""
    if not isinstance(cell, float):
        return str(cell)
    if not TINY < cell < 1 / TINY:
        return "-"
    return f"{cell:.3g}" if cell < 100 else f"{cell:.0f}"


def checked_size(text: str) -> str:
    """The type of ``--sizes``: ``WxH`` unchanged, since it also names folders."""
    width_and_height(text)
    return text


def checked_volumes(text: str) -> int:
    """The type of ``--volumes``: a multiple of the regions of all synthetic sequences."""
    each = REGIONS * SYNTHETIC_SEQUENCES
    if not text.isdecimal() or int(text) == 0 or int(text) % each:
        raise argparse.ArgumentTypeError(f"{text}: expected a multiple of {each}")
    return int(text)


def part_limits(options: Options) -> None:
    """Print the limits of the stages; see `throughput_limits`."""
    print_table("Matrix products, GFLOP/s", "shape|float32|float64")
    rates = [square_gflops(dtype) for dtype in (np.float32, np.float64)]
    print_row("2000 x 2000 x 2000, all threads, by the clock", *rates)
    for width in (12, sum(WIDTHS.values())):
        rates = [product_gflops(dtype, width) for dtype in ("float32", "float64")]
        print_row(f"{PRODUCT[0]} x {width} x {PRODUCT[1]}, one core, by processor time", *rates)
    columns = "size|JPEG|PNG|mp4|JPEG, colour|flow|`motion` on frames"
    print_table("Parts of extraction, ms of a core a frame", columns)
    for size in options.sizes:
        config = video_config(options, size, frames=options.frames)
        folder, grid = train_folder(options, config), grid_of(size)
        grey, rgb, flow = (options.limits.part_ms(p, folder, grid) for p in ("grey", "rgb", "flow"))
        others = other_formats(folder, options.folder / f"formats_{size}")
        png, mp4 = (decode_ms(other) for other in others)
        cells = options.limits.part_ms("cells", folder, grid)
        print_row(size, grey, png, mp4, rgb, flow, cells)
    names = {name for version in options.versions for name in extractors_of(version)}
    if networks := networks_among(names):
        print_table("Networks", "network|ms of a core a volume|at a batch of")
        for name in sorted(networks):
            print_row(f"`{name}`", *network_ms(name, options.device))


def part_stages(options: Options) -> None:
    """Measure all stages of all versions at all sizes."""
    columns = (
        "stage|start, s|frames/s|ms a frame|processor, ms|MiB|slowest part, ms|share|all parts"
    )
    for version in options.versions:
        for size in options.sizes:
            least = video_config(options, size, frames=START_FRAMES)
            starts = {stage: run_stage(stage, least, options, version=version) for stage in STAGES}
            print_table(f"`{version}`, {size}", columns)
            config = video_config(options, size, frames=options.frames)
            for stage in STAGES:
                cost = run_stage(stage, config, options, version=version)
                count = SEQUENCES * (options.frames - START_FRAMES)
                wall, cpu = cost.beyond(starts[stage], count)
                shown = starts[stage].wall_s, 1000 / wall, wall, cpu, cost.peak_mib
                limits = ("", "", "")
                if stage.startswith(EXTRACT):
                    parts = part_times(stage, config, options, version=version, size=size)
                    limits = show_limits(parts, cpu)
                print_row(f"`{stage}`", *shown, *limits)
        shutil.rmtree(options.results(version))


def part_times(
    stage: str, config: Path, options: Options, *, version: str, size: str
) -> dict[str, float]:
    """Processor time per frame, in ms, that each part of an extraction takes alone."""
    name, split = load_config(config).dataset.name, stage.split()[-1]
    reports = options.results(version) / name / "reports" / EXTRACT
    computed = {}
    for network in networks_among(extractors_of(version)):
        found = (reports / network / split).glob("*.json")
        counts = [json.loads(path.read_text())["counts"] for path in found]
        frames = sum(count["frames"] for count in counts)
        computed[network] = sum(count["volumes_computed"] for count in counts) / frames
    folder = train_folder(options, config)
    return options.limits.parts_ms(version, folder, grid_of(size), computed)


def show_limits(parts: dict[str, float], whole_ms: float) -> tuple[str, str, str]:
    """Cells with the slowest part, its share of the whole, and the share of all parts."""
    slowest = max(parts, key=lambda part: parts[part])
    most, total = parts[slowest], sum(parts.values())
    return f"{slowest} {most:.2f}", f"{most / whole_ms:.0%}", f"{total / whole_ms:.0%}"


def part_frames(options: Options) -> None:
    """Measure the extraction of one, two and four times as many frames."""
    size = options.sizes[min(1, len(options.sizes) - 1)]
    for version in options.versions:
        print_table(f"`{version}`, {size}", "frames|s|processor, s|ms of it a frame|MiB")
        for frames in (options.frames // 2, options.frames, 2 * options.frames):
            config = video_config(options, size, frames=frames)
            cost = run_stage(STAGES[0], config, options, version=version)
            count = SEQUENCES * frames
            each = 1000 * cost.cpu_s / count
            print_row(count, cost.wall_s, cost.cpu_s, each, cost.peak_mib)
        shutil.rmtree(options.results(version))


def part_regions(options: Options) -> None:
    """Measure the stages of a scene with smaller and smaller regions."""
    size = options.sizes[min(1, len(options.sizes) - 1)]
    width, height = width_and_height(size)
    chosen = (STAGES[0], STAGES[1], SELECT, MERGE, SCORE)
    names = "|".join(f"`{stage.split('.')[-1]}`" for stage in chosen)
    for version in options.versions:
        print_table(f"`{version}`, {size}, s of processor time", f"region, px|regions|{names}|MiB")
        for side in (128, 64, 32, 16):
            config = video_config(options, size, frames=options.frames, region=side)
            costs = [run_stage(stage, config, options, version=version) for stage in chosen]
            regions = RegionGrid(height, width, side, side // 2).region_count
            peak = max(cost.peak_mib for cost in costs)
            print_row(side, regions, *(cost.cpu_s for cost in costs), peak)
            shutil.rmtree(options.results(version))


def print_volumes(
    label: int, costs: list[Cost], starts: list[Cost], volumes: int, *more: float
) -> None:
    """Print a row: for each stage seconds, processor time per volume in microseconds, memory."""
    cells: list[float] = []
    for cost, start in zip(costs, starts, strict=True):
        cells += [cost.wall_s, 1000 * cost.beyond(start, volumes)[1], cost.peak_mib]
    print_row(label, *cells, *more)


VOLUME_COLUMNS = "|".join(
    f"`{name}`, s|us of a core a volume|MiB" for name in ("select", "merge", "score")
)


def part_volumes(options: Options) -> None:
    """Measure selection and scoring of more and more volumes with the same exemplars."""
    starts = measure_volumes(options, volumes=START_VOLUMES, prototypes=PROTOTYPES)
    title = (
        f"Volumes of {sum(WIDTHS.values())} numbers, {PROTOTYPES} exemplars in {REGIONS} regions"
    )
    print_table(title, f"volumes|{VOLUME_COLUMNS}")
    found = []
    for volumes in options.volumes:
        costs = measure_volumes(options, volumes=volumes, prototypes=PROTOTYPES)
        print_volumes(volumes, costs, starts, volumes)
        found.append([c.beyond(s, 1)[1] for c, s in zip(costs, starts, strict=True)])
    if len(found) > 1:
        ratio = math.log(options.volumes[-1] / options.volumes[-2])
        slopes = [math.log(b / a) / ratio for a, b in zip(found[-2], found[-1], strict=True)]
        print(
            "\nBetween the last two, processor time grows as the number of volumes to the power "
            f"{slopes[0]:.2f} (selection) and {slopes[2]:.2f} (scoring).",
            flush=True,
        )


def part_exemplars(options: Options) -> None:
    """Measure selection and scoring of the same volumes with more and more exemplars."""
    volumes, width = min(100_000, options.volumes[-1]), sum(WIDTHS.values())
    starts = measure_volumes(options, volumes=START_VOLUMES, prototypes=PROTOTYPES)
    columns = f"exemplars of each region|{VOLUME_COLUMNS}|products alone, us"
    print_table(f"{volumes} volumes of {width} numbers", columns)
    for prototypes in (n for n in (10, 30, 100) if n == 10 or n * REGIONS * 10 <= volumes):
        costs = measure_volumes(options, volumes=volumes, prototypes=prototypes)
        products_us = 2 * prototypes * width / product_gflops("float64", width) / 1000
        print_volumes(prototypes, costs, starts, volumes, products_us)


PARTS: dict[str, Callable[[Options], None]] = {
    "limits": part_limits,
    "stages": part_stages,
    "frames": part_frames,
    "regions": part_regions,
    "volumes": part_volumes,
    "exemplars": part_exemplars,
}


def parse_options(argv: list[str] | None) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The parsed command line, and the fields of ``Options`` that it sets."""
    parser = argparse.ArgumentParser(description="Speed, memory and growth of the stages.")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--sizes", nargs="+", type=checked_size, metavar="WxH")
    parser.add_argument("--versions", nargs="+", choices=sorted(VERSIONS))
    parser.add_argument("--frames", type=int, help="of a sequence")
    parser.add_argument("--volumes", type=checked_volumes, nargs="+")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--video", type=Path, help="folder of frames, or a video file")
    parser.add_argument("--scratch", type=Path, help="where files are written for the time")
    args = parser.parse_args(argv)
    if args.frames is not None and args.frames < 2 * START_FRAMES:
        parser.error(f"--frames {args.frames}: expected {2 * START_FRAMES} or more")
    usual = QUICK if args.quick else FULL
    given = {name: getattr(args, name) for name in usual if getattr(args, name)}
    return args, usual | given


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args, chosen = parse_options(argv)
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        options = Options(
            folder=Path(folder),
            device=args.device,
            frames=chosen["frames"],
            video=args.video,
            sizes=tuple(chosen["sizes"]),
            versions=tuple(chosen["versions"]),
            volumes=tuple(chosen["volumes"]),
            limits=PartLimits(args.device),
        )
        for name in args.part:
            PARTS[name](options)


if __name__ == "__main__":
    main()
