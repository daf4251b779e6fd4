"""What stands on two sides of a split: looked up anew in the rows, whatever divided them.

require_no_leak(rows, split, "speaker")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ser_images.data.common.errors import UserError
from ser_images.data.protocols import PROTOCOLS
from ser_images.data.splits import Split, SplitRow


@dataclass(frozen=True)
class Leaks:
    """What two or more of training, validation and test share.

    Attributes:
        speakers: their names.
        clips: those with pictures on two sides.
        variants: pictures of such clips.
        duplicates: clips whose very samples stand, under another name, on another side.
    """

    speakers: tuple[str, ...]
    clips: tuple[str, ...]
    variants: tuple[str, ...]
    duplicates: tuple[str, ...]

    def text(self) -> str:
        """The kinds that were found, each with its number and an example."""
        found = ((name, names) for name, names in vars(self).items() if names)
        return ", ".join(f"{len(names)} {name} ({names[0]}{', …' * (len(names) > 1)})" for name, names in found)


def find_leaks(rows: Sequence[SplitRow], split: Split) -> Leaks:
    """What the sides of a split share."""
    sides = [[rows[index] for index in side] for side in (split.train, split.valid, split.test)]
    speakers, clips, sounds = (
        _on_two_sides([{getattr(row, name) for row in side} for side in sides])
        for name in ("speaker", "clip", "sample_hash")
    )
    every = [row for side in sides for row in side]
    return Leaks(
        tuple(sorted(speakers - {""})),
        tuple(sorted(clips)),
        tuple(sorted({f"{row.clip}__{row.variant}" for row in every if row.clip in clips})),
        tuple(sorted({row.clip for row in every if row.sample_hash in sounds and row.clip not in clips})),
    )


def require_no_leak(rows: Sequence[SplitRow], split: Split, protocol: str) -> Leaks:
    """What the protocol lets through.

    Raises:
        UserError: it shares what the protocol keeps apart.
    """
    leaks = find_leaks(rows, split)
    kept_apart = {name: names if name in PROTOCOLS[protocol].keeps_apart else () for name, names in vars(leaks).items()}
    if any(kept_apart.values()):
        raise UserError(
            f"protocol {protocol} leaks: on two sides stand {Leaks(**kept_apart).text()}; "
            f"nothing was trained. Build the image set anew"
        )
    return leaks


def _on_two_sides(sides: Sequence[set[str]]) -> set[str]:
    return set[str]().union(*(one & other for one, other in combinations(sides, 2)))
