"""A command as a process: results on stdout, exit status, signals, cores."""

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
    """The process got SIGTERM, as at the time limit of a Slurm job."""


def emit(text: str) -> None:
    """Print a result to stdout, one line or more."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def return_free_memory() -> None:
    """Give memory that is free back to the system, where the C library can do so (glibc).

    Frames and videos that come and go in several threads leave holes, which it keeps otherwise.
    """
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def usable_cores() -> int:
    """Number of cores that this process may use (a Slurm allocation limits it)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """Number of threads for one unit of work: OMP_NUM_THREADS, which joblib sets in workers."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(value)) if value.isdigit() else usable_cores()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products by one thread each.

    Where many small products are computed, several threads wait for each other longer than they
    compute, above all on a machine on which others compute as well.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


@contextmanager
def exit_status(log_file: Path | None = None, *, verbose: bool = False) -> Iterator[None]:
    """Log to stderr (and a file), and turn user errors into one line and an exit status.

    SIGTERM ends the work with status 143. A file under its final name is always complete. An
    incomplete file is removed; in workers it remains as a temporary file, which the next run
    removes.
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
    """Kill joblib's workers if there are any, since their results are not used any more."""
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)
