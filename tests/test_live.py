"""The live microphone: PortAudio on a virtual PulseAudio microphone, into which known recordings are played."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Command
from ser_images.data.common.errors import UserError
from ser_images.data.labels import EMOTIONS
from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.live.session import recording
from ser_images.predict.model import Model
from ser_images.spectrogram_gen.audio import trim
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from virtual_microphone import RATE_HZ, Sound, needs_virtual_microphone, virtual_microphone

pytestmark = needs_virtual_microphone


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sound]:
    with virtual_microphone(tmp_path_factory.mktemp("sound")) as sound:
        yield sound


@pytest.fixture(scope="module")
def three(voices: Path) -> Samples:
    """Three voices with a quiet room between them."""
    rng = np.random.default_rng(0)
    parts = []
    for name in ("03-01-05-02-01-01-01", "03-01-04-01-02-01-02", "03-01-03-02-01-01-03"):
        room = rng.normal(0, 1e-4, 2 * RATE_HZ).astype(np.float32)
        parts += [room, trim(read_mono(voices / f"Actor_{name[-2:]}" / f"{name}.wav")[0], RATE_HZ, 25)]
    return np.concatenate([*parts, rng.normal(0, 1e-4, 3 * RATE_HZ).astype(np.float32)])


@pytest.mark.slow
def test_live_labels_are_those_of_the_recorded_sound(
    sound: Sound, three: Samples, tiny_run: Path, tmp_path: Path
) -> None:
    record = tmp_path / "record.wav"
    live = sound.start("live", "--model", tiny_run, "--jsonl", "--record", record, "--seconds", 13)
    sound.wait_for_a_recorder()
    sound.play(three)
    out, error = live.communicate(timeout=60)
    assert live.returncode == 0, error
    windows = [json.loads(line) for line in out.splitlines()]
    spoken = [window for window in windows if window["speech"]]
    assert 12 <= len(spoken) < len(windows)
    assert [window["end_s"] for window in windows] == pytest.approx(0.5 * np.arange(1, len(windows) + 1))
    assert all(window["start_s"] == max(0, window["end_s"] - 3) for window in windows if not window["speech"])
    assert all(max(0, window["end_s"] - 3) <= window["start_s"] < window["end_s"] for window in spoken)

    samples, rate_hz = read_mono(record)
    assert rate_hz == RATE_HZ or rate_hz == 44100
    model = Model.load(tiny_run)
    for window in spoken:
        window_samples = samples[round(window["start_s"] * rate_hz) : round(window["end_s"] * rate_hz)]
        prediction = model(window_samples, rate_hz)
        assert window["label"] == prediction.label
        assert window["confidence"] == pytest.approx(prediction.confidence, abs=1e-3)
        assert (window["model"], window["spec"]) == (model.bundle.model_id, model.spec.hash)
        assert window["license"] == ""
    segments = [segment for window in windows for segment in window["segments"]]
    expected = list(model.timeline(record))
    assert len(expected) == 3
    assert [segment["label"] for segment in segments] == [segment.label for segment in expected]
    for name in ("start_s", "end_s", "confidence"):
        values = [getattr(segment, name) for segment in expected]
        assert [segment[name] for segment in segments] == pytest.approx(values, abs=1e-3)
    assert windows[-1]["dropped"] == 0
    assert "s of sound, speech in" in error
    assert error.rstrip().endswith("; 0 blocks dropped")


@pytest.mark.slow
def test_one_utterance(sound: Sound, voices: Path, tiny_run: Path, tmp_path: Path) -> None:
    samples, _ = read_mono(next(voices.rglob("*.wav")))
    record = tmp_path / "once.wav"
    live = sound.start("live", "--model", tiny_run, "--once", "--jsonl", "--record", record, "--seconds", 30)
    sound.wait_for_a_recorder()
    sound.play(np.concatenate([np.full(RATE_HZ, 1e-5, np.float32), samples, np.full(2 * RATE_HZ, 1e-5, np.float32)]))
    out, error = live.communicate(timeout=60)
    assert live.returncode == 0, error
    (prediction,) = [json.loads(line) for line in out.splitlines()]
    assert prediction["label"] == Model.load(tiny_run)(record).label


@pytest.mark.slow
def test_lines_without_a_terminal_and_ctrl_c(sound: Sound, three: Samples, tiny_run: Path) -> None:
    live = sound.start("live", "--model", tiny_run)
    sound.wait_for_a_recorder()
    sound.play(three[: 5 * RATE_HZ])
    live.send_signal(signal.SIGINT)
    out, error = live.communicate(timeout=30)
    assert live.returncode == 0
    assert out.split()[2] in EMOTIONS
    assert "s of sound, speech in" in error


def test_devices(sound: Sound) -> None:
    out, error = sound.start("devices").communicate(timeout=30)
    assert error == ""
    assert any(line.startswith("*") for line in out.splitlines())
    assert all(line.endswith(" Hz") for line in out.splitlines())


def test_a_device_that_is_not_there(sound: Sound, tiny_run: Path) -> None:
    for device in ("99", "no such microphone"):
        live = sound.start("live", "--model", tiny_run, "--device", device)
        out, error = live.communicate(timeout=30)
        assert (live.returncode, out, error.count("\n")) == (2, "", 1)
        assert error.startswith(f"error: --device {device}: no such input")


@pytest.mark.slow
def test_a_muted_microphone_is_a_warning(sound: Sound, tiny_run: Path) -> None:
    sound.pactl("set-source-mute", "vmic.monitor", "1")
    live = sound.start("live", "--model", tiny_run, "--jsonl", "--seconds", 3)
    _, error = live.communicate(timeout=30)
    sound.pactl("set-source-mute", "vmic.monitor", "0")
    assert error.startswith(
        "warning: nothing but zeros for 2 s: the microphone is muted, or this program may not use it"
    )
    assert live.returncode == 0


def test_a_recording_is_not_overwritten(sound: Sound, tiny_run: Path, tmp_path: Path) -> None:
    record = tmp_path / "kept.wav"
    record.write_bytes(b"an earlier recording")
    live = sound.start("live", "--model", tiny_run, "--record", record, "--seconds", 1)
    _, error = live.communicate(timeout=30)
    assert (live.returncode, error) == (
        2,
        f"error: {record}: exists already; give --record another name, or remove it\n",
    )
    assert record.read_bytes() == b"an earlier recording"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--record", "{tmp}/file/sound.wav"], "error: {tmp}/file: cannot be written"),
        (["--model", "{tmp}/file"], "error: {tmp}/file: no folder and no zip that can be read"),
        (["--model-format", "int8"], "model.int8.onnx: missing"),
        (["--window", "0"], "0.0 is not in the range 0.5<=x<=30"),
    ],
)
def test_bad_input(sound: Sound, tiny_run: Path, tmp_path: Path, options: list[str], message: str) -> None:
    (tmp_path / "file").touch()
    live = sound.start("live", "--model", tiny_run, "--jsonl", *(option.format(tmp=tmp_path) for option in options))
    out, error = live.communicate(timeout=30)
    assert (live.returncode, out) == (2, "")
    assert message.format(tmp=tmp_path) in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
def test_nobody_spoke(sound: Sound, tiny_run: Path) -> None:
    live = sound.start("live", "--model", tiny_run, "--once", "--seconds", 1)
    _, error = live.communicate(timeout=30)
    assert live.returncode == 2
    assert error == "error: nobody spoke within 1 s; see ser-predict devices for other inputs\n"


@pytest.mark.slow
def test_unplugged_in_the_middle(sound: Sound, tiny_run: Path, tmp_path: Path) -> None:
    module = sound.pactl("load-module", "module-null-sink", "sink_name=usb", f"rate={RATE_HZ}")
    sound.pactl("set-default-source", "usb.monitor")
    record = tmp_path / "kept.wav"
    live = sound.start("live", "--model", tiny_run, "--jsonl", "--record", record, "--reconnect", 1)
    assert live.stdout
    for _ in range(4):  # two seconds
        live.stdout.readline()
    sound.pactl("unload-module", module)
    sound.pactl("unload-module", "module-null-sink")
    _, error = live.communicate(timeout=30)
    sound.pactl("load-module", "module-null-sink", "sink_name=vmic", f"rate={RATE_HZ}")
    sound.pactl("set-default-source", "vmic.monitor")
    assert live.returncode == 2
    assert "no sound comes any more; was it unplugged? See ser-predict devices" in error.splitlines()[-1]
    assert " s of sound, speech in " in error.splitlines()[-2]
    assert read_mono(record)[0].size > RATE_HZ


def test_no_portaudio(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_images.predict.cli import main

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    code, out, error = command(main, "devices")
    assert (code, out) == (2, "")
    assert error.startswith("error: PortAudio is not installed: apt-get install libportaudio2")


def test_no_input_device(tmp_path: Path) -> None:
    """No sound card and no sound server, as on this machine before the fixture starts one."""
    if Path("/proc/asound/cards").exists() and "no soundcards" not in Path("/proc/asound/cards").read_text():
        pytest.skip("this machine has a sound card")
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "from ser_images.predict.cli import main; main()", "devices"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: no input device: plug in a microphone")


AWAY = """
import sounddevice
from ser_images.data.common.errors import UserError
from ser_images.predict.live.devices import find_again, find_device

def fail():
    raise sounddevice.PortAudioError("no sound system")

info, start = find_device(None), sounddevice._initialize
sounddevice._initialize = fail
try:
    find_again(info)
except UserError as error:
    print(error)
sounddevice._initialize = start
assert find_again(info)["name"] == info["name"]
"""


def test_a_sound_system_that_does_not_start_again(sound: Sound) -> None:
    """While a microphone is away, PortAudio may fail to start; the next attempt does."""
    done = subprocess.run([sys.executable, "-c", AWAY], env=sound.environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "default: not there (no sound system)\n"), done.stderr


def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    microphone: Any = nullcontext()
    microphone.rate_hz = 16000
    with pytest.raises(UserError, match="cannot be written"), recording(microphone, tmp_path / "gone" / "a.wav"):
        pass


def test_results_come_each_half_second(tiny_run: Path, three: Samples) -> None:
    """With a level of their own each; speech comes and goes."""
    stream = LiveStream(Model.load(tiny_run), RATE_HZ)
    results = [
        result
        for start in range(0, three.size, 2400)
        for result in stream.feed(three[start : start + 2400], time.perf_counter())
    ]
    assert [result.end_s for result in results] == [pytest.approx(0.5 * (n + 1)) for n in range(len(results))]
    assert results[0].prediction is None
    assert results[-1].level_dbfs < -70
    assert max(result.level_dbfs for result in results) > -40
    assert {result.smoothed is None for result in results} == {True, False}
    assert sum(len(result.segments) for result in results) == 3
    assert all(result.start_s >= max(0, result.end_s - 3) for result in results)


def test_window_and_hop_of_live_results(tiny_run: Path, three: Samples) -> None:
    results = list(LiveStream(Model.load(tiny_run), RATE_HZ, window_s=1, hop_s=0.25).results([three]))
    assert [result.end_s for result in results[:4]] == [0.25, 0.5, 0.75, 1]
    assert max(result.end_s - result.start_s for result in results) == pytest.approx(1)
