"""Time in seconds and frequency in Hz on the axes of a drawn picture."""

from typing import Any

import numpy as np
from PIL import Image

from ser_images.spectrogram_gen.features.mel import band_edges_hz
from ser_images.spectrogram_gen.spec import BANDS, ImageSpec

TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def draw_picture(axes: Any, image: Image.Image, spec: ImageSpec) -> None:
    """Show a picture on matplotlib axes, mel bands labelled in Hz, other rows by number, and columns in seconds."""
    axes.imshow(
        np.asarray(image)[::-1], cmap="magma", vmin=0, vmax=spec.white, origin="lower", aspect="auto",
        extent=(0, spec.duration_s, -0.5, spec.n_rows - 0.5),
    )  # fmt: skip
    axes.set(xlabel="time (s)", ylabel="frequency (Hz)" if spec.feature in BANDS else f"row of {spec.feature}")
    if spec.feature not in BANDS:
        return
    centres_hz = band_edges_hz(spec)[1:-1]
    ticks = [hz for hz in TICKS_HZ if centres_hz[0] <= hz <= centres_hz[-1]]
    axes.set_yticks(np.interp(ticks, centres_hz, np.arange(spec.n_mels)), [str(hz) for hz in ticks])
