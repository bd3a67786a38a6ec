"""The log, and one line of progress a stage: a bar on a terminal, a line now and then elsewhere.

Python's levels say who reads a message: ``DEBUG`` is for the log file and ``--verbose`` (two lines
a unit of work), ``INFO`` and above are for everybody. Nothing here knows stages or results.
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

if TYPE_CHECKING:  # imported where a bar is drawn: --help answers at once
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
"""Whose details are logged; those of libraries are not."""
ERASE = "\r\x1b[K"
"""Empties the line of the cursor, on which a bar may stand."""
RUNNING = (
    "{desc:<22} {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt}  {elapsed}, {remaining} left"
)
ENDED = "{desc:<22} {percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt}  {elapsed}"


class CommandParser(argparse.ArgumentParser):
    """A parser under the name that people call the command by; errors are one line."""

    def __init__(self, *, description: str | None, epilog: str | None = None) -> None:
        """A parser without options.

        Args:
            description: First lines of ``--help``.
            epilog: Its last lines.
        """
        super().__init__(prog=_command_name(), description=description, epilog=epilog)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments, and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message}; --help lists all options\n")


def _command_name() -> str | None:
    """As after ``python -m``, ``None`` if this process runs no module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec and f"python -m {spec.name.removesuffix('.__main__')}"


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """The option that every command has."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show all that a log file gets"
    )


def on_terminal() -> bool:
    """Whether somebody watches stderr on a terminal that can draw a line again."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class _ConsoleHandler(logging.StreamHandler[Any]):
    """To stderr. On a terminal a message takes the place of the bar, which is soon drawn below.

    A worker process writes over the bar of its parent in the same way.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a message."""
        return ERASE * on_terminal() + super().format(record)


def start_logging(log_file: Path | None, *, verbose: bool = False) -> None:
    """Log to stderr, and append to a file if there is one; once in each process.

    Args:
        log_file: Gets all messages.
        verbose: Whether stderr gets all of them too, and not only those for everybody.

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
    # What joblib says when, after an error or a signal, nobody takes its results any more.
    warnings.filterwarnings("ignore", "[0-9]+ tasks have been successfully executed")


class Progress:
    """How far a stage is."""

    def __init__(self, label: str, short_label: str, *, total: int, done: int, noun: str) -> None:
        """Nothing is written yet.

        Args:
            label: What the log calls the stage.
            short_label: What stands before the bar.
            total: Number of units.
            done: How many of them were done before.
            noun: What a unit is; empty where the only one is the dataset.
        """
        self._label, self._total, self._noun = label, total, noun
        self._earlier, self._now = done, 0
        self._started = time.monotonic()
        # The bar says it on a terminal.
        self._level = logging.DEBUG if on_terminal() else logging.INFO
        self._short_label = short_label
        self._bar: tqdm[Any] | None = None

    def step(self) -> None:
        """One unit more is done."""
        self._now += 1
        if self._bar is not None:
            self._bar.update()

    def begin(self) -> None:
        """Say what is to be done, and draw the bar."""
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
                # Some terminals say that their size is 0, and tqdm would draw nothing.
                ncols=os.get_terminal_size(sys.stderr.fileno()).columns or 80,
                nrows=2,
            )
        units = counted(self._total, self._noun) if self._noun else "begun"
        already = f", {self._earlier} already done" if self._earlier else ""
        self._say("%s: %s%s", self._label, units, already)

    def tell(self) -> None:
        """Say how far it is and how long the rest will take."""
        seconds = time.monotonic() - self._started
        units = f"{self._earlier + self._now} of {counted(self._total, self._noun)}"
        text = f"{units if self._noun else 'at work'} after {duration(seconds)}"
        if self._now:
            left = seconds / self._now * (self._total - self._earlier - self._now)
            text += f", about {duration(left)} left"
        self._say("%s: %s", self._label, text)

    def redraw(self) -> None:
        """Draw the bar again: time has passed, or a message took its place."""
        if self._bar is not None:
            self._bar.refresh()

    def end(self) -> None:
        """Say that all is done, unless that was said at the beginning."""
        if self._earlier == self._total:
            return
        seconds = time.monotonic() - self._started
        self._say("%s: done in %s", self._label, duration(seconds))
        if self._bar is not None:
            self._bar.bar_format = ENDED

    def close(self) -> None:
        """Leave the bar as it is, with an end of line."""
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
    label: str, short_label: str, *, total: int, done: int = 0, noun: str = "sequence"
) -> Iterator[Progress]:
    """Show how far a stage is while the block runs; see `Progress`."""
    shown = Progress(label, short_label, total=total, done=done, noun=noun)
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
    """Draw the bar twice a second, and say every 30 s how far it is."""
    due = time.monotonic() + LINE_EVERY_S
    while not stop.wait(REDRAW_EVERY_S):
        shown.redraw()
        if time.monotonic() >= due:
            due += LINE_EVERY_S
            shown.tell()


def duration(seconds: float) -> str:
    """A time as people say it: "4.2 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
