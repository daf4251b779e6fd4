"""The options that say which clips a command reads, shared by build, check and show."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_images.data.common.errors import UserError

if TYPE_CHECKING:
    from ser_images.data.clip import Listing
    from ser_images.data.corpora.folder import PathRule
    from ser_images.data.corpora.table.find import TableOptions


@dataclass(frozen=True)
class CorpusOptions:
    """Which corpus it is, how its recordings are described, and what its labels become."""

    corpus: Annotated[
        str,
        typer.Option(
            help="How recordings are described: table, folder (LABEL/RECORDING), or the name of a known corpus such as "
            "ravdess; all are listed by ser-images corpora.",
            show_default="detected",
        ),
    ] = ""
    channel: Annotated[str, typer.Option(help="Where the corpus names it: speech, song or both.")] = "both"
    columns: Annotated[
        str,
        typer.Option(
            help="Corpus table: its columns, such as path=file_id,label=emotion,speaker=speaker_id,gender=sex.",
            show_default="guessed",
        ),
    ] = ""
    root: Annotated[
        Path | None,
        typer.Option(help="Corpus table: folder that its paths are relative to.", show_default="that of the table"),
    ] = None
    regex: Annotated[
        str,
        typer.Option(
            help="Corpus folder: regular expression for paths below SOURCE, with the groups speaker, label, gender or "
            "others: '(?P<speaker>[^/_]+)_[^/]*$'."
        ),
    ] = ""
    speakers: Annotated[
        Path | None,
        typer.Option(
            help="Corpus folder: CSV with recording (its path below SOURCE, as angry/anna_1.wav), speaker[, gender].",
        ),
    ] = None
    label_map: Annotated[
        str,
        typer.Option(
            help="Rename, merge or drop labels: a TOML file, or such as anger=angry,calm=neutral,boredom=; canonical "
            "renames usual names of the eight emotions of RAVDESS."
        ),
    ] = ""

    def find(self, source: Path, one_class: bool, one_of_several: bool = False) -> "Listing":
        """The clips of `source`.

        Args:
            one_class: they may all have one label; it is a warning.
            one_of_several: the label map is for other corpora too.

        Raises:
            UserError: an unknown corpus, an option that does not go with it, no clip, or one label without `one_class`.
        """
        from ser_images.data.clip import UNNAMED
        from ser_images.data.corpora import find_clips
        from ser_images.data.corpora.folder import require_labels
        from ser_images.data.label_map import LabelMap, offer_canonical

        label_map = LabelMap.parse(self.label_map, one_of_several) if self.label_map else None
        rule, table = self._rule(), self._table()
        corpus = self._corpus(source, rule, table)
        listing = find_clips(source, corpus, rule, self.channel, table)
        if label_map:
            listing = label_map.apply(listing)
        else:
            offer_canonical(listing.clips)
        if corpus in UNNAMED:
            require_labels(listing, source, one_class)
        return listing

    def _corpus(self, source: Path, rule: "PathRule | None", table: "TableOptions | None") -> str:
        from ser_images.data.corpora.detection import detect_corpus

        implied = "folder" if rule else "table" if table else ""
        return self.corpus or implied or detect_corpus(source)

    def _rule(self) -> "PathRule | None":
        from ser_images.data.corpora.folder import rule_from_regex, speakers_from_csv

        if self.regex and self.speakers:
            raise UserError("--regex and --speakers exclude each other; give one")
        if self.regex:
            return rule_from_regex(self.regex)
        return speakers_from_csv(self.speakers) if self.speakers else None

    def _table(self) -> "TableOptions | None":
        from ser_images.data.corpora.table.columns import parse_columns
        from ser_images.data.corpora.table.find import TableOptions

        if not self.columns and self.root is None:
            return None
        if self.root is not None and not self.root.is_dir():
            raise UserError(f"--root {self.root}: no such folder")
        return TableOptions(parse_columns(self.columns), self.root)
