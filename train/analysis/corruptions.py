"""Corruptions of recorded speech: gain, noise, telephone band, resampling, codec; each is a function of samples.

samples, rate_hz = CORRUPTIONS["telephone band"](samples, rate_hz)
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import soundfile
import soxr
from scipy.signal import butter, sosfilt

from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import Samples

Corruption = Callable[[Samples, int], tuple[Samples, int]]
"""Mono samples of shape (n,) and their rate in Hz, to corrupted samples and their rate."""
CLEAN = "clean"
_SPEECH_DB = 25.0
_TELEPHONE_HZ = (300, 3400)
_COMPRESSION = 0.99


def _clean(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    return samples, rate_hz


def _gain(samples: Samples, rate_hz: int, gain_db: float) -> tuple[Samples, int]:
    """Gain before a 16-bit converter: peaks above full scale are clipped, and quiet sound is rounded to 16 bits."""
    louder = np.clip(samples * 10 ** (gain_db / 20), -1, 1 - 2**-15)
    return (np.round(louder * 2**15) / 2**15).astype(np.float32), rate_hz


def _noise(samples: Samples, rate_hz: int, snr_db: float) -> tuple[Samples, int]:
    """White noise over the whole recording, `snr_db` below the level of its speech; seeded by the length."""
    start, end = active_range(samples, rate_hz, _SPEECH_DB)
    speech = np.sqrt(np.mean(samples[start:end] ** 2))
    white = np.random.default_rng(samples.size).standard_normal(samples.size, dtype=np.float32)
    return samples + white * np.float32(speech * 10 ** (-snr_db / 20)), rate_hz


def _telephone(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    band = butter(4, _TELEPHONE_HZ, "bandpass", fs=rate_hz, output="sos")
    return sosfilt(band, samples).astype(np.float32), rate_hz


def _resampled(samples: Samples, rate_hz: int, to_hz: int) -> tuple[Samples, int]:
    return soxr.resample(samples, rate_hz, to_hz), to_hz


def _mp3(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """Encoded as MP3 and decoded, at the lowest bit rate of LAME for the sample rate; 32 kbit/s at 48 kHz."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3", bitrate_mode="CONSTANT", compression_level=_COMPRESSION)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


def _swapped_stereo(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """Stereo with speech in one channel and faint hum in the other; channels swapped, then averaged to mono."""
    hum = 1e-4 * np.sin(2 * np.pi * 50 * np.arange(samples.size) / rate_hz)
    stereo = np.stack([hum, samples], axis=1)[:, ::-1]
    return stereo.mean(axis=1).astype(np.float32), rate_hz


def _inverted(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    return -samples, rate_hz


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        CLEAN: _clean,
        **{f"gain {gain_db:+d} dB": partial(_gain, gain_db=gain_db) for gain_db in (-30, -20, -10, 10)},
        **{f"noise {snr_db} dB SNR": partial(_noise, snr_db=snr_db) for snr_db in (30, 20, 10, 0)},
        "telephone band": _telephone,
        "8 kHz": partial(_resampled, to_hz=8000),
        "MP3, lowest bit rate": _mp3,
        "reversed stereo": _swapped_stereo,
        "reversed polarity": _inverted,
    }
)
