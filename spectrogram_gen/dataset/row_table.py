"""Rows of a manifest on disk, and whether they are of the same image set as a build.

table = RowTable(read_manifest(folder / "manifest.csv"))
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ser_images.data.clip import Clip
from ser_images.data.common.disk_table import DiskTable
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.image_set import read_spec
from ser_images.spectrogram_gen.dataset.manifest import COLUMNS, SPEC, ManifestRow
from ser_images.spectrogram_gen.spec import ImageSpec


class RowTable:
    """Rows by image file; a later one replaces an earlier one."""

    def __init__(self, rows: Iterable[ManifestRow] = ()) -> None:
        self._table = DiskTable()
        self.add(rows)

    def add(self, rows: Iterable[ManifestRow]) -> None:
        """Add rows."""
        for row in rows:
            self._table.put(row.image, json.dumps([getattr(row, name) for name in COLUMNS]))

    def get(self, image: str) -> ManifestRow | None:
        """The row of an image; None where there is none."""
        found = self._table.get(image)
        return None if found is None else ManifestRow(*json.loads(found))

    def rows(self) -> Iterator[ManifestRow]:
        """All rows, sorted by image."""
        return (ManifestRow(*json.loads(text)) for _, text in self._table.items())

    def __len__(self) -> int:
        return len(self._table)


def require_same_corpus(folder: Path, clips: Iterable[Clip], old: RowTable) -> None:
    """Raise UserError where a build of these clips would replace an image set of other recordings."""
    corpora, earlier = set[str](), DiskTable()
    for row in old.rows():
        corpora.add(row.corpus)
        earlier.put(row.clip, "")
    if not corpora:
        return
    new, same = set[str](), False
    for clip in clips:
        new.add(clip.corpus)
        same = same or clip.name in earlier
    other = corpora - new
    if new and (other or not same):
        what = f"corpus {min(other)}" if other else f"other recordings of corpus {min(corpora)}"
        raise UserError(
            f"{folder}: holds an image set of {what} ({len(earlier)} clips), and this build would remove it; "
            f"give another --out, or remove the folder first"
        )


def require_same_spec(folder: Path, spec: ImageSpec, old: RowTable) -> None:
    """Raise UserError where a build would replace the images of another spec."""
    if not old or not (folder / SPEC).exists():
        return
    earlier = read_spec(folder)
    if earlier != spec:
        raise UserError(
            f"{folder}: holds {len(old)} images of spec {earlier.hash} ({earlier.feature}), and this build, of spec "
            f"{spec.hash} ({spec.feature}), would replace them; give another --out, or remove the folder first"
        )
