"""The way from microphone to file: gain, a telephone's band, sample rate, swapped channels, polarity.

samples, rate_hz = telephone_band(samples, rate_hz)
"""

import numpy as np
import soxr
from scipy.signal import butter, sosfilt

from ser_images.spectrogram_gen.sound_file import Samples

_TELEPHONE_HZ = (300, 3400)


def clean(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """The recording as it is."""
    return samples, rate_hz


def gain(samples: Samples, rate_hz: int, gain_db: float) -> tuple[Samples, int]:
    """Gain before a 16-bit converter: peaks above full scale are clipped, and quiet sound is rounded to 16 bits."""
    louder = np.clip(samples * 10 ** (gain_db / 20), -1, 1 - 2**-15)
    return (np.round(louder * 2**15) / 2**15).astype(np.float32), rate_hz


def telephone_band(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """300 to 3400 Hz, by a Butterworth filter of 4th order."""
    band = butter(4, _TELEPHONE_HZ, "bandpass", fs=rate_hz, output="sos")
    return sosfilt(band, samples).astype(np.float32), rate_hz


def resampled(samples: Samples, rate_hz: int, to_hz: int) -> tuple[Samples, int]:
    """The recording at another sample rate."""
    return soxr.resample(samples, rate_hz, to_hz), to_hz


def swapped_stereo(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """Stereo with speech in one channel and faint hum in the other; channels swapped, then averaged to mono."""
    hum = 1e-4 * np.sin(2 * np.pi * 50 * np.arange(samples.size) / rate_hz)
    stereo = np.stack([hum, samples], axis=1)[:, ::-1]
    return stereo.mean(axis=1).astype(np.float32), rate_hz


def inverted(samples: Samples, rate_hz: int) -> tuple[Samples, int]:
    """The recording with reversed polarity."""
    return -samples, rate_hz
