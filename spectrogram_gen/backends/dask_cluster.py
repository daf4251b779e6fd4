"""A cluster of Dask: https://distributed.dask.org."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed
from ser_images.spectrogram_gen.backends.backend import Backend, Pool
from ser_images.spectrogram_gen.backends.processes import n_processes

_BATCH_SIZE = 8
_CONNECT_WITHIN_S = 10


@contextmanager
def open_pool(backend: Backend) -> Iterator[Pool]:
    """The workers of the cluster that `backend.scheduler` names, or of one on this machine.

    A worker that is lost costs time only: its batches are computed by others.

    Raises:
        UserError: distributed is not installed, or no scheduler answers.
    """
    require_installed("distributed")
    from distributed import Client

    options = {"address": backend.scheduler} if backend.scheduler else _of_this_machine(backend)
    try:
        client = Client(timeout=_CONNECT_WITHIN_S, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"--scheduler {backend.scheduler}: no scheduler of Dask answers ({error})") from error
    with client:
        client.wait_for_workers(1, timeout=_CONNECT_WITHIN_S)
        yield Pool(client.get_executor(pure=False).submit, sum(client.nthreads().values()), _BATCH_SIZE)


def _of_this_machine(backend: Backend) -> dict[str, object]:
    count = n_processes(backend.jobs)
    return {
        "n_workers": count, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR,
    }  # fmt: skip
