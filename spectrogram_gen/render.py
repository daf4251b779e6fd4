"""THE picture: the builder, a file, the microphone and the web page all call `render`.

image = render(samples, rate_hz, ImageSpec())
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrogram_gen.audio import Samples, fit, prepare
from spectrogram_gen.augment import Step, apply_to_recording, apply_to_voice
from spectrogram_gen.features import Matrix, log_mel
from spectrogram_gen.spec import ImageSpec


def render(samples: Samples, rate_hz: int, spec: ImageSpec) -> Image.Image:
    """The picture of a recording: mode L, `spec.n_frames` wide, `spec.n_mels` high, low frequencies below.

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
    recording = apply_to_recording(steps, fit(voice, spec), spec)
    return Image.fromarray(to_grey(log_mel(recording, spec), spec))


def to_grey(matrix: Matrix, spec: ImageSpec) -> NDArray[np.uint8]:
    """dB to grey, first row at the bottom: `max_db` and above is white, `range_db` below it black."""
    white = 2**spec.bit_depth - 1
    scaled = (matrix - np.float32(spec.max_db - spec.range_db)) * np.float32(white / spec.range_db)
    return np.rint(np.clip(scaled, 0, white))[::-1].astype(np.uint8)
