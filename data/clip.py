"""Clip: one labelled recording; Listing: the clips of a corpus in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True)
class Clip:
    """One labelled recording of one speaker.

    Attributes:
        path: the sound file.
        name: unique in its corpus and fit for a file name.
        emotion: one of `ser_images.data.labels.EMOTIONS`, or any label of a folder corpus.
        speaker: unique in its corpus; empty where it is unknown.
        corpus: the name of the corpus.
        gender: `female`, `male`, or empty where it is unknown.
        attributes: further facts of the corpus (intensity, statement, …).
    """

    path: Path
    name: str
    emotion: str
    speaker: str
    corpus: str
    gender: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False, compare=False)


@dataclass(frozen=True)
class Listing:
    """The clips of a folder, and its other sound files.

    Attributes:
        clips: sorted by name.
        unparsed: sound files whose name has no label; it is never guessed.
        repeated: further copies of a clip already listed, under the same name.
    """

    clips: tuple[Clip, ...]
    unparsed: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
