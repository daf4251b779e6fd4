"""Recordings in any tree: the label is the first folder, or in the path; so is the speaker, or in a CSV."""

import csv
import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ser_images.data.clip import NAMED, Clip, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.csv_file import is_complete
from ser_images.data.common.disk_table import DiskTable
from ser_images.data.common.errors import UserError
from ser_images.data.sound_files import walk_sound_files

LOGGER = logging.getLogger("ser_images")
CONTAINERS = frozenset(
    ("audio", "clips", "corpus", "data", "dataset", "files", "flac", "mp3", "ogg", "recordings", "samples", "sound",
     "sounds", "speech", "test", "train", "valid", "validation", "wav", "wave", "wavs")
)  # fmt: skip
"""Usual names of folders that hold recordings of all labels."""


@dataclass(frozen=True)
class PathRule:
    """What the path of a recording below the source folder says about it, with `/`.

    Attributes:
        pattern: its groups `speaker`, `label` and `gender` are the clip's, any other is an attribute; without a named
            group, the speaker is the first group, or the whole match.
        table: recording → (speaker, gender).
    """

    pattern: re.Pattern[str] | None = None
    table: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def has_label(self) -> bool:
        """Whether it says the label too."""
        return self.pattern is not None and "label" in self.pattern.groupindex

    def read(self, recording: str) -> Mapping[str, str]:
        """`speaker`, `gender` and other facts of a recording; raises UserError where the rule does not cover it."""
        if self.pattern is not None:
            return self._match(self.pattern, recording)
        if self.table and recording not in self.table:
            raise UserError(
                f"{recording}: not in the column 'recording' of --speakers, which has for example "
                f"{next(iter(self.table))!r}; expected paths below the source folder"
            )
        return dict(zip(("speaker", "gender"), self.table.get(recording, ("", "")), strict=True))

    def _match(self, pattern: re.Pattern[str], recording: str) -> Mapping[str, str]:
        match = pattern.search(recording)
        found = {name: text or "" for name, text in match.groupdict().items()} if match else {}
        if match and not {"speaker", "label"} & found.keys():
            found["speaker"] = match.group(1 if pattern.groups else 0) or ""
        if not found or not all(found.get(name, "-") for name in ("speaker", "label")):
            raise UserError(f"{recording}: the regular expression {pattern.pattern!r} does not match it")
        return found


def rule_from_regex(pattern: str) -> PathRule:
    """The rule of a regular expression; raises UserError where it does not compile."""
    try:
        return PathRule(pattern=re.compile(pattern))
    except re.error as error:
        raise UserError(f"regular expression {pattern!r}: {error}") from error


def speakers_from_csv(path: Path) -> PathRule:
    """Speakers by a CSV with the columns recording, speaker and, if known, gender (female or male)."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a CSV of speakers ({error})") from error
    if not rows or not {"recording", "speaker"} <= rows[0].keys():
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise UserError(f"{path}: expected a CSV with the columns recording,speaker[,gender], found {found!r}")
    if not all(map(is_complete, rows)):
        raise UserError(f"{path}: a row with more or fewer columns than recording,speaker[,gender]; mend it")
    return PathRule(table={row["recording"]: (row["speaker"], row.get("gender") or "") for row in rows})


def find(source: Path, rule: PathRule) -> Listing:
    """One clip per sound file; its label is the first folder below `source`, unless the rule says it."""
    names = ClipNames(source, walk_sound_files(source))
    labelled = (path for path in walk_sound_files(source) if rule.has_label or path.parent != source)
    clips = Clips(distinct(_clip(path, source, names.of(path), rule) for path in labelled))
    unlabelled = (path for path in walk_sound_files(source) if path.parent == source and not rule.has_label)
    return Listing(clips, tuple(unlabelled))


def _clip(path: Path, source: Path, name: str, rule: PathRule) -> Clip:
    recording = path.relative_to(source)
    facts = rule.read(recording.as_posix())
    attributes = MappingProxyType({name: text for name, text in facts.items() if name not in NAMED})
    label, speaker, gender = (facts.get(name, "") for name in ("label", "speaker", "gender"))
    return Clip(path, name, label or recording.parts[0], speaker, "folder", gender, attributes)


def require_labels(listing: Listing, source: Path, one_class: bool) -> None:
    """Check that the recordings have several labels.

    Args:
        one_class: one label is allowed, with a warning.

    Raises:
        UserError: every recording would have the same label, and `one_class` is not set.
    """
    labels = {clip.label for clip in listing.clips}
    if len(labels) > 1:
        return
    label = min(labels)
    what = f"{source}: all {len(listing.clips)} recordings would be of one class, {label!r}"
    if label.lower() in CONTAINERS:
        what += ", which looks like a folder of recordings and not like a label"
    if one_class:
        LOGGER.warning(what)
    else:
        raise UserError(f"{what}; give recordings with several labels, or --one-class to keep one")


class ClipNames:
    """Names for the clips of files: their paths below a folder; the suffix too where two files differ in it only."""

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self._root, self._counts = root, DiskTable()
        for path in files:
            name = self._short(path)
            self._counts.put(name, "several" if name in self._counts else "one")

    def of(self, path: Path) -> str:
        """The name of the clip of one of these files."""
        name = self._short(path)
        return f"{name}-{path.suffix[1:].lower()}" if self._counts.get(name) == "several" else name

    def _short(self, path: Path) -> str:
        return "-".join(path.relative_to(self._root).with_suffix("").parts)


def distinct(clips: Iterable[Clip]) -> Iterator[Clip]:
    """The clips; raises UserError where the images of two would be one file, also where names ignore case."""
    found = DiskTable()
    for clip in clips:
        folded = unicodedata.normalize("NFC", clip.name).casefold()
        if (other := found.get(folded)) is not None:
            name, path = json.loads(other)
            where = "" if name == clip.name else " where names ignore case, as on macOS and Windows"
            raise UserError(f"{path} and {clip.path} would both be the clip {name!r}{where}: rename one of them")
        found.put(folded, json.dumps([clip.name, str(clip.path)]))
        yield clip
