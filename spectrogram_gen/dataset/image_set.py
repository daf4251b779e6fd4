"""The image set: a folder of class-labelled pictures with the spec and the manifest that explain it.

images/happy/03-01-03-01-01-01-07__original.png
images/manifest.csv     one row a picture
images/spec.json        the ImageSpec of them all
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ser_images.data.common.errors import UserError
from ser_images.data.labels import ordered_labels
from ser_images.spectrogram_gen.augment import Step
from ser_images.spectrogram_gen.spec import ImageSpec

MANIFEST, JOURNAL, SPEC = "manifest.csv", "manifest.csv.part", "spec.json"


@dataclass(frozen=True)
class ManifestRow:
    """One row of the manifest.

    Attributes:
        image: its file below the image set, `LABEL/CLIP__VARIANT.png`.
        variant: `original`, or the number of an augmented one.
        steps: the augmentations and what was drawn for them, a JSON list.
        sample_hash: SHA-256 of the recording's samples; equal where two recordings are the same sound.
        source: the recording, below the source folder of the build.
        source_hash: SHA-256 of the recording's file.
        spec_hash: `ImageSpec.hash` of the picture.
        attributes: what the corpus says of the clip besides, a JSON object.
    """

    image: str
    clip: str
    label: str
    speaker: str
    gender: str
    corpus: str
    variant: str
    steps: str
    sample_hash: str
    source: str
    source_hash: str
    spec_hash: str
    attributes: str


COLUMNS = tuple(field.name for field in fields(ManifestRow))


def steps_to_json(steps: Iterable[Step]) -> str:
    """Steps as the manifest writes them."""
    return json.dumps([asdict(step) for step in steps])


@dataclass(frozen=True)
class ImageSet:
    """A finished image set, as training reads it."""

    folder: Path
    spec: ImageSpec
    rows: tuple[ManifestRow, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels in their canonical order."""
        return ordered_labels(row.label for row in self.rows)

    @classmethod
    def read(cls, folder: Path) -> "ImageSet":
        """The image set in `folder`; raises UserError where it is none, unfinished or incomplete."""
        if (folder / JOURNAL).exists():
            raise UserError(f"{folder}: its build was interrupted; run the same ser-images build again")
        if not (folder / MANIFEST).exists() or not (folder / SPEC).exists():
            raise UserError(f"{folder}: no image set ({MANIFEST} and {SPEC}); make one with ser-images build")
        spec = ImageSpec.from_json((folder / SPEC).read_text())
        rows = tuple(read_manifest(folder / MANIFEST))
        for row in rows:
            if row.spec_hash != spec.hash:
                raise UserError(f"{folder / row.image}: not of the spec in {SPEC}; run ser-images build again")
            if not (folder / row.image).exists():
                raise UserError(f"{folder / row.image}: missing; run the same ser-images build again")
        if not rows:
            raise UserError(f"{folder / MANIFEST}: lists no picture; run ser-images build again")
        return cls(folder, spec, rows)


def load_images(images: ImageSet, rows: Sequence[ManifestRow]) -> NDArray[np.unsignedinteger[Any]]:
    """These pictures as one array, shape (len(rows), n_rows, n_frames)."""
    pictures = np.empty((len(rows), images.spec.n_rows, images.spec.n_frames), images.spec.dtype)
    for picture, row in zip(pictures, rows, strict=True):
        with Image.open(images.folder / row.image) as image:
            picture[:] = np.asarray(image)
    return pictures


def read_manifest(path: Path) -> Iterator[ManifestRow]:
    """The rows of a manifest or a journal; a last line that was cut short is left out."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if rows.fieldnames and rows.fieldnames[0] == "picture":  # the column's name up to version 0.1
                rows.fieldnames = ["image", *rows.fieldnames[1:]]
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise UserError(f"{path}: columns {rows.fieldnames}, expected {list(COLUMNS)}; build it anew elsewhere")
            for row in rows:
                if None not in row.values():
                    yield ManifestRow(**row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def write_manifest(path: Path, pictures: Iterable[ManifestRow]) -> None:
    """The rows to a file, in one move."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        append_rows(file, pictures, header=True)
    part.replace(path)


def append_rows(file: TextIOWrapper, pictures: Iterable[ManifestRow], header: bool = False) -> None:
    """Rows to an open CSV, flushed: a killed build keeps what it has done."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(vars(picture) for picture in pictures)
    file.flush()
