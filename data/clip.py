"""Clip: one labelled recording; Listing: the clips of a corpus in a folder; SplitRow: a clip as a split needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

UNNAMED = ("folder", "table")
"""Corpora without a name of their own, whose file names need not say anything."""
NAMED = ("label", "speaker", "gender")
"""Groups of a pattern for names that are fields of a clip; any other is an attribute."""


@dataclass(frozen=True)
class Clip:
    """One labelled recording of one speaker.

    Attributes:
        path: the sound file.
        name: unique in its corpus and fit for a file name.
        label: one of `ser_images.data.labels.EMOTIONS`, or any other.
        speaker: unique in its corpus; empty where it is unknown.
        corpus: the name of the corpus.
        gender: `female`, `male`, or empty where it is unknown.
        attributes: further facts of the corpus (intensity, statement, …).
        start_s, end_s: the part of the file that is the clip; an end of None is the end of the file.
    """

    path: Path
    name: str
    label: str
    speaker: str
    corpus: str
    gender: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False, compare=False)
    start_s: float = 0.0
    end_s: float | None = None

    def absolute(self) -> "Clip":
        """The same clip for processes that may work in another folder."""
        return replace(self, path=self.path.absolute())


@dataclass(frozen=True)
class Listing:
    """The clips of a corpus, and what in its folder is no clip.

    Attributes:
        clips: sorted by name; `ser_images.data.clips.Clips` where there may be many.
        unparsed: sound files without a label, which is never guessed.
        repeated: further copies of a clip already listed, under the same name.
        bad_rows: rows of a table that are no clip: which, and why.
        notes: what was read otherwise than it is written, such as file names with another suffix.
        root: the folder that recordings are named relative to; None: the one that was listed.
    """

    clips: Sequence[Clip]
    unparsed: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
    bad_rows: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    root: Path | None = None


class SplitRow(Protocol):
    """The fields of a manifest row that a protocol needs."""

    @property
    def clip(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def speaker(self) -> str: ...
    @property
    def corpus(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def sample_hash(self) -> str: ...
