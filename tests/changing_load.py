"""A service under changing load: so many clients for a while, then others; and what it holds whenever it rests.

load = ChangingLoad(service, model, folder)
states = [load.phase(clients, seconds=30) for clients in (3, 50, 10)]
load.report()  # what each kind of visit saw, how often
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from process_state import threads
from ser_images.predict.model import Model
from service_process import RunningService
from service_visits import FULL, Visits

SHARES = {"predict": 0.70, "timeline": 0.05, "live": 0.09, "gone": 0.08, "wrong": 0.08}
"""Kinds of visits, and how often each is drawn."""
_FULL_PAUSE_S, _REST_S = 2.0, 120.0

Outcomes = Counter[tuple[str, str]]


@dataclass(frozen=True)
class State:
    """What the service holds while nobody asks anything."""

    clients: int
    memory_mb: float
    threads: int
    open_files: int
    files_left: int


class ChangingLoad:
    """Clients that come and go.

    Args:
        service, model, folder: as of `Visits`.
        pause_s: mean of the pauses between the visits of a client.
    """

    def __init__(self, service: RunningService, model: Model, folder: Path, pause_s: float, seed: int = 0) -> None:
        self._service, self._visits = service, Visits(service, model, folder)
        self._pause_s, self._seed = pause_s, seed
        self.outcomes: Outcomes = Counter()

    def phase(self, clients: int, seconds: float) -> State:
        """So many clients at once for so long; returns the state of the service once it rests again."""
        end_s, self._seed = time.perf_counter() + seconds, self._seed + 1
        rngs = [np.random.default_rng((self._seed, number)) for number in range(clients)]
        with ThreadPoolExecutor(clients) as pool:
            for found in pool.map(lambda rng: self._client(rng, end_s), rngs):
                self.outcomes += found
        return self._rest(clients)

    def report(self) -> dict[str, dict[str, int]]:
        """How often each kind of visit had each outcome."""
        return {kind: {one: n for (of, one), n in sorted(self.outcomes.items()) if of == kind} for kind in SHARES}

    def count(self, *outcomes: str) -> int:
        """How many requests of any kind had one of these outcomes; without any, how many there were."""
        return sum(n for (_, outcome), n in self.outcomes.items() if not outcomes or outcome in outcomes)

    def _client(self, rng: np.random.Generator, end_s: float) -> Outcomes:
        found: Outcomes = Counter()
        while time.perf_counter() < end_s:
            kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
            outcomes = self._visits.one(kind, rng)
            found.update((kind, outcome) for outcome in outcomes)
            time.sleep(_FULL_PAUSE_S if FULL in outcomes else rng.exponential(self._pause_s))
        return found

    def _rest(self, clients: int) -> State:
        """Wait until nothing is processed any more, and the connections of the clients are closed."""
        end_s = time.perf_counter() + _REST_S
        while self._busy() and time.perf_counter() < end_s:
            time.sleep(0.5)
        time.sleep(1)
        service = self._service
        return State(
            clients, service.memory_mb(), threads(service.process.pid), service.open_files, len(service.leftovers)
        )

    def _busy(self) -> bool:
        metrics = self._service.metrics()
        return bool(metrics["ser_recordings"] or metrics["ser_live_streams"])
