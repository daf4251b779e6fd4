"""Recording conditions, computed on the power of mel bands: rooms, microphones, noise, limited bands.

power = add_noise(power, bands)

A spectrogram of the sum of two sounds is, but for their phases, the sum of their spectrograms; a filter scales rows; a
room's decay smears frames. So an image is changed in microseconds where its sound would take milliseconds to render,
and every epoch draws other conditions. What is approximate in them (no phases, no codec) is measured on real sound:
`ser-train robustness`.
All functions take power (n, rows, frames), white being 1, the highest band first, and return the same shape.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import conv1d, interpolate, pad

from ser_images.spectrogram_gen.features.mel import band_edges_hz, log_mel
from ser_images.spectrogram_gen.spec import ImageSpec

REVERBERATION_S = (0.1, 0.8)
"""Reverberation time (RT60): of a room with curtains to that of a classroom."""
_WET = (0.02, 0.3)
"""Power of the first reflected frame, the direct sound's being 1."""
_DECAY_S = 0.4
SNR_DB = (0.0, 40.0)
_NOISE_TILT_DB = 20.0
"""Noise falls or rises by up to so much from the lowest to the highest band."""
_NOISE_S = 60.0
_COLOUR_DB = 4.0
"""Standard deviation of the random frequency responses of microphones and noises."""
_BABBLE = 0.15
"""So many noises are babble: the sum of other images in the batch."""
_VOICES = 4
_ACTIVE_DB = 25.0
_TELEPHONE_HZ = (300.0, 3400.0)
_NARROW_HZ = 3900.0
"""Up to where a recording of 8 kHz reaches."""
_OTHER_BAND_HZ = (3000.0, 7500.0)
_GENTLE_DB, _STEEP_DB = 24.0, 400.0
"""Slopes of filters, dB an octave: of a fourth-order filter, and of resampling."""


@dataclass(frozen=True)
class Bands:
    """The mel bands that the rows of an image are, the highest first.

    Attributes:
        hz: their peaks, shape (rows,).
        widths: relative to their mean, shape (rows,): a band's power is a density.
        noise: the power of white noise, shape (rows, frames), each row of mean 1. It is real noise: values drawn one by
            one look different, since neighbouring bands and frames overlap and wide bands vary less.
    """

    hz: torch.Tensor
    widths: torch.Tensor
    noise: torch.Tensor

    @classmethod
    def of(cls, spec: ImageSpec) -> "Bands":
        """Those of a spec whose rows are mel bands."""
        edges = torch.from_numpy(band_edges_hz(spec)[::-1].copy()).float()
        widths = edges[:-2] - edges[2:]
        return cls(edges[1:-1], widths / widths.mean(), _white_noise(spec))

    def total(self, power: torch.Tensor) -> torch.Tensor:
        """The total power of each image, shape (n, 1, 1)."""
        return (power * self.widths.to(power.device)[:, None]).sum((1, 2), keepdim=True)


def add_room(power: torch.Tensor, frame_s: float) -> torch.Tensor:
    """Each frame, of `frame_s` seconds, followed by an exponential decay.

    Polack JD (1988). La transmission de l'énergie sonore dans les salles. Université du Maine: diffuse reverberation is
    noise that decays exponentially.
    """
    n = len(power)
    reverberation = _uniform(n, *REVERBERATION_S, power)[:, None]
    frames = max(1, round(_DECAY_S / frame_s))
    after = torch.arange(frames, device=power.device) * frame_s
    response = 10 ** (-6 * after / reverberation) * _uniform(n, *_WET, power)[:, None]
    response[:, 0] = 1
    padded = pad(power, (frames - 1, 0)).transpose(0, 1)
    smeared: torch.Tensor = conv1d(padded, response.flip(1)[:, None], groups=n)
    return smeared.transpose(0, 1)


def add_microphone(power: torch.Tensor) -> torch.Tensor:
    """Each image with a smooth random frequency response."""
    return power * _colour(power)


def add_noise(power: torch.Tensor, bands: Bands) -> torch.Tensor:
    """Each image with noise of a random colour, or babble, at a random signal-to-noise ratio."""
    n, rows, _ = power.shape
    heights = torch.linspace(_NOISE_TILT_DB, 0, rows, device=power.device)[:, None]
    tilt = _uniform(n, -1, 1, power)[:, None, None] * heights
    spectrum = 10 ** (tilt / 10) * _colour(power)
    noise = spectrum * _random_parts(bands.noise.to(power.device), power)
    babble = torch.rand(n, 1, 1, device=power.device) < _BABBLE
    noise = torch.where(babble, _other_voices(power), noise)
    energy = power.sum(1, keepdim=True)
    speech = (energy > energy.amax(2, keepdim=True) * 10 ** (-_ACTIVE_DB / 10)).float().mean(2, keepdim=True)
    ratio = 10 ** (-_uniform(n, *SNR_DB, power)[:, None, None] / 10)
    scale = bands.total(power) / speech.clamp_min(0.1) / bands.total(noise).clamp_min(1e-12)
    return power + noise * scale * ratio


def limit_band(power: torch.Tensor, bands: Bands) -> torch.Tensor:
    """Each image in a band that ends below the full one: a telephone's, that of 8 kHz, or another."""
    n = len(power)
    kind = torch.rand(n, 1, device=power.device)
    telephone, narrow = kind < 1 / 3, kind > 2 / 3
    other = _uniform(n, *_OTHER_BAND_HZ, power)[:, None]
    high = torch.where(telephone, _TELEPHONE_HZ[1], torch.where(narrow, _NARROW_HZ, other))
    slope = torch.where(telephone, _GENTLE_DB, _STEEP_DB)
    hz = bands.hz.to(power.device)
    above = (hz / high).log2().clamp_min(0) * slope
    below = torch.where(telephone, (_TELEPHONE_HZ[0] / hz).log2().clamp_min(0) * _GENTLE_DB, 0)
    return power * (10 ** (-(above + below) / 10))[:, :, None]


def _white_noise(spec: ImageSpec) -> torch.Tensor:
    """As `Bands.noise`: `_NOISE_S` of it, or that of two images."""
    long = replace(spec, duration_s=max(_NOISE_S, 2 * spec.duration_s))
    samples = np.random.default_rng(0).standard_normal(long.n_samples, dtype=np.float32)
    power = torch.from_numpy(10 ** (log_mel(samples, long)[::-1] / 10))
    return power / power.mean(1, keepdim=True)


def _random_parts(noise: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A random part of the noise for each image, shape (n, rows, frames)."""
    n, _, frames = like.shape
    starts = torch.randint(noise.shape[1] - frames, (n, 1), device=noise.device)
    return noise[:, starts + torch.arange(frames, device=noise.device)].transpose(0, 1)


def _other_voices(power: torch.Tensor) -> torch.Tensor:
    """The sum of some other images of the batch, each shifted in time."""
    total = torch.zeros_like(power)
    for _ in range(_VOICES):
        others = power[torch.randperm(len(power), device=power.device)]
        total += others.roll(int(torch.randint(power.shape[2], ())), 2)
    return total


def _colour(power: torch.Tensor) -> torch.Tensor:
    """Smooth random factors of the rows, shape (n, rows, 1)."""
    points = torch.randn(len(power), 1, 5, device=power.device) * _COLOUR_DB
    decibels = interpolate(points, size=power.shape[1], mode="linear", align_corners=True)
    return 10 ** (decibels.transpose(1, 2) / 10)


def _uniform(n: int, low: float, high: float, like: torch.Tensor) -> torch.Tensor:
    return torch.empty(n, device=like.device).uniform_(low, high)
