"""Rename, merge and drop the labels of a corpus.

labels = LabelMap.parse("anger=angry,calm=neutral,boredom=")
listing = labels.apply(listing)
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ser_images.data.clip import Clip, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.errors import UserError
from ser_images.data.common.toml_file import read_toml

LOGGER = logging.getLogger("ser_images")
CANONICAL = "canonical"
"""In a map: all usual names of the eight emotions become those of RAVDESS."""
ORIGINAL = "original_label"
"""The attribute of a clip that has the label before it was renamed."""
_SYNONYMS = {
    "neutral": "neu neutrality",
    "calm": "calmness",
    "happy": "hap happiness joy joyful joyous",
    "sad": "sadness sorrow",
    "angry": "ang anger",
    "fearful": "fea fear afraid scared",
    "disgust": "dis disgusted",
    "surprised": "sur surprise ps pleasant_surprise pleasant_surprised",
}
_CANONICAL = {name: emotion for emotion, names in _SYNONYMS.items() for name in (emotion, *names.split())}


@dataclass(frozen=True)
class LabelMap:
    """What becomes of each label.

    Attributes:
        renamed: labels and their new names, which several may share; an empty name drops the clips.
        canonical: rename usual names of the eight emotions too.
        shared: it is for several corpora, so that not every one has all of its labels.
    """

    renamed: Mapping[str, str]
    canonical: bool = False
    shared: bool = False

    @classmethod
    def parse(cls, text: str, shared: bool = False) -> "LabelMap":
        """The map of `--label-map`: a TOML file, or pairs such as `anger=angry,calm=neutral,boredom=`, or `canonical`.

        Args:
            shared: it is for several corpora, as a file always is.

        Raises:
            UserError: neither of them.
        """
        if text.endswith(".toml"):
            return cls._of(read_toml(Path(text)), text)
        parts = [part.strip() for part in text.split(",") if part.strip()]
        pairs = [part.partition("=") for part in parts if part != CANONICAL]
        if not parts or any(not equals or not label.strip() for label, equals, _ in pairs):
            raise UserError(f"--label-map {text}: expected a TOML file, canonical, or such as anger=angry,boredom=")
        return cls(MappingProxyType({old.strip(): new.strip() for old, _, new in pairs}), CANONICAL in parts, shared)

    @classmethod
    def _of(cls, content: Mapping[str, Any], source: str) -> "LabelMap":
        canonical = content.get(CANONICAL, False)
        renamed = {name: value for name, value in content.items() if name != CANONICAL}
        if not isinstance(canonical, bool) or not all(isinstance(value, str) for value in renamed.values()):
            raise UserError(f'--label-map {source}: expected lines such as anger = "angry", or canonical = true')
        return cls(MappingProxyType(renamed), canonical, shared=True)

    def apply(self, listing: Listing) -> Listing:
        """The listing with other labels; logs what was renamed and dropped.

        Raises:
            UserError: a label that no clip has, in a map that is not shared, or no clip is left.
        """
        new = self.names(sorted({clip.label for clip in listing.clips}))
        clips = Clips(_relabelled(clip, new[clip.label]) for clip in listing.clips if new[clip.label])
        if not clips:
            raise UserError("--label-map: drops every clip")
        changed = [f"{old} is {name or 'dropped'}" for old, name in sorted(new.items()) if name != old]
        LOGGER.info("labels: %s", "; ".join(changed) if changed else "unchanged")
        return replace(listing, clips=clips)

    def names(self, labels: Iterable[str]) -> dict[str, str]:
        """The new name of each label, empty where it is dropped.

        Raises:
            UserError: the map, which is not shared, has a label that is none of these.
        """
        known = sorted(set(labels))
        unknown = self.renamed.keys() - set(known)
        if unknown and not self.shared:
            raise UserError(f"--label-map: no clip is labelled {min(unknown)!r}; the labels are {', '.join(known)}")
        return {label: self._new(label) for label in known}

    def _new(self, label: str) -> str:
        if label in self.renamed:
            return self.renamed[label]
        return canonical_name(label) or label if self.canonical else label


def canonical_name(label: str) -> str:
    """The emotion of RAVDESS that a label is a usual name of; empty where there is none."""
    return _CANONICAL.get(label.strip().lower().replace(" ", "_").replace("-", "_"), "")


def offer_canonical(clips: Sequence[Clip]) -> None:
    """Log a line where labels are usual names of the eight emotions, and not the ones that other corpora have."""
    names = {label: canonical_name(label) for label in sorted({clip.label for clip in clips})}
    if usual := [f"{label} = {name}" for label, name in names.items() if name not in ("", label)]:
        LOGGER.info("--label-map canonical would rename labels to those of other corpora: %s", ", ".join(usual))


def _relabelled(clip: Clip, label: str) -> Clip:
    if label == clip.label:
        return clip
    return replace(clip, label=label, attributes=MappingProxyType({**clip.attributes, ORIGINAL: clip.label}))
