"""Live streams of clients that read no results, or answer no pings."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from service_process import RunningService, running_service, wait_until


@pytest.fixture(scope="module")
def service(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    options = ("--model", tiny_run, "--max-live", 1, "--upload-timeout", 1.5)
    with running_service(tmp_path_factory.mktemp("limits"), *options) as service:
        yield service


def frame(payload: bytes) -> bytes:
    """A binary message of up to 125 bytes, as RFC 6455 has it, with a mask of zeros."""
    return bytes([0x82, 0x80 | len(payload)]) + bytes(4) + payload


def open_stream(service: RunningService, query: str) -> socket.socket:
    """A web socket without a library that reads messages and answers pings by itself."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(("127.0.0.1", service.port))
    key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + 22 * "A"
    head = f"GET /v1/live?{query} HTTP/1.1\r\nHost: x\r\n{key}==\r\n\r\n"
    client.sendall(head.encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
    return client


def send_minutes(client: socket.socket) -> None:
    """An hour of silence at 4 kHz, or until the connection ends."""
    with suppress(OSError):
        for _ in range(60):
            client.sendall(frame(bytes(120)) * 4000)


@pytest.mark.slow
def test_a_client_that_reads_no_results_loses_its_place(service: RunningService) -> None:
    """Its results fill the buffers of the connection; who waited for it would keep its place for ever."""
    with open_stream(service, "hop_s=0.1&rate_hz=4000") as client:
        Thread(target=send_minutes, args=(client,), daemon=True).start()
        wait_until(lambda: service.metrics()["ser_live_streams"] == 1)
        deadline_s = time.monotonic() + 60
        while service.metrics()["ser_live_streams"] and time.monotonic() < deadline_s:
            time.sleep(0.2)
        assert service.metrics()["ser_live_streams"] == 0


@pytest.mark.slow
def test_a_stream_without_pongs_goes_on(service: RunningService) -> None:
    """A client's pong waits behind its sound where that comes faster than it is computed; uvicorn gives it 40 s."""
    with open_stream(service, "rate_hz=4000") as client:
        received, end_s = b"", time.monotonic() + 43
        while time.monotonic() < end_s:
            client.sendall(frame(bytes(124)) * 65)
            received += client.recv(4000)
            time.sleep(0.5)
    assert b"\x89\x04" in received  # a ping
    assert b"keepalive" not in received
