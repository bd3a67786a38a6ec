"""What a command does as a process: results on stdout, exit status, signals, cores."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vadloc.console import start_logging
from vadloc.errors import UsageError, VadlocError, about_file

logger = logging.getLogger(__name__)
TERMINATED = 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM has come, as at the time limit of a Slurm job."""


def emit(text: str) -> None:
    """A result: one line or more on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def usable_cores() -> int:
    """Cores this process may use (a Slurm allocation sets them)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """Threads that one unit may use: OMP_NUM_THREADS, which also joblib's workers have set."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(value)) if value.isdigit() else usable_cores()


@contextmanager
def exit_status(log_file: Path | None = None, *, verbose: bool = False) -> Iterator[None]:
    """Log to stderr (and a file), and turn errors of users into one line and an exit status.

    SIGTERM ends the work with status 143; what is under its final name is complete, and what is
    not is removed or, in workers, left as a temporary file that the next run removes.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        start_logging(log_file, verbose=verbose)
        yield
    except UsageError as error:
        logger.error("%s", error)
        sys.exit(2)
    except VadlocError as error:
        logger.error("%s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        logger.error("interrupted; the same command continues")
        sys.exit(130)
    except Terminated:
        logger.error("terminated; the same command continues")
        _end_workers()
        sys.exit(TERMINATED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # no permission, a link to nowhere, a disk that fails
        logger.error("%s", about_file(error))
        sys.exit(1)


def _terminate(_signal: int, _frame: object) -> None:
    raise Terminated


def _end_workers() -> None:
    """Kill joblib's workers, if it was used: nobody waits for their results any more."""
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)
