r"""A corpus whose file names say what a recording is: the published ones in `known`, and any of a third party.

MINE = NamedCorpus("mine", r"(?P<speaker>\w\d)_(?P<label>[AH])_(?P<sentence>\d+)", {"A": "angry", "H": "happy"})
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from ser_images.data.clip import NAMED, Clip, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.errors import UserError
from ser_images.data.sound_files import walk_sound_files

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class NamedCorpus:
    """A corpus that is read by its file names.

    Attributes:
        name: as `--corpus` and the manifest have it.
        pattern: regular expression for the end of a recording's path, without its suffix. Its groups `label`, `speaker`
            and `gender` are the clip's; any other is an attribute.
        labels: the label that each code in the group `label` stands for.
        genders: of each speaker, where the names do not say it: `female` or `male`.
        values: what the codes of further groups stand for; codes that are not listed stay as they are.
        example: a file name, for messages.
        language, licence, licence_id: as in `Corpus`.

    Raises:
        UserError: a pattern that is no regular expression, or has no group `label`.
    """

    name: str
    pattern: str
    labels: Mapping[str, str]
    genders: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    example: str = ""
    language: str = ""
    licence: str = ""
    licence_id: str = "other"

    def __post_init__(self) -> None:
        try:
            groups = self._path.groupindex
        except re.error as error:
            raise UserError(f"corpus {self.name!r}: pattern {self.pattern!r}: {error}") from error
        if "label" not in groups:
            raise UserError(f"corpus {self.name!r}: pattern {self.pattern!r} has no group 'label'")

    @cached_property
    def _path(self) -> re.Pattern[str]:
        return re.compile(rf"(?:.*/)?(?P<clip>{self.pattern})", re.DOTALL)

    def parse(self, path: Path) -> Clip | None:
        """The clip that the name of a file describes, or None where it is no name of this corpus."""
        match = self._path.fullmatch(path.with_suffix("").as_posix())
        if match is None or match["label"] not in self.labels:
            return None
        codes = {name: code for name, code in match.groupdict().items() if code is not None}
        name = codes.pop("clip").replace("/", "_")
        read = {group: self.values.get(group, _NOTHING).get(code, code) for group, code in codes.items()}
        speaker = read.get("speaker", "")
        attributes = {group: value for group, value in read.items() if group not in NAMED}
        gender = read.get("gender") or self.genders.get(speaker, "")
        return Clip(path, name, self.labels[codes["label"]], speaker, self.name, gender, MappingProxyType(attributes))

    def recognises(self, path: Path) -> bool:
        """Whether a sound file is named as the recordings of this corpus."""
        return self.parse(path) is not None

    def find(self, source: Path) -> Listing:
        """The recordings below `source`, in any folders.

        A name that occurs twice yields one clip (popular repackagings of RAVDESS and TESS hold every file twice): the
        one whose path is shortest, then first by alphabet.
        """
        clips = Clips()
        unparsed, repeated = [], []
        for path in walk_sound_files(source):
            clip = self.parse(path)
            if clip is None:
                unparsed.append(path)
                continue
            other = clips.named(clip.name)
            if other is not None:
                clip, further = sorted((clip, other), key=lambda one: _shortest_first(one.path))
                repeated.append(further.path)
            clips.put(clip)
        return Listing(clips, tuple(unparsed), tuple(sorted(repeated, key=_shortest_first)))


def _shortest_first(path: Path) -> tuple[int, Path]:
    return len(path.parts), path
