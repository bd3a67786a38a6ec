"""Bring the official download of a dataset into the layout that its config expects.

    python -m evaluation.prepare_dataset ped2 --source UCSD_Anomaly_Dataset.tar.gz
    python -m evaluation.prepare_dataset avenue --source Avenue_Dataset.zip ground_truth_demo.zip
    python -m evaluation.prepare_dataset ped2

Archives are unpacked directly into the layout and files of folders are hard-linked, so that no
frame is stored twice. The same command continues a run that was stopped. Without a source, the
command checks the files that are in place. It downloads nothing without ``--download``.
"""

import argparse
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evaluation.preparation import LAYOUTS
from evaluation.preparation.download import fetch
from evaluation.preparation.layout import (
    Census,
    DatasetLayout,
    Offers,
    Plan,
    check_one_form,
    left_over,
    rows_beside_videos,
)
from evaluation.preparation.scenes import read_template, write_scene_configs
from evaluation.preparation.sources import Source, open_source
from vadloc.console import LINE_EVERY_S, CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError, counted
from vadloc.process import emit, exit_status, usable_cores
from vadloc.video.frames import (
    list_sequences,
    sequence_size,
)

logger = logging.getLogger(__name__)
DOWNLOADS = "downloads"
"""Folder of downloads in the datasets folder; two datasets may come from one archive."""


@dataclass(frozen=True)
class Prepared:
    """The result of a run.

    Attributes:
        census: The sequences that are in place.
        placed: Number of files that were placed.
        notes: One line about each further step.
        configs: Configs of the scenes; empty for a dataset of one camera.
    """

    census: Census
    placed: int
    notes: list[str]
    configs: list[Path]


def run(
    layout: DatasetLayout,
    sources: Sequence[Path],
    *,
    datasets: Path = Path("datasets"),
    configs: Path = Path("configs"),
    subset: bool = False,
    jobs: int = 1,
) -> Prepared:
    """Prepare a dataset.

    Args:
        layout: The dataset.
        sources: Folders and archives; without any, the files in place are checked.
        datasets: The datasets folder.
        configs: Folder of the shipped configs, for the configs of scenes.
        subset: Accept a part of the dataset.
        jobs: Number of videos whose frames are counted at the same time.

    Raises:
        VadlocError: A source is unusable, a part of the dataset is missing, or the disk is too
            small. All of this is checked before anything is written, except the length of videos.
    """
    folder = datasets / layout.name
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, expected 1 or more")
    if layout.with_scenes:
        read_template(layout.name, configs)
    opened = [open_source(path) for path in sources]
    with _only_run(folder):
        offers = [(source, member) for source in opened for member in source.members()]
        plan = _plan(layout, opened, offers)
        left = left_over(offers, plan)
        present = set(_files_below(folder))
        plan = rows_beside_videos(plan, present)
        check_one_form({*present, *plan})
        _check_complete(layout, {*present, *plan}, left, subset=subset)
        todo = _not_in_place(plan, folder)
        _check_space(todo, folder)
        placed = _place(todo, opened, folder)
        notes = [f"not used of the sources: {left}"] if left else []
        notes += layout.finish(folder)
        census = Census.of(_files_below(folder))
        if not subset and (placed or not sources):
            _check_videos(layout, folder, census, jobs=jobs)
    written = (
        write_scene_configs(layout.name, census, configs=configs, datasets=datasets)
        if layout.with_scenes
        else []
    )
    return Prepared(census, placed, notes, written)


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Lock the dataset's folder, because two runs would write the same temporary files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".prepare.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise VadlocError(f"{folder}: another run is preparing it; wait for its end") from None
        yield


def _plan(layout: DatasetLayout, sources: Sequence[Source], offers: Offers) -> Plan:
    plan = layout.plan(offers)
    used = {source.path for source, _ in plan.values()}
    for source in sources:
        if source.path not in used:
            left = left_over([offer for offer in offers if offer[0] is source], {})
            raise VadlocError(
                f"{source.path}: nothing of {layout.title} found in it, only "
                f"{left or 'no file at all'}; the official layout is described in "
                f"datasets/{layout.name}/README.md"
            )
    return plan


def _files_below(folder: Path) -> Iterator[PurePosixPath]:
    for parent, _, names in os.walk(folder, followlinks=True):
        relative = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        yield from (relative / name for name in names)


def _check_complete(
    layout: DatasetLayout, paths: Iterable[PurePosixPath], left: str, *, subset: bool
) -> None:
    """Raise if the numbers of sequences or frames will differ from the published ones."""
    differences = Census.of(paths).difference(layout.counts)
    if not differences:
        return
    message = f"{layout.title}: {'; '.join(differences)}"
    message += f"; not used of the sources: {left}" if left else ""
    if not subset:
        raise VadlocError(
            f"{message}. Give what is missing as a further --source, or --subset for a part of it"
        )
    logger.warning("%s", message)


def _not_in_place(plan: Plan, folder: Path) -> Plan:
    """The plan without the files that exist at full size, since files appear only when complete."""
    return {
        target: (source, member)
        for target, (source, member) in plan.items()
        if _size(folder / target) != member.size_bytes
    }


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _check_space(plan: Plan, folder: Path) -> None:
    taking = {source.path: source.takes_space(folder) for source, _ in plan.values()}
    needed = sum(member.size_bytes for source, member in plan.values() if taking[source.path])
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise VadlocError(
            f"{folder}: {free / 2**30:.1f} GiB free, {needed / 2**30:.1f} GiB needed; --datasets "
            "names a folder on another disk"
        )


def _place(plan: Plan, sources: Sequence[Source], folder: Path) -> int:
    """Place the files, source by source, and return their number."""
    last, count = time.monotonic(), 0
    for source in sources:
        wanted = {
            member.path: folder / target for target, (s, member) in plan.items() if s is source
        }
        for _ in source.place(wanted) if wanted else ():
            count += 1
            if time.monotonic() - last > LINE_EVERY_S:
                last = time.monotonic()
                logger.info("%s: %d of %d files", folder, count, len(plan))
    if count != len(plan):
        raise VadlocError(f"{folder}: {count} of {len(plan)} files came; has a source changed?")
    return count


def _check_videos(layout: DatasetLayout, folder: Path, census: Census, *, jobs: int) -> None:
    """Decode the videos and compare the number of frames with the published one.

    Raises:
        VadlocError: A video is damaged, or the number of frames differs.
    """
    from joblib import Parallel, delayed

    lengths = {split: dict(frames) for split, frames in census.frames.items()}
    videos = [
        (split, key)
        for split, frames in census.frames.items()
        for key, count in frames.items()
        if count is None and layout.counts[split].frames
    ]
    if videos:
        logger.info("%s: counting the frames of %s", folder, counted(len(videos), "video"))
    work = (delayed(_video_length)(folder, split, key) for split, key in videos)
    for (split, key), length in zip(videos, Parallel(n_jobs=jobs)(work), strict=True):
        lengths[split][key] = length
    differences = Census(lengths).difference(layout.counts)
    if differences:
        raise VadlocError(
            f"{layout.title}: {'; '.join(differences)}. All files are in place; is it the official "
            "download? --subset accepts it as it is"
        )


def _video_length(folder: Path, split: str, key: str) -> int:
    scene, _, name = key.rpartition("/")
    sequences = {s.name: s for s in list_sequences(folder / scene / split)}
    return sequence_size(sequences[name])[0]


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(argv)
    with exit_status(verbose=args.verbose):
        layout = LAYOUTS[args.name]
        sources = [*args.source]
        if args.download:
            sources += _download(layout, args.datasets)
        prepared = run(
            layout,
            sources,
            datasets=args.datasets,
            configs=args.configs,
            subset=args.subset,
            jobs=args.jobs,
        )
        emit(_report(layout, prepared, args.datasets))


def _download(layout: DatasetLayout, datasets: Path) -> list[Path]:
    if not layout.downloads:
        raise UsageError(
            f"--download: {layout.title} has no direct address; datasets/{layout.name}/README.md "
            "says where to get it, give the file as --source"
        )
    return [fetch(download, datasets / DOWNLOADS) for download in layout.downloads]


def _report(layout: DatasetLayout, prepared: Prepared, datasets: Path) -> str:
    """Lines about the sequences in place and what was done."""
    lines = [f"{datasets / layout.name}: {counted(prepared.placed, 'file')} placed"]
    for split, frames in prepared.census.frames.items():
        known = [count for count in frames.values() if count is not None]
        total = counted(sum(known), "frame") if len(known) == len(frames) else "videos"
        lines.append(f"{split}: {counted(len(frames), 'sequence')}, {total}")
    lines += prepared.notes
    lines += [f"config: {path}" for path in prepared.configs]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        description="Bring an official download into the layout that the configs expect."
    )
    add = parser.add_argument
    add("name", choices=sorted(LAYOUTS), help="the dataset")
    add("--source", nargs="+", action="extend", type=Path, default=[], metavar="DIR|ARCHIVE",
        help="folders, .zip, .tar.gz; without any, what is in place is checked")  # fmt: skip
    add("--download", action="store_true", help="fetch the download from its published address")
    add("--subset", action="store_true", help="accept a part of the dataset")
    add("--datasets", type=Path, default=Path("datasets"),
        help="folder in which the data of the configs lies; default: %(default)s")  # fmt: skip
    add("--configs", type=Path, default=Path("configs"),
        help="folder of the shipped configs; default: %(default)s")  # fmt: skip
    add("--jobs", type=int, default=usable_cores(),
        help="videos counted side by side; default: %(default)s")  # fmt: skip
    add_verbose_option(parser)
    return parser


if __name__ == "__main__":
    main()
