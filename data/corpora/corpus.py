"""What every corpus offers: its name, its licence, and the clips in a folder."""

from pathlib import Path
from typing import Protocol

from ser_images.data.clip import Listing


class Corpus(Protocol):
    """How the recordings of a corpus become clips.

    Attributes:
        name: as `--corpus` and the manifest have it.
        language: that is spoken in it, such as `Polish`; empty where it is unknown, or there are several.
        licence: conditions for passing on the corpus or a model trained on it, and whom to cite.
        licence_id: the licence as the Hugging Face Hub names it, such as `cc-by-nc-sa-4.0`, or `other`.
    """

    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def licence_id(self) -> str: ...

    def recognises(self, path: Path) -> bool:
        """Whether a sound file is named as the recordings of this corpus."""

    def find(self, source: Path) -> Listing:
        """The clips below a folder."""
