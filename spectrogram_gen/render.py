"""The renderer: building image sets, prediction from files and the microphone all call it.

image = render(samples, rate_hz, ImageSpec())
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ser_images.spectrogram_gen.audio import pad_or_trim, prepare
from ser_images.spectrogram_gen.features.mel import Matrix
from ser_images.spectrogram_gen.features.table import FEATURES
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

if TYPE_CHECKING:  # a prediction needs neither: 20 ms of its start
    from PIL.Image import Image

    from ser_images.spectrogram_gen.augment import Step

Grey = NDArray[np.unsignedinteger[Any]]


class GreyRange(NamedTuple):
    """The values shown as black and as white in each row, shape (n_rows, 1) each."""

    black: Matrix
    white: Matrix


def render(samples: Samples, rate_hz: int, spec: ImageSpec) -> "Image":
    """The image of a recording: `spec.n_frames` wide, `spec.n_rows` high, first row below; mode L, or I;16.

    Args:
        samples: mono, shape (n,), full scale 1.
        rate_hz: their sample rate.

    Raises:
        UserError: silence, or too little sound (see `prepare`).
    """
    return _image(render_grey(samples, rate_hz, spec))


def render_grey(samples: Samples, rate_hz: int, spec: ImageSpec) -> Grey:
    """The grey values of the image that `render` returns, shape (spec.n_rows, spec.n_frames), `spec.dtype`."""
    return _grey(pad_or_trim(prepare(samples, rate_hz, spec), spec), spec)


def render_prepared(sound: Samples, spec: ImageSpec, steps: "Sequence[Step]" = ()) -> "Image":
    """The image of sound that `prepare` returned, augmented by `steps`."""
    from ser_images.spectrogram_gen.augment import apply_to_recording, apply_to_voice

    voice = apply_to_voice(steps, sound, spec)
    return _image(_grey(apply_to_recording(steps, pad_or_trim(voice, spec), spec), spec))


def _grey(recording: Samples, spec: ImageSpec) -> Grey:
    return to_grey(feature_matrix(recording, spec), spec)


def _image(grey: Grey) -> "Image":
    from PIL.Image import fromarray

    return fromarray(grey)


def feature_matrix(samples: Samples, spec: ImageSpec) -> Matrix:
    """The spec's feature, shape (spec.n_rows, spec.n_frames), the lowest row first.

    Args:
        samples: shape (spec.n_samples,), full scale 1.
    """
    return FEATURES[spec.feature].matrix(samples, spec)


@lru_cache(maxsize=8)
def grey_range(spec: ImageSpec) -> GreyRange:
    """The range of each row: all that its values can be, but for mel bands, which are clipped."""
    groups = [np.broadcast_to(group.grey_range(spec), (group.count(spec), 2)) for group in FEATURES[spec.feature].rows]
    black, white = np.concatenate(groups).astype(np.float32).T
    return GreyRange(black[:, None], white[:, None])


def to_grey(matrix: Matrix, spec: ImageSpec) -> Grey:
    """A feature matrix as grey values, first row at the bottom, scaled from each row's range."""
    return np.rint(np.clip(scale(matrix, spec), 0, spec.white))[::-1].astype(spec.dtype)


def scale(matrix: Matrix, spec: ImageSpec) -> Matrix:
    """A feature matrix with black at 0 and white at `spec.white`; neither clipped nor rounded."""
    black, white = grey_range(spec)
    return (matrix - black) * (np.float32(spec.white) / (white - black))
