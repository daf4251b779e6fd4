"""Augmentation in three steps: draw the parameters of a variant, record them in the manifest, apply them.

There are two kinds: stretch, pitch and speed change the voice before it is padded or cropped to the length of an image;
shift, noise and gain change the recording, the whole window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from ser_images.spectrogram_gen.audio import center_crop, normalize_rms
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

ORIGINAL = "original"


@dataclass(frozen=True)
class Step:
    """One augmentation with its drawn parameters.

    Attributes:
        name: a key of `AUGMENTATIONS`.
        amount: in the unit of the augmentation.
        seed: of the noise samples; 0 for the others.
    """

    name: str
    amount: float
    seed: int = 0


def stretch(samples: Samples, rate: float, spec: ImageSpec, seed: int = 0) -> Samples:
    """The voice `rate` times as fast, at the same pitch."""
    from ser_images.spectrogram_gen.phase_vocoder import time_stretch  # SciPy, which prediction does not install

    return time_stretch(samples, rate, spec.sample_rate_hz)


def pitch(samples: Samples, semitones: float, spec: ImageSpec, seed: int = 0) -> Samples:
    """The voice `semitones` higher, at the same tempo: stretched, and played faster; as librosa.effects.pitch_shift."""
    factor = 2 ** (semitones / 12)
    shifted = speed(stretch(samples, 1 / factor, spec), factor, spec)[: samples.size]
    return np.pad(shifted, (0, samples.size - shifted.size))


def speed(samples: Samples, factor: float, spec: ImageSpec, seed: int = 0) -> Samples:
    """The voice played `factor` times as fast: tempo, pitch and formants change together, as if somebody else spoke.

    Ko T, Peddinti V, Povey D, Khudanpur S (2015). Audio Augmentation for Speech Recognition. Interspeech.
    """
    return np.asarray(soxr.resample(samples, factor * spec.sample_rate_hz, spec.sample_rate_hz), np.float32)


def shift(samples: Samples, seconds: float, spec: ImageSpec, seed: int = 0) -> Samples:
    """The sound `seconds` later (earlier, where negative) in the window; zeros move in."""
    offset = round(seconds * spec.sample_rate_hz)
    shifted = np.zeros_like(samples)
    if offset >= 0:
        shifted[offset:] = samples[: samples.size - offset]
    else:
        shifted[:offset] = samples[-offset:]
    return shifted


def noise(samples: Samples, snr_db: float, spec: ImageSpec, seed: int = 0) -> Samples:
    """White Gaussian noise over the whole window, `snr_db` below the speech (which lies at the spec's level)."""
    white = np.random.default_rng(seed).standard_normal(samples.size, dtype=np.float32)
    return samples + normalize_rms(white, spec.level_dbfs - snr_db)


def gain(samples: Samples, gain_db: float, spec: ImageSpec, seed: int = 0) -> Samples:
    """The recording `gain_db` louder, as an error of level normalisation."""
    return samples * np.float32(10 ** (gain_db / 20))


@dataclass(frozen=True)
class Augmentation:
    """An augmentation: a function and the range that its amount is drawn from, uniformly.

    Attributes:
        version: raise it when the sound changes; a build then renders the variants with this augmentation again.
    """

    apply: Callable[..., Samples]
    unit: str
    minimum: float
    maximum: float
    version: int = 1


VOICE = {
    "stretch": Augmentation(stretch, "times as fast", 0.8, 1.2, version=2),
    "pitch": Augmentation(pitch, "semitones", -2.0, 2.0, version=2),
    "speed": Augmentation(speed, "times as fast", 0.85, 1.15),
}
RECORDING = {
    "shift": Augmentation(shift, "s", -0.3, 0.3),
    "noise": Augmentation(noise, "dB SNR", 15.0, 50.0),
    "gain": Augmentation(gain, "dB", -6.0, 6.0),
}
AUGMENTATIONS = VOICE | RECORDING
DEFAULT_AUGMENTATIONS = tuple(name for name in AUGMENTATIONS if name != "speed")
"""Those of a variant where none are named; `speed` came later, and what is drawn by a seed must stay the same."""


def draw(rng: np.random.Generator, names: Sequence[str] = DEFAULT_AUGMENTATIONS) -> tuple[Step, ...]:
    """The steps of one variant: each augmentation of `names` with probability 0.5, at least one, in fixed order."""
    tosses = rng.random(len(names)) < 0.5
    tosses[rng.integers(len(names))] = True
    return tuple(_draw_step(name, rng) for name, drawn in zip(names, tosses, strict=True) if drawn)


def _draw_step(name: str, rng: np.random.Generator) -> Step:
    kind = AUGMENTATIONS[name]
    amount = round(float(rng.uniform(kind.minimum, kind.maximum)), 4)
    return Step(name, amount, int(rng.integers(2**31)) if name == "noise" else 0)


def apply_to_voice(steps: Sequence[Step], samples: Samples, spec: ImageSpec) -> Samples:
    """Apply the steps that change the voice; its level stays that of the spec."""
    voice = _apply(steps, VOICE, samples, spec)
    return voice if voice is samples else normalize_rms(voice, spec.level_dbfs, center_crop(voice, spec))


def apply_to_recording(steps: Sequence[Step], samples: Samples, spec: ImageSpec) -> Samples:
    """Apply the steps that change the recording, to samples of the length of an image."""
    return _apply(steps, RECORDING, samples, spec)


def _apply(steps: Sequence[Step], kinds: dict[str, Augmentation], samples: Samples, spec: ImageSpec) -> Samples:
    for step in steps:
        if step.name in kinds:
            samples = kinds[step.name].apply(samples, step.amount, spec, step.seed)
    return samples
