"""Time to make the image of a recording, compared with common ways to do it and with a lower bound.

    python benchmarks/render_speed.py RAVDESS_FOLDER

Four implementations turn the same recordings into PNG files, in one process. They alternate for several rounds, and the
fastest round of each counts:
(a) common: librosa's load, trim and mel spectrogram (n_fft 1024, hop 100), specshow, savefig, as public projects that
    train fastai on images of RAVDESS do;
(b) librosa and Pillow, with the trimming, level and size of this project;
(c) this project: ser-images build with its checks, hashes and manifest;
(d) lower bound: decode, resample, one batched FFT, sparse mel matrix, PNG at level 1, and nothing else.
Prints milliseconds per recording and the ratios a/c, b/c, c/d.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import librosa
import matplotlib as mpl
import numpy as np
import scipy.fft
import soundfile
import soxr
from matplotlib import pyplot as plt
from PIL import Image
from scipy.sparse import csr_matrix

from ser_images.data.clip import Clip
from ser_images.data.common.command_line import command_line
from ser_images.data.corpora import find_clips
from ser_images.spectrogram_gen.dataset.build import build
from ser_images.spectrogram_gen.dataset.plan import Plan
from ser_images.spectrogram_gen.features.mel import mel_filters
from ser_images.spectrogram_gen.spec import ImageSpec

SPEC = ImageSpec()
Implementation = Callable[[Sequence[Clip], Path], None]


def common(clips: Sequence[Clip], out: Path) -> None:
    for clip in clips:
        samples, rate_hz = librosa.load(clip.path)
        samples, _ = librosa.effects.trim(samples)
        mel = librosa.feature.melspectrogram(y=samples, sr=rate_hz, n_fft=1024, hop_length=100)
        decibels = librosa.power_to_db(mel, ref=np.max)
        librosa.display.specshow(decibels, y_axis="mel", fmax=20000, x_axis="time")
        plt.savefig(out / f"{clip.name}.png")
        plt.close()


def librosa_and_pillow(clips: Sequence[Clip], out: Path) -> None:
    for clip in clips:
        samples, _ = librosa.load(clip.path, sr=SPEC.sample_rate_hz)
        samples, _ = librosa.effects.trim(samples, top_db=SPEC.trim_db)
        samples *= 0.1 / np.sqrt(np.mean(samples**2))
        samples = librosa.util.fix_length(samples, size=SPEC.n_samples)
        mel = librosa.feature.melspectrogram(
            y=samples, sr=SPEC.sample_rate_hz, n_fft=SPEC.n_fft, hop_length=SPEC.hop_length, n_mels=SPEC.n_mels
        )
        decibels = librosa.power_to_db(mel)[::-1, : SPEC.n_frames]
        grey = np.clip((decibels + 60) * 255 / SPEC.range_db, 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(out / f"{clip.name}.png")


def this_project(clips: Sequence[Clip], out: Path) -> None:
    build(clips, clips[0].path.parent.parent, out, SPEC, Plan())


def lower_bound(clips: Sequence[Clip], out: Path) -> None:
    window = np.hanning(SPEC.n_fft).astype(np.float32)
    filters = csr_matrix(mel_filters(SPEC))
    for clip in clips:
        samples, rate_hz = soundfile.read(clip.path, dtype="float32", always_2d=True)
        samples = soxr.resample(samples[:, 0], rate_hz, SPEC.sample_rate_hz)
        samples = np.pad(samples, SPEC.n_samples)[SPEC.n_samples :][: SPEC.n_samples + SPEC.n_fft]
        frames = np.lib.stride_tricks.sliding_window_view(samples, SPEC.n_fft)[:: SPEC.hop_length][: SPEC.n_frames]
        spectrum = scipy.fft.rfft(frames * window)
        power = np.ascontiguousarray((spectrum.real**2 + spectrum.imag**2).T)
        decibels = 10 * np.log10(filters @ power + np.float32(1e-20))
        grey = np.clip((decibels + 80) * np.float32(255 / 80), 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(out / f"{clip.name}.png", compress_level=1)


IMPLEMENTATIONS: dict[str, Implementation] = {
    "a": common,
    "b": librosa_and_pillow,
    "c": this_project,
    "d": lower_bound,
}


def seconds(make_images: Implementation, clips: Sequence[Clip]) -> float:
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        make_images(clips, Path(out))
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    mpl.use("Agg")
    clips = find_clips(arguments.source, "ravdess").clips
    clips = clips[:: max(1, len(clips) // arguments.clips)][: arguments.clips]
    for implementation in IMPLEMENTATIONS.values():  # warm up imports, caches and the disk
        seconds(implementation, clips[:5])
    best = dict.fromkeys(IMPLEMENTATIONS, float("inf"))
    for number in range(arguments.rounds):
        for name, implementation in IMPLEMENTATIONS.items():
            if name != "a" or number < 2:  # two rounds are enough for the slowest
                best[name] = min(best[name], seconds(implementation, clips))
    ms = {name: round(1000 * total / len(clips), 2) for name, total in best.items()}
    ratios = {"a/c": ms["a"] / ms["c"], "b/c": ms["b"] / ms["c"], "c/d": ms["c"] / ms["d"]}
    print(json.dumps({"clips": len(clips), "ms_per_clip": ms, **{k: round(v, 2) for k, v in ratios.items()}}))


if __name__ == "__main__":
    with command_line():
        main()
