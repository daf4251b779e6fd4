"""Profile: what is kept of an enrolled voice, a safetensors file of statistics. It is biometric data.

profile = Profile.load("anna.safetensors"); profile.save("copy.safetensors")
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.folders import require_replaceable, require_writable
from ser_images.data.common.json_text import parse_json
from ser_images.export.adaptation.parameters import SPEAKER_DIM, SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.export.bundle.bundle import Bundle

SUFFIX = ".safetensors"
_KEY, _VERSION = "ser_images.profile", 1
_MAX_BYTES, _MAX_AMOUNT = 1 << 24, 10**9
_NAME = re.compile(r"[^\W_][\w .-]{0,99}")
_MAX_NAME_BYTES = 200
_NUMBERED = re.compile(r"speaker[ _]\d+")
"""Names of speakers that were not enrolled."""
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Profile:
    """The statistics of one person's speech in the outputs of one model, over windows of about 3 s.

    Attributes:
        name: of the voice.
        model_id: of the model that computed them; they are worth nothing to another one.
        clips: how many windows, a partly new one counted by its share.
        seconds: of speech.
        embedding: mean of the embeddings, shape (dim,).
        speaker_logits: mean of the speaker head's logits, shape (labels,).
        speaker_logits_squared: mean of their squares: the second moment.
        probabilities: mean of the plain probabilities, shape (labels,).
        speaker_embedding: mean of the speaker embeddings, shape (192,); None where the model has none.

    Raises:
        UserError: values that no voice can have.

    Example:
        >>> import ser_images
        >>> ser_images.Profile.load("nobody.safetensors")
        Traceback (most recent call last):
        ...
        ser_images.data.common.errors.UserError: nobody.safetensors: no such file; enrol a voice with ser-predict enrol
    """

    name: str
    model_id: str
    clips: float
    seconds: float
    embedding: Values
    speaker_logits: Values
    speaker_logits_squared: Values
    probabilities: Values
    speaker_embedding: Values | None = None

    def __post_init__(self) -> None:
        require_voice_name(self.name)
        if not isinstance(self.model_id, str) or not self.model_id:
            raise UserError("model_id: expected a non-empty string")
        for name in ("clips", "seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MAX_AMOUNT:
                raise UserError(f"{name}: expected a positive number, up to {_MAX_AMOUNT:,}")
        for name, values in self._arrays().items():
            if not np.isfinite(values).all():
                raise UserError(f"{name}: expected finite values")
        if self.probabilities.ndim != 1 or (self.probabilities < 0).any() or abs(self.probabilities.sum() - 1) > 1e-3:
            raise UserError("probabilities: expected values of at least 0 and of sum 1")
        self._require_shapes()

    def _require_shapes(self) -> None:
        logits = self.speaker_logits.shape
        if logits[-1:] != self.probabilities.shape or self.embedding.ndim != 1:
            raise UserError(f"speaker_logits of shape {logits} for {self.probabilities.size} labels")
        if self.speaker_logits_squared.shape != logits or (self.speaker_logits_squared < 0).any():
            raise UserError("speaker_logits_squared: no second moment of the speaker_logits")
        if self.speaker_embedding is not None and self.speaker_embedding.shape != (SPEAKER_DIM,):
            raise UserError(f"speaker_embedding of shape {self.speaker_embedding.shape}, expected {(SPEAKER_DIM,)}")

    def __repr__(self) -> str:
        return f"Profile({self.name!r}, {self.clips:.1f} clips, {self.seconds:.0f} s, model {self.model_id})"

    def speaker(self, adaptation: SpeakerAdaptation) -> AdaptedSpeaker:
        """A speaker of the model with this adaptation, as far as the profile knows the voice."""
        speaker = AdaptedSpeaker(adaptation)
        speaker.add(self.probabilities, self.speaker_logits, self.clips)
        return speaker

    def require_model(self, bundle: Bundle) -> None:
        """Raise UserError where this is not a profile of the bundle's model."""
        adaptation = bundle.adaptation
        again = f"enrol it again: ser-predict enrol {json.dumps(self.name)} RECORDINGS --model MODEL --replace"
        if self.model_id != bundle.model_id:
            raise UserError(
                f"voice {self.name!r} was enrolled with model {self.model_id}, and this is {bundle.model_id}; {again}"
            )
        shapes = (self.embedding.size, self.speaker_logits.shape, self.speaker_embedding is not None)
        if adaptation is None or shapes != (
            adaptation.embedding_dim, np.shape(adaptation.bias), adaptation.same_speaker is not None
        ):  # fmt: skip
            raise UserError(f"voice {self.name!r}: does not fit its model: damaged; {again}")

    def save(self, path: str | os.PathLike[str], replace: bool = True) -> None:
        """Write the profile; only its owner may read the file.

        Raises:
            UserError: a folder that cannot be written, something else than a regular file there, or a file that exists
                where `replace` is False.
        """
        target = Path(path)
        if target.suffix != SUFFIX:
            raise UserError(f"{target}: expected a name with the suffix {SUFFIX}")
        if not replace and os.path.lexists(target):
            raise UserError(f"{target}: exists already")
        require_writable(target.parent)
        require_replaceable(target)
        _write_private(target, self._to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Profile":
        """The profile in a file; raises UserError where it is none, or damaged."""
        path = Path(path)
        try:
            content = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file; enrol a voice with ser-predict enrol") from error
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        with prefix_errors(path):
            return cls._from_bytes(content)

    def _arrays(self) -> dict[str, Values]:
        names = ("embedding", "speaker_logits", "speaker_logits_squared", "probabilities", "speaker_embedding")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def _to_bytes(self) -> bytes:
        from safetensors.numpy import save

        header = {
            "format_version": _VERSION, "name": self.name, "model_id": self.model_id,
            "clips": self.clips, "seconds": self.seconds,
        }  # fmt: skip
        arrays = {name: np.ascontiguousarray(values, np.float64) for name, values in self._arrays().items()}
        return save(arrays, {_KEY: json.dumps(header)})

    @classmethod
    def _from_bytes(cls, content: bytes) -> "Profile":
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays: dict[str, Any] = load(content)
            header = parse_json(_metadata(content)[_KEY])
            version = header.pop("format_version")
            if version != _VERSION:
                raise UserError(f"profile of format version {version}, expected {_VERSION}: update ser-images")
            if any(values.dtype != np.float64 for values in arrays.values()):
                raise UserError("damaged profile: expected float64 values")
            return cls(**header, **arrays)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError("no profile of a voice, or a damaged one; enrol it again with ser-predict enrol") from error


def require_voice_name(name: str) -> None:
    """Raise UserError for a name that no voice can have: it becomes the name of a file, and part of RTTM lines."""
    fits = isinstance(name, str) and _NAME.fullmatch(name) and len(os.fsencode(name)) <= _MAX_NAME_BYTES
    if not fits or name.endswith((" ", ".", SUFFIX)):
        raise UserError(f"{name!r}: no name of a voice; use letters, digits, spaces, dots and hyphens, such as anna")
    if _NUMBERED.fullmatch(name):
        raise UserError(f"{name!r}: the name of a speaker who was not enrolled; give another one")


def unfinished(target: Path) -> Path:
    """The file that becomes the profile `target` once it is written."""
    return target.with_name(f".{target.name}.part")


def _metadata(content: bytes) -> dict[str, str]:
    """The texts in the header of a safetensors file: its size as eight bytes, and JSON."""
    header = parse_json(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata: dict[str, str] = header["__metadata__"]
    return metadata


def _write_private(target: Path, content: bytes) -> None:
    """Write a file that only its owner may read, and move it into place."""
    part = unfinished(target)
    try:
        part.unlink(missing_ok=True)  # left by a killed process, or a link, which must not be followed
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror})") from error
