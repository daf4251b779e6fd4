"""A cluster of Ray: https://docs.ray.io."""

import logging
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future
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
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
    import ray

    _require_answer(backend.scheduler)
    options: dict[str, Any] = {"address": backend.scheduler} if backend.scheduler else _of_this_machine(backend)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise _no_answer(backend.scheduler, error) from error
    try:
        call = ray.remote(max_retries=-1)(_call)

        def submit(*arguments: Any) -> "Future[Any]":
            future: Future[Any] = call.remote(*arguments).future()
            return future

        yield Pool(submit, max(1, int(ray.cluster_resources().get("CPU", 1))), _BATCH_SIZE)
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise UserError where nothing listens at HOST:PORT, for which Ray waits for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), _CONNECT_WITHIN_S).close()
        except OSError as error:
            raise _no_answer(address, error) from error


def _no_answer(address: str, error: Exception) -> UserError:
    return UserError(f"--scheduler {address}: no cluster of Ray answers ({error}); check the address and RAY_AUTH_MODE")


def _of_this_machine(backend: Backend) -> dict[str, Any]:
    return {"address": "local", "num_cpus": n_processes(backend.jobs), "include_dashboard": False}


def _call(function: Any, *arguments: Any) -> Any:
    return function(*arguments)
