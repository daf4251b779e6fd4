"""The features: what the rows of an image are. One table for the spec, the renderer, the help texts and the axes.

To add a feature, add an entry to `_ALL` and a function from samples to a matrix. NumPy is imported only when a feature
is computed, so that --help stays fast.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ser_images.spectrogram_gen.features.mel import Matrix
    from ser_images.spectrogram_gen.sound_file import Samples
    from ser_images.spectrogram_gen.spec import ImageSpec

N_CHROMA = 12


@dataclass(frozen=True)
class RowGroup:
    """Neighbouring rows of one kind.

    Attributes:
        name: as the axis of a plot names them.
        count: how many rows, by spec.
        grey_range: (black, white) of the rows, by spec: a pair for all of them, or shape (count, 2).
    """

    name: str
    count: "Callable[[ImageSpec], int]"
    grey_range: "Callable[[ImageSpec], tuple[float, float] | Matrix]"


@dataclass(frozen=True)
class Feature:
    """One way to turn sound into rows.

    Attributes:
        name: as `--feature` takes it.
        text: one line for help texts.
        rows: groups of rows, the lowest first.
        matrix: (samples of shape (n_samples,), spec) to a matrix (n_rows, n_frames), the lowest row first.
        spec: fields of `ImageSpec` whose default differs from the class's.
        mel_scale: `slaney`, as librosa's default, or `htk`, as Kaldi's.
    """

    name: str
    text: str
    rows: tuple[RowGroup, ...]
    matrix: "Callable[[Samples, ImageSpec], Matrix]"
    spec: Mapping[str, int] = field(default_factory=dict)
    mel_scale: str = "slaney"

    @property
    def only_mel_bands(self) -> bool:
        """Whether every row is a mel band, so that rows have a frequency in Hz."""
        return self.rows == (_MEL,)


def _mel(samples: "Samples", spec: "ImageSpec") -> "Matrix":
    from ser_images.spectrogram_gen.features.mel import log_mel

    return log_mel(samples, spec)


def _mfcc(samples: "Samples", spec: "ImageSpec") -> "Matrix":
    from ser_images.spectrogram_gen.features.cepstra import mfcc

    return mfcc(samples, spec)


def _gaussian(samples: "Samples", spec: "ImageSpec") -> "Matrix":
    from ser_images.spectrogram_gen.features.cepstra import gaussian_cepstrum

    return gaussian_cepstrum(samples, spec)


def _stack(samples: "Samples", spec: "ImageSpec") -> "Matrix":
    from ser_images.spectrogram_gen.features.cepstra import stack

    return stack(samples, spec)


def _cepstral_range(spec: "ImageSpec") -> "Matrix":
    from ser_images.spectrogram_gen.features.cepstra import cepstral_range

    return cepstral_range(spec)


_MEL = RowGroup("mel bands", lambda spec: spec.n_mels, lambda spec: (spec.max_db - spec.range_db, spec.max_db))
_CEPSTRUM = RowGroup("cepstral coefficients", lambda spec: spec.n_coefficients, _cepstral_range)
_CHROMA = RowGroup("chroma", lambda spec: N_CHROMA, lambda spec: (0.0, 1.0))
_RMS = RowGroup("RMS", lambda spec: 1, lambda spec: (0.0, 1.0))
_ZERO_CROSSINGS = RowGroup("zero-crossing rate", lambda spec: 1, lambda spec: (0.0, 1.0))

_16_BIT = {"bit_depth": 16}
"""A cepstral coefficient varies by a hundredth of its possible range, which 8 bits would not show."""
_ALL = (
    Feature("mel", "log-mel spectrogram", (_MEL,), _mel),
    Feature(
        "fbank", "log-mel filterbank that pretrained speech networks read", (_MEL,), _mel,
        {"n_fft": 512, "hop_length": 160, "n_mels": 80, "min_hz": 20}, "htk",
    ),
    Feature("mfcc", "mel-frequency cepstral coefficients", (_CEPSTRUM,), _mfcc, _16_BIT),
    Feature("gaussian", "cepstral coefficients of a Gaussian filterbank", (_CEPSTRUM,), _gaussian, _16_BIT),
    Feature(
        "stack", "MFCC, chroma, log-mel, RMS and zero-crossing rate",
        (_CEPSTRUM, _CHROMA, _MEL, _RMS, _ZERO_CROSSINGS), _stack, {**_16_BIT, "n_coefficients": 20},
    ),
)  # fmt: skip
FEATURES: Mapping[str, Feature] = {feature.name: feature for feature in _ALL}
"""Every feature, by name."""
