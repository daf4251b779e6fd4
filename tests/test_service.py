"""The HTTP service: each endpoint answers what the command line prints, for one client or many."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.sync.client import connect

from conftest import Command
from ser_images.predict.cli import main
from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.model import Model
from ser_images.predict.service.answers import PredictionAnswer, TimelineAnswer
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from service_process import RunningService, error_of, running_service

RATE_HZ = 16000


@pytest.fixture(scope="module")
def service(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("service"), "--model", tiny_run, "--queue", 100) as service:
        yield service


@pytest.fixture(scope="module")
def recordings(voices: Path) -> list[Path]:
    return sorted(voices.rglob("*.wav"))[::5]


@pytest.fixture(scope="module")
def meeting(recordings: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three voices with pauses."""
    path = tmp_path_factory.mktemp("meeting") / "meeting.flac"
    parts = [np.pad(read_mono(one)[0], (0, 48000)) for one in recordings[:3]]
    soundfile.write(path, np.concatenate(parts), 48000)
    return path


def assert_equal(found: Any, expected: Any) -> None:
    """The same objects, numbers within 1e-4; but not the file, which the client may leave out."""
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert list(found) == list(expected)
        for name in found.keys() - {"file", "latency_ms"}:
            assert_equal(found[name], expected[name])
    elif isinstance(found, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    else:
        assert found == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected)


def printed(command: Command, *arguments: object) -> Any:
    code, out, _ = command(main, *arguments, "--format", "json")
    assert code == 0
    return json.loads(out)


def test_a_prediction_is_that_of_the_command_line(
    service: RunningService, recordings: list[Path], tiny_run: Path, command: Command
) -> None:
    path = recordings[0]
    (expected,) = printed(command, "file", path, "--model", tiny_run)
    raw = service.post("/v1/predict", path.read_bytes(), headers={"Content-Type": "audio/wav"})
    form = service.post("/v1/predict", files={"file": (path.name, path.read_bytes())})
    for response, name in ((raw, "recording"), (form, path.name)):
        assert response.status_code == 200
        assert response.json()["file"] == name
        assert_equal(response.json(), expected)
        PredictionAnswer.model_validate_json(response.text, strict=True)
    assert len(service.post("/v1/predict?top=2", path.read_bytes()).json()["probabilities"]) == 2


def test_a_timeline_is_that_of_the_command_line(
    service: RunningService, meeting: Path, tiny_run: Path, command: Command
) -> None:
    expected = printed(command, "timeline", meeting, "--model", tiny_run, "--hop", 0.5)
    response = service.post("/v1/timeline?hop_s=0.5", meeting.read_bytes())
    assert len(expected["segments"]) >= 3
    assert_equal(response.json(), expected)
    TimelineAnswer.model_validate_json(response.text, strict=True)


def test_concurrent_answers_are_not_mixed_up(
    service: RunningService, recordings: list[Path], tiny_run: Path, command: Command
) -> None:
    expected = printed(command, "file", *recordings, "--model", tiny_run)
    assert len({row["confidence"] for row in expected}) > 20
    with ThreadPoolExecutor(12) as clients:
        for _ in range(2):
            found = clients.map(lambda path: service.post("/v1/predict", path.read_bytes()).json(), recordings)
            assert_equal(list(found), expected)


def test_the_client_of_hugging_face_works_as_it_is(
    service: RunningService, recordings: list[Path], tiny_run: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    client = hub.InferenceClient(model=f"{service.url}/models/{tiny_run.name}")
    expected = Model.load(tiny_run)(recordings[0]).probabilities
    found = client.audio_classification(str(recordings[0]))
    assert {one.label: one.score for one in found} == pytest.approx(expected, abs=1e-4)
    assert [one.label for one in found] == list(expected)
    found = client.audio_classification(recordings[0].read_bytes(), top_k=2)
    assert [one.label for one in found] == list(expected)[:2]
    assert error_of(service.post("/models/other", b"x"), 404).endswith(f"this service has /models/{tiny_run.name}")
    wrong = service.post(f"/models/{tiny_run.name}", headers={"Content-Type": "application/json"}, content=b"[]")
    assert error_of(wrong, 422).startswith('expected {"inputs": BASE64')


@pytest.mark.parametrize(("encoding", "dtype"), [("s16le", "<i2"), ("f32le", "<f4")])
def test_live_results_are_those_of_the_same_blocks(
    service: RunningService, meeting: Path, tiny_run: Path, encoding: str, dtype: str
) -> None:
    samples, rate_hz = read_mono(meeting)
    content = samples if dtype == "<f4" else np.round(samples * 32767).astype(dtype)
    blocks = [content[start : start + 7000] for start in range(0, content.size, 7000)]
    address = f"ws://127.0.0.1:{service.port}/v1/live?rate_hz={rate_hz}&encoding={encoding}"
    with connect(address) as socket:
        for block in blocks:
            socket.send(block.tobytes())
        socket.send("end")
        found = [json.loads(line) for line in socket]
    model = Model.load(tiny_run)
    heights: list[Samples] = [block if dtype == "<f4" else (block / 32768).astype(np.float32) for block in blocks]
    expected = [one.to_dict(model, 0) for one in LiveStream(model, rate_hz).results(heights)]
    assert sum(len(one["segments"]) for one in expected) >= 3
    assert_equal(found, expected)


def test_sound_without_speech(service: RunningService, tone: Samples, tiny_run: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone, RATE_HZ)
    content = (tmp_path / "tone.wav").read_bytes()
    assert service.post("/v1/predict", content).json()["label"] == "no speech"
    assert service.post(f"/models/{tiny_run.name}", content).json() == [{"label": "no speech", "score": 1.0}]
    assert service.post("/v1/timeline", content).json()["segments"] == []


def test_health_metrics_and_the_way_to_the_documentation(service: RunningService, recordings: list[Path]) -> None:
    assert service.get("/health/live").json() == {"status": "live"}
    assert service.get("/health/ready").json() == {"status": "ready"}
    assert "swagger" in service.get("/docs").text
    before = service.metrics()
    service.post("/v1/predict", recordings[0].read_bytes())
    after = service.metrics()
    for name in (
        'ser_requests_total{endpoint="/v1/predict",status="200"}',
        'ser_request_seconds_count{endpoint="/v1/predict"}',
        "ser_windows_total",
        "ser_batches_total",
    ):
        assert after[name] == before.get(name, 0) + 1
    assert (after["ser_queue_length"], after["ser_recordings"], after["ser_live_streams"]) == (0, 0, 0)
    assert service.leftovers == []
