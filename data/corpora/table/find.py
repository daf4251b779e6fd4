"""The clips that a table lists.

listing = find(Path("nemo"), TableOptions())
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from ser_images.data.clip import Clip, Listing
from ser_images.data.clips import Clips
from ser_images.data.common.errors import UserError
from ser_images.data.common.gender import gender_of
from ser_images.data.corpora.folder import ClipNames, distinct
from ser_images.data.corpora.registry import corpus_named_like
from ser_images.data.corpora.table.audformat_database import HEADER
from ser_images.data.corpora.table.columns import Columns, is_table_of_clips
from ser_images.data.corpora.table.rows import SUFFIXES, Table, column_names
from ser_images.data.corpora.table.segments import parse_segment, segment_suffix
from ser_images.data.corpora.table.sound_index import SoundIndex

LOGGER = logging.getLogger("ser_images")
AUDIO_FOLDER = "metadata"
"""Stem of the tables of an AudioFolder (Hugging Face `datasets`), one in each folder of recordings."""


@dataclass(frozen=True)
class TableOptions:
    """How a table is read.

    Attributes:
        columns: the column of each key of `USUAL`; the others are guessed.
        root: the folder that paths are relative to; None: the folder of the table.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    root: Path | None = None


def tables_of(source: Path, columns: Mapping[str, str]) -> list[Path]:
    """The tables of a corpus: `source` itself, an audformat database, an AudioFolder's, or the one with its clips.

    Args:
        columns: chosen ones; a table that has them is one with clips, whatever they are called.

    Raises:
        UserError: several tables could be meant.
    """
    if source.is_file():
        return [source]
    if (source / HEADER).is_file():
        return [source / HEADER]
    audio_folder = [path for suffix in SUFFIXES for path in sorted(source.rglob(f"{AUDIO_FOLDER}{suffix}"))]
    if found := [path for path in audio_folder if _lists_clips(path, columns)]:
        return found
    found = [path for path in sorted(source.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file()]
    found = [path for path in found if _lists_clips(path, columns)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"{source}: several tables list recordings ({names}); give the path of one, not the folder")
    return found


def _lists_clips(path: Path, columns: Mapping[str, str]) -> bool:
    names = column_names(path)
    return is_table_of_clips(names) or (bool(columns) and set(columns.values()) <= {"", *names})


def find(source: Path, options: TableOptions) -> Listing:
    """One clip for each row whose file is there and that has a label; for each segment, where the table has times.

    Where the files are named as those of a known corpus, the clips are of that corpus. Logs which columns were read
    as what.

    Raises:
        UserError: no such table, or columns that cannot be guessed.
    """
    paths = tables_of(source, options.columns)
    if not paths:
        raise UserError(
            f"{source}: no table with columns for path and label; give the path of a table ({', '.join(SUFFIXES)} or "
            f"{HEADER}), or --columns"
        )
    root = options.root or (source if source.is_dir() else source.parent)
    index = SoundIndex(root)
    corpus = corpus_named_like(index.files) or "table"
    readers = [_Reader(Table.read(path), index, options, corpus, len(paths) > 1) for path in paths]
    found = [one for reader in readers for one in reader.clips()]
    clips, doubles = _distinct(found)
    used = {clip.path for clip in clips}
    bad_rows = [problem for reader in readers for problem in reader.problems] + doubles
    return Listing(
        _named(clips, root),
        tuple(path for path in index.files if path not in used),
        bad_rows=tuple(bad_rows),
        notes=tuple(note for reader in readers for note in reader.notes()),
        root=root,
    )


class _Reader:
    """The rows of one table as clips.

    Attributes:
        problems: the rows that are no clip, and why.
    """

    def __init__(
        self, table: Table, index: SoundIndex, options: TableOptions, corpus: str, one_of_several: bool
    ) -> None:
        self.table, self.index, self.corpus = table, index, corpus
        self.columns = Columns.of(table.names, options.columns, str(table.path))
        self.folder = options.root or table.folder
        self.split = table.folder.name if one_of_several else ""
        self.problems: list[str] = []
        self._elsewhere: list[tuple[str, str]] = []
        self._genders: set[str] = set()
        guessed = f" ({', '.join(self.columns.guessed)} guessed; --columns to choose)" if self.columns.guessed else ""
        LOGGER.info("%s: columns %s%s", table.path.name, self.columns.text(), guessed)

    def clips(self) -> Iterator[tuple[str, Clip]]:
        """(where, clip) of each row that is one; the clips have no names yet."""
        for number, row in enumerate(self.table.rows, self.table.first_number):
            where = f"{self.table.path.name} row {number}"
            values = {what: row[name] for what, name in self.columns.used.items()}
            try:
                yield where, self._clip(row, values)
            except UserError as error:
                self.problems.append(f"{where}: {error}")

    def _clip(self, row: Mapping[str, str], values: Mapping[str, str]) -> Clip:
        if not values["path"]:
            raise UserError("no path")
        path = self.index.find(self.folder, values["path"])
        if path != self.folder / values["path"]:
            self._elsewhere.append((values["path"], path.relative_to(self.index.root).as_posix()))
        if not values["label"]:
            raise UserError(f"{values['path']!r} has no label")
        start_s, end_s = parse_segment(values.get("start", ""), values.get("end", ""))
        written, gender = values.get("gender", ""), gender_of(values.get("gender", ""))
        if written and not gender:
            self._genders.add(written)
        attributes = {name: row[name] for name in self.columns.others if row[name]}
        if self.split:
            attributes["split"] = self.split
        return Clip(
            path, "", values["label"], values.get("speaker", ""), self.corpus, gender, MappingProxyType(attributes),
            start_s, end_s,
        )  # fmt: skip

    def notes(self) -> Iterator[str]:
        """What was read otherwise than it is written."""
        if self.table.trimmed:
            yield f"{self.table.path.name}: blanks were removed around the values of {', '.join(self.table.trimmed)}"
        if self._elsewhere:
            wanted, found = self._elsewhere[0]
            yield (
                f"{self.table.path.name}: {len(self._elsewhere)} rows name their file with another suffix or folder, "
                f"as {wanted} for {found}"
            )
        if self._genders:
            yield f"{self.table.path.name}: genders not understood: {', '.join(sorted(self._genders))}"


def _distinct(found: Sequence[tuple[str, Clip]]) -> tuple[list[Clip], list[str]]:
    """The clips without doubled rows, and these; rows that contradict each other give no clip at all."""
    rows: dict[tuple[Path, float, float | None], list[tuple[str, Clip]]] = defaultdict(list)
    for where, clip in found:
        rows[clip.path, clip.start_s, clip.end_s].append((where, clip))
    clips, problems = [], []
    for (first, clip), *others in rows.values():
        if all(other.label == clip.label for _, other in others):
            clips.append(clip)
            problems += [f"{where}: the same recording and label as {first}" for where, _ in others]
        else:
            labels = ", ".join(f"{other.label} in {where}" for where, other in others)
            problems.append(f"{first}: labelled {clip.label} here, and {labels}: none is used")
    return clips, problems


def _named(clips: Sequence[Clip], root: Path) -> Clips:
    names = ClipNames(root, {clip.path for clip in clips})
    return Clips(
        distinct(replace(clip, name=names.of(clip.path) + segment_suffix(clip.start_s, clip.end_s)) for clip in clips)
    )
