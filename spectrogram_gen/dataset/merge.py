"""Merge finished image sets of one spec: the images of several corpora in one set.

merge({"ravdess": ImageSet.read(Path("a")), "nemo": ImageSet.read(Path("b"))}, Path("all"))
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ser_images.data.clip import UNNAMED
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place, require_new, require_writable
from ser_images.data.common.paths import resolve_below
from ser_images.data.several import own_name, qualified, require_corpus_name
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import MANIFEST, SPEC, ManifestRow, write_manifest


def merge(image_sets: Mapping[str, ImageSet], out: Path) -> ImageSet:
    """Copy the images of several sets into a new one; clips and speakers are named by corpus too.

    A set that is merged itself keeps the names of its corpora. The manifest names recordings `CORPUS/RECORDING`.

    Args:
        image_sets: by the names that their corpora shall have.

    Raises:
        UserError: sets of different specs, two corpora of one name, a name that is none, `out` exists, or a file cannot
            be copied.
    """
    rows = merged_rows(image_sets)
    specs = {image_set.spec.hash: (name, image_set.spec) for name, image_set in image_sets.items()}
    if len(specs) > 1:
        found = ", ".join(f"{name} {hash_} ({spec.feature})" for hash_, (name, spec) in specs.items())
        raise UserError(f"image sets of different specs: {found}; build them with the same --feature or --spec")
    require_new(out)
    require_writable(out.parent)
    try:
        with moved_into_place(out) as folder:
            for name, image_set in image_sets.items():
                _copy(image_set, rows[name], folder)
            (folder / SPEC).write_text(next(iter(image_sets.values())).spec.to_json() + "\n", encoding="utf-8")
            every = [row for several in rows.values() for row in several]
            write_manifest(folder / MANIFEST, sorted(every, key=lambda row: row.image))
    except OSError as error:
        raise UserError(f"{error.filename or out}: {error.strerror or error}; nothing was merged") from error
    return ImageSet.read(out)


def _copy(image_set: ImageSet, rows: Sequence[ManifestRow], folder: Path) -> None:
    """Copy the images of a set to where these rows, in the order of its own, name them."""
    for old, new in zip(image_set.rows, rows, strict=True):
        target = resolve_below(folder, new.image, image_set.folder / MANIFEST)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image_set.folder / old.image, target)


def merged_rows(image_sets: Mapping[str, ImageSet]) -> dict[str, list[ManifestRow]]:
    """The rows that `merge` writes, by image set, in the order of its own rows; errors as of `merge`."""
    rows = {name: _renamed(name, image_set) for name, image_set in image_sets.items()}
    _require_distinct(rows)
    return rows


def read_sets(texts: Sequence[str]) -> dict[str, ImageSet]:
    """The image sets of `IMAGES` or `NAME=IMAGES`; without a name, that of its corpus, or of its folder.

    Raises:
        UserError: no image set there, or two of one name.
    """
    found: dict[str, ImageSet] = {}
    for text in texts:
        name, equals, path = text.rpartition("=") if not Path(text).exists() else ("", "", text)
        image_set = ImageSet.read(Path(path))
        name = name if equals else _usual_name(image_set)
        if name in found:
            raise UserError(f"{path}: a second corpus {name!r}; name it: NAME={path}")
        found[name] = image_set
    return found


def _usual_name(image_set: ImageSet) -> str:
    known = [corpus for corpus in image_set.corpora if corpus not in UNNAMED]
    return known[0] if len(known) == 1 == len(image_set.corpora) else image_set.folder.resolve().name


def _renamed(name: str, image_set: ImageSet) -> list[ManifestRow]:
    if len(image_set.corpora) > 1:
        return list(image_set.rows)
    require_corpus_name(name)
    rows = list(image_set.rows)
    if all(row.clip != own_name(row.corpus, row.clip) for row in rows):  # built from a file of one corpus
        rows = [
            replace(row, clip=own_name(row.corpus, row.clip), speaker=own_name(row.corpus, row.speaker)) for row in rows
        ]
    return [_of_corpus(name, row) for row in rows]


def _of_corpus(name: str, row: ManifestRow) -> ManifestRow:
    clip = qualified(name, row.clip)
    return replace(
        row, image=f"{row.label}/{clip}__{row.variant}.png", clip=clip, speaker=qualified(name, row.speaker),
        corpus=name, source=f"{name}/{row.source}",
    )  # fmt: skip


def _require_distinct(rows: Mapping[str, list[ManifestRow]]) -> None:
    names: dict[str, str] = {}
    for name, several in rows.items():
        for corpus in {row.corpus for row in several}:
            if corpus in names:
                raise UserError(f"{names[corpus]} and {name} both hold a corpus {corpus!r}; name them: NAME=IMAGES")
            names[corpus] = name
