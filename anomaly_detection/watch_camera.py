"""Watch a camera, a file or a folder of frames, and report alarms while it runs.

    python -m anomaly_detection.watch_camera --config configs/entrance.toml \
        --source rtsp://user:password@camera/stream
    python -m anomaly_detection.watch_camera --config configs/entrance.toml --source monday.mp4

needs the results of ``vadloc.run`` for the config. Each alarm is a line of JSON on stdout and in
``<out>/alarms.jsonl``, with a clip in ``<out>/clips``. ``docs/watching.md`` says what is in it.
"""

import argparse
from pathlib import Path

from vadloc.arguments import (
    add_alarm_options,
    add_mining_options,
    add_shared_options,
    whole_number,
)
from vadloc.console import CommandParser
from vadloc.process import exit_status


def parser() -> argparse.ArgumentParser:
    """The parser of the options."""
    found = CommandParser(
        description="Watch a camera, a file or a folder of frames, and report alarms at once."
    )
    add_shared_options(found, running=False)
    add_mining_options(found)
    add_alarm_options(found)
    found.add_argument(
        "--model", dest="results", type=Path, metavar="DIR", help="the same as --results"
    )
    _add_source_options(found)
    _add_alarm_options(found)
    _add_page_options(found)
    return found


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("source").add_argument
    add(
        "--source",
        required=True,
        metavar="SOURCE",
        help="rtsp:// or http:// address, /dev/video0, video file or folder of frames; env:NAME "
        "takes it from a variable of the environment, where no list of processes shows it",
    )
    add("--name", default="", help="short name in records; default: made of the source")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where networks run")
    add("--real-time", action="store_true", help="read a file as fast as a camera would give it")
    add(
        "--drop",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="drop frames if scoring cannot keep up; default: for cameras and with --real-time",
    )
    add("--loop", type=whole_number, metavar="N", default=1, help="read a file N times")
    add("--duration", type=_seconds, metavar="SECONDS", help="stop after so long; default: never")
    add(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        default=10.0,
        help="a camera that gives no frame for so long is gone; default: %(default)g",
    )
    add(
        "--frozen-after",
        type=_seconds,
        metavar="SECONDS",
        help="a picture that stands still to the last pixel for so long is an alarm; 0 for never; "
        "default: 10 for cameras, 0 for files",
    )
    add(
        "--no-view-check",
        action="store_true",
        help="do not compare the picture with the background of the training video",
    )
    add("--log-file", type=Path, metavar="FILE", help="append the log to this file")


def _add_alarm_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("alarms").add_argument
    add(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("watch"),
        help="folder for alarms.jsonl and clips; default: %(default)s",
    )
    add(
        "--alarm-after",
        type=_seconds,
        metavar="SECONDS",
        default=2.0,
        help="an alarm that goes on is reported after so long, and again when it has ended; "
        "default: %(default)g",
    )
    add("--clip-before", type=_seconds, metavar="SECONDS", default=3.0, help="default: %(default)g")
    add("--clip-after", type=_seconds, metavar="SECONDS", default=3.0, help="default: %(default)g")
    add("--no-clips", action="store_true", help="write no clips")
    add("--webhook", metavar="URL", help="send each alarm to this address")
    add(
        "--mqtt", metavar="URL", help="publish each alarm: mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC"
    )


def _add_page_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("page").add_argument
    add(
        "--page",
        metavar="[HOST:]PORT",
        default="8808",
        help="where the page is served; without a host only on this machine; default: %(default)s",
    )
    add("--token-file", type=Path, metavar="FILE", help="file with the token that opens the page")
    add("--no-page", action="store_true", help="serve no page")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, 0 or more")
    return value


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    args = parser().parse_args(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        from anomaly_detection.watching.session import watch  # --help needs no NumPy

        watch(args)


if __name__ == "__main__":
    main()
