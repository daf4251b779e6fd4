"""THE picture: the builder, a file, the microphone and the web page all call `render`.

image = render(samples, rate_hz, ImageSpec())
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ser_images.spectrogram_gen.audio import Samples, pad_or_trim, prepare
from ser_images.spectrogram_gen.augment import Step, apply_to_recording, apply_to_voice
from ser_images.spectrogram_gen.features.cepstra import matrix, ranges
from ser_images.spectrogram_gen.features.mel import Matrix
from ser_images.spectrogram_gen.spec import ImageSpec


def render(samples: Samples, rate_hz: int, spec: ImageSpec) -> Image.Image:
    """The picture of a recording: `spec.n_frames` wide, `spec.n_rows` high, first row below; mode L, or I;16.

    Args:
        samples: mono, shape (n,), full scale 1.
        rate_hz: their sample rate.

    Raises:
        UserError: silence, or too little sound to show (see `prepare`).
    """
    return picture(prepare(samples, rate_hz, spec), spec)


def picture(sound: Samples, spec: ImageSpec, steps: Sequence[Step] = ()) -> Image.Image:
    """The picture of sound that `prepare` returned, augmented by `steps` on the way."""
    voice = apply_to_voice(steps, sound, spec)
    recording = apply_to_recording(steps, pad_or_trim(voice, spec), spec)
    return Image.fromarray(to_grey(matrix(recording, spec), spec))


def to_grey(rows: Matrix, spec: ImageSpec) -> NDArray[np.unsignedinteger[Any]]:
    """A feature to grey, first row at the bottom; the low end of a row's range is black, the high end white."""
    low, high = ranges(spec)
    scaled = (rows - low) * (np.float32(spec.white) / (high - low))
    return np.rint(np.clip(scaled, 0, spec.white))[::-1].astype(spec.dtype)
