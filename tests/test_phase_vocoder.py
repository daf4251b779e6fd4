"""The phase vocoder against librosa's, which it replaces: the same sound, to rounding."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from ser_images.spectrogram_gen.audio import prepare
from ser_images.spectrogram_gen.augment import pitch
from ser_images.spectrogram_gen.phase_vocoder import N_FFT, time_stretch
from ser_images.spectrogram_gen.render import render_prepared
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec()


@pytest.fixture(scope="module")
def speech(voices: Path) -> Samples:
    """A voice with half a second of digital silence in the middle."""
    first, second = (prepare(*read_mono(path), SPEC) for path in sorted(voices.rglob("*.wav"))[:2])
    return np.concatenate([first, np.zeros(8000, np.float32), second])


def grey(sound: Samples) -> np.ndarray:
    return np.asarray(render_prepared(sound, SPEC)).astype(int)


def test_nothing_changes_at_the_same_speed(speech: Samples) -> None:
    np.testing.assert_allclose(time_stretch(speech, 1.0), speech, atol=1e-5)


@pytest.mark.parametrize("rate", [0.8, 0.93, 1.2])
def test_stretched_sound_is_librosa_s(speech: Samples, rate: float) -> None:
    found, expected = time_stretch(speech, rate), librosa.effects.time_stretch(speech, rate=rate)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()
    assert np.abs(grey(found) - grey(expected)).max() <= 1


@pytest.mark.parametrize("semitones", [-2, 0.5, 2])
def test_shifted_pitch_is_librosa_s(speech: Samples, semitones: float) -> None:
    expected = librosa.effects.pitch_shift(speech, sr=16000, n_steps=semitones, res_type="soxr_hq")
    found = pitch(speech, semitones, SPEC)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()
    assert np.abs(grey(found) - grey(expected)).max() <= 1


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large:UserWarning")
@pytest.mark.parametrize("n_samples", [1, 100, N_FFT, N_FFT + 1])
def test_short_sound_and_silence(n_samples: int) -> None:
    assert np.array_equal(time_stretch(np.zeros(n_samples, np.float32), 0.8), np.zeros(round(n_samples / 0.8)))
    sound = np.sin(np.arange(n_samples, dtype=np.float32))
    found, expected = time_stretch(sound, 1.2), librosa.effects.time_stretch(sound, rate=1.2)
    np.testing.assert_allclose(found, expected, atol=0.01)
