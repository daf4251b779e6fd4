"""Leaks: speakers, clips or samples that two subsets of a split share.

require_no_leak(rows, split, "speaker")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ser_images.data.clip import SplitRow
from ser_images.data.common.errors import UserError
from ser_images.data.lineage import Lineage
from ser_images.data.protocols import PROTOCOLS
from ser_images.data.splits import Split


@dataclass(frozen=True)
class Leaks:
    """What two or more of the training, validation and test subsets share.

    Attributes:
        speakers: their names.
        clips: those with images in two subsets.
        variants: images of such clips.
        duplicates: clips with the same samples as a clip of another name in another subset.
    """

    speakers: tuple[str, ...]
    clips: tuple[str, ...]
    variants: tuple[str, ...]
    duplicates: tuple[str, ...]

    def text(self) -> str:
        """The kinds of leaks, each with its count and an example."""
        found = ((name, names) for name, names in vars(self).items() if names)
        return ", ".join(f"{len(names)} {name} ({names[0]}{', …' * (len(names) > 1)})" for name, names in found)


def find_leaks(rows: Sequence[SplitRow], split: Split) -> Leaks:
    """The leaks of a split."""
    subsets = [[rows[index] for index in subset] for subset in (split.train, split.valid, split.test)]
    speakers, clips, hashes = (
        _shared([{getattr(row, name) for row in subset} for subset in subsets])
        for name in ("speaker", "clip", "sample_hash")
    )
    every = [row for subset in subsets for row in subset]
    return Leaks(
        tuple(sorted(speakers - {""})),
        tuple(sorted(clips)),
        tuple(sorted({f"{row.clip}__{row.variant}" for row in every if row.clip in clips})),
        tuple(sorted({row.clip for row in every if row.sample_hash in hashes and row.clip not in clips})),
    )


def require_no_leak(rows: Sequence[SplitRow], split: Split, protocol: str) -> Leaks:
    """The leaks that the protocol permits.

    Raises:
        UserError: the split shares what the protocol keeps apart.
    """
    leaks = find_leaks(rows, split)
    kept_apart = {name: names if name in PROTOCOLS[protocol].keeps_apart else () for name, names in vars(leaks).items()}
    if any(kept_apart.values()):
        raise UserError(
            f"protocol {protocol} leaks: subsets of the split share {Leaks(**kept_apart).text()}; "
            f"nothing was trained. Build the image set again"
        )
    return leaks


def require_untrained(rows: Sequence[SplitRow], split: Split, protocol: str, lineage: Lineage, source: str) -> None:
    """Require that weights or a teacher were trained on no test clip, nor, for unseen speakers, on its speaker.

    Args:
        rows: of the whole image set.
        lineage: of the weights or the teacher.
        source: their option, as it was given.

    Raises:
        UserError: they were; the metrics would say nothing about new speech.
    """
    apart = PROTOCOLS[protocol].keeps_apart
    test = [rows[index] for index in split.test]
    speakers = lineage.speakers_in(rows) if "speakers" in apart else set[str]()
    known = {row.clip: row for row in test if "clips" in apart and lineage.has_clip(row)}
    known |= {row.clip: row for row in test if row.speaker in speakers}
    if known:
        what = "clips" if any(map(lineage.has_clip, known.values())) else "speakers of clips"
        raise UserError(
            f"{source}: was trained on {what} that are tested here ({len(known)} of {len(test)} test clips, the first "
            f"{min(known)}); give one that was trained on none of them, such as of the same fold and seed"
        )


def _shared(subsets: Sequence[set[str]]) -> set[str]:
    return set[str]().union(*(first & second for first, second in combinations(subsets, 2)))
