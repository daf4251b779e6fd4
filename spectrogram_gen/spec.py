"""ImageSpec: every number that defines a picture, and nothing else.

Two pictures can be compared, and a network can be trusted with a picture, where their specs are equal.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from data.errors import UserError


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
        n_mels: mel bands, the rows of the picture (Slaney's scale and area normalisation, as librosa's).
        min_hz, max_hz: the lowest edge of the first band and the highest of the last.
        max_db: level of white, in dB of a band's power. The window sums to 1, so that a constant of 1 has
            power 1 in its FFT bin; the bands' filters have area 1 in Hz.
        range_db: dB from black to white.
        bit_depth: bits of a grey value.

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
        if self.bit_depth != 8:
            raise UserError(f"image spec: bit_depth is {self.bit_depth}, expected 8")

    @property
    def n_samples(self) -> int:
        """Samples of sound in one picture."""
        return round(self.duration_s * self.sample_rate_hz)

    @property
    def n_frames(self) -> int:
        """Columns of the picture: the hops that fit into it."""
        return self.n_samples // self.hop_length

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that are equal where, and only where, the pictures are."""
        return hashlib.sha256(self.to_json(indent=None).encode()).hexdigest()[:12]

    def to_json(self, indent: int | None = 2) -> str:
        """The spec as a JSON object, keys sorted."""
        return json.dumps(asdict(self), indent=indent, sort_keys=True)

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
        if values.keys() != known:
            odd = sorted(values.keys() ^ known)
            raise UserError(
                f"image spec: {', '.join(odd)} missing or unknown here; it was written by another version, "
                f"so build the images again with this one"
            )
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise UserError(f"image spec: {name} is {value!r}, expected a number")
        return cls(**values)
