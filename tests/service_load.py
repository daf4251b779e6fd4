"""Clients of a service that know what it must answer: each sends recordings in turn and checks each answer.

answers = run_clients(service, jobs_of(model, paths), clients=50, seconds=60)
"""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from ser_images.data.common.errors import UserError
from ser_images.predict.model import Model
from service_process import RunningService

MAX_DIFFERENCE = 1e-3
TIMEOUT_S = 60.0
RIGHT, MIXED_UP, LOST = "right", "mixed up", "lost"


@dataclass(frozen=True)
class Job:
    """A recording and what its answer must contain, which no other recording shares.

    Attributes:
        expected: keys of the answer and their values.
    """

    content: bytes
    expected: dict[str, Any]
    path: str = "/v1/predict"

    def is_answered_by(self, answer: dict[str, Any]) -> bool:
        return all(same(answer.get(name), value) for name, value in self.expected.items())


class Answer(NamedTuple):
    """What a client saw: `right`, `mixed up`, `lost`, or another status than 200; and when."""

    outcome: str
    seconds: float


def same(found: Any, expected: Any) -> bool:
    """Whether two JSON values are equal, numbers within `MAX_DIFFERENCE`."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected) < MAX_DIFFERENCE
    return bool(found == expected)


def jobs_of(model: Model, paths: Sequence[Path]) -> list[Job]:
    """Recordings whose predictions differ from each other; raises UserError where there are fewer than two."""
    found: dict[tuple[float, ...], Job] = {}
    for path in paths:
        prediction = model(path)
        if prediction.speech:
            job = Job(path.read_bytes(), {"probabilities": prediction.probabilities})
            found.setdefault(tuple(round(value, 2) for value in prediction.values.tolist()), job)
    if len(found) < 2:
        raise UserError(f"{paths[0]} …: {len(found)} different predictions, expected recordings with at least two")
    return list(found.values())


def post(connection: HTTPConnection, job: Job) -> str:
    """Send a recording; returns `right`, `mixed up`, `lost`, or another status than 200."""
    try:
        connection.request("POST", job.path, job.content)
        response = connection.getresponse()
        content = response.read()
    except (OSError, HTTPException):
        connection.close()
        return LOST
    if response.status != 200:
        return str(response.status)
    return RIGHT if job.is_answered_by(json.loads(content)) else MIXED_UP


def send(service: RunningService, jobs: Iterator[Job], end_s: float, timeout_s: float = TIMEOUT_S) -> list[Answer]:
    """One client: a recording after the other until the time is over, or there are no more."""
    connection, answers = HTTPConnection("127.0.0.1", service.port, timeout=timeout_s), []
    for job in jobs:
        start_s = time.perf_counter()
        if start_s > end_s:
            break
        answers.append(Answer(post(connection, job), time.perf_counter() - start_s))
    return answers


def run_clients(
    service: RunningService, jobs: Sequence[Job], clients: int, seconds: float, each: int | None = None
) -> list[Answer]:
    """All answers to several clients, each of which begins with another recording and sends `each`, or without end."""
    end_s = time.perf_counter() + seconds
    starts = [islice(cycle(jobs), number, None if each is None else number + each) for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        answers = pool.map(lambda start: send(service, start, end_s), starts)
        return [answer for several in answers for answer in several]
