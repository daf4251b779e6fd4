"""Short runs of what tests/soak/live.py does for hours."""

import fcntl
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from long_stream import LongStream
from microphone_session import MicrophoneSession, Unplugged
from ser_images.predict.live.live_stream import LiveResult
from ser_images.predict.live.summary import Summary
from ser_images.predict.model import Model
from ser_images.predict.prediction import Prediction
from virtual_microphone import Sound, needs_virtual_microphone, virtual_microphone

PIPE_BYTES, SET_PIPE_SIZE = 4096, 1031
"""A pipe that a few results fill, and Linux' F_SETPIPE_SZ."""


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[Sound]:
    with virtual_microphone(tmp_path) as sound:
        yield sound


@pytest.mark.slow
@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_each_word_is_one_segment_at_its_time(tiny_run: Path, rate_hz: int) -> None:
    found = LongStream(Model.load(tiny_run), rate_hz).run(hours=0.02)
    assert found["results"] == found["results_expected"] == 144
    assert found["results_misplaced"] == found["missed"] == found["extra"] == 0
    assert found["words"] >= 10
    for name in ("start_ms", "end_ms"):
        assert -20 < found[name]["min"] <= found[name]["max"] < 20


def test_a_summary_of_days_is_small() -> None:
    prediction, summary = Prediction(("a", "b"), np.array([0.75, 0.25], np.float32)), Summary(duration_s=3600)
    results = [LiveResult(0, 3, -20, prediction, prediction, 10 + number % 20 / 2) for number in range(200)]
    for result in results:
        summary.add(result)
    before = sys.getallocatedblocks()
    for _ in range(100):
        for result in results:
            summary.add(result)
    assert sys.getallocatedblocks() - before < 200
    expected = "speech in 20200 of 20200 windows: a 20200; latency 14 ms, 95 % within 19 ms; 0 blocks dropped"
    assert summary.text() == f"3600.0 s of sound, {expected}"


@pytest.mark.slow
@needs_virtual_microphone
def test_a_microphone_that_is_back_is_used_again(sound: Sound, tmp_path: Path, tiny_run: Path) -> None:
    session = MicrophoneSession(sound, tmp_path, "--model", tiny_run)
    session.run(24, [Unplugged(8, 3)])
    found = session.found(24)
    assert found["exit_code"] == 0
    assert found["reported"][0] == "warning: default: no sound comes any more; waiting 60 s for it"
    assert found["reported"][1].startswith("warning: default: back; silence stands in for ")
    away_s = float(found["reported"][1].split()[-2])
    assert found["dropped"] == pytest.approx(away_s / 0.05, abs=3)
    assert found["reported"][-1].endswith(f"; {found['dropped']} blocks dropped")
    assert found["results"] == found["results_expected"]
    assert found["results_in_order"]
    assert found["words_found"] >= 2
    assert found["segments"] - found["words_found"] <= 2  # one fault cuts two words
    assert max(map(abs, found["label_minus_sound_ms"].values())) < 20
    assert abs(found["clock_ms"]) < 300


@pytest.mark.slow
@needs_virtual_microphone
def test_sound_that_found_no_place_is_told(sound: Sound, tiny_run: Path) -> None:
    """Nobody reads the results for longer than the queue lasts: 20 s."""
    live = sound.start("live", "--model", tiny_run, "--jsonl", "--hop", 0.1, "--seconds", 30)
    assert live.stdout
    fcntl.fcntl(live.stdout, SET_PIPE_SIZE, PIPE_BYTES)
    first = json.loads(live.stdout.readline())
    began_s = time.perf_counter()
    time.sleep(27)
    out, error = live.communicate(timeout=60)
    took_s = time.perf_counter() - began_s
    results = [json.loads(line) for line in out.splitlines()]
    assert live.returncode == 0
    lost_s = float(error.split(" s of sound were lost, because this program could not keep up")[0].split()[-1])
    assert results[-1]["dropped"] == pytest.approx(lost_s / 0.05, abs=2)
    assert results[-1]["dropped"] > 20
    assert results[-1]["end_s"] - first["end_s"] == pytest.approx(took_s, abs=1.5)
