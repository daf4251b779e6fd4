"""The folder corpus: any tree LABEL/…/RECORDING; speakers come from a regular expression or a CSV."""

import csv
import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ser_images.data.clip import Clip, Listing
from ser_images.data.common.errors import UserError
from ser_images.data.corpora.sound_files import sound_files

LOGGER = logging.getLogger("ser_images")
CONTAINERS = frozenset(
    ("audio", "clips", "corpus", "data", "dataset", "files", "flac", "mp3", "ogg", "recordings", "samples", "sound",
     "sounds", "speech", "test", "train", "valid", "validation", "wav", "wave", "wavs")
)  # fmt: skip
"""Usual names of folders that hold recordings of all labels."""


@dataclass(frozen=True)
class Speakers:
    """The speaker of each recording, looked up by the path below the source folder, with `/`.

    Attributes:
        pattern: its group `speaker` (else its first group, else the whole match) is the speaker.
        table: recording → (speaker, gender).
    """

    pattern: re.Pattern[str] | None = None
    table: dict[str, tuple[str, str]] = field(default_factory=dict)

    def look_up(self, recording: str) -> tuple[str, str]:
        """(speaker, gender) of a recording; raises UserError where the rule does not cover it."""
        if self.pattern is not None:
            match = self.pattern.search(recording)
            speaker = match and (match.groupdict().get("speaker") or match.group(1 if match.re.groups else 0))
            if not speaker:
                raise UserError(f"{recording}: --speaker-regex {self.pattern.pattern!r} does not match it")
            return speaker, ""
        if self.table and recording not in self.table:
            raise UserError(
                f"{recording}: not in the column 'recording' of --speakers, which has for example "
                f"{next(iter(self.table))!r}; expected paths below the source folder"
            )
        return self.table.get(recording, ("", ""))


def speakers_from_regex(pattern: str) -> Speakers:
    """Speakers by regular expression; raises UserError where it does not compile."""
    try:
        return Speakers(pattern=re.compile(pattern))
    except re.error as error:
        raise UserError(f"--speaker-regex {pattern!r}: {error}") from error


def speakers_from_csv(path: Path) -> Speakers:
    """Speakers by a CSV with the columns recording, speaker and, if known, gender (female or male)."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a CSV of speakers ({error})") from error
    if not rows or not {"recording", "speaker"} <= rows[0].keys():
        found = ", ".join(rows[0]) if rows else "no rows"
        raise UserError(f"{path}: expected a CSV with the columns recording,speaker[,gender], found {found!r}")
    return Speakers(table={row["recording"]: (row["speaker"], row.get("gender") or "") for row in rows})


def find(source: Path, speakers: Speakers) -> Listing:
    """One clip per sound file; its label is the first folder below `source`."""
    clips, unparsed = [], []
    names = Counter(_name(path, source) for path in sound_files(source))
    for path in sound_files(source):
        recording = path.relative_to(source)
        if len(recording.parts) < 2:
            unparsed.append(path)
            continue
        name = _name(path, source)
        if names[name] > 1:
            name = f"{name}-{path.suffix[1:].lower()}"
        speaker, gender = speakers.look_up(recording.as_posix())
        clips.append(Clip(path, name, recording.parts[0], speaker, "folder", gender))
    clips.sort(key=lambda clip: clip.name)
    _require_distinct(clips)
    return Listing(tuple(clips), tuple(unparsed))


def require_labels(listing: Listing, source: Path, one_class: bool) -> None:
    """Check that the recordings have several labels.

    Args:
        one_class: one label is allowed, with a warning.

    Raises:
        UserError: every recording would have the same label, and `one_class` is not set.
    """
    labels = {clip.emotion for clip in listing.clips}
    if len(labels) > 1:
        return
    label = min(labels)
    what = f"{source}: all {len(listing.clips)} recordings would be of one class, {label!r}"
    if label.lower() in CONTAINERS:
        what += ", which looks like a folder of recordings and not like a label"
    if one_class:
        LOGGER.warning(what)
    else:
        raise UserError(f"{what}; give a folder LABEL/RECORDING with several labels, or --one-class to keep one")


def _name(path: Path, source: Path) -> str:
    return "-".join(path.relative_to(source).with_suffix("").parts)


def _require_distinct(clips: list[Clip]) -> None:
    for first, second in pairwise(clips):
        if first.name == second.name:
            raise UserError(f"{first.path} and {second.path} would both be the clip {first.name!r}: rename one of them")
