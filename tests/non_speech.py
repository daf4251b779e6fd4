"""Sounds in which nobody speaks: noise, hum, music, keyboard clicks, applause; mono, full scale 1."""

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt

from ser_images.spectrogram_gen.sound_file import Samples

RATE_HZ = 48000
DURATION_S = 3.0
_N = round(DURATION_S * RATE_HZ)
_SECONDS = np.arange(_N) / RATE_HZ


def white_noise(rng: np.random.Generator) -> Samples:
    return _at_level(rng.standard_normal(_N))


def pink_noise(rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(_N))
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[0] = 0
    return _at_level(np.fft.irfft(spectrum, _N))


def hum(rng: np.random.Generator) -> Samples:
    """Of the mains: 50 Hz and its odd harmonics."""
    return _at_level(sum(np.sin(2 * np.pi * 50 * k * _SECONDS + rng.uniform(0, 6)) / k for k in (1, 3, 5, 7)))


def tone(_: np.random.Generator) -> Samples:
    return _at_level(np.sin(2 * np.pi * 440 * _SECONDS))


def chords(rng: np.random.Generator) -> Samples:
    """Four chords of a plucked instrument: five partials a note, which decay."""
    sound = np.zeros(_N)
    for number, root in enumerate((57, 53, 48, 55)):
        for note in (0, 4 if number else 3, 7, 12):
            hz = 440 * 2 ** ((root + note - 69) / 12)
            for partial in range(1, 6):
                wave = np.sin(2 * np.pi * hz * partial * _SECONDS + rng.uniform(0, 6)) / partial**1.5
                _add(sound, wave * np.exp(-_SECONDS * (2 + partial)), number * DURATION_S / 4)
    return _at_level(sound)


def melody(rng: np.random.Generator) -> Samples:
    """A bowed instrument: a sawtooth with vibrato, a note every half second."""
    notes = 60 + rng.choice([0, 2, 4, 5, 7, 9, 11, 12], round(2 * DURATION_S))
    semitones = np.repeat(notes, RATE_HZ // 2) + 0.3 * np.sin(2 * np.pi * 5.5 * _SECONDS)
    phase = np.cumsum(440 * 2 ** ((semitones - 69) / 12) / RATE_HZ)
    envelope = np.minimum(1, 8 * (_SECONDS % 0.5)) * np.minimum(1, 8 * (0.5 - _SECONDS % 0.5))
    return _at_level(sosfilt(butter(2, 3000, fs=RATE_HZ, output="sos"), (phase % 1 - 0.5) * envelope))


def drums(rng: np.random.Generator) -> Samples:
    """120 beats a minute: bass drum and snare in turn, a hi-hat twice as often."""
    sound = np.zeros(_N)
    noise = rng.standard_normal(_N)
    hat = sosfilt(butter(4, 7000, "highpass", fs=RATE_HZ, output="sos"), noise) * np.exp(-60 * _SECONDS)
    snare = noise * np.exp(-20 * _SECONDS) + np.sin(2 * np.pi * 190 * _SECONDS) * np.exp(-25 * _SECONDS)
    bass = 2 * np.sin(2 * np.pi * (55 * _SECONDS + 3 * (1 - np.exp(-30 * _SECONDS)))) * np.exp(-9 * _SECONDS)
    for beat in range(round(4 * DURATION_S)):
        _add(sound, 0.4 * hat, beat / 4)
    for beat in range(round(2 * DURATION_S)):
        _add(sound, snare if beat % 2 else bass, beat / 2)
    return _at_level(sound)


def keyboard(rng: np.random.Generator) -> Samples:
    """Eight keys a second: each a click of 5 ms when pressed, and a fainter one when released."""
    sound = np.zeros(_N)
    band = butter(2, (1500, 8000), "bandpass", fs=RATE_HZ, output="sos")
    for key_s in np.arange(0.1, DURATION_S - 0.2, 0.125):
        at_s = key_s + rng.uniform(-0.04, 0.04)
        for later_s, loudness in ((0, 1), (0.07, 0.4)):
            click = sosfilt(band, rng.standard_normal(_N)) * np.exp(-_SECONDS / 0.005)
            _add(sound, loudness * rng.uniform(0.5, 1) * click, at_s + later_s)
    return _at_level(sound)


def applause(rng: np.random.Generator) -> Samples:
    """300 claps a second, each a burst of noise around 1 kHz of some 10 ms."""
    times = np.zeros(_N)
    times[rng.integers(0, _N, round(300 * DURATION_S))] = rng.uniform(0.3, 1, round(300 * DURATION_S))
    clap = rng.standard_normal(RATE_HZ // 20) * np.exp(-np.arange(RATE_HZ // 20) / RATE_HZ / 0.008)
    band = butter(2, (600, 3000), "bandpass", fs=RATE_HZ, output="sos")
    return _at_level(np.convolve(times, sosfilt(band, clap))[:_N])


def _add(sound: "np.ndarray", wave: "np.ndarray", at_s: float) -> None:
    start = round(at_s * RATE_HZ)
    sound[start:] += wave[: sound.size - start]


def _at_level(sound: "np.ndarray | float") -> Samples:
    samples = np.asarray(sound)
    return np.asarray(0.1 * samples / np.sqrt(np.mean(samples**2)), np.float32)


NON_SPEECH: dict[str, Callable[[np.random.Generator], Samples]] = {
    function.__name__.replace("_", " "): function
    for function in (white_noise, pink_noise, hum, tone, chords, melody, drums, keyboard, applause)
}
"""The sound of each kind, from random numbers."""
