"""An hour of changing load on a service: each answer checked, and what the service holds after each phase.

    python tests/soak/service.py [--minutes 60] [--model RUN] [--clients 3 50 10 30 5] [--phase-s 60] [--pause-s 0.3]

Clients send recordings, long ones for their timeline, live streams, and requests that must be refused; some go away in
the middle. The service is a process of its own, with the places that it has by default, so a part of the requests of 50
clients is answered by 503, after which a client waits for 2 s.

Prints one JSON object; exits with 1 where a promise is broken:

- no answer is lost, none is another client's, each refusal is the expected one, and none is an error of the service;
- no temporary file is left after a phase, and nothing is printed;
- memory, threads and open files are flat: the median of the last quarter of the phases is above that of the second
  quarter by at most 8 MB, 1 thread and no file.
"""

import argparse
import json
import sys
import time
from dataclasses import astuple, fields
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ser_images.data.common.command_line import command_line
from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.model import Model

sys.path.append(str(Path(__file__).parents[1]))
from changing_load import ChangingLoad, State
from process_state import growth
from service_load import RIGHT
from service_process import RunningService, running_service
from service_visits import FULL, GONE

MAX_GROWTH = {"memory_mb": 8.0, "threads": 1.0, "open_files": 0.0, "files_left": 0.0}


def under_load(service: RunningService, load: ChangingLoad, clients: list[int], phase_s: float, minutes: float) -> Any:
    """The states after each phase, and what was answered."""
    end_s, states = time.perf_counter() + 60 * minutes, list[State]()
    for number in cycle(clients):
        states.append(load.phase(number, phase_s))
        print(states[-1], load.report(), file=sys.stderr, flush=True)
        if time.perf_counter() >= end_s and len(states) >= 4:
            break
    by_name = dict(zip((field.name for field in fields(State)), zip(*map(astuple, states), strict=True), strict=True))
    errors = sum(n for name, n in service.metrics().items() if 'status="500"' in name)
    requests = load.count()
    return {
        "minutes": minutes,
        "phases": len(states),
        "requests": requests,
        "refused_because_full": load.count(FULL),
        "wrong": requests - load.count(RIGHT, FULL, GONE),
        "errors_of_the_service": errors,
        "printed": service.errors[:100],
        "outcomes": load.report(),
        "growth": {name: growth(by_name[name]) for name in MAX_GROWTH},
        "most_files_left": max(by_name["files_left"]),
        "states": by_name,
    }


def is_kept(found: dict[str, Any]) -> bool:
    """Whether every promise is kept."""
    flat = all(found["growth"][name] <= most for name, most in MAX_GROWTH.items())
    return flat and not any(found[name] for name in ("wrong", "errors_of_the_service", "most_files_left", "printed"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--clients", type=int, nargs="+", default=[3, 50, 10, 30, 5])
    parser.add_argument("--phase-s", type=float, default=60)
    parser.add_argument("--pause-s", type=float, default=0.3, help="mean pause between the visits of a client")
    arguments = parser.parse_args()
    model = Model.load(arguments.model)
    with TemporaryDirectory() as folder, running_service(Path(folder), "--model", arguments.model) as service:
        load = ChangingLoad(service, model, Path(folder), arguments.pause_s)
        found = under_load(service, load, arguments.clients, arguments.phase_s, arguments.minutes)
    print(json.dumps(found, indent=2))
    sys.exit(not is_kept(found))


if __name__ == "__main__":
    with command_line():
        main()
