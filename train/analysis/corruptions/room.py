"""Rooms: reverberation by a synthetic impulse response, a direct path and exponentially decaying noise.

samples, rate_hz = reverberate(samples, rate_hz, rt60_s=0.6, drr_db=0)

The decaying noise is the statistical model of late reverberation: Polack JD (1988), La transmission de l'énergie sonore
dans les salles, thesis, Université du Maine; in English: Habets EAP (2007), Single- and multi-microphone speech
dereverberation using spectral enhancement, thesis, TU Eindhoven. It has no early reflections of its own, and decays
equally fast at all frequencies.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.train.analysis.corruptions.channel import gain
from ser_images.train.analysis.corruptions.clip_rng import clip_rng

_FIRST_REFLECTION_S = 0.003
"""A detour of 1 m, as by a table."""
NEAR_M = 0.5
"""Distance at which the direct path has its level of the recording."""
NEAR_DRR_DB = 6.0
"""Direct-to-reverberant ratio there, so that both are equal at 1 m: as in an office of 80 m³ with an RT60 of 0.6 s. Its
critical distance is 0.057 √(80/0.6) = 0.66 m (Kuttruff H (2009), Room acoustics, 5th edition) for sound that
radiates evenly; a voice, which does not, reaches further."""


def impulse_response(rate_hz: int, rt60_s: float, drr_db: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """The direct path of gain 1, then decaying noise; shape (n,), until the noise has decayed by 60 dB.

    Args:
        rt60_s: time in which reverberation decays by 60 dB.
        drr_db: energy of the direct path to that of the reverberation.
    """
    seconds = np.arange(round(rt60_s * rate_hz)) / rate_hz
    tail = rng.standard_normal(seconds.size) * 10 ** (-3 * seconds / rt60_s)
    tail[seconds < _FIRST_REFLECTION_S] = 0
    tail *= 10 ** (-drr_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return tail


def reverberate(samples: Samples, rate_hz: int, rt60_s: float, drr_db: float) -> tuple[Samples, int]:
    """The recording in a room, which is another one for each clip; as long as before."""
    response = impulse_response(rate_hz, rt60_s, drr_db, clip_rng(samples))
    return fftconvolve(samples, response)[: samples.size].astype(np.float32), rate_hz


def distant(samples: Samples, rate_hz: int, distance_m: float, rt60_s: float = 0.6) -> tuple[Samples, int]:
    """The speaker at a distance from the microphone, in a room, before a 16-bit converter.

    The direct path loses 6 dB with each doubling of the distance, and the reverberation nothing: so level and
    direct-to-reverberant ratio fall.
    """
    loss_db = 20 * np.log10(distance_m / NEAR_M)
    reverberant, _ = reverberate(samples, rate_hz, rt60_s, NEAR_DRR_DB - loss_db)
    return gain(reverberant, rate_hz, -loss_db)
