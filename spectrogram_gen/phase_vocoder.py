"""Phase vocoder: sound faster or slower, at the same pitch.

slower = time_stretch(samples, 0.8)

What librosa.effects.time_stretch computes, to rounding, in a third of the time: librosa adds up phases, which takes
an arc tangent and a sine of every bin; here the same angles are complex numbers of length 1, which are multiplied
(LOG.md, 2026-11-29).

Flanagan JL, Golden RM (1966). Phase vocoder. Bell System Technical Journal 45.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ser_images.spectrogram_gen.sound_file import Samples

N_FFT, HOP = 2048, 512
Spectrum = NDArray[np.complex64]


def time_stretch(samples: Samples, rate: float) -> Samples:
    """The sound `rate` times as fast, shape (round(n / rate),).

    Args:
        samples: shape (n,), float32.
    """
    spectrum = _transform(samples)
    places = np.arange(0, len(spectrum) - 1, rate)
    frames, shares = places.astype(int), (places % 1).astype(np.float32)[:, None]
    magnitudes = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
    found = _directions(spectrum, magnitudes, frames)
    found *= (1 - shares) * magnitudes[frames] + shares * magnitudes[frames + 1]
    return _inverse(found, round(samples.size / rate))


def _directions(spectrum: Spectrum, magnitudes: Samples, frames: NDArray[np.intp]) -> Spectrum:
    """The phase of each frame as complex numbers of length 1: from one to the next it turns as the spectrum does."""
    directions = (spectrum + (magnitudes == 0)) / (magnitudes + (magnitudes == 0))  # 1 in silence
    turns = directions[1:] * directions[:-1].conj()
    found = np.concatenate([directions[:1], turns[frames[:-1]]])
    for number in range(1, len(found)):
        found[number] *= found[number - 1]
    return found


def _transform(samples: Samples) -> Spectrum:
    """The spectrum of overlapping frames, shape (frames + 1, 1 + N_FFT // 2): centred, with silence at the end."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, N_FFT // 2), N_FFT)[::HOP]
    found = np.zeros((len(frames) + 1, 1 + N_FFT // 2), np.complex64)
    found[:-1] = scipy.fft.rfft(frames * _window())
    return found


def _inverse(spectrum: Spectrum, n_samples: int) -> Samples:
    frames = scipy.fft.irfft(spectrum, N_FFT) * _window()
    padded = np.zeros(N_FFT // 2 + max(n_samples, N_FFT // 2 + HOP * len(frames)), np.float32)
    _add_overlapping(frames, padded)
    return (padded / _weights(len(frames), padded.size))[N_FFT // 2 :][:n_samples]


def _add_overlapping(frames: Samples, out: Samples) -> None:
    overlap = N_FFT // HOP
    parts = out[: (len(frames) + overlap - 1) * HOP].reshape(-1, HOP)
    for number in range(overlap):
        parts[number : number + len(frames)] += frames[:, number * HOP : (number + 1) * HOP]


@lru_cache(maxsize=1)
def _window() -> Samples:
    """The periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)


@lru_cache(maxsize=64)
def _weights(n_frames: int, n_samples: int) -> Samples:
    """The sum of the squared windows at each sample, 1 where there is none."""
    sums = np.zeros(n_samples, np.float32)
    _add_overlapping(np.broadcast_to(np.square(_window()), (n_frames, N_FFT)), sums)
    return np.where(sums > np.finfo(np.float32).tiny, sums, np.float32(1))
