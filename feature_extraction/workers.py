"""The threads that the extractors of a sequence share."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass
class Workers:
    """Threads that the extractors of a sequence share, with a short queue of tasks.

    Every task is computed by one thread, so that the number of threads never changes a result.

    Attributes:
        count: Number of threads.
    """

    count: int
    _pool: ThreadPoolExecutor = field(init=False)
    _room: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        """Start the pool."""
        self._pool = ThreadPoolExecutor(self.count)
        self._room = BoundedSemaphore(2 * self.count)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)

    def submit(self, task: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Queue a task; wait while the queue is full, so that frames do not fill the memory."""
        self._room.acquire()
        future = self._pool.submit(task, *args, **kwargs)
        future.add_done_callback(self._make_room)
        return future

    def _make_room(self, _done: Future[Any]) -> None:
        self._room.release()
