"""A cluster of Dask: https://distributed.dask.org."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.backends.backend import Backend, Pool
from ser_images.spectrogram_gen.backends.processes import n_processes

_BATCH_SIZE = 8
_CONNECT_WITHIN_S = 10


@contextmanager
def open_pool(backend: Backend) -> Iterator[Pool]:
    """The workers of the cluster that `backend.scheduler` names, or of one on this machine; see `Backend.open`."""
    with _client(backend) as client:
        client.wait_for_workers(1, timeout=_CONNECT_WITHIN_S)
        yield Pool(client.get_executor(pure=False).submit, sum(client.nthreads().values()), _BATCH_SIZE)


def _client(backend: Backend) -> Any:
    from distributed import Client

    options = {"address": backend.scheduler} if backend.scheduler else _of_this_machine(backend)
    try:
        return Client(timeout=_CONNECT_WITHIN_S, **options)
    except (OSError, ValueError) as error:
        reason = str(error)
    gc.collect()  # of the client that did not connect; where that happens while another starts, both wait for ever
    raise UserError(f"--scheduler {backend.scheduler}: no scheduler of Dask answers ({reason})")


def _of_this_machine(backend: Backend) -> dict[str, object]:
    return {
        "n_workers": n_processes(backend.jobs),
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",  # of an HTTP server; on its usual port, a second cluster warns
        "scheduler_kwargs": {"dashboard": False},
        "silence_logs": logging.CRITICAL,  # errors are raised; workers log one where their scheduler ends first
    }
