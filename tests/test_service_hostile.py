"""Clients that mean harm, or are broken: huge uploads, a thousand sockets, heads that never end. Linux only: /proc."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import pytest
from websockets.sync.client import connect

from service_process import RunningService, running_service, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads memory and open files from /proc"),
]
MB = 1_000_000
PLACES = 5
SOCKETS = 1000


@pytest.fixture(scope="module")
def service(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Uploads of up to 64 MB, as by default, in few places."""
    folder = tmp_path_factory.mktemp("hostile")
    with running_service(folder, "--model", tiny_run, "--threads", 1, "--queue", PLACES - 1) as service:
        yield service


@pytest.fixture(scope="module")
def recording(voices: Path) -> bytes:
    return min(voices.rglob("*.wav"), key=lambda path: path.stat().st_size).read_bytes()


def connection(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def send(service: RunningService, head: str, parts: Iterator[bytes]) -> bytes:
    """The answer to a request that is sent until the service closes the connection."""
    with connection(service) as client:
        try:
            client.sendall(f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n\r\n".encode())
            for part in parts:
                client.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        with client.makefile("rb") as file:
            return file.read()


def test_100_mb_are_neither_held_nor_kept(service: RunningService) -> None:
    before_mb = service.memory_mb("VmHWM")
    mb = bytes(MB)
    answer = send(service, f"Content-Length: {100 * MB}", iter([mb] * 100))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b'{"error":"expected at most 64 MB; cut the recording into parts"}')
    chunks = (f"{MB:x}\r\n".encode() + mb + b"\r\n" for _ in range(100))
    assert send(service, "Transfer-Encoding: chunked", chunks).startswith(b"HTTP/1.1 413 ")
    assert send(service, f"Content-Length: {60 * MB}", iter([mb] * 60)).startswith(b"HTTP/1.1 415 ")
    assert service.leftovers == []
    assert service.memory_mb("VmHWM") - before_mb < 16


def test_a_thousand_idle_sockets_leave_room_for_a_request(service: RunningService, recording: bytes) -> None:
    before = service.open_files
    with ExitStack() as stack:
        clients = [stack.enter_context(connection(service)) for _ in range(SOCKETS)]
        for client in clients[::2]:
            client.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: ")
        assert service.post("/v1/predict", recording).status_code == 200
        assert service.open_files > before + SOCKETS // 2
    wait_until(lambda: service.open_files <= before + 1)


def test_a_head_that_never_ends_is_cut_off(service: RunningService) -> None:
    """And a connection that sends nothing: both within some seconds, although bytes keep coming."""
    with connection(service) as idle, connection(service) as slow:
        start = time.monotonic()
        slow.sendall(b"GET /health/live HTTP/1.1\r\n")
        slow.settimeout(0.5)
        ended = False
        while not ended and time.monotonic() < start + 15:
            try:
                slow.sendall(b"X-Header: more\r\n")
                ended = slow.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended
        assert idle.recv(1) == b""
        assert 3 < time.monotonic() - start < 10


def test_slow_clients_that_do_nothing_wrong_are_not_cut_off(service: RunningService, recording: bytes) -> None:
    """A connection that is used again, an upload that goes on longer than a head may, and a live stream."""
    client = HTTPConnection("127.0.0.1", service.port)
    with closing(client), connect(f"ws://127.0.0.1:{service.port}/v1/live") as live:
        client.request("GET", "/health/live")
        assert client.getresponse().read() == b'{"status":"live"}'
        time.sleep(2)
        client.putrequest("POST", "/v1/predict")
        client.putheader("Content-Length", str(len(recording)))
        client.endheaders()
        client.send(recording[:1000])
        time.sleep(6)
        client.send(recording[1000:])
        assert client.getresponse().status == 200
        live.send("end")
        assert list(live) == []


def test_a_thousand_uploads_at_once_are_taken_or_refused(service: RunningService, recording: bytes) -> None:
    refused = 0
    with ExitStack() as stack, DefaultSelector() as answered:
        for _ in range(SOCKETS):
            answered.register(stack.enter_context(service.begin_upload(recording)), EVENT_READ)
        while refused < SOCKETS - PLACES:
            ready = answered.select(timeout=20)
            assert ready, f"{refused} of {SOCKETS} were refused"
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                assert key.fileobj.recv(1000).startswith(b"HTTP/1.1 503 ")
                answered.unregister(key.fileobj)
            refused += len(ready)
        assert answered.select(timeout=0.5) == []
        assert len(service.leftovers) == PLACES
    wait_until(lambda: service.get("/health/ready").status_code == 200 and service.leftovers == [])
    assert service.post("/v1/predict", recording).status_code == 200
