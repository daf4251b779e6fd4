"""Live streams of clients that read no results, or answer no pings."""

import socket
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from anyio import fail_after, run, sleep_forever
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.model import Model
from ser_images.predict.service.live import _send, live
from ser_images.predict.service.settings import ServiceSettings
from service_process import RunningService, running_service


@pytest.fixture(scope="module")
def service(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    options = ("--model", tiny_run, "--max-live", 1, "--upload-timeout", 1.5)
    with running_service(tmp_path_factory.mktemp("limits"), *options) as service:
        yield service


def frame(payload: bytes) -> bytes:
    """A binary message of 126 to 65,535 bytes, as RFC 6455 has it, with a mask of zeros."""
    return b"\x82\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload


def open_stream(service: RunningService, query: str) -> socket.socket:
    """A web socket without a library that reads messages and answers pings by itself."""
    client = socket.socket()
    client.settimeout(30)
    client.connect(("127.0.0.1", service.port))
    key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + 22 * "A"
    head = f"GET /v1/live?{query} HTTP/1.1\r\nHost: x\r\n{key}==\r\n\r\n"
    client.sendall(head.encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
    return client


def test_a_refused_stream_prints_nothing(service: RunningService) -> None:
    url = f"ws://127.0.0.1:{service.port}/v1/live"
    with connect(f"{url}?rate_hz=16000"):
        for query, status in (("rate_hz=16000", 503), ("rate_hz=none", 422)):
            with pytest.raises(InvalidStatus) as refused:
                connect(f"{url}?{query}")
            assert refused.value.response.status_code == status
    assert service.errors == []


def test_results_that_nobody_reads_end_a_stream(tiny_run: Path) -> None:
    """The buffers of a connection hold 4 MB, a minute of computing; so here it is one that takes nothing."""

    async def send_text(_: str) -> None:
        await sleep_forever()

    model = Model.load(tiny_run)
    results = list(LiveStream(model, 16000).feed(np.zeros(16000, np.float32)))
    websocket: Any = SimpleNamespace(send_text=send_text)
    service: Any = SimpleNamespace(settings=ServiceSettings(upload_timeout_s=0.1), model=model)
    assert len(results) == 2
    with pytest.raises(TimeoutError):
        run(_send, websocket, service, results)


def test_an_error_that_nobody_reads_ends_a_stream(tiny_run: Path) -> None:
    async def accept(_: object) -> None: ...

    async def receive() -> dict[str, str]:
        return {"type": "websocket.receive", "text": "no sound"}

    async def send_json(_: object) -> None:
        await sleep_forever()

    websocket: Any = SimpleNamespace(accept=accept, receive=receive, send_json=send_json, scope={"subprotocols": []})
    streams = SimpleNamespace(place=nullcontext)
    service: Any = SimpleNamespace(
        settings=ServiceSettings(upload_timeout_s=0.1), model=Model.load(tiny_run), streams=streams
    )

    async def stream() -> None:
        with fail_after(5):
            await live(websocket, service, 16000, "s16le", None, 0.5, None)

    run(stream)


@pytest.mark.slow
def test_a_stream_without_pongs_goes_on(service: RunningService) -> None:
    """A client's pong waits behind its sound where that comes faster than it is computed; uvicorn gives it 40 s."""
    with open_stream(service, "rate_hz=4000") as client:
        received, end_s = b"", time.monotonic() + 43
        while time.monotonic() < end_s:
            client.sendall(frame(bytes(4000)))
            received += client.recv(4000)
            time.sleep(0.5)
    assert b"\x89\x04" in received  # a ping
    assert b"keepalive" not in received
