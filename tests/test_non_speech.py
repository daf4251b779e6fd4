"""Sound in which nobody speaks gets no emotion, from any command; speech still does, also screamed, quiet or slow."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr

from conftest import SMALL, Command
from non_speech import NON_SPEECH, RATE_HZ
from ser_images.data.common.errors import UserError
from ser_images.data.labels import EMOTIONS
from ser_images.predict.cli import main
from ser_images.predict.enrolment import Enrolment
from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.model import Model
from ser_images.predict.predictions import SpeakerPredictions
from ser_images.predict.streaming.speech_check import has_speech
from ser_images.spectrogram_gen.sound_file import Samples, read_mono

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def sounds() -> dict[str, Samples]:
    """Two of each kind."""
    rngs = [np.random.default_rng(seed) for seed in (3, 4)]
    return {f"{name} {number}": make(rng) for name, make in NON_SPEECH.items() for number, rng in enumerate(rngs)}


def test_a_file_without_speech_has_no_label(
    command: Command, write_wav: Write, sounds: dict[str, Samples], tiny_run: Path
) -> None:
    paths = [write_wav(f"{name}.wav", samples, RATE_HZ) for name, samples in sounds.items()]
    code, out, error = command(main, "file", *paths, "--model", tiny_run, "--format", "jsonl")
    assert (code, error) == (0, "")
    for row in map(json.loads, out.splitlines()):
        assert (row["label"], row["confidence"], row["probabilities"]) == ("no speech", 0, {}), row["file"]
    code, out, error = command(main, "file", *paths, "--model", tiny_run)
    assert (code, error) == (0, "")
    assert out == "".join(f"{path}  no speech\n" for path in paths)
    first, *rows = command(main, "file", *paths, "--model", tiny_run, "--format", "csv")[1].splitlines()
    assert first.split(",")[:3] == ["file", "label", "confidence"]
    for row in rows:
        assert row.split(",")[1:3] == ["no speech", "0.0"]
        assert set(row.split(",")[3 : 3 + len(EMOTIONS)]) == {""}


def test_a_timeline_and_a_stream_without_speech_have_no_segment(sounds: dict[str, Samples], tiny_run: Path) -> None:
    model = Model.load(tiny_run)
    for name, samples in sounds.items():
        assert not model.timeline(samples, RATE_HZ).segments, name
        for result in LiveStream(model, RATE_HZ).results([samples]):
            assert result.prediction is None, name
            assert not result.segments, name


@pytest.mark.parametrize("gain_db", [-40, 0, 10])
def test_every_synthetic_voice_is_speech(voices: Path, gain_db: float) -> None:
    for path in sorted(voices.rglob("*.wav")):
        samples, rate_hz = read_mono(path)
        assert has_speech(np.clip(samples * np.float32(10 ** (gain_db / 20)), -1, 1), rate_hz, SMALL), path


def test_a_voice_that_is_higher_than_speech_is_found(voices: Path) -> None:
    """Played half as fast again, voices are as high as screams."""
    samples, rate_hz = read_mono(next(voices.rglob("03-01-06-02-*.wav")))
    assert has_speech(soxr.resample(samples, 1.5 * rate_hz, rate_hz), rate_hz, SMALL)


def test_speech_outside_the_middle_does_not_count(voices: Path, sounds: dict[str, Samples], tiny_run: Path) -> None:
    speech, rate_hz = read_mono(next(voices.rglob("*.wav")))
    assert rate_hz == RATE_HZ
    music = np.tile(sounds["chords 0"], 3)
    prediction = Model.load(tiny_run)(np.concatenate([speech, music, music]), RATE_HZ)
    assert prediction.cropped
    assert prediction.label == "no speech"
    assert Model.load(tiny_run)(np.concatenate([music, speech, music]), RATE_HZ).label in EMOTIONS


def test_any_sound_is_classified_on_request(
    command: Command, write_wav: Write, sounds: dict[str, Samples], tiny_run: Path, tmp_path: Path
) -> None:
    path = write_wav("music.wav", sounds["chords 0"], RATE_HZ)
    arguments = ("file", path, "--model", tiny_run, "--format", "jsonl")
    row = json.loads(command(main, *arguments, "--any-sound")[1])
    assert row["label"] in EMOTIONS
    model = Model.load(tiny_run, any_sound=True)
    assert model(path).label == row["label"]
    assert str(Model.load(tiny_run)(path)) == "no speech"
    image = model.image(*read_mono(path))
    assert model.predict_image(image).label == row["label"], "an image is classified as it is"
    code, _, error = command(main, *arguments, "--explain", tmp_path / "why.png")
    assert code == 2
    assert error == f"error: {path}: no speech, so there is nothing to explain; --any-sound explains it nevertheless\n"


def test_sound_without_speech_is_no_part_of_a_voice(
    voices: Path, write_wav: Write, sounds: dict[str, Samples], adaptive_run: Path
) -> None:
    model = Model.load(adaptive_run)
    music = write_wav("music.wav", sounds["melody 0"], RATE_HZ)
    with pytest.raises(UserError, match=r"music\.wav: no speech was found; give recordings of the voice"):
        Enrolment(model).add(music)
    paths = sorted(voices.rglob("*.wav"))[:5]
    alone = dict(SpeakerPredictions(model, paths, dict.fromkeys(paths, "anna")))
    both = dict(SpeakerPredictions(model, [music, *paths], dict.fromkeys([music, *paths], "anna")))
    assert both.pop(music).label == "no speech"
    for path, prediction in alone.items():
        assert both[path].ranked() == pytest.approx(prediction.ranked(), abs=1e-6)
    nobody = dict(SpeakerPredictions(model, [music], {music: "bert"}))
    assert nobody[music].label == "no speech"


def test_threads_do_not_disturb_each_other(voices: Path, sounds: dict[str, Samples]) -> None:
    """All checks share one network, and none the state of another."""
    speech, rate_hz = read_mono(next(voices.rglob("*.wav")))
    found: list[tuple[bool, bool]] = []

    def check() -> None:
        for _ in range(5):
            found.append((has_speech(speech, rate_hz, SMALL), has_speech(sounds["melody 0"], RATE_HZ, SMALL)))

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(True, False)] * 20
