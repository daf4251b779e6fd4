"""Phase vocoder: sound faster or slower, at the same pitch.

slower = time_stretch(samples, 0.8, 16000)

What librosa.effects.time_stretch computes, to rounding, in less time: librosa adds up phases, which takes an arc
tangent and a sine of every bin; here the same angles are complex numbers of length 1, which are multiplied (LOG.md,
2026-11-29). Frames take 32 ms; librosa's default, 2,048 samples, is 128 ms at 16 kHz, in which a voice changes: copies
that it made were taken for another emotion more often (LOG.md, 2026-11-30).

Flanagan JL, Golden RM (1966). Phase vocoder. Bell System Technical Journal 45.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ser_images.spectrogram_gen.sound_file import Samples

_HOP_S = 0.008
_OVERLAP = 4
Spectrum = NDArray[np.complex64]


def hop_length(sample_rate_hz: int) -> int:
    """Samples from one frame to the next, about 8 ms; a frame is four times as long."""
    return int(scipy.fft.next_fast_len(max(1, round(_HOP_S * sample_rate_hz)), real=True))


def time_stretch(samples: Samples, rate: float, sample_rate_hz: int) -> Samples:
    """The sound `rate` times as fast, shape (round(n / rate),).

    Args:
        samples: shape (n,), float32.
        sample_rate_hz: of the samples; it gives the frames their length.
    """
    hop = hop_length(sample_rate_hz)
    spectrum = _transform(samples, hop)
    places = np.arange(0, len(spectrum) - 1, rate)
    frames, shares = places.astype(int), (places % 1).astype(np.float32)[:, None]
    magnitudes = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
    found = _directions(spectrum, magnitudes, frames)
    found *= (1 - shares) * magnitudes[frames] + shares * magnitudes[frames + 1]
    return _inverse(found, round(samples.size / rate), hop)


def _directions(spectrum: Spectrum, magnitudes: Samples, frames: NDArray[np.intp]) -> Spectrum:
    """The phase of each frame as complex numbers of length 1: from one to the next it turns as the spectrum does."""
    directions = (spectrum + (magnitudes == 0)) / (magnitudes + (magnitudes == 0))  # 1 in silence
    turns = directions[1:] * directions[:-1].conj()
    found = np.concatenate([directions[:1], turns[frames[:-1]]])
    for number in range(1, len(found)):
        found[number] *= found[number - 1]
    return found


def _transform(samples: Samples, hop: int) -> Spectrum:
    """The spectrum of overlapping frames, shape (frames + 1, 1 + n_fft // 2): centred, with silence at the end."""
    window = _window(hop)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, window.size // 2), window.size)[::hop]
    found = np.zeros((len(frames) + 1, 1 + window.size // 2), np.complex64)
    found[:-1] = scipy.fft.rfft(frames * window)
    return found


def _inverse(spectrum: Spectrum, n_samples: int, hop: int) -> Samples:
    window = _window(hop)
    margin = window.size // 2
    frames = scipy.fft.irfft(spectrum, window.size) * window
    padded = np.zeros(margin + max(n_samples, margin + hop * len(frames)), np.float32)
    _add_overlapping(frames, padded)
    return (padded / _weights(len(frames), padded.size, hop))[margin:][:n_samples]


def _add_overlapping(frames: Samples, out: Samples) -> None:
    hop = frames.shape[1] // _OVERLAP
    parts = out[: (len(frames) + _OVERLAP - 1) * hop].reshape(-1, hop)
    for number in range(_OVERLAP):
        parts[number : number + len(frames)] += frames[:, number * hop : (number + 1) * hop]


@lru_cache(maxsize=4)
def _window(hop: int) -> Samples:
    """The periodic Hann window of a frame."""
    n_fft = _OVERLAP * hop
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def _weights(n_frames: int, n_samples: int, hop: int) -> Samples:
    """The sum of the squared windows at each sample, 1 where there is none."""
    sums = np.zeros(n_samples, np.float32)
    _add_overlapping(np.broadcast_to(np.square(_window(hop)), (n_frames, _OVERLAP * hop)), sums)
    return np.where(sums > np.finfo(np.float32).tiny, sums, np.float32(1))
