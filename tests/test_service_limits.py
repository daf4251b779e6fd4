"""What the HTTP service refuses: size, length, type, clients without a token; and that it leaves nothing behind."""

import io
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service_process import RunningService, error_of, running_service, wait_until

TOKEN = "not-a-secret"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PLACES = 2
ORIGIN = "https://example.org"


@pytest.fixture(scope="module")
def service(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Up to 0.5 MB, 5 s, one recording at a time and another in the queue, one live stream."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "token").write_text(f"{TOKEN}\n")
    limits = ("--max-mb", 0.5, "--max-seconds", 5, "--threads", 1, "--queue", PLACES - 1, "--max-live", 1)
    access = ("--token-file", folder / "token", "--allow-origin", ORIGIN, "--upload-timeout", 1.5)
    with running_service(folder, "--model", tiny_run, *limits, *access) as service:
        yield service


@pytest.fixture(scope="module")
def recording(voices: Path) -> bytes:
    return min(voices.rglob("*.wav"), key=lambda path: path.stat().st_size).read_bytes()


def sound(seconds: float, rate_hz: int = 4000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(round(seconds * rate_hz), np.int16), rate_hz, format="FLAC")
    return file.getvalue()


def post(service: RunningService, content: Any = None, **keywords: Any) -> httpx.Response:
    headers = BEARER | keywords.pop("headers", {})
    return service.post("/v1/predict", content, headers=headers, **keywords)


def taken(service: RunningService) -> int:
    return int(service.metrics(headers=BEARER)["ser_recordings"])


def test_too_many_bytes(service: RunningService) -> None:
    content = bytes(3_000_000)
    chunks = (content[start : start + 10_000] for start in range(0, len(content), 10_000))  # without Content-Length
    for sent in ({"content": content}, {"content": chunks}, {"files": {"file": ("a.wav", content)}}):
        assert error_of(post(service, **sent), 413) == "expected at most 0.5 MB; cut the recording into parts"
    assert service.leftovers == []


def test_a_small_file_that_decodes_to_hours(service: RunningService) -> None:
    content = sound(2 * 3600)
    assert len(content) < 200_000
    assert error_of(post(service, content), 413).startswith("7200 s of sound; expected at most 5 s")
    assert error_of(post(service, sound(3, 192_000)), 413).startswith("3 s of sound; expected at most 1.25 s")


def test_wrong_contents(service: RunningService, recording: bytes) -> None:
    for kind in ("text/html", "application/json", "image/png"):
        assert error_of(post(service, b"x", headers={"Content-Type": kind}), 415).startswith(f"Content-Type {kind}: ")
    assert error_of(post(service, b"not a sound"), 415).startswith("not a sound file that libsndfile can read")
    assert error_of(post(service, recording[:-100]), 422).startswith("cut short")
    assert error_of(post(service, b""), 422) == "no content; expected a sound file"
    assert error_of(post(service, files={"file": ("a.wav", b"")}), 422) == "no content; expected a sound file"
    two = [("file", ("a.wav", recording)), ("file", ("b.wav", recording))]
    assert error_of(post(service, files=two), 422).startswith("multipart: Too many files")
    assert error_of(post(service, files={"x": (None, "y")}), 422).startswith("multipart without a file")
    assert error_of(post(service, b"x", headers={"Content-Type": "multipart/form-data"}), 422).startswith("multipart")
    assert error_of(post(service, sound(1)), 422).startswith("silence")
    assert error_of(service.post("/v1/predict?top=0", b"x", headers=BEARER), 422).startswith("top: ")
    assert service.leftovers == []


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "C:\\temp\\passwd", "a\x00b", ""])
def test_a_path_as_file_name_is_a_name(service: RunningService, recording: bytes, name: str) -> None:
    found = post(service, files={"file": (name or "/", recording)})
    assert found.status_code == 200
    assert found.json()["file"] in ("passwd", "recording", "a%00b", "a\x00b")
    assert service.leftovers == []


def test_a_slow_client_and_one_that_goes_away(service: RunningService, recording: bytes) -> None:
    with service.begin_upload(recording, TOKEN) as slow:
        wait_until(lambda: taken(service) == 1)
        assert len(service.leftovers) == 1
        answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error":"the upload took longer than 1.5 s"}')
    service.begin_upload(recording, TOKEN).close()
    wait_until(lambda: service.leftovers == [] and taken(service) == 0)
    requests = service.metrics(headers=BEARER)
    assert requests['ser_requests_total{endpoint="/v1/predict",status="499"}'] == 1


def test_a_full_queue_is_503_and_recovers(service: RunningService, recording: bytes) -> None:
    clients = [service.begin_upload(recording, TOKEN) for _ in range(PLACES)]
    wait_until(lambda: taken(service) == PLACES)
    refused = post(service, recording)
    assert error_of(refused, 503).startswith(f"no place for another recording, {PLACES} are being processed")
    assert int(refused.headers["Retry-After"]) > 0
    assert error_of(service.get("/health/ready"), 503) == "the queue is full"
    assert service.get("/health/live").status_code == 200
    for client in clients:
        client.close()
    wait_until(lambda: service.get("/health/ready").status_code == 200)
    assert post(service, recording).status_code == 200


def test_a_token_is_required(service: RunningService, recording: bytes) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for path in ("/v1/predict", "/v1/timeline", "/models/tiny_run"):
            refused = service.post(path, recording, headers=headers)
            assert error_of(refused, 401) == "expected the header Authorization: Bearer TOKEN"
            assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert service.get("/metrics").status_code == 401
    assert service.get("/health/live").status_code == 200
    assert post(service, recording).status_code == 200


def test_pages_of_allowed_origins_only(service: RunningService, recording: bytes) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed, other = (
        httpx.options(f"{service.url}/v1/predict", headers={"Origin": origin} | asked)
        for origin in (ORIGIN, "https://example.com")
    )
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert (other.status_code, other.headers.get("Access-Control-Allow-Origin")) == (400, None)
    assert post(service, recording, headers={"Origin": ORIGIN}).headers["Access-Control-Allow-Origin"] == ORIGIN


def live(service: RunningService, query: str = "", **keywords: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{service.port}/v1/live{query}", **({"additional_headers": BEARER} | keywords))


def test_live_streams_that_are_refused(service: RunningService) -> None:
    elsewhere = BEARER | {"Origin": "https://example.com"}
    refused: list[tuple[int, str, dict[str, Any]]] = [
        (401, "", {"additional_headers": {}}),
        (403, "", {"additional_headers": elsewhere}),
        (422, "?rate_hz=1", {}),
        (422, "?encoding=mp3", {}),
        (422, "?adapt=true", {}),
    ]
    for status, query, keywords in refused:
        with pytest.raises(InvalidStatus) as caught, live(service, query, **keywords):
            pass
        assert caught.value.response.status_code == status
        assert list(json.loads(caught.value.response.body)) == ["error"]
    page: dict[str, Any] = {"additional_headers": {"Origin": ORIGIN}, "subprotocols": ["ser-images", f"bearer.{TOKEN}"]}
    with live(service, **page) as first:
        assert first.subprotocol == "ser-images"
        with pytest.raises(InvalidStatus, match="503"), live(service):
            pass
    wait_until(lambda: service.metrics(headers=BEARER)["ser_live_streams"] == 0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"abc", "a block of 3 bytes, expected whole samples of 2 bytes"),
        ("hello", "expected blocks of samples as binary messages, and the text end after the last one"),
        (None, "no sound within 1.5 s"),
    ],
)
def test_wrong_blocks_end_a_live_stream(service: RunningService, message: bytes | str | None, expected: str) -> None:
    with live(service) as client:
        if message:
            client.send(message)
        assert json.loads(client.recv()) == {"error": expected}
        with pytest.raises(ConnectionClosedError, match="1007"):
            client.recv()
    wait_until(lambda: service.metrics(headers=BEARER)["ser_live_streams"] == 0)


def test_a_stop_answers_what_was_taken(tiny_run: Path, recording: bytes, tmp_path: Path) -> None:
    with running_service(tmp_path, "--model", tiny_run) as service, service.begin_upload(recording, TOKEN) as client:
        wait_until(lambda: service.metrics()["ser_recordings"] == 1)
        with connect(f"ws://127.0.0.1:{service.port}/v1/live") as stream:
            service.process.send_signal(signal.SIGTERM)
            with pytest.raises(Exception, match="1012"):  # service restart
                stream.recv()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.port)).close()
        client.sendall(recording[len(recording) // 2 :])
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
        assert service.process.wait(10) == -signal.SIGTERM
        assert service.errors == []
        assert service.leftovers == []


def test_the_description_is_kept(service: RunningService) -> None:
    """Generated requests get the documented answers, and no error of the service."""
    pytest.importorskip("schemathesis")
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
        "ignored_auth,unsupported_method"
    )
    options = ("--max-examples", "4", "--checks", checks, "--phases", "examples,coverage,fuzzing")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json", *options]
    header = ("--header", f"Authorization: Bearer {TOKEN}", "--generation-database", "none")
    done = subprocess.run([*command, *header], cwd=service.temporary.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "6 selected / 6 total" in done.stdout
