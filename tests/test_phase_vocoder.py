"""The phase vocoder against librosa's with frames of the same length: the same sound, to rounding."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from ser_images.spectrogram_gen.audio import prepare
from ser_images.spectrogram_gen.augment import pitch
from ser_images.spectrogram_gen.phase_vocoder import hop_length, time_stretch
from ser_images.spectrogram_gen.render import render_prepared
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec()
RATE_HZ = SPEC.sample_rate_hz
N_FFT, HOP = 512, 128
"""The frames at 16 kHz. Raise the version of `stretch` and `pitch` in augment.py when they change."""


@pytest.fixture(scope="module")
def speech(voices: Path) -> Samples:
    """A voice with half a second of digital silence in the middle."""
    first, second = (prepare(*read_mono(path), SPEC) for path in sorted(voices.rglob("*.wav"))[:2])
    return np.concatenate([first, np.zeros(8000, np.float32), second])


def librosa_s(sound: Samples, rate: float, hop: int = HOP) -> np.ndarray:
    """In float64: in float32, the phases that librosa adds up have errors of hundredths after a few seconds."""
    return librosa.effects.time_stretch(sound.astype(np.float64), rate=rate, n_fft=4 * hop, hop_length=hop)


def noise(n_samples: int) -> Samples:
    """A tone would have bins of rounding errors alone, whose phases nobody can compute."""
    return np.random.default_rng(0).standard_normal(n_samples, dtype=np.float32)


def grey(sound: Samples) -> np.ndarray:
    return np.asarray(render_prepared(sound, SPEC)).astype(int)


def test_nothing_changes_at_the_same_speed(speech: Samples) -> None:
    np.testing.assert_allclose(time_stretch(speech, 1.0, RATE_HZ), speech, atol=1e-5)


@pytest.mark.parametrize("rate", [0.8, 0.93, 1.2])
def test_stretched_sound_is_librosa_s(speech: Samples, rate: float) -> None:
    found = time_stretch(speech, rate, RATE_HZ)
    expected = librosa_s(speech, rate)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.001 * np.abs(expected).max()
    assert np.abs(grey(found) - grey(expected)).max() <= 1


@pytest.mark.parametrize("semitones", [-2, 0.5, 2])
def test_shifted_pitch_is_librosa_s(speech: Samples, semitones: float) -> None:
    expected = librosa.effects.pitch_shift(
        speech.astype(np.float64), sr=RATE_HZ, n_steps=semitones, res_type="soxr_hq", n_fft=N_FFT, hop_length=HOP
    )
    found = pitch(speech, semitones, SPEC)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.001 * np.abs(expected).max()
    assert np.abs(grey(found) - grey(expected)).max() <= 1


@pytest.mark.parametrize("rate_hz", [1000, 8000, 16000, 22050, 44100, 48000, 768_000])
def test_a_frame_takes_32_ms_at_any_sample_rate(rate_hz: int) -> None:
    assert 4 * hop_length(rate_hz) / rate_hz == pytest.approx(0.032, rel=0.03)
    sound = noise(rate_hz // 5)
    expected = librosa_s(sound, 1.1, hop_length(rate_hz))
    np.testing.assert_allclose(time_stretch(sound, 1.1, rate_hz), expected, atol=0.001)


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large:UserWarning")
@pytest.mark.parametrize("n_samples", [1, 100, N_FFT, N_FFT + 1])
def test_short_sound_and_silence(n_samples: int) -> None:
    silence = np.zeros(n_samples, np.float32)
    assert np.array_equal(time_stretch(silence, 0.8, RATE_HZ), np.zeros(round(n_samples / 0.8)))
    sound = noise(n_samples)
    np.testing.assert_allclose(time_stretch(sound, 1.2, RATE_HZ), librosa_s(sound, 1.2), atol=0.001)
