"""ImageSpec: every number that defines an image, and nothing else.

Images can be compared, and a network can be applied to an image, only when their specs are equal.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from ser_images.data.common.errors import UserError, prefix_errors, require_between
from ser_images.data.common.json_text import parse_json_as
from ser_images.spectrogram_gen.features.table import FEATURES

RENDERER_VERSION = 1
"""Version of the renderer; part of `ImageSpec.hash` from 2 on.

Raise it whenever images change by more than what differs between processors, too: another level, window, filter or
rounding. The golden images in tests/golden then change too. Image sets of an earlier version are refused; bundles load
with a warning. (Transforms in float64 instead of float32 changed 21 of 8 million pixels by one grey value; LOG.md,
2026-11-29.)
"""
MEL_BAND_FEATURES = tuple(name for name, feature in FEATURES.items() if feature.only_mel_bands)
"""The features whose rows are all mel bands."""
_ADDED_FIELDS: dict[str, Any] = {"feature": "mel", "n_coefficients": 40}
"""Fields added later, with the value that earlier specs imply; left out of JSON at that value, so hashes stay."""


MAX_FRAME_SAMPLES = 1 << 25
"""Of all frames of an image; the windowed frames are in memory at once, 128 MiB."""
_LIMITS = {
    "sample_rate_hz": (1000, 768_000), "duration_s": (0.01, 120), "trim_db": (0.1, 200), "level_dbfs": (-100, 20),
    "n_fft": (2, 1 << 14), "hop_length": (1, 1 << 20), "n_mels": (1, 512), "max_db": (-300, 300),
    "range_db": (0.1, 300),
}  # fmt: skip
"""The least and the highest value of a field, so that an image takes bounded memory and time."""


@dataclass(frozen=True)
class ImageSpec:
    """How sound becomes an image.

    Attributes:
        sample_rate_hz: rate that every recording is resampled to.
        duration_s: sound in one image; shorter sound is padded with zeros, longer sound is trimmed, both evenly at
            the two ends.
        trim_db: a 10 ms block at either end is silence while it is this far below the loudest block.
        level_dbfs: root mean square level that the shown part of the sound is normalised to, padding left out. The
            absolute level separates the emotions of an acted corpus, but means nothing on another microphone.
        n_fft: samples in one Hann window.
        hop_length: samples from one column of the image to the next.
        n_mels: mel bands, each filter of area 1 in Hz, on the mel scale of the feature.
        min_hz: the lowest edge of the first band.
        max_hz: the highest edge of the last band.
        max_db: level of white, in dB of a band's power. The window sums to 1, so a constant of 1 has
            power 1 in its FFT bin.
        range_db: dB from black to white.
        bit_depth: bits of a grey value, 8 or 16.
        feature: what the rows are, one of `ser_images.spectrogram_gen.features.table.FEATURES`. It changes the rows
            alone; `ImageSpec.of_feature("mfcc")` has all numbers of `ser-images build --feature mfcc`.
        n_coefficients: cepstral coefficients, where the feature has them.

    Raises:
        UserError: a number that no image can be made with.

    Example:
        >>> from ser_images import ImageSpec
        >>> ImageSpec(n_mels=64).n_rows, ImageSpec.of_feature("mfcc").n_rows
        (64, 40)
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
        for field in fields(self):
            self._set(field.name, field.type)
        for name, (lowest, highest) in _LIMITS.items():
            if lowest > 0 and not getattr(self, name) > 0:
                raise UserError(f"image spec: {name} is {getattr(self, name)}, expected more than 0")
            with prefix_errors("image spec"):
                require_between(name, getattr(self, name), lowest, highest)
        if not 0 <= self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise UserError(
                f"image spec: bands from {self.min_hz} to {self.max_hz} Hz, "
                f"expected to lie in 0 to {self.sample_rate_hz / 2} Hz, half of sample_rate_hz"
            )
        if self.n_samples < self.hop_length:
            raise UserError(f"image spec: {self.duration_s} s is shorter than one hop of {self.hop_length} samples")
        if self.n_frames * self.n_fft > MAX_FRAME_SAMPLES:
            raise UserError(
                f"image spec: {self.n_frames} frames of {self.n_fft} samples, expected at most {MAX_FRAME_SAMPLES} "
                f"samples in all; use a larger hop_length"
            )
        if self.bit_depth not in (8, 16):
            raise UserError(f"image spec: bit_depth is {self.bit_depth}, expected 8 or 16")
        if self.feature not in FEATURES:
            raise UserError(f"image spec: feature is {self.feature!r}, expected one of {', '.join(FEATURES)}")
        if not 1 <= self.n_coefficients <= self.n_mels and self.feature not in MEL_BAND_FEATURES:
            raise UserError(f"image spec: n_coefficients is {self.n_coefficients}, expected 1 to n_mels, {self.n_mels}")

    def _set(self, name: str, type_: Any) -> None:
        """Make a value one of its type: 7000 and 7000.0 are one spec, as 0.0 and -0.0 are, and must have one hash."""
        value = getattr(self, name)
        try:
            object.__setattr__(self, name, float(value) + 0.0 if type_ is float else type_(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"image spec: {name} is {value!r}, expected a number") from error

    @property
    def n_samples(self) -> int:
        """Samples of sound in one image."""
        return round(self.duration_s * self.sample_rate_hz)

    @property
    def n_frames(self) -> int:
        """Columns of the image: the hops that fit into it."""
        return self.n_samples // self.hop_length

    @property
    def n_rows(self) -> int:
        """Rows of the image."""
        return sum(group.count(self) for group in FEATURES[self.feature].rows)

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
        """Twelve hexadecimal digits; equal hashes mean equal images, across versions of the package too."""
        return self.hash_of_version(RENDERER_VERSION)

    def hash_of_version(self, renderer_version: int) -> str:
        """The hash of this spec under a version of the renderer; version 1 hashes the numbers alone."""
        return _hash(self, renderer_version)

    def renderer_version_of(self, spec_hash: str) -> int | None:
        """The version of the renderer that gives this spec this hash; None: it is not the hash of this spec."""
        versions = range(1, RENDERER_VERSION + 1)
        return next((version for version in versions if self.hash_of_version(version) == spec_hash), None)

    def to_json(self, indent: int | None = 2) -> str:
        """The spec as a JSON object, keys sorted."""
        return json.dumps(self.to_dict(), indent=indent, sort_keys=True)

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name, without later fields that have the value earlier specs imply."""
        return {name: value for name, value in asdict(self).items() if _ADDED_FIELDS.get(name) != value}

    @classmethod
    def from_json(cls, text: str) -> "ImageSpec":
        """The spec that `to_json` wrote; raises UserError for anything else."""
        return cls.from_dict(parse_json_as(dict, text, "image spec"))

    @classmethod
    def from_changes(cls, text: str) -> "ImageSpec":
        """The default spec of a feature with changes, as a JSON object; raises UserError as `from_dict`."""
        changes = parse_json_as(dict, text, "image spec")
        known = [field.name for field in fields(cls)]
        if unknown := changes.keys() - set(known):
            raise UserError(f"image spec: unknown field {min(unknown)!r}, expected some of {', '.join(known)}")
        return cls.from_dict(cls.of_feature(changes.get("feature", "mel")).to_dict() | changes)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ImageSpec":
        """A spec of exactly these values; raises UserError where one is missing, unknown or no number."""
        known = {field.name for field in fields(cls)}
        if (_ADDED_FIELDS | values).keys() != known:
            differing = sorted((_ADDED_FIELDS | values).keys() ^ known)
            raise UserError(
                f"image spec: {', '.join(differing)} missing or unknown; another version wrote it: "
                f"build the images again with this one"
            )
        for name, value in values.items():
            if name != "feature" and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise UserError(f"image spec: {name} is {value!r}, expected a number")
        return cls(**values)

    @classmethod
    def of_feature(cls, feature: str) -> "ImageSpec":
        """The default spec of a feature; raises UserError for an unknown feature."""
        if not isinstance(feature, str) or feature not in FEATURES:
            raise UserError(f"--feature {feature}: expected one of {', '.join(FEATURES)}")
        return cls(feature=feature, **FEATURES[feature].spec)


@lru_cache(maxsize=64)
def _hash(spec: ImageSpec, renderer_version: int) -> str:
    text = spec.to_json(indent=None) + (f" renderer {renderer_version}" if renderer_version > 1 else "")
    return hashlib.sha256(text.encode()).hexdigest()[:12]
