"""Pool: threads of one kind of work, and the bounded queue before them.

with pool.place():
    answer = await pool.run(function, argument)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException

RETRY_AFTER_S = 2
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Pool:
    """So many threads, and places for those that use them or wait for one.

    Args:
        threads: how many work at the same time.
        queue: how many may wait.
        work: what a place is for; answers name it.
    """

    def __init__(self, threads: int, queue: int, work: str) -> None:
        self._threads, self._places, self._work = CapacityLimiter(threads), threads + queue, work
        self.taken = 0

    @property
    def full(self) -> bool:
        """Whether there is no free place."""
        return self.taken >= self._places

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return self._threads.statistics().tasks_waiting

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place from now on; raises HTTPException, status 503, where there is none."""
        if self.full:
            message = f"no place for another {self._work}, {self._places} are being processed; try again later"
            raise HTTPException(503, message, {"Retry-After": str(RETRY_AFTER_S)})
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(
        self, function: Callable[_Arguments, _Result], *arguments: _Arguments.args, **keywords: _Arguments.kwargs
    ) -> _Result:
        """What the function returns, computed in a thread of this pool."""
        return await to_thread.run_sync(lambda: function(*arguments, **keywords), limiter=self._threads)
