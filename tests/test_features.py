"""The log-mel spectrogram against librosa's own functions."""

from typing import Any

import librosa
import numpy as np
import pytest

from ser_images.spectrogram_gen.features.mel import band_edges_hz, log_mel, mel_filters
from ser_images.spectrogram_gen.spec import ImageSpec

SPECS = [
    ImageSpec(),
    ImageSpec(sample_rate_hz=22050, max_hz=11025, hop_length=517, n_fft=2048),
    ImageSpec(n_mels=64, min_hz=60, max_hz=7600, n_fft=512, hop_length=160),
    ImageSpec.of_feature("fbank"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_filters_are_librosa_s(spec: ImageSpec) -> None:
    scale: dict[str, Any] = {"fmin": spec.min_hz, "fmax": spec.max_hz, "htk": spec.feature == "fbank"}
    theirs = librosa.filters.mel(sr=spec.sample_rate_hz, n_fft=spec.n_fft, n_mels=spec.n_mels, **scale)
    assert np.abs(mel_filters(spec) - theirs).max() < 1e-7
    edges = librosa.mel_frequencies(n_mels=spec.n_mels + 2, **scale)
    assert band_edges_hz(spec) == pytest.approx(edges)


@pytest.mark.parametrize("spec", SPECS)
def test_log_mel_is_librosa_s(spec: ImageSpec) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, spec.n_samples).astype(np.float32)
    samples[: spec.n_samples // 2] *= np.linspace(0, 1, spec.n_samples // 2, dtype=np.float32)
    power = librosa.feature.melspectrogram(
        y=samples, sr=spec.sample_rate_hz, n_fft=spec.n_fft, hop_length=spec.hop_length, n_mels=spec.n_mels,
        fmin=spec.min_hz, fmax=spec.max_hz, htk=spec.feature == "fbank", power=2, pad_mode="constant",
    )[:, : spec.n_frames]  # fmt: skip
    window_db = 20 * np.log10(librosa.filters.get_window("hann", spec.n_fft).sum())
    theirs = librosa.power_to_db(power, amin=1e-20, top_db=None) - window_db
    ours = log_mel(samples, spec)
    assert ours.shape == (spec.n_mels, spec.n_frames)
    loud = theirs > -90
    assert loud.mean() > 0.9
    assert np.abs(ours - theirs)[loud].max() < 0.01  # dB; a grey level is 0.31


def test_a_tone_is_in_the_band_of_its_frequency() -> None:
    spec = ImageSpec()
    seconds = np.arange(spec.n_samples) / spec.sample_rate_hz
    for hz in (200, 1000, 5000):
        matrix = log_mel(np.sin(2 * np.pi * hz * seconds).astype(np.float32), spec)
        band = int(matrix[:, 64].argmax())
        low, _, high = band_edges_hz(spec)[band : band + 3]
        assert low < hz < high
