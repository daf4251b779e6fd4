"""Corrections of labels, as a person decides them in `ser-train review`: a CSV with clip, label and corrected.

listing = Corrections.read(Path("corrections.csv")).apply(listing)
"""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from ser_images.data.clip import Clip, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.errors import UserError
from ser_images.data.label_map import ORIGINAL

LOGGER = logging.getLogger("ser_images")
COLUMNS = ("clip", "label", "corrected")
CORRECTED = "corrected"
"""The attribute of a clip whose label was corrected."""


@dataclass(frozen=True)
class Corrections:
    """Decisions on labels.

    Attributes:
        decisions: by the name of a clip: its label when it was decided, and the one that it shall have; empty: the clip
            is left out.
    """

    decisions: Mapping[str, tuple[str, str]]

    @classmethod
    def read(cls, path: Path) -> "Corrections":
        """The corrections in a CSV; raises UserError where it is none, or names a clip twice."""
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = csv.DictReader(file)
                if tuple(rows.fieldnames or ()) != COLUMNS:
                    raise UserError(f"{path}: columns {rows.fieldnames}, expected {','.join(COLUMNS)}")
                found = [_decision(row, path, rows.line_num) for row in rows]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: cannot be read as a CSV of corrections ({error})") from error
        decisions = dict(found)
        if len(decisions) < len(found):
            names = [name for name, _ in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"{path}: decides twice on the clip {twice!r}; keep one row")
        return cls(MappingProxyType(decisions))

    def apply(self, listing: Listing) -> Listing:
        """The listing with corrected labels, without the clips that are left out; logs how many.

        Raises:
            UserError: a clip that is not there, or that has another label than when it was decided; or none is left.
        """
        labels = {clip.name: clip.label for clip in listing.clips if clip.name in self.decisions}
        for name, (before, _) in self.decisions.items():
            if name not in labels:
                raise UserError(f"corrections: no clip {name!r}; use the options of the build that was reviewed")
            if labels[name] != before:
                raise UserError(f"corrections: clip {name!r} was labelled {before!r}, and is now {labels[name]!r}")
        if new := {after for _, after in self.decisions.values()} - {"", *(clip.label for clip in listing.clips)}:
            LOGGER.warning("corrections: no clip had the label %s before", ", ".join(sorted(new)))
        clips = Clips(self._corrected(clip) for clip in listing.clips if self._new(clip))
        if not clips:
            raise UserError("corrections: leave out every clip")
        changed = sum(bool(after) and after != before for before, after in self.decisions.values())
        dropped = sum(not after for _, after in self.decisions.values())
        LOGGER.info("corrections: %d labels changed, %d clips left out", changed, dropped)
        return replace(listing, clips=clips)

    def _new(self, clip: Clip) -> str:
        return self.decisions[clip.name][1] if clip.name in self.decisions else clip.label

    def _corrected(self, clip: Clip) -> Clip:
        label = self._new(clip)
        if label == clip.label:
            return clip
        attributes = {ORIGINAL: clip.label, **clip.attributes, CORRECTED: "yes"}
        return replace(clip, label=label, attributes=MappingProxyType(attributes))


def _decision(row: Mapping[str, str | None], path: Path, line: int) -> tuple[str, tuple[str, str]]:
    clip, before, after = (row[name] for name in COLUMNS)
    if clip is None or before is None or after is None or len(row) > len(COLUMNS):
        raise UserError(f"{path}, line {line}: expected {','.join(COLUMNS)}; leave corrected empty to leave a clip out")
    return clip, (before, after)
