"""The log-mel spectrogram and its parts: frames, window, power spectrogram and mel filters."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

Matrix = NDArray[np.float32]

POWER_FLOOR = 1e-20
"""Power of digital silence, so that its logarithm exists."""
_FRAMES_AT_ONCE = 32
"""These stay in the cache of a processor; and NumPy transforms float64, which the window is, four times as fast as
float32 (LOG.md, 2026-11-29)."""


def log_mel(samples: Samples, spec: ImageSpec) -> Matrix:
    """Log-mel spectrogram in dB, shape (n_mels, n_frames), low frequencies first.

    Equal to librosa.power_to_db(librosa.feature.melspectrogram(…, power=2, pad_mode="constant"),
    top_db=None) for the first `n_frames` frames, less the power of the window in dB. Written here
    so that prediction needs neither numba nor librosa; it is five times as fast (LOG.md, 2026-11-20).

    Args:
        samples: shape (spec.n_samples,), full scale 1.
    """
    return _apply_mel_filters(power_spectrogram(samples, spec), spec)


def power_spectrogram(samples: Samples, spec: ImageSpec) -> Matrix:
    """Power in each bin of the Fourier transform, shape (1 + n_fft // 2, n_frames); frames are centred."""
    frames, weights = frame_samples(samples, spec), spec_constants(spec).window
    power = np.empty((1 + spec.n_fft // 2, len(frames)), np.float32)
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        some = slice(start, start + _FRAMES_AT_ONCE)
        spectrum = np.fft.rfft(frames[some] * weights).astype(np.complex64)
        power[:, some] = (np.square(spectrum.real) + np.square(spectrum.imag)).T
    return power


def frame_samples(samples: Samples, spec: ImageSpec) -> Samples:
    """Overlapping frames of the samples, shape (n_frames, n_fft); both ends are padded with zeros."""
    padded = np.pad(samples, spec.n_fft // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop_length][: spec.n_frames]


def _apply_mel_filters(power: Matrix, spec: ImageSpec) -> Matrix:
    parts = spec_constants(spec)
    mel = np.add.reduceat(parts.weights[:, None] * power[parts.bins], parts.starts, axis=0)
    return decibels(mel)


def decibels(power: Matrix) -> Matrix:
    """10 log10, digital silence at `POWER_FLOOR`."""
    return 10 * np.log10(np.maximum(power, np.float32(POWER_FLOOR)))


class SpecConstants(NamedTuple):
    """The window and the mel filters of a spec; of the filters, only the non-zero weights, band by band."""

    window: NDArray[np.float64]
    weights: Samples
    bins: NDArray[np.intp]
    starts: NDArray[np.intp]


@lru_cache(maxsize=8)
def spec_constants(spec: ImageSpec) -> SpecConstants:
    """The window and the mel filters of a spec, computed once."""
    filters = mel_filters(spec)
    used = filters > 0
    used[~used.any(axis=1), 0] = True  # a band narrower than a bin is empty: it sums one weight of 0
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))[:-1]])
    return SpecConstants(window(spec), filters[used], np.nonzero(used)[1], starts)


def window(spec: ImageSpec) -> NDArray[np.float64]:
    """The periodic Hann window of sum 1, shape (n_fft,)."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.n_fft) / spec.n_fft)
    return hann / hann.sum()


def mel_filters(spec: ImageSpec) -> Matrix:
    """Triangular filters on the mel scale, each of area 1 in Hz; shape (n_mels, 1 + n_fft // 2).

    Equal to librosa.filters.mel; for `fbank`, with htk=True.
    """
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.sample_rate_hz)
    edges_hz = band_edges_hz(spec)
    widths = np.diff(edges_hz)
    slopes = edges_hz[:, None] - bins_hz[None, :]
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    return (filters * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)


def band_edges_hz(spec: ImageSpec) -> NDArray[np.float64]:
    """The n_mels + 2 frequencies where filters begin, peak and end."""
    to_mel, to_hz = (_htk, _from_htk) if FEATURES[spec.feature].mel_scale == "htk" else (_slaney, _from_slaney)
    low, high = to_mel(np.array([spec.min_hz, spec.max_hz]))
    return to_hz(np.linspace(low, high, spec.n_mels + 2))


# Slaney M (1998). Auditory Toolbox, version 2. Interval Research, technical report 1998-010: linear up to 1 kHz (15
# mel), then logarithmic, 27 mel for a factor of 6.4.
_MEL_PER_HZ, _KNEE_HZ, _KNEE_MEL, _LOG_STEP = 3 / 200, 1000.0, 15.0, np.log(6.4) / 27


def _slaney(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _KNEE_MEL + np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(hz < _KNEE_HZ, hz * _MEL_PER_HZ, above)


def _from_slaney(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < _KNEE_MEL, mel / _MEL_PER_HZ, _KNEE_HZ * np.exp((mel - _KNEE_MEL) * _LOG_STEP))


# The Hidden Markov Model Toolkit's, and Kaldi's: O'Shaughnessy D (1987). Speech communication: human and machine.
_HTK_FACTOR, _HTK_KNEE_HZ = 2595.0, 700.0


def _htk(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return _HTK_FACTOR * np.log10(1 + hz / _HTK_KNEE_HZ)


def _from_htk(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return _HTK_KNEE_HZ * (10 ** (mel / _HTK_FACTOR) - 1)
