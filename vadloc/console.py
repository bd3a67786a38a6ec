"""The log and the progress of a stage: a bar on a terminal, lines from time to time elsewhere.

Messages of level ``DEBUG`` go to the log file, and to stderr with ``--verbose`` (two lines for each
unit of work). Messages of level ``INFO`` and above always go to both. This module does not depend
on stages or results.
"""

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NoReturn

from vadloc.errors import UsageError, counted

if TYPE_CHECKING:  # imported where a bar is drawn, so that --help is fast
    from tqdm import tqdm

logger = logging.getLogger(__name__)
LINE_EVERY_S = 30
REDRAW_EVERY_S = 0.5
OURS = (
    "vadloc",
    "feature_extraction",
    "exemplar_selection",
    "anomaly_detection",
    "evaluation",
    "__main__",
)
"""The packages whose ``DEBUG`` messages are logged; those of libraries are not."""
ERASE = "\r\x1b[K"
"""Clears the line of the cursor, on which a bar may stand."""
RUNNING = (
    "{desc:<22} {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt}  {elapsed}, {remaining} left"
)
ENDED = "{desc:<22} {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt}  {elapsed}"


class CommandParser(argparse.ArgumentParser):
    """A parser that shows the command as users type it, and prints errors on one line."""

    def __init__(self, *, description: str | None, epilog: str | None = None) -> None:
        """A parser without options.

        Args:
            description: First lines of ``--help``.
            epilog: Its last lines.
        """
        super().__init__(prog=_command_name(), description=description, epilog=epilog)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the arguments, and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}; --help lists all options\n")


def _command_name() -> str | None:
    """The module as after ``python -m``; ``None`` if this process runs no module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec and f"python -m {spec.name.removesuffix('.__main__')}"


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--verbose``, which every command has."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show all that a log file gets"
    )


def on_terminal() -> bool:
    """Whether stderr is a terminal that can overwrite a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class _ConsoleHandler(logging.StreamHandler[Any]):
    """Writes messages to stderr. On a terminal a message replaces the bar, which is drawn again.

    Messages of a worker process replace the bar of its parent in the same way.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a message."""
        return ERASE * on_terminal() + super().format(record)


def start_logging(log_file: Path | None, *, verbose: bool = False) -> None:
    """Log to stderr, and append to a file if one is given. Called once in each process.

    Args:
        log_file: File that gets all messages.
        verbose: Whether stderr gets all messages too, and not only ``INFO`` and above.

    Raises:
        UsageError: The file cannot be written.
    """
    console = _ConsoleHandler(sys.stderr)
    console.setLevel(logging.DEBUG if verbose else logging.INFO)
    handlers: list[logging.Handler] = [console]
    try:
        if log_file is not None:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(log_file))
    except OSError as error:
        raise UsageError(f"--log-file {log_file}: cannot write ({error.strerror})") from None
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, datefmt="%H:%M:%S", handlers=handlers)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    # joblib warns if its results are not used any more, after an error or a signal.
    warnings.filterwarnings("ignore", "[0-9]+ tasks have been successfully executed")


class Progress:
    """The progress of a stage."""

    def __init__(self, label: str, short_label: str, *, total: int, done: int, noun: str) -> None:
        """Prepare the progress of a stage; nothing is written yet.

        Args:
            label: Name of the stage in the log.
            short_label: Text before the bar.
            total: Number of units.
            done: Number of units that were done before.
            noun: Noun for a unit; empty if the only unit is the dataset.
        """
        self._label, self._total, self._noun = label, total, noun
        self._earlier, self._now = done, 0
        self._started = time.monotonic()
        # On a terminal the bar shows it already.
        self._level = logging.DEBUG if on_terminal() else logging.INFO
        self._short_label = short_label
        self._bar: tqdm[Any] | None = None
        self._note = ""

    def step(self) -> None:
        """Count one more unit as done."""
        self._now += 1
        if self._bar is not None:
            self._bar.update()

    def note(self, text: str) -> None:
        """Show a text, such as the present loss, after the bar and in the lines of the log."""
        self._note = text
        if self._bar is not None:
            self._bar.bar_format = f"{RUNNING}  {text}"

    def begin(self) -> None:
        """Log what is to be done, and draw the bar."""
        if self._earlier == self._total:
            self._say_done()
            return
        if on_terminal():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._short_label,
                total=self._total,
                initial=self._earlier,
                bar_format=RUNNING,
                smoothing=0,
                # Some terminals report a size of 0, with which tqdm would draw nothing.
                ncols=os.get_terminal_size(sys.stderr.fileno()).columns or 80,
                nrows=2,
            )
        units = counted(self._total, self._noun) if self._noun else "begun"
        already = f", {self._earlier} already done" if self._earlier else ""
        self._say("%s: %s%s", self._label, units, already)

    def tell(self) -> None:
        """Log how many units are done and how long the rest will take."""
        seconds = time.monotonic() - self._started
        units = f"{self._earlier + self._now} of {counted(self._total, self._noun)}"
        text = f"{units if self._noun else 'at work'} after {duration(seconds)}"
        if self._now:
            left = seconds / self._now * (self._total - self._earlier - self._now)
            text += f", about {duration(left)} left"
        text += f", {self._note}" if self._note else ""
        self._say("%s: %s", self._label, text)

    def redraw(self) -> None:
        """Draw the bar again, after some time or after a message replaced it."""
        if self._bar is not None:
            self._bar.refresh()

    def end(self) -> None:
        """Log that all units are done, unless this was logged at the beginning."""
        if self._earlier == self._total:
            return
        seconds = time.monotonic() - self._started
        self._say("%s: done in %s", self._label, duration(seconds))
        if self._bar is not None:
            self._bar.bar_format = ENDED

    def close(self) -> None:
        """End the line of the bar, and leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _say_done(self) -> None:
        if on_terminal():
            sys.stderr.write(f"{self._short_label:<22} already done\n")
        self._say("%s: already done", self._label)

    def _say(self, text: str, *words: str) -> None:
        logger.log(self._level, text, *words)


@contextmanager
def progress(
    label: str,
    short_label: str,
    *,
    total: int,
    done: int = 0,
    noun: str = "sequence",
    quiet: bool = False,
) -> Iterator[Progress]:
    """Show the progress of a stage while the block runs; see `Progress`.

    Args:
        label: As in `Progress`.
        short_label: As in `Progress`.
        total: As in `Progress`.
        done: As in `Progress`.
        noun: As in `Progress`.
        quiet: Show nothing, because the block shows a progress of its own.
    """
    shown = Progress(label, short_label, total=total, done=done, noun=noun)
    if quiet:
        yield shown
        return
    shown.begin()
    stop = Event()
    ticker = Thread(target=_tick, args=(shown, stop), daemon=True)
    ticker.start()
    try:
        yield shown
        shown.end()
    finally:
        stop.set()
        ticker.join()
        shown.close()


def _tick(shown: Progress, stop: Event) -> None:
    """Draw the bar twice a second, and log the progress every 30 s."""
    due = time.monotonic() + LINE_EVERY_S
    while not stop.wait(REDRAW_EVERY_S):
        shown.redraw()
        if time.monotonic() >= due:
            due += LINE_EVERY_S
            shown.tell()


def duration(seconds: float) -> str:
    """A time in words: "4.2 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
