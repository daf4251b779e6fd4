"""The other features against librosa's own functions, and their 16-bit images from recordings to a prediction."""

import json
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from PIL import Image

from conftest import Command
from ser_images.predict.cli import main as predict_main
from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.cli import main as images_main
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.spectrogram_gen.features.cepstra import chroma_filters, gaussian_filters
from ser_images.spectrogram_gen.features.mel import band_edges_hz, decibels, log_mel, power_spectrogram
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.render import feature_matrix, grey_range, render_prepared
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import MEL_BAND_FEATURES, ImageSpec
from ser_images.train.cli import main

STACK = ImageSpec.of_feature("stack")


@pytest.fixture(scope="module")
def voice(voices: Path) -> Samples:
    """A synthetic voice of the length of an image: silence at both ends."""
    return pad_or_trim(prepare(*read_mono(sorted(voices.rglob("*.wav"))[7]), STACK), STACK)


def test_mfcc_are_librosa_s(voice: Samples) -> None:
    spec = ImageSpec.of_feature("mfcc")
    theirs = librosa.feature.mfcc(S=np.clip(log_mel(voice, spec).astype(float), -110, -30), n_mfcc=40)
    assert np.abs(feature_matrix(voice, spec) - theirs).max() < 0.01


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_the_rows_of_the_stack_are_librosa_s(voice: Samples, n_fft: int) -> None:
    spec = ImageSpec(feature="stack", n_coefficients=20, n_fft=n_fft)
    power = power_spectrogram(voice, spec)
    frames: dict[str, Any] = {"frame_length": n_fft, "hop_length": spec.hop_length}
    theirs = [
        librosa.feature.mfcc(S=np.clip(log_mel(voice, spec).astype(float), -110, -30), n_mfcc=20),
        librosa.feature.chroma_stft(S=power, sr=spec.sample_rate_hz, n_fft=n_fft, tuning=0),
        log_mel(voice, spec),
        librosa.feature.rms(y=voice, pad_mode="constant", **frames)[:, : spec.n_frames],
        librosa.feature.zero_crossing_rate(voice, **frames)[:, : spec.n_frames],
    ]
    expected = np.concatenate(theirs)
    assert expected.shape == feature_matrix(voice, spec).shape == (162, 128)
    active = np.where(log_mel(voice, spec).max(0) > -110)[0]  # in digital silence, pitch classes are rounding errors
    difference = np.abs(feature_matrix(voice, spec) - expected)
    assert difference[:20].max() < 0.01
    assert difference[20:32, active].max() < 1e-4
    assert difference[32:160].max() == 0
    assert difference[160:].max() < 1e-5


def test_pitch_classes_are_those_of_librosa_and_of_a_tone() -> None:
    spec = STACK
    assert np.abs(chroma_filters(spec) - librosa.filters.chroma(sr=16000, n_fft=1024, tuning=0)).max() < 1e-6
    seconds = np.arange(spec.n_samples) / spec.sample_rate_hz
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    assert int(feature_matrix(tone, spec)[20:32, 64].argmax()) == 9  # A, where C is the first


def test_the_gaussian_filterbank_by_its_formula(voice: Samples) -> None:
    spec = ImageSpec.of_feature("gaussian")
    filters = gaussian_filters(spec)
    centres_hz, bins_hz = band_edges_hz(spec)[1:-1], np.fft.rfftfreq(1024, 1 / 16000)
    assert filters.sum(1) == pytest.approx(1, abs=1e-5)
    assert np.abs(bins_hz[filters.argmax(1)] - centres_hz).max() <= bins_hz[1] / 2 + 1e-6
    bands = np.clip(decibels(filters @ power_spectrogram(voice, spec)).astype(float), -110, -30)
    assert np.abs(feature_matrix(voice, spec) - librosa.feature.mfcc(S=bands, n_mfcc=40)).max() < 0.01


@pytest.mark.parametrize("feature", FEATURES)
def test_an_image_can_be_turned_back_into_its_feature(voice: Samples, feature: str) -> None:
    """Within one grey level; only the dB of mel bands are clipped."""
    spec = ImageSpec.of_feature(feature)
    grey = np.asarray(render_prepared(voice, spec))
    assert grey.shape == (spec.n_rows, spec.n_frames)
    assert grey.dtype == spec.dtype
    low, high = grey_range(spec)
    back = grey[::-1] / spec.white * (high - low) + low
    rows = feature_matrix(voice, spec)
    kept = np.clip(rows, low, high)
    assert feature in (*MEL_BAND_FEATURES, "stack") or np.abs(kept - rows).max() < 0.01
    assert (np.abs(back - kept) <= (high - low) / spec.white).all()


@pytest.mark.slow
@pytest.mark.parametrize(("feature", "network"), [("mfcc", "cnn-bilstm"), ("gaussian", "mlp"), ("stack", "conv1d")])
def test_from_recordings_to_a_prediction(
    feature: str, network: str, command: Command, voices: Path, tmp_path: Path
) -> None:
    out, run = tmp_path / "images", tmp_path / "run"
    assert command(images_main, "build", voices, "--corpus", "synthetic", "--feature", feature, "--out", out)[0] == 0
    images = ImageSet.read(out)
    row = images.rows[0]
    with Image.open(out / row.image) as image:
        assert image.mode == "I;16"
    assert load_images(images, [row]).dtype == np.uint16
    code, printed, _ = command(main, network, "--images", out, "--lr", "0.003", "--epochs", "1", "--out", run)
    assert code == 0
    assert "model.onnx checked on 30 images: probabilities equal to the network's within" in printed
    forms = [
        json.loads(
            command(
                predict_main, "file", voices / row.source, "--model", run, "--format", "json", "--model-format", form
            )[1]
        )
        for form in ("onnx", "safetensors")
    ]
    first, second = (next(iter(form))["probabilities"] for form in forms)
    assert first == pytest.approx(second, abs=1e-4)
    assert command(predict_main, "file", voices / row.source, "--model", run, "--explain", tmp_path / "why.png")[0] == 0


@pytest.mark.slow
def test_16_bit_images_of_a_stock_network_are_not_pickled(command: Command, voices: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "images", tmp_path / "run"
    command(images_main, "build", voices, "--corpus", "synthetic", "--feature", "mfcc", "--out", out)
    code, printed, _ = command(main, "cnn4", "--images", out, "--lr", "0.003", "--epochs", "1", "--out", run)
    assert code == 0
    assert "no learner.pkl: fastai does not read 16-bit images" in printed


def test_an_unknown_feature(command: Command, voices: Path, tmp_path: Path) -> None:
    code, _, error = command(images_main, "build", voices, "--feature", "cqt", "--out", tmp_path / "images")
    assert (code, error) == (2, "error: --feature cqt: expected one of mel, fbank, mfcc, gaussian, stack\n")
