"""Backends: processes of this machine, and clusters of Dask and Ray, of which a worker is killed in the middle."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from ser_images.data.common.errors import UserError
from ser_images.data.corpora import find_clips
from ser_images.predict.batches import ModelArguments, classify
from ser_images.spectrogram_gen.backends.backend import Backend, in_parallel
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.journal import Journal
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.spec import ImageSpec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # of Dask and Ray, in threads of theirs
]
PLAN = Plan(n_variants=1)
COMMAND = """
import sys
from ser_images.spectrogram_gen.cli import main

sys.argv[0] = "ser-images"
main()
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster; `workers` gives the processes that compute."""

    address: str
    workers: Callable[[], list[int]]
    backend: str = ""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process with all that it starts, which are ended."""
    piped = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=piped, stderr=piped, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def dask(folder: Path) -> Iterator[Cluster]:
    """A scheduler and three workers."""
    with ExitStack() as stack:
        scheduler = stack.enter_context(running("-m", "dask", "scheduler", "--port", "0", "--no-dashboard"))
        address = next(found[0] for line in scheduler.stderr or () if (found := re.search(r"tcp://\S+:\d+", line)))
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
        workers = [stack.enter_context(running("-m", "dask", "worker", address, *options)) for _ in range(3)]
        yield Cluster(address, lambda: [worker.pid for worker in workers])


@contextmanager
def ray(folder: Path) -> Iterator[Cluster]:
    """A head node with three processors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--head", "--block", "--num-cpus", "3", "--port", str(port), "--temp-dir", str(folder)]
    options += ["--disable-usage-stats", "--include-dashboard", "false"]
    with running("-m", "ray.scripts.scripts", "start", *options) as head:

        def workers() -> list[int]:
            found = psutil.Process(head.pid).children(recursive=True)
            return [process.pid for process in found if " ".join(process.cmdline()).startswith("ray::_call")]

        wait_for(lambda: answers(port))
        yield Cluster(f"127.0.0.1:{port}", workers)


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(params=[dask, ray])
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # otherwise Ray writes a token into the user's home
    with TemporaryDirectory(prefix="ser-") as folder, request.param(Path(folder)) as found:  # sockets: a short path
        yield replace(found, backend=request.param.__name__)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_lost_workers_and_drivers_cost_time_only(cluster: Cluster, voices: Path, tmp_path: Path) -> None:
    build(find_clips(voices, "synthetic").clips, voices, tmp_path / "here", ImageSpec(), PLAN)
    expected = contents(tmp_path / "here")
    out = tmp_path / "there"

    def rows() -> int:
        return len(list(Journal(out).rows()))

    arguments = ["-c", COMMAND, "build", str(voices), "--out", str(out), "--variants", "1"]
    arguments += ["--backend", cluster.backend, "--scheduler", cluster.address]

    with running(*arguments) as driver:  # which is killed
        wait_for(lambda: rows() > 0)  # images are there before, on a busy machine long before
    assert driver.returncode != 0
    with pytest.raises(UserError, match="was interrupted"):
        ImageSet.read(out)
    time.sleep(1)  # what the workers were given is rendered, or is not
    noted = rows()
    assert len(list(out.glob("*/[!.]*.png"))) < len(expected) - 2

    with running(*arguments) as driver:
        wait_for(lambda: rows() > noted)
        os.kill(cluster.workers()[0], signal.SIGKILL)
        printed, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0
    rendered, kept = map(int, re.findall(r"(\d+) (?:rendered|kept)", printed))
    assert (rendered + kept, kept > 0) == (240, True)
    assert contents(out) == expected


def test_predictions_of_a_cluster_in_another_folder(
    cluster: Cluster, voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(voices / "Actor_01")  # its workers stay where they are
    paths = [Path(path.name) for path in sorted(Path.cwd().iterdir())]
    model, backend = ModelArguments(), Backend(cluster.backend, scheduler=cluster.address)
    found, expected = list(classify(paths, model, backend)), list(classify(paths, model))
    assert [one.path for one in found] == paths
    assert [str(one.prediction) for one in found] == [str(one.prediction) for one in expected]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("spark",), "--backend spark: expected one of loky, dask, ray"),
        (("loky", 0), "--jobs 0: expected a number of processes"),
        (("loky", 1, "tcp://127.0.0.1:1"), "--scheduler is the address of a cluster: use --backend dask or ray"),
        (("dask", 1, "nonsense"), "--scheduler nonsense: no scheduler of Dask answers"),
        (("dask", 1, "tcp://127.0.0.1:1"), "--scheduler tcp://127.0.0.1:1: no scheduler of Dask answers"),
        (("ray", 1, "127.0.0.1:1"), "--scheduler 127.0.0.1:1: no cluster of Ray answers"),
    ],
)
def test_what_cannot_be_reached_is_one_line(options: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        next(in_parallel(abs, [-1], Backend(*options)))


def test_a_build_on_a_cluster_that_does_not_answer_leaves_nothing(voices: Path, tmp_path: Path) -> None:
    clips = find_clips(voices, "synthetic").clips
    with pytest.raises(UserError, match="no scheduler of Dask answers"):
        build(clips, voices, tmp_path / "images", ImageSpec(), PLAN, Backend("dask", scheduler="nonsense"))
    assert not (tmp_path / "images").exists()


def test_an_image_set_is_as_it_was_where_a_cluster_does_not_answer(voices: Path, tmp_path: Path) -> None:
    clips = find_clips(voices, "synthetic").clips
    build(clips[:4], voices, tmp_path / "images", ImageSpec(), PLAN)
    before = ImageSet.read(tmp_path / "images").rows
    with pytest.raises(UserError, match="no scheduler of Dask answers"):
        build(clips, voices, tmp_path / "images", ImageSpec(), PLAN, Backend("dask", scheduler="nonsense"))
    assert ImageSet.read(tmp_path / "images").rows == before


@pytest.mark.parametrize("name", ["loky", "dask", "ray"])
def test_items_are_taken_as_workers_need_them(name: str) -> None:
    taken, most_ahead = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(600):
            taken += 1
            yield -number

    found = []
    for result in in_parallel(abs, items(), Backend(name, 2)):
        found.append(result)
        most_ahead = max(most_ahead, taken - len(found))
    assert sorted(found) == list(range(600))
    assert most_ahead <= 2 * 3 * 8


def test_a_second_cluster_of_dask_on_this_machine(recwarn: pytest.WarningsRecorder) -> None:
    with socket.socket() as first:
        with suppress(OSError):  # taken already
            first.bind(("127.0.0.1", 8787))
            first.listen()
        assert list(in_parallel(abs, [-1, -2], Backend("dask", 2))) == [1, 2]
    assert not [str(one.message) for one in recwarn if "8787" in str(one.message)]


@pytest.mark.parametrize("name", ["loky", "dask", "ray"])
def test_an_error_of_the_function_ends_all(name: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_parallel(int, ["1", "x", *map(str, range(500))], Backend(name, 2)))
