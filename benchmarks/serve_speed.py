"""Throughput of `ser-predict serve` beside bare ONNX Runtime, on the same cores in one run.

    python benchmarks/serve_speed.py RECORDING --model RUN [--clients 8] [--seconds 5] [--rounds 5]

Two pairs, whose halves take turns:

- `batched/bare`: windows a second that one-window calls from as many threads as clients get through the micro-batcher,
  and those of the bare session with batches of that size.
- `http/direct`: recordings a second over HTTP, and those of as many threads that call the model directly; decoding,
  speech check and image are part of both.

Prints the median over the rounds as JSON.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

from ser_images.data.common.command_line import command_line
from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import ONNX
from ser_images.export.models import open_bundle, open_model
from ser_images.predict.model import Model
from ser_images.predict.service.micro_batcher import batched
from ser_images.spectrogram_gen.sound_file import read_mono

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from service_process import running_service


def per_second(
    work: Callable[[], object], threads: int, seconds: float, prepare: Callable[[], object] = lambda: None
) -> float:
    """How often threads that repeat some work get it done in a second; each prepares once."""
    end = time.perf_counter() + seconds

    def repeat() -> int:
        prepare()
        count = 0
        while time.perf_counter() < end:
            work()
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        count = sum(future.result() for future in [pool.submit(repeat) for _ in range(threads)])
    return count / (time.perf_counter() - start)


def alternate(rounds: int, **halves: Callable[[], float]) -> dict[str, float]:
    """The median of each over rounds in which they take turns."""
    found: dict[str, list[float]] = {name: [] for name in halves}
    for _ in range(rounds):
        for name, measure in halves.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def bare_session(run: Path) -> Callable[[Any], Any]:
    """ONNX Runtime on the run's model. Its threads sleep while they wait, as those of the service."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    content = open_bundle(run)[0].read(ONNX)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(["probabilities"], {name: images})


def post(connection: HTTPConnection, content: bytes) -> None:
    """One request over a connection that stays open."""
    connection.request("POST", "/v1/predict", content)
    response = connection.getresponse()
    assert (response.status, response.read()[:1]) == (200, b"{")


def network_speed(run: Path, image: Any, clients: int, seconds: float, rounds: int) -> dict[str, float]:
    """Windows a second, and the size of the batches in which the micro-batcher took them."""
    sizes: list[int] = []
    bare, together = bare_session(run), batched(open_model(run)[1], sizes.append)
    batch = np.repeat(image[None], clients, axis=0)
    bare(batch)
    found = alternate(
        rounds,
        bare_windows_per_s=lambda: clients * per_second(lambda: bare(batch), 1, seconds),
        batched_windows_per_s=lambda: per_second(lambda: together(image[None]), clients, seconds),
    )
    return found | {"mean_batch": statistics.mean(sizes)}


def service_speed(run: Path, recording: Path, clients: int, seconds: float, rounds: int) -> dict[str, float]:
    """Recordings a second, over HTTP and without."""
    model, content = Model.load(run), recording.read_bytes()
    with (
        TemporaryDirectory() as folder,
        running_service(Path(folder), "--model", run.resolve(), "--threads", clients, "--queue", 1000) as service,
    ):
        thread = threading.local()

        def connect() -> None:
            thread.connection = HTTPConnection("127.0.0.1", service.port)

        return alternate(
            rounds,
            direct_recordings_per_s=lambda: per_second(lambda: model(recording), clients, seconds),
            http_recordings_per_s=lambda: per_second(
                lambda: post(thread.connection, content), clients, seconds, prepare=connect
            ),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not arguments.recording.is_file():
        raise UserError(f"{arguments.recording}: no such file, expected a sound file")
    settings = (arguments.clients, arguments.seconds, arguments.rounds)
    image = Model.load(arguments.model).image(*read_mono(arguments.recording))
    found = network_speed(arguments.model, image, *settings)
    found |= service_speed(arguments.model, arguments.recording, *settings)
    found["batched/bare"] = found["batched_windows_per_s"] / found["bare_windows_per_s"]
    found["http/direct"] = found["http_recordings_per_s"] / found["direct_recordings_per_s"]
    print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    with command_line():
        main()
