"""Processes of this machine, which end with the command, however that ends."""

import os
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from threading import Thread

import loky

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.backends.backend import Backend, Pool

_LOOK_EVERY_S = 1
_BATCH_SIZE = 4


def n_processes(jobs: int) -> int:
    """How many processes a number of jobs is; -1: one per core, -2: one fewer, and so on."""
    return jobs if jobs > 0 else max(1, loky.cpu_count() + 1 + jobs)


@contextmanager
def open_pool(backend: Backend) -> Iterator[Pool]:
    """The processes of a backend."""
    count = n_processes(backend.jobs)
    executor = loky.ProcessPoolExecutor(count, initializer=end_with_parent, env=_one_share_of_the_cores(count))
    try:
        yield Pool(executor.submit, count, _BATCH_SIZE)
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was ended from outside, perhaps for want of memory; run the same command again to "
            "continue, with fewer --jobs"
        ) from error
    finally:
        executor.shutdown(kill_workers=True)


def _one_share_of_the_cores(count: int) -> dict[str, str]:
    """The environment in which the libraries of each process start their share of the threads."""
    share = str(max(1, loky.cpu_count() // count))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return {name: os.environ.get(name, share) for name in names}


def end_with_parent() -> None:
    """Start a thread in a worker process that ends it when its parent has ended, also by a kill.

    loky's workers would wait for ever if killed halfway through a message.
    """
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return
    if os.name == "nt":
        parent.join()
        os._exit(1)
    while os.getppid() == parent.pid:  # loky's workers cannot join theirs
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)
