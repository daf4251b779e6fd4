"""Builds on clusters of Dask and Ray: processes of their own, of which one is killed in the middle."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from conftest import SMALL
from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.backends.backend import Backend, in_parallel
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.plan import Plan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("clusters"),
    pytest.mark.filterwarnings("default"),  # of Dask and Ray, in threads of theirs
]
PLAN = Plan(n_variants=3)
COMMAND = """
import sys
from ser_images.spectrogram_gen.cli import main

sys.argv[0] = "ser-images"
main()
"""
Cluster = Callable[[Path], "contextmanager[tuple[str, list[int]]]"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(recordings: Path, out: Path, backend: str, address: str) -> list[str]:
    options = ["--out", str(out), "--variants", "3", "--backend", backend, "--scheduler", address]
    return [sys.executable, "-c", COMMAND, "build", str(recordings), *options]


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process with all that it starts, which are ended."""
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def dask(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and three workers; yields its address and their processes."""
    program = [sys.executable, "-m", "distributed.cli"]
    with ExitStack() as stack:
        scheduler = stack.enter_context(running(sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"))
        address = next(found[0] for line in scheduler.stderr or () if (found := re.search(r"tcp://\S+:\d+", line)))
        del program
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        workers = [
            stack.enter_context(running(sys.executable, "-m", "distributed.cli.dask_worker", address, *options))
            for _ in range(3)
        ]
        yield address, [worker.pid for worker in workers]
