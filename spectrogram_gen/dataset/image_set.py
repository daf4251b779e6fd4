"""The image set: a folder of class-labelled images with their spec and manifest.

images/happy/03-01-03-01-01-01-07__original.png
images/manifest.csv     one row per image
images/spec.json        the ImageSpec of all images
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

from ser_images.data.common.bounded_file import read_text_bounded
from ser_images.data.common.csv_file import dict_writer
from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.json_text import parse_json_as
from ser_images.data.common.paths import resolve_below
from ser_images.data.corrections import CORRECTED
from ser_images.data.label_map import ORIGINAL
from ser_images.data.labels import ordered_labels
from ser_images.spectrogram_gen.augment import Step
from ser_images.spectrogram_gen.spec import ImageSpec

MANIFEST, JOURNAL, SPEC = "manifest.csv", "manifest.csv.part", "spec.json"
START, END = "start_s", "end_s"
"""Attributes of a clip that is a part of its recording."""


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
        spec_hash: `ImageSpec.hash` of the image.
        attributes: further facts that the corpus gives about the clip, a JSON object.
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

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes by name; raises UserError where they are no JSON object."""
        return dict(parse_json_as(dict, self.attributes or "{}", f"attributes of {self.image}"))

    @property
    def step_names(self) -> list[str]:
        """The augmentations of the variant; raises UserError where `steps` is none of what a build writes."""
        steps = parse_json_as(list, self.steps or "[]", f"steps of {self.image}")
        if not all(isinstance(step, dict) and isinstance(step.get("name"), str) for step in steps):
            raise UserError(f"steps of {self.image}: {self.steps[:80]!r}, expected a list of steps with names")
        return [step["name"] for step in steps]

    def require_readable(self) -> None:
        """Raise UserError where `facts` or `step_names` would."""
        _ = self.facts, self.step_names


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

    @property
    def label_map(self) -> dict[str, str]:
        """The labels that were renamed when the set was built: what they were, and what they are."""
        with_map = ((row.facts, row.label) for row in self.rows if ORIGINAL in row.attributes)
        pairs = {
            (str(found[ORIGINAL]), label) for found, label in with_map if ORIGINAL in found and CORRECTED not in found
        }
        return dict(sorted(pairs))

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora of the images, sorted."""
        return tuple(sorted({row.corpus for row in self.rows}))

    @classmethod
    def read(cls, folder: Path) -> "ImageSet":
        """The image set in `folder`.

        Raises:
            UserError: no image set, an unfinished or incomplete one, or a manifest that names files outside of it.
        """
        if (folder / JOURNAL).exists():
            raise UserError(f"{folder}: its build was interrupted; run the same ser-images build again")
        if not (folder / MANIFEST).exists() or not (folder / SPEC).exists():
            raise UserError(f"{folder}: no image set ({MANIFEST} and {SPEC}); make one with ser-images build")
        spec = read_spec(folder)
        rows = tuple(read_manifest(folder / MANIFEST))
        for row in rows:
            _require_current(folder, row, spec)
        if not rows:
            raise UserError(f"{folder / MANIFEST}: lists no image; run ser-images build again")
        return cls(folder, spec, rows)


def read_spec(folder: Path) -> ImageSpec:
    """The spec of an image set; raises UserError where it is damaged."""
    text = read_text_bounded(folder / SPEC)
    with prefix_errors(folder / SPEC):
        return ImageSpec.from_json(text)


def _require_current(folder: Path, row: ManifestRow, spec: ImageSpec) -> None:
    if row.spec_hash != spec.hash:
        version = spec.renderer_version_of(row.spec_hash)
        reason = f"not of the spec in {SPEC}" if version is None else f"rendered by version {version} of the renderer"
        raise UserError(f"{folder / row.image}: {reason}; run ser-images build again")
    if not (folder / row.image).exists():
        raise UserError(f"{folder / row.image}: missing; run the same ser-images build again")


def load_images(image_set: ImageSet, rows: Sequence[ManifestRow]) -> NDArray[np.unsignedinteger[Any]]:
    """The images of these rows as one array, shape (len(rows), n_rows, n_frames)."""
    spec = image_set.spec
    images = np.empty((len(rows), spec.n_rows, spec.n_frames), spec.dtype)
    for pixels, row in zip(images, rows, strict=True):
        pixels[:] = read_image(resolve_below(image_set.folder, row.image, image_set.folder / MANIFEST))
    return images


def read_image(path: Path) -> NDArray[Any]:
    """The pixels of one image; raises UserError where it is missing or damaged, as during a long training."""
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, SyntaxError) as error:  # SyntaxError: of a chunk of a PNG
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}); run the same ser-images build again") from error


def read_manifest(path: Path) -> Iterator[ManifestRow]:
    """The rows of a manifest or a journal; an incomplete last line of a journal is left out.

    Raises:
        UserError: not readable, other columns, or an image outside the folder of the manifest.
    """
    try:
        with path.open(newline="\n", encoding="utf-8") as file:  # a field may hold \r
            rows = csv.DictReader(_complete_lines(file) if path.name == JOURNAL else file)
            if rows.fieldnames and rows.fieldnames[0] == "picture":  # the column's name up to version 0.1
                rows.fieldnames = ["image", *rows.fieldnames[1:]]
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise UserError(
                    f"{path}: columns {rows.fieldnames}, expected {list(COLUMNS)}; build it again in a new folder"
                )
            for row in rows:
                if None not in row.values():
                    if None in row:
                        raise UserError(f"{path}: a row with more than {len(COLUMNS)} columns; build it again")
                    resolve_below(path.parent, row["image"], path)
                    found = ManifestRow(**row)
                    with prefix_errors(path):
                        found.require_readable()
                    yield found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _complete_lines(file: TextIOWrapper) -> Iterator[str]:
    """All lines but a last one without its end, whose last field may be cut."""
    return (line for line in file if line.endswith("\n"))


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Write the rows to a temporary file and move it into place."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        append_rows(file, rows, header=True)
    part.replace(path)


def append_rows(file: TextIOWrapper, rows: Iterable[ManifestRow], header: bool = False) -> None:
    """Append rows to an open CSV and flush it, so that a killed build keeps what it has done."""
    writer = dict_writer(file, COLUMNS)
    if header:
        writer.writeheader()
    writer.writerows(vars(row) for row in rows)
    file.flush()
