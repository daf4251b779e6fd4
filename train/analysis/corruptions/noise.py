"""Noise over a recording, at a given ratio to its speech: white, pink, traffic.

samples, rate_hz = add_noise(samples, rate_hz, make=pink, snr_db=10)
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.corruptions.clip_rng import clip_rng

Noise = Callable[[int, int, np.random.Generator], NDArray[np.floating]]
"""Number of samples, their rate in Hz and random numbers, to noise of any level, shape (n,)."""
_SPEECH_DB = 25.0
_LOWEST_HZ, _TRAFFIC_HZ = 20.0, 100.0
_TRAFFIC_SLOPE_DB = -9.0


def add_noise(samples: Samples, rate_hz: int, make: Noise, snr_db: float) -> tuple[Samples, int]:
    """Noise over the whole recording, `snr_db` below the mean level of its speech, the silence around it left out.

    Raises:
        UserError: the recording is silence.
    """
    start, end = active_range(samples, rate_hz, _SPEECH_DB)
    added = make(samples.size, rate_hz, clip_rng(samples))
    ratio = np.sqrt(np.mean(samples[start:end] ** 2) / np.mean(added**2)) * 10 ** (-snr_db / 20)
    return samples + (ratio * added).astype(np.float32), rate_hz


def white(size: int, rate_hz: int, rng: np.random.Generator) -> NDArray[np.floating]:
    """White noise: equal power in each hertz."""
    return rng.standard_normal(size, dtype=np.float32)


def pink(size: int, rate_hz: int, rng: np.random.Generator) -> NDArray[np.floating]:
    """Pink noise: equal power in each octave, as much room and street noise has; from 20 Hz up."""
    return _shaped(size, rate_hz, rng, lambda hz: np.where(hz < _LOWEST_HZ, 0, np.maximum(hz, _LOWEST_HZ) ** -0.5))


def traffic(size: int, rate_hz: int, rng: np.random.Generator) -> NDArray[np.floating]:
    """Road traffic from indoors: flat from 20 to 100 Hz, then 9 dB less each octave.

    The shape is ours: what windows let through of road noise is its low frequencies.
    """
    power = _TRAFFIC_SLOPE_DB / 20 / np.log10(2)
    return _shaped(
        size, rate_hz, rng,
        lambda hz: np.where(hz < _LOWEST_HZ, 0, (np.maximum(hz, _TRAFFIC_HZ) / _TRAFFIC_HZ) ** power),
    )  # fmt: skip


def _shaped(
    size: int, rate_hz: int, rng: np.random.Generator, gain: Callable[[NDArray[np.floating]], NDArray[np.floating]]
) -> NDArray[np.floating]:
    """White noise with this gain at each frequency in Hz."""
    length = next_fast_len(size, real=True)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(length, 1 / rate_hz)), length)[:size]
