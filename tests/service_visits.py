"""Visits to a service: requests with known answers, live streams, clients that go away, requests that are refused.

visits = Visits(service, model, folder)
outcomes = visits.one("live", rng)
"""

import io
import json
import math
import socket
from collections.abc import Sequence
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
import soundfile
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from known_words import Talk, words
from ser_images.predict.adaptation.choice import choose_adaptation
from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.model import Model
from ser_images.predict.output.segment_formats import timeline_object
from ser_images.spectrogram_gen.sound_file import Samples
from service_load import LOST, MIXED_UP, RIGHT, Job, jobs_of, same, send
from service_process import RunningService

RATE_HZ = 16000
FULL, GONE = "503", "gone"
TIMELINES_S, STREAMS_S = (20, 60, 300), (8, 15, 25)
"""Lengths of the recordings and of the live streams."""
TIMEOUT_S = 600.0
"""Of a client: long, because other programs may use this machine, too."""
_BLOCK = 1601


class Stream(NamedTuple):
    """Blocks of a live stream, and the results that it must have."""

    blocks: list[bytes]
    expected: list[dict[str, Any]]


class Refused(NamedTuple):
    """A request and the status of its answer."""

    path: str
    content: bytes
    kind: str
    status: int


class Visits:
    """What clients do.

    Args:
        model: the one that is served; it makes the expected answers beforehand.
        folder: where recordings are written.
    """

    def __init__(self, service: RunningService, model: Model, folder: Path) -> None:
        self._service = service
        self._jobs = jobs_of(model, [_write(folder / f"{n}.wav", word) for n, word in enumerate(words(RATE_HZ))])
        self._timelines = [_timeline(model, seconds, folder) for seconds in TIMELINES_S]
        self._streams = [_stream(model, seconds) for seconds in STREAMS_S]
        self._refused = _refused(self._jobs[0].content)
        self.kinds = {
            "predict": self._predict, "timeline": self._ask_timeline, "live": self._live, "gone": self._go_away,
            "wrong": self._ask_wrongly,
        }  # fmt: skip

    def one(self, kind: str, rng: np.random.Generator) -> list[str]:
        """A visit of this kind; returns the outcome of each of its requests."""
        return self.kinds[kind](rng)

    def _predict(self, rng: np.random.Generator) -> list[str]:
        start = int(rng.integers(len(self._jobs)))
        jobs = islice(cycle(self._jobs), start, start + 3)
        return [answer.outcome for answer in send(self._service, jobs, math.inf, TIMEOUT_S)]

    def _ask_timeline(self, rng: np.random.Generator) -> list[str]:
        job = self._timelines[int(rng.choice(len(TIMELINES_S), p=(0.5, 0.4, 0.1)))]
        return [answer.outcome for answer in send(self._service, iter([job]), math.inf, TIMEOUT_S)]

    def _live(self, rng: np.random.Generator) -> list[str]:
        stream = self._streams[int(rng.integers(len(self._streams)))]
        try:
            with self._connect() as client:
                sender = Thread(target=_send_all, args=(client, stream.blocks))
                sender.start()
                found = [_without_latency(json.loads(one)) for one in client]
                sender.join()
        except InvalidStatus as error:
            return [str(error.response.status_code)]
        except (OSError, WebSocketException):
            return [LOST]
        return [RIGHT if same(found, stream.expected) else MIXED_UP]

    def _go_away(self, rng: np.random.Generator) -> list[str]:
        """In the middle of an upload, before the answer, or in the middle of a live stream."""
        content = self._jobs[0].content
        way = int(rng.integers(3))
        if way == 0:
            self._service.begin_upload(content).close()
        elif way == 1:
            client = HTTPConnection("127.0.0.1", self._service.port, timeout=TIMEOUT_S)
            client.request("POST", "/v1/predict", content)
            client.close()
        else:
            return self._leave_stream()
        return [GONE]

    def _leave_stream(self) -> list[str]:
        try:
            client = self._connect()
        except InvalidStatus as error:
            return [str(error.response.status_code)]
        for block in self._streams[0].blocks[:20]:
            client.send(block)
        client.socket.shutdown(socket.SHUT_RDWR)
        client.close()
        return [GONE]

    def _ask_wrongly(self, rng: np.random.Generator) -> list[str]:
        wrong = self._refused[int(rng.integers(len(self._refused)))]
        connection = HTTPConnection("127.0.0.1", self._service.port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", wrong.path, wrong.content, {"Content-Type": wrong.kind})
            response = connection.getresponse()
            shaped = list(json.loads(response.read())) == ["error"]
        except OSError:
            return [LOST]
        finally:
            connection.close()
        right = response.status == wrong.status and shaped
        return [RIGHT if right else str(response.status)]

    def _connect(self) -> ClientConnection:
        """A live stream; its sound comes faster than it is computed, and pings wait behind it."""
        address = f"ws://127.0.0.1:{self._service.port}/v1/live?rate_hz={RATE_HZ}"
        return connect(address, open_timeout=TIMEOUT_S, ping_timeout=None)


def _send_all(client: ClientConnection, blocks: Sequence[bytes]) -> None:
    for block in blocks:
        client.send(block)
    client.send("end")


def _write(path: Path, samples: Samples) -> Path:
    soundfile.write(path, samples, RATE_HZ)
    return path


def _talk(seconds: int) -> Samples:
    return np.concatenate([*Talk(words(RATE_HZ), RATE_HZ, seed=seconds).blocks(seconds)])


def _timeline(model: Model, seconds: int, folder: Path) -> Job:
    path = _write(folder / f"{seconds}.flac", _talk(seconds))
    expected = timeline_object(model.timeline(path), path, model.bundle)
    del expected["file"]
    return Job(path.read_bytes(), expected, "/v1/timeline")


def _stream(model: Model, seconds: int) -> Stream:
    samples = np.round(_talk(seconds) * 32767).astype("<i2")
    blocks = [samples[start : start + _BLOCK] for start in range(0, samples.size, _BLOCK)]
    stream = LiveStream(model, RATE_HZ, adaptation=choose_adaptation(model))
    results = stream.results((block / 32768).astype(np.float32) for block in blocks)
    expected = [_without_latency(result.to_dict(model, 0)) for result in results]
    return Stream([block.tobytes() for block in blocks], expected)


def _without_latency(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "latency_ms"}


def _refused(recording: bytes) -> list[Refused]:
    silence, hours = _flac(np.zeros(RATE_HZ, np.float32)), _flac(np.zeros(4 * 3600 * 1000, np.float32), 4000)
    raw = "application/octet-stream"
    return [
        Refused("/v1/predict", b"not a sound", raw, 415),
        Refused("/v1/predict", recording, "text/html", 415),
        Refused("/v1/predict", recording[:-100], raw, 422),
        Refused("/v1/predict", silence, raw, 422),
        Refused("/v1/predict", b"", raw, 422),
        Refused("/v1/predict", hours, raw, 413),
        Refused("/v1/predict?top=0", recording, raw, 422),
        Refused("/v1/timeline?hop_s=99", recording, raw, 422),
        Refused("/models/other", recording, raw, 404),
    ]


def _flac(samples: Samples, rate_hz: int = RATE_HZ) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="FLAC")
    return file.getvalue()
