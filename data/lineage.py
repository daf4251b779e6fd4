"""Lineage: the recordings and speakers that a network was trained on, by hash, with those of its starting weights.

lineage = Lineage.of(rows) | parent
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ser_images.data.clip import UNNAMED, SplitRow
from ser_images.data.common.errors import UserError
from ser_images.data.common.json_text import parse_json
from ser_images.data.several import own_name

LINEAGE = "lineage.json"
"""The file of a bundle with its lineage."""
_SETS = ("clips", "validation", "speakers", "corpora")
_DIGITS = 16


@dataclass(frozen=True)
class Lineage:
    """What a network was trained on, and the weights that it started from.

    Attributes:
        clips: hashes of the samples of its training recordings.
        validation: of those that chose its epoch and temperature only.
        speakers: hashes of corpus and name, of both; a corpus without a name of its own has none.
        corpora: names of the corpora.
        models: `model_id` of the networks that it started from, the first ancestor first.
    """

    clips: frozenset[str] = frozenset()
    validation: frozenset[str] = frozenset()
    speakers: frozenset[str] = frozenset()
    corpora: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()

    @classmethod
    def of(cls, train: Sequence[SplitRow], validation: Sequence[SplitRow] = ()) -> "Lineage":
        """The lineage of a network that is trained and validated on these rows."""
        rows = (*train, *validation)
        return cls(
            frozenset(map(_clip_hash, train)),
            frozenset(map(_clip_hash, validation)) - frozenset(map(_clip_hash, train)),
            frozenset(_speaker_hash(row) for row in rows if row.speaker and row.corpus not in UNNAMED),
            frozenset(row.corpus for row in rows),
        )

    def __or__(self, parent: "Lineage") -> "Lineage":
        """With what the network's starting weights were trained on."""
        clips = self.clips | parent.clips
        return Lineage(
            clips, (self.validation | parent.validation) - clips, self.speakers | parent.speakers,
            self.corpora | parent.corpora, (*parent.models, *self.models),
        )  # fmt: skip

    def has_training_clip(self, row: SplitRow) -> bool:
        """Whether a network was trained on this recording."""
        return _clip_hash(row) in self.clips

    def has_clip(self, row: SplitRow) -> bool:
        """Whether a network was trained or validated on this recording."""
        return self.has_training_clip(row) or _clip_hash(row) in self.validation

    def speakers_in(self, rows: Iterable[SplitRow]) -> set[str]:
        """The speakers in an image set that a network was trained or validated on.

        They are known by one of their recordings, whatever their corpus is called, or by corpus and name.
        """
        named = (row for row in rows if row.speaker)
        return {row.speaker for row in named if self.has_clip(row) or _speaker_hash(row) in self.speakers}

    def to_json(self) -> str:
        """The lineage as JSON."""
        lists = {name: sorted(getattr(self, name)) for name in _SETS}
        return json.dumps({**lists, "models": list(self.models)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Lineage":
        """The lineage that `to_json` wrote; raises UserError for anything else."""
        try:
            content = parse_json(text)
            sets = {name: content[name] for name in (*_SETS, "models")}
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{LINEAGE}: no lineage of a model ({error})") from error
        if not all(isinstance(names, list) and all(isinstance(one, str) for one in names) for names in sets.values()):
            raise UserError(f"{LINEAGE}: no lineage of a model (expected lists of text)")
        clips, validation, speakers, corpora = (frozenset(sets[name]) for name in _SETS)
        return cls(clips, validation, speakers, corpora, tuple(sets["models"]))


def _clip_hash(row: SplitRow) -> str:
    return row.sample_hash[:_DIGITS]


def _speaker_hash(row: SplitRow) -> str:
    name = f"{row.corpus}\t{own_name(row.corpus, row.speaker)}"
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
