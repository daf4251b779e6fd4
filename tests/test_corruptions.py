import numpy as np
import pytest

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.corruptions import CLEAN, CORRUPTIONS

RATE_HZ = 16000


@pytest.fixture
def sound() -> Samples:
    """A second of 100 Hz, 1 kHz and 6 kHz, equally loud, half a second of silence before and after."""
    seconds = np.arange(RATE_HZ) / RATE_HZ
    waves = sum(np.sin(2 * np.pi * hz * seconds) for hz in (100, 1000, 6000))
    return np.pad(0.1 * waves, RATE_HZ // 2).astype(np.float32)


def strength(samples: Samples, rate_hz: int, hz: float) -> float:
    middle = samples[rate_hz // 2 : rate_hz // 2 + rate_hz]
    return float(np.abs(np.mean(middle * np.exp(-2j * np.pi * hz * np.arange(middle.size) / rate_hz))) * 2)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_duration_and_type_are_kept(sound: Samples, name: str) -> None:
    corrupted, rate_hz = CORRUPTIONS[name](sound, RATE_HZ)
    assert corrupted.dtype == np.float32
    assert corrupted.size / rate_hz == pytest.approx(2, abs=0.12)  # MP3 pads
    assert np.isfinite(corrupted).all()
    assert np.array_equal(corrupted, sound) == (name == CLEAN)
    again, _ = CORRUPTIONS[name](sound, RATE_HZ)
    assert np.array_equal(corrupted, again)


def test_gain_rounds_and_clips_to_16_bits(sound: Samples) -> None:
    quiet, _ = CORRUPTIONS["gain -30 dB"](sound, RATE_HZ)
    assert quiet.max() == pytest.approx(sound.max() / 10**1.5, abs=2**-15)
    assert np.array_equal(np.round(quiet * 2**15), quiet * 2**15)
    loud, _ = CORRUPTIONS["gain +10 dB"](4 * sound, RATE_HZ)
    assert (loud.min(), loud.max()) == (-1, 1 - 2**-15)
    assert np.mean(loud == loud.max()) > 0.05
    nothing, _ = CORRUPTIONS["gain -30 dB"](sound * 1e-4, RATE_HZ)
    assert not nothing.any()


@pytest.mark.parametrize("snr_db", [30, 20, 10, 0])
def test_noise_has_the_requested_ratio_to_the_speech(sound: Samples, snr_db: int) -> None:
    there, _ = CORRUPTIONS[f"noise {snr_db} dB SNR"](sound, RATE_HZ)
    speech = np.mean(sound[RATE_HZ // 2 : -RATE_HZ // 2] ** 2)
    assert 10 * np.log10(speech / np.mean((there - sound) ** 2)) == pytest.approx(snr_db, abs=0.2)


def test_frequencies_outside_the_band_are_removed(sound: Samples) -> None:
    line, _ = CORRUPTIONS["telephone band"](sound, RATE_HZ)
    half, rate_hz = CORRUPTIONS["8 kHz"](sound, RATE_HZ)
    for there, rate, kept, lost in ((line, RATE_HZ, (1000,), (100, 6000)), (half, rate_hz, (100, 1000), (2000,))):
        for hz in kept:
            assert strength(there, rate, hz) == pytest.approx(0.1, rel=0.05)
        for hz in lost:
            assert strength(there, rate, hz) < 0.002
    assert rate_hz == 8000


def test_channels_and_polarity(sound: Samples) -> None:
    stereo, _ = CORRUPTIONS["reversed stereo"](sound, RATE_HZ)
    assert stereo == pytest.approx(sound / 2, abs=1e-4)
    assert np.array_equal(CORRUPTIONS["reversed polarity"](sound, RATE_HZ)[0], -sound)


def test_noise_on_silence_is_refused() -> None:
    with pytest.raises(UserError, match="silence"):
        CORRUPTIONS["noise 10 dB SNR"](np.zeros(RATE_HZ, np.float32), RATE_HZ)
