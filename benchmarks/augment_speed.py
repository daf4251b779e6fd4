"""Time to make augmented images, compared with librosa's own stretch and pitch for the same draws.

    python benchmarks/augment_speed.py RAVDESS_FOLDER

(a) librosa: `time_stretch` and `pitch_shift` alone, with frames as long as ours, for the variants in which they were
    drawn;
(b) this project: the whole images of these variants, from prepared sound to PNG;
(c) this project's stretch and pitch alone.
They take turns; the fastest round of each counts. Prints milliseconds per variant, the ratios b/a and a/c, and how far
the sound of (c) is from that of (a): log-spectral distance in dB.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import librosa
import numpy as np
from turns import fastest, seconds

from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.audio import prepare
from ser_images.spectrogram_gen.augment import Step, draw, pitch, stretch
from ser_images.spectrogram_gen.dataset.clip_job import to_png
from ser_images.spectrogram_gen.phase_vocoder import hop_length
from ser_images.spectrogram_gen.render import render_prepared
from ser_images.spectrogram_gen.sound_file import Samples, read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec()
FRAMES = {"n_fft": 4 * hop_length(SPEC.sample_rate_hz), "hop_length": hop_length(SPEC.sample_rate_hz)}
Variant = tuple[Samples, Sequence[Step]]
Way = Callable[[Samples, Sequence[Step]], object]
LIBROSA: dict[str, Callable[[Samples, float], Samples]] = {
    "stretch": lambda sound, rate: librosa.effects.time_stretch(sound, rate=rate, **FRAMES),
    "pitch": lambda sound, semitones: librosa.effects.pitch_shift(
        sound, sr=SPEC.sample_rate_hz, n_steps=semitones, res_type="soxr_hq", **FRAMES
    ),
}
OURS: dict[str, Callable[[Samples, float], Samples]] = {
    "stretch": lambda sound, rate: stretch(sound, rate, SPEC),
    "pitch": lambda sound, semitones: pitch(sound, semitones, SPEC),
}


def changed(sound: Samples, steps: Sequence[Step], by: dict[str, Callable[[Samples, float], Samples]]) -> Samples:
    for step in steps:
        if step.name in by:
            sound = by[step.name](sound, step.amount)
    return sound


def log_spectral_distance_db(first: Samples, second: Samples) -> float:
    """Root mean square difference of two spectra in dB, the mean over frames; below -60 dBFS both are silence."""
    levels = [20 * np.log10(np.abs(librosa.stft(sound, n_fft=1024)) + 1e-3) for sound in (first, second)]
    return float(np.sqrt(np.mean((levels[0] - levels[1]) ** 2, axis=0)).mean())


def seconds_of_all(way: Way, variants: Sequence[Variant]) -> float:
    return seconds(lambda: [way(sound, steps) for sound, steps in variants])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    clips = find_clips(arguments.source, "ravdess").clips
    rng = np.random.default_rng(0)
    drawn = [(clip, draw(rng)) for clip in clips[:: max(1, len(clips) // arguments.clips)]]
    drawn = [(clip, steps) for clip, steps in drawn if {*LIBROSA} & {step.name for step in steps}]
    variants = [(prepare(*read_mono(clip.path), SPEC), steps) for clip, steps in drawn]
    ways: dict[str, Way] = {
        "a": lambda sound, steps: changed(sound, steps, LIBROSA),
        "b": lambda sound, steps: to_png(render_prepared(sound, SPEC, steps)),
        "c": lambda sound, steps: changed(sound, steps, OURS),
    }
    best = fastest({name: partial(seconds_of_all, way, variants) for name, way in ways.items()}, arguments.rounds)
    pairs = [(changed(sound, steps, LIBROSA), changed(sound, steps, OURS)) for sound, steps in variants]
    print(
        json.dumps(
            {
                "variants": len(variants),
                "ms_per_variant": {name: round(1000 * total / len(variants), 2) for name, total in best.items()},
                "b/a": round(best["b"] / best["a"], 2),
                "a/c": round(best["a"] / best["c"], 2),
                "distance_db": round(float(np.mean([log_spectral_distance_db(*pair) for pair in pairs])), 3),
            }
        )
    )


if __name__ == "__main__":
    with command_line():
        main()
