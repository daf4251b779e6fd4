"""A plot of a timeline: waveform, spectrogram and emotion over time, for a recording of any length."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ser_images.data.common.text import plot_text
from ser_images.predict.output.file_names import printable
from ser_images.predict.streaming.timeline import Timeline
from ser_images.spectrogram_gen.sound_file import read_blocks

COLUMNS = 1500
_N_FFT = 1024


def timeline_figure(path: Path, found: Timeline) -> Figure:
    """The plot of a recording and its segments; reads it in blocks, one for each column."""
    rate_hz, blocks = read_blocks(path, max(found.duration_s / COLUMNS, 2 * _N_FFT / 48000))
    low, high, spectra = [], [], []
    for block in blocks:
        low.append(block.min())
        high.append(block.max())
        spectra.append(_spectrum(block))
    figure = Figure(figsize=(12, 6), layout="constrained")
    wave, spectrogram, emotion = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 2))
    seconds = np.linspace(0, found.duration_s, len(low))
    wave.fill_between(seconds, low, high, linewidth=0)
    wave.set(ylabel="amplitude", title=plot_text(printable(Path(path.name))), xlim=(0, found.duration_s))
    decibels = 10 * np.log10(np.maximum(np.array(spectra).T, 1e-12))
    spectrogram.imshow(
        decibels, origin="lower", aspect="auto", cmap="magma", vmin=decibels.max() - 80,
        extent=(0, found.duration_s, 0, rate_hz / 2000),
    )  # fmt: skip
    spectrogram.set(ylabel="frequency (kHz)", ylim=(0, min(8, rate_hz / 2000)))
    labels = sorted({segment.label for segment in found.segments})
    for segment in found.segments:
        row = plot_text(f"{segment.speaker}: {segment.label}" if segment.speaker else segment.label)
        emotion.barh(
            row, segment.end_s - segment.start_s, left=segment.start_s,
            color=f"C{labels.index(segment.label)}", alpha=max(0.2, segment.confidence),
        )  # fmt: skip
    emotion.set(xlabel="time (s)", ylabel="emotion")
    return figure


def _spectrum(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean power of a few frames across the block, shape (1 + n_fft // 2,)."""
    padded = np.pad(block, (0, max(0, _N_FFT - block.size)))
    starts = np.linspace(0, padded.size - _N_FFT, 4).astype(int)
    frames = np.stack([padded[start : start + _N_FFT] for start in starts]) * np.hanning(_N_FFT)
    return (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0).astype(np.float32)
