"""A source-filter voice in NumPy: glottal pulses and breath, shaped by moving formants.

    samples = speak("01", Voice.of(3, seed=0), draw_prosody("happy", 1.0, rng), rng)

Glottal flow after Rosenberg AE (1971), Effect of glottal pulse shape on the quality of natural vowels,
JASA 49: 583-590; vowel formants of Peterson GE, Barney HL (1952), Control methods used in a study of the
vowels, JASA 24: 175-184 (men). Networks can classify it; people cannot understand it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_images.data.synthesis.prosody import Prosody

RATE_HZ = 48000
_FRAME = 240  # samples from one control frame to the next: 5 ms
_N_FFT = 1024

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Phone:
    """A target of the vocal tract.

    Attributes:
        formants_hz: the first three of a man.
        duration_s: at rest.
        voicing, friction: amplitudes of the glottal source and of noise, 0 to 1.
        friction_hz: centre of that noise.
        accent: this phone carries the sentence's melody.
    """

    formants_hz: tuple[float, float, float]
    duration_s: float
    voicing: float
    friction: float = 0.0
    friction_hz: float = 4000.0
    accent: bool = False


_I = Phone((390, 1990, 2550), 0.07, 1.0)
_A = Phone((730, 1090, 2440), 0.10, 1.0)
_O = Phone((570, 840, 2410), 0.12, 1.0, accent=True)
_UH = Phone((500, 1300, 2450), 0.05, 0.8)
_R = Phone((490, 1350, 1690), 0.07, 0.8)
_NG = Phone((280, 2000, 2700), 0.07, 0.4)
_D = Phone((300, 1700, 2600), 0.05, 0.15, 0.15, 3500)
_B = Phone((300, 900, 2300), 0.05, 0.2, 0.05, 1000)
_G = Phone((300, 2000, 2300), 0.05, 0.15, 0.1, 2000)
_K = Phone((350, 1900, 2400), 0.07, 0.0, 0.25, 2200)
_T = Phone((350, 1800, 2600), 0.07, 0.0, 0.3, 4500)
_S = Phone((350, 1700, 2600), 0.10, 0.0, 0.5, 6500)
_Z = Phone((300, 1700, 2600), 0.06, 0.3, 0.25, 6000)
_TH = Phone((300, 1400, 2500), 0.04, 0.4, 0.08, 5000)
_I_ACCENT = Phone((390, 1990, 2550), 0.10, 1.0, accent=True)
_O_FINAL = Phone((570, 840, 2410), 0.20, 1.0, accent=True)
_BY_THE_DOOR = (_B, _A, _I, _TH, _UH, _D, _O_FINAL, _R)

SENTENCES = {
    "01": (_K, _I_ACCENT, _D, _Z, _A, _R, _T, _O, _K, _I, _NG, *_BY_THE_DOOR),  # Kids are talking by the door
    "02": (_D, _O, _G, _Z, _A, _R, _S, _I_ACCENT, _T, _I, _NG, *_BY_THE_DOOR),  # Dogs are sitting by the door
}


@dataclass(frozen=True)
class Voice:
    """The properties of a speaker that do not depend on the emotion.

    Attributes:
        pitch_hz: mean fundamental frequency at rest.
        tract: length of the vocal tract, as the ratio of the formants to a man's.
        excursion_st: size of a pitch accent at rest.
        rate: speech rate, 1 on average.
        tilt_db: spectral tilt beside the source's own, dB an octave.
        jitter: standard deviation of the fundamental frequency from frame to frame, as a fraction of it.
        expressiveness: how strongly this speaker shows emotions, 1 on average.
    """

    pitch_hz: float
    tract: float
    excursion_st: float
    rate: float
    tilt_db: float
    jitter: float
    expressiveness: float

    @classmethod
    def of(cls, actor: int, seed: int) -> "Voice":
        """The voice of an actor: odd numbers are male, even are female, as in RAVDESS."""
        rng = np.random.default_rng((seed, actor))
        male = actor % 2 == 1
        return cls(
            pitch_hz=(118 if male else 208) * 2 ** (rng.normal(0, 1.8) / 12),
            tract=(1.0 if male else 1.16) * rng.uniform(0.94, 1.06),
            excursion_st=rng.uniform(2.0, 3.2),
            rate=rng.uniform(0.9, 1.1),
            tilt_db=rng.normal(0, 1.0),
            jitter=rng.uniform(0.006, 0.012),
            expressiveness=rng.uniform(0.75, 1.25),
        )


def speak(statement: str, voice: Voice, prosody: Prosody, rng: np.random.Generator) -> NDArray[np.float32]:
    """A statement of `SENTENCES` in this voice: mono float32 at `RATE_HZ`, shape (n,), with silence around."""
    phones = SENTENCES[statement]
    tracks = _tracks(phones, voice, prosody, rng)
    pitch_hz = _pitch(phones, tracks, voice, prosody, rng)
    breath = 0.02 * 10 ** (prosody.breath_db / 20) * rng.standard_normal(pitch_hz.size)
    source = (_glottal(pitch_hz) + breath) * _to_samples(tracks["voicing"])
    hiss = rng.standard_normal(pitch_hz.size) * _to_samples(tracks["friction"])
    speech = _shape(source, _formants(tracks, voice, prosody)) + 0.5 * _shape(hiss, _friction(tracks))
    level = 10 ** ((-27 + prosody.energy_db + rng.normal(0, 1)) / 20)
    speech *= min(level / np.sqrt(np.mean(speech**2)), 0.98 / np.abs(speech).max())
    before, after = rng.uniform(0.3, 0.6, 2)
    recording = np.pad(speech, (int(before * RATE_HZ), int(after * RATE_HZ)))
    recording += 10 ** (-75 / 20) * rng.standard_normal(recording.size)
    return recording.astype(np.float32)


def _tracks(phones: tuple[Phone, ...], voice: Voice, prosody: Prosody, rng: np.random.Generator) -> dict[str, Array]:
    """The smoothed parameters of each frame, each of shape (frames,) or (frames, 3)."""
    slow = rng.uniform(0.9, 1.1, len(phones)) / (voice.rate * prosody.rate_ratio)
    durations = np.array([phone.duration_s for phone in phones]) * slow
    frames = np.maximum(3, np.rint(durations * RATE_HZ / _FRAME)).astype(int)
    spread = {
        "phone": np.repeat(np.arange(len(phones)), frames).astype(float),
        "formants_hz": np.repeat([phone.formants_hz for phone in phones], frames, axis=0).astype(float),
        "friction_hz": np.repeat([phone.friction_hz for phone in phones], frames),
    }
    for name in ("voicing", "friction"):
        spread[name] = np.repeat([getattr(phone, name) for phone in phones], frames)
    return spread | {name: _smooth(spread[name], 7) for name in ("formants_hz", "voicing", "friction")}


def _smooth(track: Array, width: int) -> Array:
    kernel = np.hanning(width + 2)[1:-1] / np.hanning(width + 2).sum()
    padded = np.pad(track, [(width // 2, width // 2)] + [(0, 0)] * (track.ndim - 1), "edge")
    return np.apply_along_axis(np.convolve, 0, padded, kernel, "valid")


def _pitch(
    phones: tuple[Phone, ...], tracks: dict[str, Array], voice: Voice, prosody: Prosody, rng: np.random.Generator
) -> Array:
    """Fundamental frequency of every sample in Hz: declination, accents, a final movement, jitter."""
    phone = tracks["phone"].astype(int)
    position = np.linspace(0, 1, phone.size)
    accents = [index for index, target in enumerate(phones) if target.accent]
    sizes = dict(zip(accents, rng.uniform(0.6, 1.4, len(accents)), strict=True))
    accent = _smooth(np.array([sizes.get(index, 0.0) for index in phone]), 21)
    melody = voice.excursion_st * prosody.range_ratio * (accent - accent.mean() + 0.5 * (0.5 - position))
    final = prosody.final_st * np.clip((position - 0.8) / 0.2, 0, 1)
    semitones = prosody.pitch_st + melody + final
    uneven = 1 + voice.jitter * prosody.jitter_ratio * rng.standard_normal(phone.size)
    return _to_samples(voice.pitch_hz * 2 ** (semitones / 12) * uneven)


def _to_samples(track: Array) -> Array:
    samples = np.arange(track.size * _FRAME) / _FRAME
    return np.interp(samples, np.arange(track.size), track)


def _glottal(pitch_hz: Array, opening: float = 0.4, closing: float = 0.16) -> Array:
    """Derivative of Rosenberg's flow, unit power: a cosine rise, a quarter cosine fall, then closed."""
    phase = np.cumsum(pitch_hz / RATE_HZ) % 1
    rise = 0.5 * (1 - np.cos(np.pi * phase / opening))
    fall = np.cos(np.pi / 2 * (phase - opening) / closing)
    flow = np.where(phase < opening, rise, np.where(phase < opening + closing, fall, 0))
    pulses = np.diff(flow, prepend=0.0)
    return pulses / pulses.std()


def _formants(tracks: dict[str, Array], voice: Voice, prosody: Prosody) -> Array:
    """Gain of the vocal tract, shape (frames, bins): resonances and a tilt above 500 Hz."""
    hz = np.fft.rfftfreq(_N_FFT, 1 / RATE_HZ)
    moving = tracks["formants_hz"] * voice.tract
    fixed = np.broadcast_to(np.array([3400.0, 4500.0]) * voice.tract, (len(moving), 2))
    gain = np.ones((len(moving), hz.size))
    for centre in np.concatenate([moving, fixed], axis=1).T[:, :, None]:
        width = 50 + centre / 20
        gain /= np.sqrt((1 - (hz / centre) ** 2) ** 2 + (hz * width / centre**2) ** 2)
    octaves = np.log2(np.maximum(hz, 500) / 500)
    return gain * 10 ** ((voice.tilt_db + prosody.tilt_db) * octaves / 20)


def _friction(tracks: dict[str, Array]) -> Array:
    """Gain of frication noise, shape (frames, bins): half an octave around its centre."""
    hz = np.maximum(np.fft.rfftfreq(_N_FFT, 1 / RATE_HZ), 1)
    return np.exp(-0.5 * (np.log2(hz / tracks["friction_hz"][:, None]) / 0.5) ** 2)


def _shape(source: Array, gain: Array) -> Array:
    """The source through a gain that moves from frame to frame, by weighted overlap-add."""
    window = np.sqrt(np.hanning(_N_FFT + 1)[:-1])
    padded = np.pad(source, (_N_FFT // 2, _N_FFT))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_FRAME][: len(gain)]
    shaped = np.fft.irfft(np.fft.rfft(frames * window) * gain) * window
    out = np.zeros(padded.size)
    for index, frame in enumerate(shaped):
        out[index * _FRAME : index * _FRAME + _N_FFT] += frame
    return out[_N_FFT // 2 : _N_FFT // 2 + source.size] * (2 * _FRAME / _N_FFT)
