"""The page's core, JavaScript in Node, computes what the Python package computes, within the tolerances stated here."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Bundle, Normalisation
from ser_images.predict.live.live_stream import LiveStream
from ser_images.predict.model import Model
from ser_images.predict.output.segment_formats import to_text
from ser_images.predict.page_constants import page_constants
from ser_images.predict.streaming.segments import Segment
from ser_images.predict.streaming.silero import network_path
from ser_images.predict.streaming.timeline import Timeline
from ser_images.spectrogram_gen.audio import trim
from ser_images.spectrogram_gen.features.mel import mel_filters, spec_constants
from ser_images.spectrogram_gen.render import render_grey
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

PAGE = Path(__file__).parent.parent / "predict" / "page"
RATE_HZ = 48000
RATES_HZ = (8000, 16000, 44100, 48000)
RATE_PAIRS_HZ = ((44100, 16000), (48000, 16000), (8000, 16000), (16000, 24000), (44100, 24000), (11025, 16000))
SPECS = {
    "the default": ImageSpec(),
    "16 bits": ImageSpec(bit_depth=16),
    "fbank": ImageSpec.of_feature("fbank"),
    "n_fft no power of two": ImageSpec(n_fft=400, hop_length=160, n_mels=40),
    "n_fft odd": ImageSpec(n_fft=999),
}
NAMES = ("recording.wav", 'über "alles", 1.wav', "tab\tand\\backslash.wav")
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and (PAGE / "node_modules").exists()) and "CI" not in os.environ,
    reason="needs Node.js, and its packages: make page",
)


class Parity(NamedTuple):
    """The jobs, and what the page made of them."""

    model: Model
    images: dict[str, NDArray[Any]]
    resampled: dict[tuple[int, int], Samples]
    noise: dict[int, Path]
    recordings: dict[Path, dict[str, Any]]
    timelines: dict[Path, dict[str, Any]]
    live: dict[Path, list[dict[str, Any]]]
    formats: list[tuple[str, Timeline, dict[str, str]]]


@pytest.fixture(scope="module")
def parity(voices: Path, adaptive_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Parity:
    """One run of Node over all jobs, with a network that has optional inputs: the page leaves them out."""
    folder = tmp_path_factory.mktemp("page")
    model = Model.load(adaptive_run)
    chosen = sorted(voices.rglob("*.wav"))[::15]
    recordings = [*write_voices(chosen, folder), *write_other_sound(chosen[0], folder)]
    long = write_long(chosen, folder)
    noise = {rate_hz: write_noise(folder, rate_hz) for rate_hz, _ in RATE_PAIRS_HZ}
    timelines = list(random_timelines(model.labels))
    constants = folder / "model.json"
    constants.write_text(json.dumps(page_constants(model.bundle)))
    jobs = {
        "constants": str(constants),
        "network": str(adaptive_run / "model.onnx"),
        "vad": str(network_path()),
        "images": [
            {"path": str(first_at_16_khz(recordings)), "constants": page_constants(bundle_of(spec))}
            for spec in SPECS.values()
        ],
        "resampled": [{"path": str(noise[from_hz]), "rate_hz": to_hz} for from_hz, to_hz in RATE_PAIRS_HZ],
        "recordings": [str(path) for path in recordings],
        "timelines": [str(path) for path in long],
        "live": [str(path) for path in long],
        "formats": [{"file": name, "found": to_page(found)} for name, found in timelines],
    }
    results = run_page(jobs, folder)
    return Parity(
        model,
        {name: image(found, spec) for (name, spec), found in zip(SPECS.items(), results["images"], strict=True)},
        {pair: decoded(one, np.float32) for pair, one in zip(RATE_PAIRS_HZ, results["resampled"], strict=True)},
        noise,
        by_path(results["recordings"]),
        by_path(results["timelines"]),
        by_path(results["live"]),
        [(name, found, texts) for (name, found), texts in zip(timelines, results["formats"], strict=True)],
    )


def by_path(results: dict[str, Any]) -> dict[Path, Any]:
    return {Path(path): found for path, found in results.items()}


def run_page(jobs: dict[str, Any], folder: Path) -> dict[str, Any]:
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command: list[str | Path] = ["node", PAGE / "tests" / "parity.js", folder / "jobs.json", folder / "results.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "results.json").read_text())


def write_voices(voices: list[Path], folder: Path) -> list[Path]:
    """Each voice at each rate, mono and stereo, in turn of the kinds of samples that a WAV can hold."""
    written: list[Path] = []
    kinds = ("PCM_16", "PCM_24", "FLOAT", "PCM_32", "DOUBLE", "PCM_U8")
    for voice in voices:
        samples, rate_hz = read_mono(voice)
        for new_hz in RATES_HZ:
            mono = soxr.resample(samples, rate_hz, new_hz)
            stereo = np.stack([mono, 0.5 * mono], axis=1)
            for sound in (mono, stereo):
                written.append(folder / f"{voice.stem}-{new_hz}-{sound.ndim}.wav")
                soundfile.write(written[-1], sound, new_hz, subtype=kinds[len(written) % len(kinds)])
    return written


def first_at_16_khz(recordings: Iterable[Path]) -> Path:
    return next(path for path in recordings if "-16000-" in path.name)


def write_other_sound(voice: Path, folder: Path) -> list[Path]:
    """Sound that is too long, too short, silent or no speech."""
    samples, rate_hz = read_mono(voice)
    seconds = np.arange(4 * rate_hz) / rate_hz
    sounds = {
        "twice": np.tile(samples, 2),
        "click": np.pad(samples[rate_hz : rate_hz + rate_hz // 20], rate_hz),
        "silence": np.zeros(rate_hz),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * seconds),
        "noise": np.random.default_rng(0).normal(0, 0.1, 2 * rate_hz),
    }
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.wav", sound, rate_hz, subtype="PCM_16")
    return [folder / f"{name}.wav" for name in sounds]


def write_long(voices: list[Path], folder: Path) -> list[Path]:
    """All voices with silence, then noise, between them, at each rate; some follow each other at once."""
    rng = np.random.default_rng(0)
    parts: list[Samples] = []
    for number, path in enumerate(voices):
        pause = rng.normal(0, 1e-3 if number % 2 else 1e-6, RATE_HZ * (5 if number % 3 else 1) // 2)
        parts += [pause.astype(np.float32), trim(read_mono(path)[0], RATE_HZ, 25)]
    samples = np.concatenate([*parts, np.zeros(RATE_HZ, np.float32)])
    for rate_hz in RATES_HZ:
        soundfile.write(folder / f"long-{rate_hz}.wav", soxr.resample(samples, RATE_HZ, rate_hz), rate_hz)
    return [folder / f"long-{rate_hz}.wav" for rate_hz in RATES_HZ]


def write_noise(folder: Path, rate_hz: int) -> Path:
    noise = np.random.default_rng(rate_hz).normal(0, 0.1, rate_hz // 3 + 2)
    soundfile.write(folder / f"noise-{rate_hz}.wav", noise, rate_hz, subtype="FLOAT")
    return folder / f"noise-{rate_hz}.wav"


def random_timelines(labels: tuple[str, ...]) -> Iterator[tuple[str, Timeline]]:
    """None, and segments at times that are hard to round: ties, tiny and whole numbers."""
    rng = np.random.default_rng(0)
    yield NAMES[0], Timeline((), 4.0)
    for name in NAMES:
        ends = np.cumsum(np.concatenate([[0.00001, 0.99999, 0.03125, 0.09375, 2.0], rng.uniform(0, 3, 200)])).tolist()
        segments = tuple(
            Segment(start_s, end_s, labels[number % len(labels)], float(np.float32(rng.uniform())))
            for number, (start_s, end_s) in enumerate(zip(ends[::2], ends[1::2], strict=False))
        )
        yield name, Timeline((*segments, Segment(700.03125, 700.046875, "uncertain", 1.0)), 701.0)


def to_page(found: Timeline) -> dict[str, Any]:
    segments = [
        {"startS": one.start_s, "endS": one.end_s, "label": one.label, "confidence": one.confidence} for one in found
    ]
    return {"segments": segments, "durationS": found.duration_s}


def decoded(text: str, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), dtype)


def image(text: str, spec: ImageSpec) -> NDArray[Any]:
    return decoded(text, spec.dtype).reshape(spec.n_rows, spec.n_frames).astype(int)


def bundle_of(spec: ImageSpec) -> Bundle:
    return Bundle("0123456789ab", "cnn4", ("calm", "happy"), spec, Normalisation(0.3, 0.2))


@pytest.mark.parametrize("name", SPECS)
def test_constants_keep_every_digit(name: str) -> None:
    spec = SPECS[name]
    parts = json.loads(json.dumps(page_constants(bundle_of(spec))))["mel"]
    filters = np.zeros((spec.n_mels, 1 + spec.n_fft // 2), np.float32)
    bands = np.searchsorted(parts["starts"], np.arange(len(parts["bins"])), "right") - 1
    filters[bands, parts["bins"]] = parts["weights"]
    assert np.array_equal(filters, mel_filters(spec))
    assert np.array_equal(np.array(parts["window"], np.float32), spec_constants(spec).window.astype(np.float32))


def test_other_rows_than_mel_bands_are_refused() -> None:
    with pytest.raises(UserError, match="feature mfcc: the page renders mel and fbank only"):
        page_constants(bundle_of(ImageSpec.of_feature("mfcc")))


@needs_node
@pytest.mark.parametrize("name", SPECS)
def test_images_are_equal(parity: Parity, name: str) -> None:
    """But for one of 255 grey values, or 8 of 65535, in few pixels: 0.01 dB, as NumPy computes in float32."""
    samples, rate_hz = read_mono(first_at_16_khz(parity.recordings))
    difference = np.abs(parity.images[name] - render_grey(samples, rate_hz, SPECS[name]))
    print(f"{name}: at most {difference.max()}, {np.mean(difference > 0):.4%} of pixels")
    assert difference.max() <= (1 if SPECS[name].bit_depth == 8 else 8)
    assert np.mean(difference > 0) < (1e-3 if SPECS[name].bit_depth == 8 else 0.02)


@needs_node
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_images_of_resampled_sound_are_nearly_equal(parity: Parity, rate_hz: int) -> None:
    paths = [path for path, found in parity.recordings.items() if "image" in found and f"-{rate_hz}-" in path.name]
    spec = parity.model.spec
    differences = [
        np.abs(image(parity.recordings[path]["image"], spec) - parity.model.image(*read_mono(path))) for path in paths
    ]
    print(f"{rate_hz} Hz: at most {np.max(differences)}, {np.mean(np.array(differences) > 0):.4%} of pixels")
    assert len(differences) == 16
    assert np.max(differences) <= (1 if rate_hz == 16000 else 3)
    assert np.mean(np.array(differences) > 0) < (1e-3 if rate_hz == 16000 else 0.02)


@needs_node
@pytest.mark.parametrize("pair", RATE_PAIRS_HZ)
def test_resampled_sound_is_that_of_soxr(parity: Parity, pair: tuple[int, int]) -> None:
    """But for the band edge, 91 to 100 % of the lower Nyquist frequency, where filters pass a part."""
    samples, rate_hz = read_mono(parity.noise[pair[0]])
    found, expected = parity.resampled[pair], soxr.resample(samples, rate_hz, pair[1])
    assert found.shape == expected.shape
    level_db = 10 * np.log10(np.mean((found - expected) ** 2) / np.mean(expected**2))
    print(f"{pair}: difference {level_db:.0f} dB")
    assert level_db < -50


@needs_node
def test_predictions_are_equal(parity: Parity) -> None:
    worst = dict.fromkeys(RATES_HZ, 0.0)
    speech = set()
    for path, found in parity.recordings.items():
        if "error" in found:
            continue
        expected = parity.model(path)
        rate_hz = soundfile.info(path).samplerate
        worst[rate_hz] = max(worst[rate_hz], float(np.abs(found["values"] - expected.values).max()))
        for name in ("label", "speech", "cropped"):
            assert found[name] == getattr(expected, name), (path, name)
        assert found["durationS"] == expected.duration_s
        assert found["classifiedS"] == pytest.approx(expected.classified_s)
        speech.add(expected.speech)
    print("probabilities differ at most by", worst)
    assert max(worst.values()) < 0.02
    assert speech == {True, False}


@needs_node
def test_errors_are_equal(parity: Parity) -> None:
    errors = {path: found["error"] for path, found in parity.recordings.items() if "error" in found}
    assert {path.stem for path in errors} == {"click", "silence"}
    for path, message in errors.items():
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            parity.model(path)


@needs_node
def test_timelines_are_equal(parity: Parity) -> None:
    worst = 0.0
    for path, found in parity.timelines.items():
        expected = parity.model.timeline(path)
        assert [one["label"] for one in found["segments"]] == [one.label for one in expected]
        times = np.array([[one["startS"], one["endS"], one["confidence"]] for one in found["segments"]])
        difference = np.abs(times - [[one.start_s, one.end_s, one.confidence] for one in expected]).max(0)
        print(path.name, len(expected), "segments: start, end and confidence differ by", difference)
        worst = max(worst, float(difference[:2].max()))
        assert difference[2] < 0.02
        assert found["durationS"] == expected.duration_s
        assert len(expected) > 3
    assert worst < 0.05


@needs_node
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_live_results_are_equal(parity: Parity, rate_hz: int) -> None:
    """Where sound is resampled, soxr's delay of up to 0.1 s lets Python notice speech a result later."""
    path = next(path for path in parity.live if path.stem == f"long-{rate_hz}")
    samples, _ = read_mono(path)
    expected = [one.to_dict(parity.model, 0) for one in LiveStream(parity.model, rate_hz).results([samples])]
    found = parity.live[path]
    assert [(one["end_s"], one["level_dbfs"]) for one in found] == [
        (one["end_s"], pytest.approx(one["level_dbfs"], abs=0.11)) for one in expected
    ]
    same = [pair for pair in zip(found, expected, strict=True) if pair[0]["speech"] == pair[1]["speech"]]
    print(rate_hz, len(expected) - len(same), "of", len(expected), "results differ in speech")
    assert len(expected) - len(same) <= (0 if rate_hz == 16000 else 0.1 * len(expected))
    for one, other in same:
        assert one.keys() == other.keys()
        assert (one["label"], one["smoothed"]) == (other["label"], other["smoothed"])
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.02)
    segments = [[one for result in results for one in result["segments"]] for results in (found, expected)]
    assert [one["label"] for one in segments[0]] == [one["label"] for one in segments[1]]


@needs_node
@pytest.mark.parametrize("kind", ["csv", "json", "audacity", "textgrid"])
def test_segment_formats_are_equal_byte_for_byte(parity: Parity, kind: str) -> None:
    for name, found, texts in parity.formats:
        assert texts[kind] == to_text(kind, found, Path(name), parity.model.bundle)
