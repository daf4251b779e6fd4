"""A function of many items, in processes of this machine or on a cluster.

for result in in_parallel(render_clip, jobs_to_do, Backend("dask", scheduler="tcp://10.0.0.1:8786")):
    ...
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain, islice
from typing import Any, TypeVar

from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed

Item = TypeVar("Item")
Result = TypeVar("Result")
BACKENDS = {"loky": ("processes", "loky"), "dask": ("dask_cluster", "distributed"), "ray": ("ray_cluster", "ray")}
"""The module of each backend, and the one of a library that it needs."""
_BATCHES_PER_WORKER = 3
"""Batches that are handed out at a time: one that is computed, and others that wait for it."""


@dataclass(frozen=True)
class Backend:
    """Where a function runs.

    Attributes:
        name: one of `BACKENDS`.
        jobs: processes on this machine; -1 for one per core. Without effect where `scheduler` is given.
        scheduler: address of a cluster; empty: a cluster of this machine, which ends with the command.

    Raises:
        UserError: an unknown name, no process at all, or a scheduler of a backend that has none.
    """

    name: str = "loky"
    jobs: int = 1
    scheduler: str = ""

    def __post_init__(self) -> None:
        if self.name not in BACKENDS:
            raise UserError(f"--backend {self.name}: expected one of {', '.join(BACKENDS)}")
        if self.jobs == 0:
            raise UserError("--jobs 0: expected a number of processes, or -1 for one per core")
        if self.scheduler and self.name == "loky":
            raise UserError("--scheduler is the address of a cluster: use --backend dask or ray, or leave it out")

    @property
    def is_this_process(self) -> bool:
        """Whether no other process is started."""
        return self.name == "loky" and self.jobs == 1

    def open(self) -> AbstractContextManager["Pool | None"]:
        """The workers, until the context ends; None: this process. One that is lost on a cluster costs time only.

        Raises:
            UserError: a library is not installed, or no cluster answers.
        """
        if self.is_this_process:
            return nullcontext()
        module, library = BACKENDS[self.name]
        require_installed(library)
        opened: AbstractContextManager[Pool] = import_module(f"{__package__}.{module}").open_pool(self)
        return opened


THIS_PROCESS = Backend()


@dataclass(frozen=True)
class Pool:
    """Workers.

    Attributes:
        submit: has a function called with its arguments by one of them.
        n_workers: how many there are.
        batch_size: how many items are handed to a worker at once.
    """

    submit: Callable[..., "Future[Any]"]
    n_workers: int
    batch_size: int


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], backend: Backend, batch_size: int = 0
) -> Iterator[Result]:
    """The results, in the order of the items.

    Items are taken as workers need them, so that memory does not grow with their number. Paths in them must be
    absolute; on a cluster, every worker must reach them.

    Args:
        batch_size: items that are handed to a worker at once; 0: what suits the backend.

    Raises:
        UserError: as `Backend.open`; and what the function raises.
    """
    with backend.open() as pool:
        yield from in_pool(function, items, pool, batch_size)


def in_pool(
    function: Callable[[Item], Result], items: Iterable[Item], pool: Pool | None, batch_size: int = 0
) -> Iterator[Result]:
    """As `in_parallel`, by the workers of a backend that is open; None: this process."""
    if pool:
        yield from _of_batches(function, iter(items), replace(pool, batch_size=batch_size or pool.batch_size))
    else:
        yield from map(function, items)


def _of_batches(function: Callable[[Item], Result], items: Iterator[Item], pool: Pool) -> Iterator[Result]:
    pending = deque[Future[list[Result]]]()
    try:
        for batch in chain(_batches(items, pool.batch_size), [None]):  # None: no more, wait for all
            if batch:
                pending.append(pool.submit(_each, function, batch))
            while pending and (batch is None or len(pending) >= _BATCHES_PER_WORKER * pool.n_workers):
                yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item] | None]:
    return iter(lambda: list(islice(items, size)), [])


def _each(function: Callable[[Item], Result], batch: list[Item]) -> list[Result]:
    return [function(item) for item in batch]
