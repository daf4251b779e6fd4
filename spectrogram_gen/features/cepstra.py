"""Cepstral, chroma and stacked features.

mfcc(samples, ImageSpec.of_feature("mfcc"))
"""

from functools import lru_cache

import numpy as np

from ser_images.spectrogram_gen.features.mel import (
    Matrix,
    band_edges_hz,
    decibels,
    frame_samples,
    log_mel,
    power_spectrogram,
)  # fmt: skip
from ser_images.spectrogram_gen.features.table import N_CHROMA
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec


def mfcc(samples: Samples, spec: ImageSpec) -> Matrix:
    """Mel-frequency cepstral coefficients, shape (n_coefficients, n_frames)."""
    return cepstrum(log_mel(samples, spec), spec)


def gaussian_cepstrum(samples: Samples, spec: ImageSpec) -> Matrix:
    """Cepstral coefficients of Gaussian filters in place of triangular ones, shape (n_coefficients, n_frames)."""
    return cepstrum(decibels(gaussian_filters(spec) @ power_spectrogram(samples, spec)), spec)


def stack(samples: Samples, spec: ImageSpec) -> Matrix:
    """MFCC, chroma, log-mel, RMS and zero-crossing rate, shape (n_coefficients + 12 + n_mels + 2, n_frames)."""
    mel, power = log_mel(samples, spec), power_spectrogram(samples, spec)
    return np.concatenate([cepstrum(mel, spec), chroma(power, spec), mel, *energy_and_crossings(samples, spec)])


def cepstrum(bands_db: Matrix, spec: ImageSpec) -> Matrix:
    """The first coefficients of the orthonormal DCT-II over bands, shape (n_coefficients, n_frames).

    For mel bands equal to librosa.feature.mfcc(S=bands_db, n_mfcc=n_coefficients). The bands are clipped to the dB
    range of the spec, as librosa's `top_db` does.
    """
    shown = np.clip(bands_db, spec.max_db - spec.range_db, spec.max_db)
    return _cosines(spec.n_mels, spec.n_coefficients) @ shown.astype(np.float32)


@lru_cache(maxsize=8)
def _cosines(n_bands: int, n_coefficients: int) -> Matrix:
    positions = (np.arange(n_bands) + 0.5) / n_bands
    cosines = np.cos(np.pi * np.arange(n_coefficients)[:, None] * positions) * np.sqrt(2 / n_bands)
    cosines[0] /= np.sqrt(2)
    return cosines.astype(np.float32)


def cepstral_range(spec: ImageSpec) -> Matrix:
    """The lowest and the highest value that each coefficient can have, shape (n_coefficients, 2)."""
    cosines = _cosines(spec.n_mels, spec.n_coefficients).astype(np.float64)
    bounds = (spec.max_db - spec.range_db, spec.max_db)
    ends = np.stack([np.where(cosines > 0, cosines * bounds[end], cosines * bounds[1 - end]) for end in (0, 1)])
    return ends.sum(2).T.astype(np.float32)


@lru_cache(maxsize=8)
def gaussian_filters(spec: ImageSpec) -> Matrix:
    """Gaussian filters at the centres of the mel bands, each of sum 1, shape (n_mels, 1 + n_fft // 2).

    A filter's standard deviation is half the distance between its two neighbours' centres, and at least half a bin.
    """
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.sample_rate_hz)
    edges_hz = band_edges_hz(spec)
    widths_hz = np.maximum((edges_hz[2:] - edges_hz[:-2]) / 4, bins_hz[1] / 2)
    filters = np.exp(-0.5 * ((bins_hz[None, :] - edges_hz[1:-1, None]) / widths_hz[:, None]) ** 2)
    return (filters / filters.sum(1, keepdims=True)).astype(np.float32)


def chroma(power: Matrix, spec: ImageSpec) -> Matrix:
    """Power by pitch class, C first, 1 the strongest of a frame: librosa.feature.chroma_stft(S=power, tuning=0)."""
    classes = chroma_filters(spec) @ power
    strongest = classes.max(0, keepdims=True)
    return np.where(strongest > np.finfo(np.float32).tiny, classes / np.maximum(strongest, 1e-37), classes)


@lru_cache(maxsize=8)
def chroma_filters(spec: ImageSpec) -> Matrix:
    """Which pitch class each bin belongs to, shape (12, 1 + n_fft // 2), as librosa.filters.chroma.

    Ellis DPW (2007). Chroma feature analysis and synthesis. Octaves far from the fifth weigh less, two octaves away by
    a standard deviation.
    """
    bins_hz = np.linspace(0, spec.sample_rate_hz, spec.n_fft, endpoint=False)[1:]
    classes = N_CHROMA * np.log2(bins_hz / (440 / 16))
    classes = np.concatenate([[classes[0] - 1.5 * N_CHROMA], classes])
    widths = np.concatenate([np.maximum(np.diff(classes), 1.0), [1.0]])
    away = np.remainder(classes[None, :] - np.arange(N_CHROMA)[:, None] + 10.5 * N_CHROMA, N_CHROMA) - N_CHROMA / 2
    weights = np.exp(-0.5 * (2 * away / widths) ** 2)
    weights /= np.maximum(np.sqrt((weights**2).sum(0, keepdims=True)), np.finfo(np.float64).tiny)
    weights *= np.exp(-0.5 * ((classes / N_CHROMA - 5) / 2) ** 2)
    return np.roll(weights, -3, axis=0)[:, : 1 + spec.n_fft // 2].astype(np.float32)


def energy_and_crossings(samples: Samples, spec: ImageSpec) -> tuple[Matrix, Matrix]:
    """Root mean square and zero crossing rate of each frame, (1, n_frames) each, as librosa.feature has them."""
    rms = np.sqrt(np.mean(frame_samples(samples, spec) ** 2, axis=1))
    padded = np.pad(samples, spec.n_fft // 2, mode="edge")
    crossed = np.concatenate([[False], np.signbit(padded[1:]) != np.signbit(padded[:-1])])
    counts = np.concatenate([[0], np.cumsum(crossed)])
    starts = spec.hop_length * np.arange(spec.n_frames)
    rate = (counts[starts + spec.n_fft] - counts[starts + 1]) / spec.n_fft  # a frame's first sample crosses nothing
    return rms[None].astype(np.float32), rate[None].astype(np.float32)
