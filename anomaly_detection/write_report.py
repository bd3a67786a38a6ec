"""Write the report: a page on which a person judges the alarms of all test sequences.

    python -m anomaly_detection.write_report --config configs/ped2.toml
    python -m anomaly_detection.write_report --config configs/ped2.toml --single-file

reads the explanations, the score maps, the frames and, if the version's detector has them, the
exemplars. It writes the folder ``report/<version>/``, whose ``index.html`` opens from disk without
a server or a network. With ``--single-file`` it writes the one file ``report/<version>.html``,
which can be sent. If the config names ground truth, the timelines show which frames are anomalous
in it. They are read from ``frame_labels.json``, so ``evaluation.evaluate_scores`` must have run
first.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from anomaly_detection.report.page import FolderSink, SingleSink
from anomaly_detection.report.writer import ReportWriter
from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.files.storage import (
    list_files,
    replacing_folder,
    write_json,
    write_page,
)
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

COMMAND = "anomaly_detection.write_report"


def outputs(artifacts: Artifacts, _dataset: str, *, single_file: bool = False) -> list[Artifact]:
    """The page; for a folder also the list of all its files."""
    page = artifacts.report_page(single_file=single_file)
    return [page] if single_file else [page, artifacts.report_files()]


def reported(artifacts: Artifacts, dataset: str, *, single_file: bool = False) -> list[str]:
    """The name of the stage report: each form has a report."""
    return [f"{artifacts.label}/{'single_file' if single_file else 'folder'}/{dataset}"]


def compute(work: Work, *, single_file: bool = False) -> Iterator[tuple[Artifact, Any]]:
    """Write the report of all test sequences.

    Raises:
        VadlocError: Explanations, scores, model or frame labels are missing or damaged.
    """
    page, *listing = outputs(work.artifacts, work.unit, single_file=single_file)
    writer = ReportWriter.of(work.config, work.artifacts)
    title = f"{work.unit} ({work.artifacts.label})"
    if single_file:
        sink = SingleSink()
        writer.write(sink)
        yield page, sink.page(title)
    else:
        with replacing_folder(page.path.parent) as folder:  # as a whole or not at all
            files = FolderSink(folder)
            writer.write(files)
            write_page(folder / page.path.name, files.page(title), stamp=page.stamp)
            for file in listing:
                content = {"schema": SCHEMAS["report"], "files": list_files(folder)}
                write_json(folder / file.path.name, content, stamp=file.stamp)
    detections = sum(len(sequence.detections) for sequence in writer.sequences)
    work.count(sequences=len(writer.sequences), detections=detections)


def stage(*, single_file: bool = False) -> Stage:
    """The stage for a folder or a single file."""
    return Stage(
        COMMAND,
        partial(outputs, single_file=single_file),
        partial(compute, single_file=single_file),
        reports=partial(reported, single_file=single_file),
    )


STAGE = stage()


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Write the page on which alarms are judged.", sequences=False)
    parser.add_argument(
        "--single-file",
        action="store_true",
        help="one HTML file with all pictures in it, in place of a folder",
    )
    add_alarm_options(parser)
    args = parser.parse_args(argv)
    stage_main(stage(single_file=args.single_file), args)


if __name__ == "__main__":
    main()
