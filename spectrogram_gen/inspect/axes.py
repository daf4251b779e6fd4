"""Axes of a plotted image: time in seconds, and frequency in Hz or the kind of each row."""

from typing import Any

import numpy as np
from PIL import Image

from ser_images.spectrogram_gen.features.mel import band_edges_hz
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.spec import ImageSpec

TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def plot_image(axes: Any, image: Image.Image, spec: ImageSpec) -> None:
    """Draw an image on matplotlib axes, columns in seconds; mel bands are labelled in Hz, other rows by their kind."""
    axes.imshow(
        np.asarray(image)[::-1], cmap="magma", vmin=0, vmax=spec.white, origin="lower", aspect="auto",
        extent=(0, spec.duration_s, -0.5, spec.n_rows - 0.5),
    )  # fmt: skip
    axes.set(xlabel="time (s)", ylabel=row_label(spec))
    groups = FEATURES[spec.feature].rows
    if FEATURES[spec.feature].only_mel_bands:
        _tick_frequencies(axes, spec)
    elif len(groups) > 1:
        _tick_groups(axes, spec)


def row_label(spec: ImageSpec) -> str:
    """The label of the axis of rows: `frequency (Hz)` for mel bands, else what the rows are."""
    groups = FEATURES[spec.feature].rows
    if FEATURES[spec.feature].only_mel_bands:
        return "frequency (Hz)"
    return groups[0].name if len(groups) == 1 else f"rows of {spec.feature}"


def _tick_frequencies(axes: Any, spec: ImageSpec) -> None:
    centres_hz = band_edges_hz(spec)[1:-1]
    ticks = [hz for hz in TICKS_HZ if centres_hz[0] <= hz <= centres_hz[-1]]
    axes.set_yticks(np.interp(ticks, centres_hz, np.arange(spec.n_mels)), [str(hz) for hz in ticks])


def _tick_groups(axes: Any, spec: ImageSpec) -> None:
    """A tick in the middle of each group of several rows, with its name."""
    groups = FEATURES[spec.feature].rows
    ends = np.cumsum([group.count(spec) for group in groups])
    ticks = [(end - (group.count(spec) + 1) / 2, group.name) for end, group in zip(ends, groups, strict=True)]
    wide = [tick for tick, group in zip(ticks, groups, strict=True) if group.count(spec) > 1]
    axes.set_yticks([place for place, _ in wide], [name for _, name in wide])
