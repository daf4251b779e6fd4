"""ImageSpec: every number that defines a picture, and nothing else.

Two pictures can be compared, and a network can be trusted with a picture, where their specs are equal.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ser_images.data.common.errors import UserError

N_CHROMA = 12
FEATURES: dict[str, dict[str, int]] = {
    "mel": {},
    "fbank": {"n_fft": 512, "hop_length": 160, "n_mels": 80, "min_hz": 20},
    "mfcc": {"bit_depth": 16},
    "gaussian": {"bit_depth": 16},
    "stack": {"bit_depth": 16, "n_coefficients": 20},
}
"""What the rows of a picture can be, and the numbers of each that are not the default: a cepstral coefficient varies by
a hundredth of what it could, which 8 bits would not show."""
BANDS = ("mel", "fbank")
"""The features whose rows are mel bands and nothing else; `fbank` is the one that networks for speech read."""
_LATER: dict[str, Any] = {"feature": "mel", "n_coefficients": 40}
"""Fields that earlier versions didn't have, with what was so then: their specs keep their hashes."""


@dataclass(frozen=True)
class ImageSpec:
    """How sound becomes a picture.

    Attributes:
        sample_rate_hz: rate that every recording is resampled to.
        duration_s: sound in one picture; shorter is padded with silence, longer is cut, both evenly at
            the two ends.
        trim_db: sound at either end is silence while its level over 10 ms stays this far below the loudest.
        level_dbfs: root mean square level of the sound that the picture shows, padding left out. Absolute level tells a
            posed corpus's emotions apart and means nothing from another microphone.
        n_fft: samples in one Hann window.
        hop_length: samples from one column of the picture to the next.
        n_mels: mel bands, the rows of the picture, each of area 1 in Hz (Slaney's scale, as librosa's; `fbank`: HTK's).
        min_hz, max_hz: the lowest edge of the first band and the highest of the last.
        max_db: level of white, in dB of a band's power. The window sums to 1, so that a constant of 1 has
            power 1 in its FFT bin; the bands' filters have area 1 in Hz.
        range_db: dB from black to white.
        bit_depth: bits of a grey value, 8 or 16.
        feature: what the rows are, one of `FEATURES`; see `ser_images.spectrogram_gen.features.mel`.
        n_coefficients: cepstral coefficients, where the feature has them.

    Raises:
        UserError: a number that no picture can be made with.
    """

    sample_rate_hz: int = 16000
    duration_s: float = 3.0
    trim_db: float = 25.0
    level_dbfs: float = -20.0
    n_fft: int = 1024
    hop_length: int = 375
    n_mels: int = 128
    min_hz: float = 0.0
    max_hz: float = 8000.0
    max_db: float = -30.0
    range_db: float = 80.0
    bit_depth: int = 8
    feature: str = "mel"
    n_coefficients: int = 40

    def __post_init__(self) -> None:
        for field in fields(self):  # 7000 and 7000.0 are one spec, and must have one hash
            object.__setattr__(self, field.name, field.type(getattr(self, field.name)))  # type: ignore[operator]  # types, not strings
        positive = ("sample_rate_hz", "duration_s", "trim_db", "n_fft", "hop_length", "n_mels", "range_db")
        for name in positive:
            if not getattr(self, name) > 0:
                raise UserError(f"image spec: {name} is {getattr(self, name)}, expected more than 0")
        if not 0 <= self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise UserError(
                f"image spec: bands from {self.min_hz} to {self.max_hz} Hz, "
                f"expected to lie in 0 to {self.sample_rate_hz / 2} Hz, half of sample_rate_hz"
            )
        if self.n_samples < self.hop_length:
            raise UserError(f"image spec: {self.duration_s} s is shorter than one hop of {self.hop_length} samples")
        if self.bit_depth not in (8, 16):
            raise UserError(f"image spec: bit_depth is {self.bit_depth}, expected 8 or 16")
        if self.feature not in FEATURES:
            raise UserError(f"image spec: feature is {self.feature!r}, expected one of {', '.join(FEATURES)}")
        if not 1 <= self.n_coefficients <= self.n_mels and self.feature not in BANDS:
            raise UserError(f"image spec: n_coefficients is {self.n_coefficients}, expected 1 to n_mels, {self.n_mels}")

    @property
    def n_samples(self) -> int:
        """Samples of sound in one picture."""
        return round(self.duration_s * self.sample_rate_hz)

    @property
    def n_frames(self) -> int:
        """Columns of the picture: the hops that fit into it."""
        return self.n_samples // self.hop_length

    @property
    def n_rows(self) -> int:
        """Rows of the picture."""
        coefficients, bands = self.n_coefficients, self.n_mels
        return {
            "mel": bands, "fbank": bands, "mfcc": coefficients, "gaussian": coefficients,
            "stack": coefficients + N_CHROMA + bands + 2,
        }[self.feature]  # fmt: skip

    @property
    def white(self) -> int:
        """The brightest grey value."""
        return 2**self.bit_depth - 1

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """NumPy's type of a grey value."""
        return np.uint8 if self.bit_depth == 8 else np.uint16

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that are equal where, and only where, the pictures are."""
        return hashlib.sha256(self.to_json(indent=None).encode()).hexdigest()[:12]

    def to_json(self, indent: int | None = 2) -> str:
        """The spec as a JSON object, keys sorted."""
        return json.dumps(self.to_dict(), indent=indent, sort_keys=True)

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name; those that came later are left out where they say what was so before them."""
        return {name: value for name, value in asdict(self).items() if _LATER.get(name) != value}

    @classmethod
    def from_json(cls, text: str) -> "ImageSpec":
        """The spec that `to_json` wrote; raises UserError for anything else."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"image spec: not JSON ({error})") from error
        if not isinstance(values, dict):
            raise UserError(f"image spec: a JSON {type(values).__name__}, expected an object")
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ImageSpec":
        """A spec of exactly these values; raises UserError where one is missing, unknown or no number."""
        known = {field.name for field in fields(cls)}
        if (_LATER | values).keys() != known:
            odd = sorted((_LATER | values).keys() ^ known)
            raise UserError(
                f"image spec: {', '.join(odd)} missing or unknown here; it was written by another version, "
                f"so build the images again with this one"
            )
        for name, value in values.items():
            if name != "feature" and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise UserError(f"image spec: {name} is {value!r}, expected a number")
        return cls(**values)

    @classmethod
    def of_feature(cls, feature: str) -> "ImageSpec":
        """The spec that a feature has by default; raises UserError where there is no such feature."""
        if feature not in FEATURES:
            raise UserError(f"--feature {feature}: expected one of {', '.join(FEATURES)}")
        return cls(feature=feature, **FEATURES[feature])
