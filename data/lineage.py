"""Lineage: the recordings and speakers that a network was trained on, by hash, with those of its starting weights.

lineage = Lineage.of(rows) | parent
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from ser_images.data.clip import SplitRow
from ser_images.data.common.errors import UserError
from ser_images.data.several import own_name

LINEAGE = "lineage.json"
"""The file of a bundle with its lineage."""
_DIGITS = 16


@dataclass(frozen=True)
class Lineage:
    """What a network was trained on, and the weights that it started from.

    Attributes:
        clips: hashes of the samples of its recordings.
        speakers: hashes of corpus and name.
        corpora: names of the corpora.
        models: `model_id` of the networks that it started from, the first ancestor first.
    """

    clips: frozenset[str] = frozenset()
    speakers: frozenset[str] = frozenset()
    corpora: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[SplitRow]) -> "Lineage":
        """The lineage of a network that is trained on these rows."""
        rows = list(rows)
        return cls(
            frozenset(row.sample_hash[:_DIGITS] for row in rows),
            frozenset(_speaker_hash(row) for row in rows if row.speaker),
            frozenset(row.corpus for row in rows),
        )

    def __or__(self, parent: "Lineage") -> "Lineage":
        """With what the network's starting weights were trained on."""
        return Lineage(
            self.clips | parent.clips, self.speakers | parent.speakers, self.corpora | parent.corpora,
            (*parent.models, *self.models),
        )  # fmt: skip

    def has_clip(self, row: SplitRow) -> bool:
        """Whether a network was trained on this recording."""
        return row.sample_hash[:_DIGITS] in self.clips

    def has_speaker(self, row: SplitRow) -> bool:
        """Whether a network was trained on the speaker of this recording."""
        return bool(row.speaker) and _speaker_hash(row) in self.speakers

    def to_json(self) -> str:
        """The lineage as JSON."""
        lists = {name: sorted(getattr(self, name)) for name in ("clips", "speakers", "corpora")}
        return json.dumps({**lists, "models": list(self.models)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Lineage":
        """The lineage that `to_json` wrote; raises UserError for anything else."""
        try:
            content = json.loads(text)
            sets = {name: content[name] for name in ("clips", "speakers", "corpora", "models")}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{LINEAGE}: no lineage of a model ({error})") from error
        if not all(isinstance(names, list) and all(isinstance(one, str) for one in names) for names in sets.values()):
            raise UserError(f"{LINEAGE}: no lineage of a model (expected lists of text)")
        clips, speakers, corpora = (frozenset(sets[name]) for name in ("clips", "speakers", "corpora"))
        return cls(clips, speakers, corpora, tuple(sets["models"]))


def _speaker_hash(row: SplitRow) -> str:
    name = f"{row.corpus}\t{own_name(row.corpus, row.speaker)}"
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
