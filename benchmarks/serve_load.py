"""The service under the load of many clients: speed, wrong answers, memory, and what happens when it is full.

    python benchmarks/serve_load.py RECORDINGS --model RUN [--clients 50] [--seconds 60] [--requests 2000]

The service is a process of its own. Each client sends recordings in turn and compares each answer with the prediction
for its own recording, which this process made before.

- `recordings_per_s`: answered, and how long an answer took: median and 99th percentile.
- `bare_windows_per_s`: of ONNX Runtime with batches of that many images; `direct_recordings_per_s`: of a model that as
  many threads as processors call without HTTP. Both before and after the load, since other work shares the processors.
- `lost`, `mixed_up`: requests without an answer, and answers for another recording; both should be 0.
- `memory_mb`: of the service after the load, and after more requests (2,000).
- `full`: the answers when all clients come at once to a service with a queue of 4, and whether it is ready after that.

Prints JSON.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ser_images.data.common.command_line import command_line
from ser_images.data.sound_files import recordings
from ser_images.predict.model import Model
from ser_images.spectrogram_gen.sound_file import read_mono

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parent))
from serve_speed import bare_session, per_second

from service_load import MIXED_UP, RIGHT, TIMEOUT_S, Job, jobs_of, run_clients
from service_process import running_service


def measure(run: Path, jobs: Sequence[Job], clients: int, seconds: float, requests: int) -> dict[str, Any]:
    """A service that has a place for every client."""
    with (
        TemporaryDirectory() as folder,
        running_service(Path(folder), "--model", run.resolve(), "--queue", clients) as service,
    ):
        start_s = time.perf_counter()
        answers = run_clients(service, jobs, clients, seconds)
        took_s, times_s = time.perf_counter() - start_s, [answer.seconds for answer in answers]
        before_mb = service.memory_mb()
        answers += run_clients(service, jobs, clients, math.inf, math.ceil(requests / clients))
        outcomes = Counter(answer.outcome for answer in answers)
        return {
            "recordings": len(jobs),
            "requests": len(answers),
            "recordings_per_s": len(times_s) / took_s,
            "median_ms": 1000 * statistics.median(times_s),
            "percentile_99_ms": 1000 * float(np.percentile(times_s, 99)),
            "lost": len(answers) - outcomes[RIGHT] - outcomes[MIXED_UP],
            "mixed_up": outcomes[MIXED_UP],
            "memory_mb": [before_mb, service.memory_mb()],
            "files_left": len(service.leftovers),
        }


def fill(run: Path, jobs: Sequence[Job], clients: int) -> dict[str, Any]:
    """A service that has few places."""
    with (
        TemporaryDirectory() as folder,
        running_service(Path(folder), "--model", run.resolve(), "--queue", 4) as service,
    ):
        answers = run_clients(service, jobs, clients, TIMEOUT_S, 4)
        ready = service.get("/health/ready").status_code == 200
        (after,) = run_clients(service, jobs, 1, TIMEOUT_S, 1)
        outcomes = Counter(answer.outcome for answer in answers)
        return {"answers": dict(outcomes), "ready_after": ready, "answer_after": after.outcome}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, help="a folder of sound files")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=2000, help="more requests, for the memory")
    arguments = parser.parse_args()
    paths = recordings([arguments.recordings])
    model, threads = Model.load(arguments.model), os.cpu_count() or 1
    jobs, bare = jobs_of(model, paths[: 4 * arguments.clients]), bare_session(arguments.model)
    batch = np.repeat(model.image(*read_mono(paths[0]))[None], arguments.clients, axis=0)

    def without_service() -> tuple[float, float]:
        seconds = arguments.seconds / 12
        windows = arguments.clients * per_second(lambda: bare(batch), 1, seconds)
        return windows, per_second(lambda: model(paths[0]), threads, seconds)

    before = without_service()
    found = measure(arguments.model, jobs, arguments.clients, arguments.seconds, arguments.requests)
    found["bare_windows_per_s"], found["direct_recordings_per_s"] = zip(before, without_service(), strict=True)
    found["http/direct"] = found["recordings_per_s"] / statistics.mean(found["direct_recordings_per_s"])
    found["full"] = fill(arguments.model, jobs, arguments.clients)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    with command_line():
        main()
