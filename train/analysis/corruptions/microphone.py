"""Microphones: frequency responses as a few points, applied by a linear-phase filter.

samples, rate_hz = record(samples, rate_hz, RESPONSES["laptop microphone"])

The shapes are ours, simplified from what such devices do; none is a measurement of one device.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from scipy.signal import fftconvolve, firwin2

from ser_images.spectrogram_gen.sound_file import Samples

Response = Sequence[tuple[float, float]]
"""Frequencies in Hz, ascending, and the gain there in dB; constant below the first and above the last."""
RESPONSES: Mapping[str, Response] = MappingProxyType(
    {
        # a small capsule behind a slit of the case: little bass, a resonance at 5 kHz
        "laptop microphone": ((100, -18), (250, -3), (500, 0), (2500, 0), (5000, 8), (9000, -4), (16000, -15)),
        # beside the mouth, by Bluetooth: more bass, as at close range; the band of wideband speech, 50 Hz to 7 kHz
        "headset microphone": ((30, -40), (50, -3), (100, 4), (400, 1), (2000, 0), (3500, 4), (6800, 0), (7500, -60)),
        # a table microphone off axis across a room: treble falls by 6 dB an octave from 1.5 kHz, little bass
        "far-field microphone": ((50, -20), (150, -3), (300, 0), (1500, 0), (3000, -6), (6000, -12), (12000, -18)),
    }
)  # fmt: skip
_TAP_S = 0.04
"""Length of the filter: it resolves 25 Hz."""
_GRID = 512


def record(samples: Samples, rate_hz: int, response: Response) -> tuple[Samples, int]:
    """The recording through a microphone of this response; as long as before, and not delayed."""
    hz = np.linspace(0, rate_hz / 2, _GRID * 2 + 1)
    points_hz, gains_db = np.transpose(response)
    gains = 10 ** (np.interp(np.log(np.maximum(hz, 1)), np.log(points_hz), gains_db) / 20)
    taps = firwin2(2 * round(_TAP_S * rate_hz / 2) + 1, hz, gains, fs=rate_hz)
    return fftconvolve(samples, taps, mode="same").astype(np.float32), rate_hz
