"""Write the report: a page on which a person judges the alarms of all test sequences.

    python -m anomaly_detection.write_report --config configs/ped2.toml
    python -m anomaly_detection.write_report --config configs/ped2.toml --single-file

reads the explanations, the score maps, the frames and, where the version's detector learns them,
the exemplars. It writes the folder ``report/<version>/``, whose ``index.html`` opens from disk
without a server or a network; with ``--single-file`` the one file ``report/<version>.html``, which
can be sent. Where the config names ground truth, the timelines show which frames it calls
anomalous: ``evaluation.evaluate_scores`` leaves these in ``frame_labels.json``, and must have run
first.
"""

from functools import partial
from pathlib import Path

from anomaly_detection.report.page import FolderSink, SingleSink
from anomaly_detection.report.writer import ReportWriter
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.cli import Stage, add_alarm_options, stage_main, stage_parser
from vadloc.config import Config
from vadloc.files.storage import (
    list_files,
    replacing_folder,
    write_json,
    write_page,
)
from vadloc.stage_reports import stage_report

COMMAND = "anomaly_detection.write_report"


def outputs(artifacts: Artifacts, _dataset: str, *, single_file: bool = False) -> list[Artifact]:
    """The page, and for a folder the list of all its files."""
    page = artifacts.report_page(single_file=single_file)
    return [page] if single_file else [page, artifacts.report_files()]


def reported(artifacts: Artifacts, dataset: str, *, single_file: bool = False) -> list[str]:
    """The name of its report: each form has one."""
    return [f"{artifacts.version}/{'single_file' if single_file else 'folder'}/{dataset}"]


def run(
    config: Config,
    artifacts: Artifacts,
    dataset: str,
    *,
    overwrite: bool = False,
    single_file: bool = False,
) -> Path:
    """Write the report of all test sequences.

    Returns:
        Path of the page.

    Raises:
        VadlocError: Explanations, scores, model or frame labels are missing or damaged.
    """
    page, *listing = outputs(artifacts, dataset, single_file=single_file)
    if all(file.is_done(overwrite=overwrite) for file in (page, *listing)):
        return page.path
    [report] = reported(artifacts, dataset, single_file=single_file)
    with stage_report(artifacts, COMMAND, report, page.stamp) as counts:
        writer = ReportWriter.of(config, artifacts)
        title = f"{dataset} ({artifacts.version})"
        if single_file:
            sink = SingleSink()
            writer.write(sink)
            page.save(sink.page(title))
        else:
            with replacing_folder(page.path.parent) as folder:
                files = FolderSink(folder)
                writer.write(files)
                write_page(folder / page.path.name, files.page(title), stamp=page.stamp)
                for file in listing:
                    content = {"schema": SCHEMAS["report"], "files": list_files(folder)}
                    write_json(folder / file.path.name, content, stamp=file.stamp)
        counts["sequences"] = len(writer.sequences)
        counts["detections"] = sum(len(s.detections) for s in writer.sequences)
    return page.path


def stage(*, single_file: bool = False) -> Stage:
    """The stage for a folder or a single file."""
    return Stage(
        COMMAND,
        partial(run, single_file=single_file),
        partial(outputs, single_file=single_file),
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
